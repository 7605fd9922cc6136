"""Parquet: what flipped bits do, what a small file may claim, and that cells read as those of CSV do."""

from __future__ import annotations

import datetime as dt
import io
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.ingest import parquet
from core.ingest.parquet import BadParquet

ROOT = Path(__file__).parents[2]
MOST_MB = 700


def fuzz(first: int, last: int) -> str:
    """Read damaged files in another process; a death names the seed it died of."""
    command = [sys.executable, "-m", "tests.hostile.parquet_files", str(first), str(last)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=3_000)
    told = done.stdout.splitlines()
    assert done.returncode == 0, f"ended with {done.returncode} at {told[-1:]}: {done.stderr[-2_000:]}"
    counted, _, peak = told[-1].rpartition(" ")
    assert int(peak) < MOST_MB, f"{peak} MB"
    return f"{counted}, peak {peak} MB"


def test_flipped_bits_are_refused_and_the_process_lives() -> None:
    fuzz(0, 300)


@pytest.mark.slow
def test_five_thousand_damaged_parquet_files() -> None:
    print("5,000 damaged Parquet files:", fuzz(1_000, 6_000))


def written(table: pa.Table, **how: object) -> bytes:
    target = io.BytesIO()
    pq.write_table(table, target, **how)
    return target.getvalue()


def test_cells_come_as_python_values() -> None:
    at = dt.datetime(2026, 3, 1, 12, 30, 0, 123_456, tzinfo=dt.UTC)
    table = pa.table(
        {
            "time": pa.array([at, None], pa.timestamp("ns", "UTC")),
            "money": pa.array([Decimal("1.50"), None]),
            "map": pa.array([[("a", "b")], None], pa.map_(pa.string(), pa.string())),
            "word": pa.array(["x", None]).dictionary_encode(),
        }
    )
    assert list(parquet.records(written(table))) == [
        {"time": at, "money": Decimal("1.50"), "map": {"a": "b"}, "word": "x"},
        {"time": None, "money": None, "map": None, "word": None},
    ]


def test_a_few_bytes_that_claim_a_hundred_million_cells_are_not_read() -> None:
    """One value said 100,000,000 times is 264 kB in a file and 800 MB out of it."""
    column = pl.select(pl.repeat("USD", 1_000_000)).to_series().to_arrow()
    target = io.BytesIO()
    with pq.ParquetWriter(target, pa.schema([("BillingCurrency", column.type)])) as writer:
        for _ in range(100):
            writer.write_table(pa.table({"BillingCurrency": column}))
    content = target.getvalue()
    with pytest.raises(BadParquet, match="claim 100,000,000 cells"):
        list(parquet.table(content))


@pytest.mark.parametrize("content", [b"PAR1", b"PAR1" + b"\0" * 100 + b"PAR1", b"PAR1\xff\xff\xff\x7fPAR1"])
def test_what_only_begins_like_parquet_is_told(content: bytes) -> None:
    with pytest.raises(BadParquet, match="damaged"):
        list(parquet.table(content))

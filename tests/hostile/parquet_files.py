"""Damaged Parquet files by seed, read in a process of their own: damage must not end it.

    python -m tests.hostile.parquet_files FIRST LAST

prints the seed before each file, then how often a file was read and refused, and the peak memory in MB.
"""

from __future__ import annotations

import datetime as dt
import io
import sys
from collections import Counter
from decimal import Decimal
from random import Random
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from core.ingest.files import FileProblem, read_upload
from core.ingest.formats import FORMATS
from core.ingest.options import ReadOptions
from tests.hostile.memory import peak_mb

DAY = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
READERS = ("focus", "aws_cur", "gcp_billing", "phoenix")
COLUMNS: dict[str, list[Any]] = {
    "BilledCost": [Decimal("1.50"), None, Decimal("-3.25")],
    "BillingCurrency": ["USD", "EUR", None],
    "ChargeCategory": ["Usage", "Tax", ""],
    "ChargePeriodStart": [DAY, DAY, None],
    "ChargePeriodEnd": [DAY + dt.timedelta(days=1)] * 3,
    "ConsumedQuantity": [1.5, float("nan"), float("inf")],
    "Tags": [[{"key": "a", "value": "b"}], [], None],
    "x_Nested": [{"a": [1, None]}, None, {"a": None}],
    "x_Bytes": [b"\xff\x00", None, b""],
}
"""Every kind of column a bill has: decimals, times, numbers that are none, maps, structures, bytes."""


def sound(random: Random) -> bytes:
    """A file of one of the layouts that writers choose."""
    frame = pl.DataFrame(COLUMNS).sample(60, with_replacement=True, seed=random.randrange(1_000))
    target = io.BytesIO()
    layouts: tuple[dict[str, Any], ...] = (
        {"compression": "snappy"}, {"compression": "zstd", "use_dictionary": False}, {"compression": "gzip"},
        {"compression": "none", "data_page_version": "2.0"}, {"compression": "none", "row_group_size": 7},
    )  # fmt: skip
    pq.write_table(frame.to_arrow(), target, **random.choice(layouts))
    return target.getvalue()


def damaged(seed: int) -> bytes:
    """One to four bits flipped, half of the time in the footer; now and then cut."""
    random = Random(f"parquet {seed}")
    content = bytearray(sound(random))
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    first = footer if random.random() < 0.5 else 4
    for _ in range(random.randint(1, 4)):
        content[random.randrange(first, len(content))] ^= 1 << random.randrange(8)
    return bytes(content[: random.randrange(len(content))] if random.random() < 0.1 else content)


def read_all(content: bytes) -> str:
    """Read by the front door, and by every reader of Parquet as if it were its own."""
    rows, problems = 0, 0
    readers = [known.read for known in FORMATS if known.name in READERS]
    for read in (lambda stream, *_: read_upload(stream, "damaged.parquet", ReadOptions()), *readers):
        try:
            for batch in read(io.BytesIO(content), "damaged.parquet", ReadOptions()):
                rows += batch.rows_read
                assert all(len(row.reason) > 15 for row in batch.quarantined)
        except (FileProblem, ValueError):
            problems += 1
    return "read" if rows and not problems else "refused"


def main(first: int, last: int) -> None:
    found: Counter[str] = Counter()
    for seed in range(first, last):
        print(f"seed {seed}", flush=True)
        found[read_all(damaged(seed))] += 1
    print(dict(found), peak_mb())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

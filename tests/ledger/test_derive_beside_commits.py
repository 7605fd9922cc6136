"""Deriving while batches are committed and DuckDB checkpoints: a repeat is dropped and recorded once.

Row numbers read by a transaction that had not written yet were moved by a checkpoint in 2.0.0 and 2.0.1: deletes then
found nothing, or another row.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import duckdb
import pytest

from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_traces
from core.ledger.store import Store
from tests.ingest.otlp_requests import as_protobuf, request, span

BATCHES = 800
SPANS, CONTENTS = 40, 12
"""Ids and contents drawn: most spans repeat one that came before."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "trueup.duckdb")
    yield opened
    opened.close()


def body(number: int) -> bytes:
    """A few spans of one trace out of few ids and contents; the trace named by `number` makes the bytes new."""
    random = Random(number)
    drawn = [
        span({"note": f"content {random.randrange(CONTENTS)} {'x' * 2_000}"}, spanId=f"{random.randint(1, SPANS):016x}")
        for _ in range(random.randint(1, 3))
    ]  # fmt: skip
    return as_protobuf(request(*drawn, span(traceId=f"{1_000 + number:032x}")))


@pytest.mark.parametrize("written_first", [False, True])
def test_checkpoints_move_the_row_numbers_of_a_transaction_that_has_not_written(
    tmp_path: Path, written_first: bool
) -> None:
    """Why `derive` writes before it reads row numbers. When the first case fails, DuckDB has mended it."""
    connection = duckdb.connect(tmp_path / "plain.duckdb")
    connection.execute("create table span as select range as n from range(300_000)")
    connection.execute("create table derivation (n int)")
    connection.execute("checkpoint")
    connection.execute("delete from span where n < 200_000")  # most of the first row groups: worth rewriting
    deriving = connection.cursor()
    deriving.execute("begin")
    if written_first:
        deriving.execute("insert into derivation values (1)")
    deriving.execute("create temp table member as select rowid as row_id from span where n = 299_999")
    connection.execute("checkpoint")
    (found,) = deriving.execute("delete from span where rowid in (select row_id from member)").fetchall()
    deriving.execute("commit")
    connection.close()
    assert found == (1 if written_first else 0,)


def _send(store: Store) -> None:
    for number in range(BATCHES):
        store.submit(decode_traces(body(number), "application/x-protobuf", ReadOptions()))


@pytest.mark.slow
def test_repeats_are_dropped_once_whenever_the_file_is_checkpointed(store: Store) -> None:
    with store._file.cursor() as cursor:
        cursor.execute("set checkpoint_threshold = '20KB'")  # every few commits: by itself after 16 MB
    with ThreadPoolExecutor(1) as sender:
        sent = sender.submit(_send, store)
        while not sent.done():
            store.derive()
        sent.result()
    store.derive()
    counted = store.ask("""
        select
            (select sum(rows_read) from imports)::bigint as read_rows,
            (select count(*) from spans) as kept_rows,
            (select count(*) from duplicates where table_name = 'spans' and kind = 'exact') as repeats,
            (select count(*) from (select distinct trace_id, span_id, content_hash from spans)) as contents
    """).row(0, named=True)
    assert counted["kept_rows"] == counted["contents"], "no repeat is left"
    assert counted["read_rows"] == counted["kept_rows"] + counted["repeats"], "none is lost or recorded twice"
    assert counted["repeats"] > BATCHES  # 2 drawn a batch out of 480 contents: nearly all repeat

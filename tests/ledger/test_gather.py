"""Batches on their way share a commit with what is there; nobody waits for a batch that nobody makes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import TimeoutError as StillWaiting
from pathlib import Path

import pytest

from core.ledger import writer
from core.ledger.file import CHECKPOINT_AT, LedgerFile
from core.ledger.store import Store
from tests.ledger.test_store import a_trace, spans_batch

FOR_EVER_S = 3_600.0


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A ledger whose writer waits as long as a batch is coming."""
    monkeypatch.setattr(writer, "GATHER_S", FOR_EVER_S)
    opened = Store.open(":memory:")
    yield opened
    opened.close()


def test_a_batch_waits_for_the_one_that_is_being_made(store: Store) -> None:
    with store.coming():
        first = store.submit_soon(spans_batch(a_trace("t1", 1), "a"))
        with pytest.raises(StillWaiting):
            first.result(timeout=0.5)
    second = store.submit_soon(spans_batch(a_trace("t2", 1), "b"))
    assert (first.result().import_id, second.result().import_id) == (1, 2)


def test_a_batch_alone_waits_for_nothing(store: Store) -> None:
    with store.coming():
        pass
    assert store.submit(spans_batch(a_trace("t1", 1), "a")).rows_accepted > 0


def test_a_batch_that_comes_to_nothing_holds_the_others_for_the_longest_wait_only(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "GATHER_S", 0.1)
    with store.coming():
        assert store.submit(spans_batch(a_trace("t1", 1), "a")).import_id == 1


def test_work_with_a_transaction_of_its_own_is_not_kept_waiting(store: Store) -> None:
    with store.coming():
        first = store.submit_soon(spans_batch(a_trace("t1", 1), "a"))
        receipt = store.undo([1], "wrong file")
    assert (first.result().import_id, receipt.import_id) == (1, 2)


def test_the_log_may_grow_to_what_is_read_back_in_half_a_second(tmp_path: Path) -> None:
    file = LedgerFile(tmp_path / "trueup.duckdb", threads=1)
    with file.cursor() as cursor:
        set_to = cursor.execute("select current_setting('checkpoint_threshold')").fetchall()
    file.close()
    assert (CHECKPOINT_AT, set_to) == ("128MiB", [("128.0 MiB",)])

"""Emptying the demo: everything goes, the version goes on, and one real import is enough to refuse."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from core import demo, view
from core.audit import Scope
from core.coverage import DELETED_BEFORE, HOLDS, table_counts
from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_traces
from core.intake import Arrival, take_in
from core.ledger.empty import NO_DATA
from core.ledger.store import Batch, CannotEmpty, Store, TakenFile
from tests import otlp_bodies

CALLS = 40


def spans(first: int, last: int, demo_data: bool) -> Batch:
    """A body of the calls first..last."""
    body = otlp_bodies.protobuf(range(first, last + 1))
    return decode_traces(body, "application/x-protobuf", ReadOptions(demo=demo_data))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "trueup.duckdb")
    yield opened
    opened.close()


def load_demo(store: Store) -> None:
    take_in(store, iter([spans(1, CALLS, True)]), Arrival("demo", "traces.pb"))
    store.derive()


def rows_left(store: Store) -> dict[str, int]:
    """Rows of every table that holds an import's rows."""
    counts = table_counts(store.ask)
    return {
        name: rows
        for name, rows in counts.select("table_name", "row_count").iter_rows()
        if name not in NO_DATA
    }


def test_everything_goes_and_the_version_goes_on(store: Store, tmp_path: Path) -> None:
    load_demo(store)
    before = store.version()
    held = {name: rows for name, rows in rows_left(store).items() if rows}
    assert {"spans", "calls", "runs", "attempts"} <= set(held)
    emptied = store.empty_demo()
    assert store.derive() == emptied.import_id == before + 1
    assert set(rows_left(store).values()) == {0}
    # Recorded table by table: the sum is what was told.
    recorded = store.ask("select table_name, row_count from deletions where reason = 'emptied'")
    assert dict(recorded.iter_rows()) == held
    assert (emptied.row_count, emptied.table_count) == (sum(held.values()), len(held))
    assert store.ask("select count(*) from files").item() == 0
    assert store.ask(HOLDS, as_of=store.version()).item() == 0
    assert not demo.can_empty(store.ask)
    with pytest.raises(CannotEmpty, match="no demo data"):
        store.empty_demo()
    store.close()
    again = Store.open(tmp_path / "trueup.duckdb")
    try:
        assert (again.version(), again.latest_import()) == (before + 1, before + 1)
    finally:
        again.close()


def test_the_same_bytes_can_come_again(store: Store) -> None:
    load_demo(store)
    store.empty_demo()
    receipt = store.submit(spans(1, CALLS, False))
    assert (receipt.already_known, receipt.rows_accepted) == (False, receipt.rows_read)
    store.derive()
    assert demo.note(store.ask) == ""
    assert store.ask("select count(*) from runs").item() == CALLS


@pytest.mark.parametrize("undo", [False, True], ids=["in force", "undone"])
def test_one_real_import_is_enough_to_refuse(store: Store, undo: bool) -> None:
    load_demo(store)
    real = store.submit(spans(CALLS + 1, CALLS + 1, False))
    if undo:
        store.undo([real.import_id], "test")
    store.derive()
    held = rows_left(store)
    assert demo.note(store.ask) == demo.PARTLY
    with pytest.raises(
        CannotEmpty, match="1 imports of this ledger are no demo data, so nothing was deleted"
    ):
        store.empty_demo()
    assert demo.empty(store).startswith("1 imports of this ledger are no demo data")
    assert rows_left(store) == held


def test_undone_demo_data_goes_too(store: Store) -> None:
    load_demo(store)
    store.undo([1], "test")
    store.derive()
    assert store.ask("select count(*) from undone").item() == 1
    store.empty_demo()
    assert set(rows_left(store).values()) == {0}


def test_a_pinned_link_says_that_its_rows_are_gone_and_later_scopes_do_not(store: Store) -> None:
    load_demo(store)
    pinned = store.version()
    store.empty_demo()
    version = store.derive()
    scope = Scope(dt.date(2026, 3, 1), dt.date(2026, 3, 28), as_of=pinned)
    assert ("Deleted", f"The demo data this link shows was deleted at data version {version}.") in view.notes(
        store.ask, scope, None
    )
    assert view.notes(store.ask, scope._replace(as_of=version), None) == []
    assert store.ask(DELETED_BEFORE).item() is None  # retention deleted nothing


def test_a_finding_that_was_asked_before_is_not_kept_after(store: Store) -> None:
    load_demo(store)
    row = {
        "version": store.version(), "scope_key": "x", "standard": True, "audit": "a", "at_ns": 1, "took_ms": 1.0,
        "status": "holds", "reported": "", "supported": "", "unit": "count", "n": 1, "sentence": "", "missing": "",
        "bounds": "",
    }  # fmt: skip
    store.empty_demo()
    store.keep_finding(pl.DataFrame([row]))
    assert store.ask("select count(*) from findings").item() == 0
    store.keep_finding(pl.DataFrame([row | {"version": store.derive()}]))
    assert store.ask("select count(*) from findings").item() == 1


def test_a_file_that_somebody_tried_and_failed_to_give_stays_listed(store: Store) -> None:
    load_demo(store)
    number = store.next_file_id()
    store.add_file(
        TakenFile(number, number, "upload", "mine.txt", None, None, 3, None, "no format has it", 0, 0, 0, 0)
    )
    store.empty_demo()
    assert store.ask("select name from files").rows() == [("mine.txt",)]

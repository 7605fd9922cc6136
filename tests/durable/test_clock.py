"""A wall clock that is set back: import numbers are the order, so every number is what a straight clock gives."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core import findings
from core.audit import Scope
from core.audits import retry_ledger
from core.imports import ARRIVALS
from core.ledger.batch import TakenFile
from core.ledger.store import Store
from core.pulls import LAST
from core.state import State
from core.web.clock import BELIEVED_AFTER_S, WallClock
from tests.ledger.test_store import a_trace, spans_batch

START_NS = 1_795_500_000 * 10**9
HOUR_NS = 3600 * 10**9
SCOPE = Scope(dt.date(2026, 1, 1), dt.date(2027, 1, 1))


def set_clock(monkeypatch: pytest.MonkeyPatch, at: Callable[[], int]) -> None:
    monkeypatch.setattr(time, "time_ns", at)


def worked_with(path: Path, monkeypatch: pytest.MonkeyPatch, hours: list[int]) -> dict[str, Any]:
    """Six steps of work, each at its hour by the wall clock; what the ledger then says, without any wall-clock time."""
    store = Store.open(path)
    state = State(path=path.with_name("state.sqlite"))
    clock = iter(hours)

    def at_the_next_hour() -> None:
        now_ns = START_NS + next(clock) * HOUR_NS
        set_clock(monkeypatch, lambda: now_ns)

    seen: list[Any] = []
    for number in range(3):
        at_the_next_hour()
        file_id = store.next_file_id()
        batch = spans_batch(a_trace(f"{number:032x}", 2 + number), str(number))._replace(
            file_id=file_id, delivery_id=file_id
        )
        receipt = store.submit(batch)
        store.add_file(
            TakenFile(file_id, file_id, "sql", "bill", "x", None, 1, None, None, number, number, 0, 0)
        )
        version = store.derive()
        row = findings.row_of(retry_ledger, store.ask, SCOPE._replace(as_of=version), True)
        store.keep_finding(row.with_columns(status=pl.lit(("holds", "watch", "broken")[number])))
        seen.append(
            (receipt.import_id, version, state.save_calendar(f"region\nr{number}\n", base=number).number)
        )
    at_the_next_hour()
    undone = store.undo([2], "test")
    seen.append((undone.import_id, store.derive(), store.latest_import(), store.next_file_id()))
    at_the_next_hour()
    arrivals = store.ask(ARRIVALS)
    kept = findings.standing(store.ask, store.version())["retry_ledger"].kept
    past = store.ask("select status from findings order by version")["status"].to_list()
    pinned = [
        store.ask("select count(*) from calls where import_id <= $v and superseded_by > $v", v=v).item()
        for v in range(1, 5)
    ]
    state.close()
    store.close()
    return {
        "seen": seen, "status": kept.finding.status, "version": kept.version, "past": past, "pinned": pinned,
        "arrivals": arrivals.select("name", "file_id", "last_import", "what").rows(),
    }  # fmt: skip


def test_a_clock_that_steps_back_changes_nothing_but_the_times_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = worked_with(tmp_path / "straight" / "trueup.duckdb", monkeypatch, [0, 1, 2, 3, 4, 5])
    back = worked_with(tmp_path / "back" / "trueup.duckdb", monkeypatch, [100, 30, -500, 30, -9000, 0])
    assert back == straight
    assert straight["status"] == "broken"
    assert straight["seen"] == [(1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4, 4)]
    assert [last for _, _, last, _ in straight["arrivals"]] == [4, 3, 2, 1]


def test_a_pull_is_the_last_by_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.open(tmp_path / "trueup.duckdb")
    for number, hour in enumerate((9, 2), 1):
        now_ns = START_NS + hour * HOUR_NS
        monkeypatch.setattr(time, "time_ns", lambda now_ns=now_ns: now_ns)
        store.add_file(
            TakenFile(store.next_file_id(), number, "sql", "bill", "x", None, 1, None, None, number, 0, 0, 0)
        )
    assert store.ask(LAST).select("rows_read").item() == 2
    store.close()


def test_a_clock_that_jumped_deletes_nothing_until_it_is_believed() -> None:
    """Wall and steady seconds; a year is 31,536,000 s. Daylight saving by hand (1 h) is no jump."""
    year = 31_536_000.0
    clock = WallClock(1_000_000.0, 0.0)
    assert clock.distrust(1_003_600.0, 3_600.0) is None
    assert clock.distrust(1_003_600.0 + 3_600, 3_600.0) is None
    told = clock.distrust(1_010_000.0 + year, 10_000.0)
    assert told is not None
    assert "+8,7" in told  # 8,760 h, less the hour that was believed
    assert clock.distrust(1_010_000.0 + 100, 10_100.0) is None, "set right again"
    assert clock.distrust(1_020_000.0 + year, 20_000.0) is not None
    almost = 20_000.0 + BELIEVED_AFTER_S
    assert clock.distrust(1_000_000.0 + almost - 1 + year, almost - 1) is not None
    assert clock.distrust(1_000_000.0 + almost + year, almost) is None
    assert clock.distrust(1_000_000.0 + almost + 60 + year, almost + 60) is None
    assert clock.distrust(1_000_000.0, almost + 120) is not None, "back is a jump as well"

"""A measure is computed once for everybody who waits, and again when anything it depends on is another."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from core import findings, measured, view
from core.audit import Ask, Scope
from core.audits import retry_ledger, token_forecast
from core.ledger.store import Store
from tests.audits.retry_world import DAY, send, worked_scenario

WEEK = Scope(DAY, DAY + dt.timedelta(days=6), as_of=1)
PATIENCE_S = 240


@pytest.fixture
def once() -> Iterator[measured.Once]:
    """The worked scenario in an app that shares measures."""
    store = Store.open(":memory:")
    send(store, **worked_scenario())
    shared = measured.Once(store)
    measured.publish(shared)
    yield shared
    measured.publish(None)
    store.close()


class Counted:
    """An audit that says how often it was asked, and can be held in the middle of it."""

    def __init__(self, fails: int = 0) -> None:
        self.asked: list[Scope] = []
        self.going, self.fails = threading.Event(), fails
        self.going.set()

    def load(self, ask: Ask, scope: Scope) -> dict[str, pl.DataFrame]:
        self.asked.append(scope)
        assert self.going.wait(PATIENCE_S)
        if len(self.asked) <= self.fails:
            raise RuntimeError("the disk is full")
        return {"rows": pl.DataFrame({"n": [len(self.asked)]})}

    def measure(self, frames: dict[str, pl.DataFrame], scope: Scope) -> int:
        return int(frames["rows"]["n"][0])

    def module(self, **more: Any) -> ModuleType:
        module = ModuleType(f"core.audits.counted_{id(self)}")
        module.__dict__.update(load=self.load, measure=self.measure, **more)
        return module


def test_twenty_who_wait_for_one_scope_cost_one_computation(once: measured.Once) -> None:
    counted, found = Counted(), list[object]()
    audit = counted.module()
    counted.going.clear()
    viewers = [
        threading.Thread(target=lambda: found.append(once.of(audit, once.store.ask, WEEK).measure))
        for _ in range(20)
    ]
    for one in viewers:
        one.start()
    counted.going.set()
    for one in viewers:
        one.join(PATIENCE_S)
    assert found == [1] * 20
    assert len(counted.asked) == 1


def test_another_scope_version_or_act_is_another_measure(once: measured.Once) -> None:
    counted = Counted()
    audit, ask = counted.module(), once.store.ask
    once.of(audit, ask, WEEK)
    once.of(audit, ask, WEEK._replace(regions=("eu-west-1",)))
    once.of(audit, ask, WEEK._replace(as_of=2))
    assert len(counted.asked) == 3
    once.store._acts += 1  # what a file, an undo or an emptying does
    assert once.of(audit, ask, WEEK).measure == 4


def test_what_failed_is_raised_and_asked_again(once: measured.Once) -> None:
    counted = Counted(fails=1)
    audit = counted.module()
    with pytest.raises(RuntimeError, match="the disk is full"):
        once.of(audit, once.store.ask, WEEK)
    assert once.of(audit, once.store.ask, WEEK).measure == 2


def test_the_longest_unused_leave_first(once: measured.Once, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two are kept: after scopes 1, 2, 1, 3 the second is gone and the first is not."""
    monkeypatch.setattr(measured, "MOST_KEPT", 2)
    counted = Counted()
    audit, ask = counted.module(), once.store.ask
    for as_of in (1, 2, 1, 3, 1, 2):
        once.of(audit, ask, WEEK._replace(as_of=as_of))
    assert [scope.as_of for scope in counted.asked] == [1, 2, 3, 2]


def test_frames_that_are_too_large_are_kept_for_the_newest_only(
    once: measured.Once, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "MOST_BYTES", 0)
    counted = Counted()
    audit, ask = counted.module(), once.store.ask
    for as_of in (1, 1, 2, 1):
        once.of(audit, ask, WEEK._replace(as_of=as_of))
    assert [scope.as_of for scope in counted.asked] == [1, 2, 1]


def test_the_boards_stamp_matters_only_to_an_audit_that_reads_it(once: measured.Once) -> None:
    """The board asks every audit with the break calendar in its scope; a page of another audit has none."""
    stamped = WEEK._replace(choices=(("breaks", "3"),), made=(("breaks", "a calendar"),))
    without, reading = Counted(), Counted()
    for counted, more in ((without, {}), (reading, {"MADE": token_forecast.MADE})):
        audit = counted.module(**more)
        once.of(audit, once.store.ask, stamped)
        once.of(audit, once.store.ask, WEEK)
    assert (len(without.asked), len(reading.asked)) == (1, 2)


def test_the_board_and_the_page_say_the_same_as_without_sharing(once: measured.Once) -> None:
    ask = once.store.ask
    shared = findings.found_by(retry_ledger, ask, WEEK)
    page = view.answer(retry_ledger, ask, WEEK)
    measured.publish(None)
    alone = view.answer(retry_ledger, ask, WEEK)
    assert shared == findings.found_by(retry_ledger, ask, WEEK)
    assert (page.measure, page.finding) == (alone.measure, alone.finding)
    assert {name: one.to_json() for name, one in page.figures.items()} == {
        name: one.to_json() for name, one in alone.figures.items()
    }


def test_rows_behind_a_verdict_are_those_of_its_measure(store: Store) -> None:
    """Where an audit reads them off its measure, the page does not measure again; asked anew they are the same."""
    from tests.audits import test_mcp_cold_start as mcp

    mcp.fill(store)
    shown = measured.evidence_of(mcp.audit, store.ask, mcp.SCOPE)
    assert shown.height == 34
    assert shown.equals(mcp.audit.evidence(store.ask, mcp.SCOPE))


class Unmoved(Counted):
    """An audit whose rows come from a table that live traffic leaves alone."""

    def __init__(self, rows: pl.DataFrame) -> None:
        super().__init__()
        self.rows, self.measured = rows, 0

    def load(self, ask: Ask, scope: Scope) -> dict[str, pl.DataFrame]:
        super().load(ask, scope)
        return {"rows": self.rows}

    def measure(self, frames: dict[str, pl.DataFrame], scope: Scope) -> int:
        self.measured += 1
        return self.measured


def test_the_same_rows_at_a_newer_version_are_not_measured_again(once: measured.Once) -> None:
    unmoved = Unmoved(pl.DataFrame({"n": [1, 2]}))
    audit, ask = unmoved.module(), once.store.ask
    first = once.of(audit, ask, WEEK)
    assert once.of(audit, ask, WEEK._replace(as_of=2)) is first
    assert (len(unmoved.asked), unmoved.measured) == (2, 1)


@pytest.mark.parametrize(
    "rows",
    [
        pl.DataFrame({"n": [2, 1]}),
        pl.DataFrame({"n": [1, None]}),
        pl.DataFrame({"n": [1, 2]}, schema={"n": pl.Int32}),
        pl.DataFrame({"m": [1, 2]}),
        pl.DataFrame({"n": [1, 2, 2]}),
    ],
)
def test_other_rows_or_another_scope_are_measured(once: measured.Once, rows: pl.DataFrame) -> None:
    """Order counts, and so does the type: a mean of small integers may round otherwise."""
    unmoved = Unmoved(pl.DataFrame({"n": [1, 2]}))
    audit, ask = unmoved.module(), once.store.ask
    assert once.of(audit, ask, WEEK).measure == 1
    assert once.of(audit, ask, WEEK._replace(as_of=2, regions=("eu-west-1",))).measure == 2
    unmoved.rows = rows
    assert once.of(audit, ask, WEEK._replace(as_of=2)).measure == 3


def test_a_measure_does_not_know_its_version() -> None:
    """Else it could not be taken over: only questions read it, as $as_of, and the run that a page opens."""
    parts = Path(measured.__file__).parent.glob("audits/*.py")
    assert [path.name for path in parts if "scope.as_of" in path.read_text()] == []


def test_what_is_drawn_is_shared_by_those_who_look(once: measured.Once) -> None:
    ask = once.store.ask
    first, second = (view.answer(retry_ledger, ask, WEEK) for _ in range(2))
    assert first.figures
    assert all(second.figures[name] is figure for name, figure in first.figures.items())

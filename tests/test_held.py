"""The version pages show: held under live ingest, moved at once by a file or an undo, never held outside the app."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from types import ModuleType

import polars as pl
import pytest

from core import board, findings
from core.audit import Ask, Scope, TooLittle
from core.audits import every_audit
from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_traces
from core.ledger.batch import Batch, TakenFile
from core.ledger.store import Store
from core.ui import held
from tests import otlp_bodies


@pytest.fixture
def live() -> Iterator[Store]:
    """A ledger in an app: somebody works for the board."""
    store = Store.open(":memory:")
    board.publish(board.BoardWorker(store))
    yield store
    board.publish(None)
    store.close()


def arrive(store: Store, number: int) -> int:
    """An import of live traffic, derived."""
    store.submit(Batch("live", "otlp_traces", f"sha {number}", 0, {}))
    store._version = store.latest_import()
    return store.version()


START = 1_000.0
DAY = dt.date(2026, 3, 1)


def test_an_empty_ledger_shows_its_first_version_at_once(live: Store) -> None:
    assert held.version(live, START) == 0
    assert held.version(live, START + 60) == 0
    assert arrive(live, 1) == 1
    assert held.version(live, START + 60) == 1


def test_live_traffic_moves_it_every_twenty_seconds(live: Store) -> None:
    arrive(live, 1)
    assert held.version(live, START) == 1
    arrive(live, 2)
    assert held.version(live, START + held.AT_ONCE_S + 1) == 1
    arrive(live, 3)
    assert held.version(live, START + held.HOLD_S) == 3
    arrive(live, 4)
    assert held.version(live, START + 2 * held.HOLD_S - 1) == 3
    assert held.version(live, START + 2 * held.HOLD_S) == 4


def test_live_traffic_does_not_move_it_right_after_a_start_either(live: Store) -> None:
    arrive(live, 1)
    assert held.version(live, START) == 1
    arrive(live, 2)
    assert held.version(live, START + 1) == 1


def test_live_traffic_moves_it_to_what_the_worker_has_answered(live: Store) -> None:
    """The worker answered version 2 while 4 is the newest; it falls behind, and after two minutes pages go on without it."""
    worker = board.running()
    assert worker is not None
    arrive(live, 1)
    assert held.version(live, START) == 1
    worker.complete_version = 1
    for number in (2, 3, 4):
        arrive(live, number)
    assert held.version(live, START + held.HOLD_S) == 1
    worker.complete_version = 2
    assert held.version(live, START + held.HOLD_S + 1) == 2
    arrive(live, 5)
    moved = START + held.HOLD_S + 1
    assert held.version(live, moved + held.LONGEST_S - 1) == 2
    assert held.version(live, moved + held.LONGEST_S) == 5


def test_the_worker_knows_what_it_has_answered(live: Store) -> None:
    worker = board.running()
    assert worker is not None
    live.submit(decode_traces(otlp_bodies.protobuf(range(1, 4)), "application/x-protobuf", ReadOptions()))
    live.derive()
    assert worker.complete_version == 0
    worker._step()
    assert worker.complete_version == live.version() == 1
    again = board.BoardWorker(live)
    again._step()  # nothing is left to ask: a start over a ledger whose findings are kept
    assert again.complete_version == 1


def test_a_file_moves_it_at_once_also_when_it_is_derived_a_moment_later(live: Store) -> None:
    arrive(live, 1)
    held.version(live, START)
    later = START + held.HOLD_S - 1
    before = held.changes(live)
    live.add_file(TakenFile(live.next_file_id(), 1, "upload", "a.csv"))
    assert held.changes(live) == before + 1
    assert held.version(live, later) == 1
    arrive(live, 2)
    assert held.version(live, later + 2) == 2


def test_outside_the_app_nothing_is_held() -> None:
    store = Store.open(":memory:")
    for number in range(1, 4):
        assert held.version(store) == number - 1
        arrive(store, number)
        assert held.version(store) == number
        assert held.changes(store) == store.changes()
    store.close()


def test_where_answers_cost_seconds_it_is_held_for_longer(live: Store) -> None:
    """5 s for each second of the worker: 3 s keep the 20 s, 9 s make 45 s, 30 s would make 150 s and are held to 60 s."""
    worker = board.running()
    assert worker is not None
    holds = []
    for took_s in (3.0, 9.0, 30.0):
        worker.took_s = took_s
        holds.append(held.hold_s())
    assert holds == [20.0, 45.0, 60.0]
    arrive(live, 1)
    assert held.version(live, START) == 1
    arrive(live, 2)
    assert held.version(live, START + 59) == 1
    assert held.version(live, START + 60) == 2


def test_what_people_look_at_is_answered_before_pages_move_there(live: Store) -> None:
    """Version 2 is complete only after the page that somebody has open has its answer there; a pinned page has none."""
    worker = board.running()
    assert worker is not None
    arrive(live, 1)
    version = held.version(live)
    asked: list[tuple[int, int]] = []

    def load(ask: Ask, scope: Scope) -> dict[str, pl.DataFrame]:
        asked.append((scope.as_of, worker.complete_version))
        return {}

    audit = ModuleType("core.audits.looked_at")
    audit.__dict__.update(load=load, measure=lambda frames, scope: TooLittle("rows", "send some"), judge=str)
    scope = Scope(DAY, DAY, as_of=version)
    assert held.looked_at(audit, scope) is scope
    held.looked_at(audit, scope._replace(regions=("eu-west-1",), as_of=version - 1))
    worker._step()
    worker._standard_due = 0.0
    arrive(live, 2)
    worker._step()
    assert asked == [(1, 0), (2, 1)]
    assert worker.complete_version == 2


def test_whoever_waits_is_served_before_the_next_answer_ahead_and_stops_none(live: Store) -> None:
    """Somebody asks for the board of a week while the first of two open pages is answered: both are answered."""
    worker = board.running()
    assert worker is not None
    arrive(live, 1)
    week = Scope(DAY, DAY + dt.timedelta(days=6), as_of=held.version(live))
    done: list[str] = []

    def opened(name: str) -> ModuleType:
        def load(ask: Ask, scope: Scope) -> dict[str, pl.DataFrame]:
            done.append(f"{name}, {len(findings.kept(ask, week))} of the week kept")
            if name == "newer":
                worker.want(week)
            return {}

        audit = ModuleType(f"core.audits.{name}")
        audit.__dict__.update(load=load, measure=lambda frames, scope: TooLittle("rows", "send"), judge=str)
        return audit

    for name in ("older", "newer"):
        held.looked_at(opened(name), Scope(DAY, DAY, as_of=held.version(live)))
    worker._step()
    assert done == ["newer, 0 of the week kept", f"older, {len(every_audit())} of the week kept"]
    assert worker.complete_version == 1


def test_who_fails_ahead_does_not_hold_the_pages(live: Store) -> None:
    worker = board.running()
    assert worker is not None
    arrive(live, 1)
    audit = ModuleType("core.audits.failing")  # it has nothing to load with
    held.looked_at(audit, Scope(DAY, DAY, as_of=held.version(live)))
    worker._step()
    assert worker.complete_version == 1


def test_a_page_that_was_left_is_not_answered_ahead(live: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = board.running()
    assert worker is not None
    arrive(live, 1)
    asked: list[int] = []
    audit = ModuleType("core.audits.left")
    audit.__dict__["load"] = lambda ask, scope: asked.append(scope.as_of)
    held.looked_at(audit, Scope(DAY, DAY, as_of=held.version(live)))
    monkeypatch.setattr(board, "LOOKS_FOR_S", 0.0)
    worker._step()
    assert asked == []


@pytest.mark.parametrize(
    ("underived", "took_s", "rest_s"),
    [(0, 1.0, 10.0), (0, 5.0, 20.0), (30, 5.0, 20.0), (31, 5.0, 45.0), (31, 1.0, 10.0)],
)
def test_the_board_rests_longer_while_the_ledger_lags_behind(
    live: Store, underived: int, took_s: float, rest_s: float
) -> None:
    """Of 5 s of work it rests 4 x 5 = 20 s, and 9 x 5 = 45 s while more than 30 imports wait; never less than 10 s."""
    worker = board.running()
    assert worker is not None
    for number in range(underived):
        live.submit(Batch("live", "otlp_traces", f"sha {number}", 0, {}))
    worker.took_s = took_s
    assert worker._rest_s() == rest_s

"""What counts as a change, and that each is told once, over restarts too."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.alerts.changes import GIVEN_UP_AFTER, MOST_AT_ONCE, Noticed, notice, sent, waiting
from core.findings import standing
from core.ledger.store import Store
from core.state import State, StateProblem
from tests.alerts.board import keep

BOARD = "https://trueup.example.org"
NOW = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
BOTH = ("webhook", "email")


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store.open(":memory:")
    yield opened
    opened.close()


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(path=tmp_path / "state.sqlite")


def look(store: Store, state: State, board: str = BOARD, now: dt.datetime = NOW) -> Noticed:
    return notice(state, board, standing(store.ask, store.version()), BOTH, now)


def test_the_first_finding_is_no_change(store: Store, state: State) -> None:
    keep(store, 1, "broken")
    assert look(store, state) == ((), ("retry_ledger",))
    assert look(store, state) == ((), ())
    assert waiting(state, BOARD, "webhook", NOW) == []


def test_a_change_of_status_waits_on_every_channel_once(store: Store, state: State) -> None:
    keep(store, 1, "holds")
    look(store, state)
    keep(store, 2, "holds", gap=0.29)  # another number, the same status: no news
    assert look(store, state) == ((), ())
    keep(store, 3, "broken")
    (change,) = look(store, state).changes
    assert (change.audit, change.before, change.status, change.as_of) == (
        "retry-ledger",
        "holds",
        "broken",
        3,
    )
    assert change.link == f"{BOARD}/retry_ledger?from=2026-10-26&to=2026-11-22&as_of=3"
    assert look(store, state) == ((), ())
    for channel in BOTH:
        assert [one for _, one in waiting(state, BOARD, channel, NOW)] == [change]
    ((number, _),) = waiting(state, BOARD, "webhook", NOW)
    sent(state, [number])
    assert waiting(state, BOARD, "webhook", NOW) == []
    assert len(waiting(state, BOARD, "email", NOW)) == 1


def test_a_restart_neither_repeats_nor_forgets(store: Store, state: State, tmp_path: Path) -> None:
    keep(store, 1, "holds")
    look(store, state)
    keep(store, 2, "watch")
    look(store, state)
    state.close()
    again = State(path=tmp_path / "state.sqlite")
    assert look(store, again) == ((), ())
    assert len(waiting(again, BOARD, "email", NOW)) == 1
    keep(store, 3, "broken")  # happened while nobody looked: told against what was told last
    assert [(one.before, one.status) for one in look(store, again).changes] == [("watch", "broken")]


def test_what_came_and_went_between_two_looks_is_no_change(store: Store, state: State) -> None:
    keep(store, 1, "holds")
    look(store, state)
    keep(store, 2, "broken")
    keep(store, 3, "holds")
    assert look(store, state) == ((), ())


def test_an_old_version_computed_late_is_not_news(store: Store, state: State) -> None:
    """Somebody opens an old link: its finding is kept after the newer one."""
    keep(store, 5, "holds")
    look(store, state)
    keep(store, 3, "broken", at_ns=1_799_000_000_000_000_000)
    assert look(store, state) == ((), ())


def test_another_ledger_under_the_same_address_begins_anew(store: Store, state: State) -> None:
    keep(store, 5, "holds")
    look(store, state)
    other = Store.open(":memory:")
    keep(other, 1, "broken")
    assert look(other, state) == ((), ("retry_ledger",))
    keep(other, 2, "holds")
    assert len(look(other, state).changes) == 1
    other.close()


def test_boards_that_share_a_database_do_not_see_each_other(store: Store, state: State) -> None:
    keep(store, 1, "holds")
    look(store, state)
    look(store, state, "https://other.example.org")
    keep(store, 2, "broken")
    assert len(look(store, state).changes) == 1
    assert waiting(state, "https://other.example.org", "webhook", NOW) == []


def test_the_forecasts_link_names_its_break_calendar(store: Store, state: State) -> None:
    for version, status in ((1, "holds"), (2, "broken")):
        keep(store, version, status, audit="token_forecast")
        noticed = look(store, state)
    assert noticed.changes[0].link.endswith("&token_forecast_breaks=0&as_of=2")


def test_messages_are_bounded_and_old_news_is_given_up(store: Store, state: State) -> None:
    for version in range(1, MOST_AT_ONCE + 4):
        keep(store, version, "holds" if version % 2 else "broken")
        look(store, state)
    assert len(waiting(state, BOARD, "webhook", NOW)) == MOST_AT_ONCE
    assert waiting(state, BOARD, "webhook", NOW + GIVEN_UP_AFTER + dt.timedelta(seconds=1)) == []
    assert waiting(state, BOARD, "webhook", NOW) == []
    assert len(waiting(state, BOARD, "email", NOW)) == MOST_AT_ONCE


def test_without_a_database_it_says_so(store: Store) -> None:
    keep(store, 1, "holds")
    with pytest.raises(StateProblem, match="Nothing can be saved here"):
        look(store, State())

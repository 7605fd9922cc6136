"""Decks are kept as they were made: scope, order, titles; two people at one deck do not overwrite each other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import decks
from core.audit import Scope
from core.audits import token_forecast
from core.decks import BadDeck, Slide
from core.state import EditedMeanwhile, State, StateProblem

SCOPE = Scope(
    dt.date(2026, 3, 1),
    dt.date(2026, 3, 28),
    ("eu", "ü <b>"),
    (),
    ("gpt-4o",),
    7,
    (("limit", "0.10"),),
    "EUR",
)
BRIDGE = Slide("retry_ledger", "retry_money_bridge", SCOPE, "Half of it failed.", "Say this.")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = State(path=tmp_path / "state.sqlite")
    yield opened
    opened.close()


def rows(deck: decks.Deck, **changed: object) -> list[dict[str, object]]:
    """The table of a deck as its page gives it back."""
    return [
        {"order": float(at), "title": one.title, "notes": one.notes, "remove": False} | changed
        for at, one in enumerate(deck.slides, start=1)
    ]


def check_round_trip(state: State) -> None:
    """What any database must do; tests/sql asks PostgreSQL the same."""
    assert decks.add("Budget", BRIDGE, state) == 1
    assert decks.add("Budget", BRIDGE._replace(figure="retry_flow", title="Flow"), state) == 2
    (deck_id,) = decks.ids_by_name(state).values()
    deck = decks.read(deck_id, state)
    assert (deck.name, deck.edition) == ("Budget", 1)
    assert [one._replace(slide_id=0) for one in deck.slides] == [
        BRIDGE,
        BRIDGE._replace(figure="retry_flow", title="Flow"),
    ]
    edited = rows(deck)
    edited[0] |= {"order": 2.5, "title": "Later"}
    decks.edit(deck, edited, state)
    again = decks.read(deck_id, state)
    assert [(one.figure, one.title) for one in again.slides] == [
        ("retry_flow", "Flow"),
        ("retry_money_bridge", "Later"),
    ]
    decks.set_template(deck_id, "corp.pptx", b"PK", state)
    assert decks.template_of(deck_id, state) == b"PK"
    decks.remove(deck_id, state)
    assert decks.ids_by_name(state) == {}


def test_a_deck_comes_back_as_it_was(state: State) -> None:
    check_round_trip(state)


def test_looking_makes_no_file(tmp_path: Path) -> None:
    assert decks.ids_by_name(State(path=tmp_path / "state.sqlite")) == {}
    assert list(tmp_path.iterdir()) == []
    assert decks.ids_by_name(State()) == {}


def test_without_a_database_adding_says_why() -> None:
    with pytest.raises(StateProblem, match="Nothing can be saved here"):
        decks.add("Budget", BRIDGE, State())


def test_an_older_table_is_refused_and_changes_nothing(state: State) -> None:
    decks.add("Budget", BRIDGE, state)
    (deck_id,) = decks.ids_by_name(state).values()
    mine, hers = decks.read(deck_id, state), decks.read(deck_id, state)
    decks.edit(hers, rows(hers, title="Hers"), state)
    with pytest.raises(EditedMeanwhile, match="Somebody has saved this deck"):
        decks.edit(mine, rows(mine, title="Mine"), state)
    assert [one.title for one in decks.read(deck_id, state).slides] == ["Hers"]


def test_a_slide_added_meanwhile_stays(state: State) -> None:
    decks.add("Budget", BRIDGE, state)
    (deck_id,) = decks.ids_by_name(state).values()
    mine = decks.read(deck_id, state)
    decks.add("Budget", BRIDGE._replace(title="New"), state)
    decks.edit(mine, rows(mine, title="Mine"), state)
    assert [one.title for one in decks.read(deck_id, state).slides] == ["Mine", "New"]


def test_slides_are_removed_and_others_close_up(state: State) -> None:
    for title in "abc":
        decks.add("Budget", BRIDGE._replace(title=title), state)
    (deck_id,) = decks.ids_by_name(state).values()
    deck = decks.read(deck_id, state)
    table = rows(deck)
    table[1]["remove"] = True
    decks.edit(deck, table, state)
    assert [one.title for one in decks.read(deck_id, state).slides] == ["a", "c"]


@pytest.mark.parametrize(
    ("name", "why"), [("", "needs a name"), ("  \n", "needs a name"), ("x" * 81, "81 characters")]
)
def test_a_name_that_cannot_be_used_says_why(state: State, name: str, why: str) -> None:
    with pytest.raises(BadDeck, match=why):
        decks.create(name, state)


def test_names_are_told_apart(state: State) -> None:
    first, second = decks.create("Budget", state), decks.create("Review", state)
    with pytest.raises(BadDeck, match="a deck named Budget already"):
        decks.create(" Budget ", state)
    with pytest.raises(BadDeck, match="a deck named Budget already"):
        decks.rename(second, "Budget", state)
    decks.rename(first, "Budget", state)
    decks.rename(first, "budget 2027", state)
    assert list(decks.ids_by_name(state)) == ["budget 2027", "Review"]


def test_a_deck_that_is_gone_says_so(state: State) -> None:
    deck_id = decks.create("Budget", state)
    decks.remove(deck_id, state)
    decks.remove(deck_id, state)
    for ask in (decks.read, decks.template_of):
        with pytest.raises(BadDeck, match="This deck is gone"):
            ask(deck_id, state)


def test_bounds_are_kept(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadDeck, match="401 characters"):
        decks.add("Budget", BRIDGE._replace(title="x" * 401), state)
    assert decks.ids_by_name(state) == {}  # the deck was not made either
    monkeypatch.setattr(decks, "MOST_SLIDES", 1)
    decks.add("Budget", BRIDGE, state)
    with pytest.raises(BadDeck, match="which is the most"):
        decks.add("Budget", BRIDGE, state)
    monkeypatch.setattr(decks, "MOST_DECKS", 1)
    with pytest.raises(BadDeck, match="decks already"):
        decks.create("Another", state)
    deck = decks.read(decks.ids_by_name(state)["Budget"], state)
    with pytest.raises(BadDeck, match="is not a number"):
        decks.edit(deck, rows(deck, order="first"), state)


def test_notes_are_kept_without_what_postgresql_cannot_hold(state: State) -> None:
    decks.add("Budget", BRIDGE._replace(notes="one\x00\ntwo"), state)
    deck = decks.read(decks.ids_by_name(state)["Budget"], state)
    assert deck.slides[0].notes == "one\ntwo"
    decks.edit(deck, rows(deck, notes="\x00three"), state)
    assert decks.read(deck.deck_id, state).slides[0].notes == "three"


def test_a_slide_names_the_break_calendar_and_holds_no_copy(state: State) -> None:
    calendar = state.save_calendar("region,start,end,reason,accept\n", 0)
    made = SCOPE._replace(choices=(("breaks", str(calendar.number)),), made=(("breaks", calendar.text),))
    decks.add("Budget", Slide("token_forecast", "token_forecast_fan", made, "t"), state)
    (slide,) = decks.read(decks.ids_by_name(state)["Budget"], state).slides
    assert slide.scope.made == ()
    state.save_calendar("region,start,end,reason,accept\nx\n", calendar.number)
    assert decks.asked(slide, token_forecast, state) == made

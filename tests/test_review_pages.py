"""The pages Reviews and Timeline through Streamlit's test runner: empty, with data, hostile, saved and noted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core import reviews
from core.ledger.current import set_store
from core.ledger.store import Store
from core.state import State, set_state
from tests.review_world import HOSTILE, half_sent, made_review
from tests.test_app import markdown, opened, texts


@pytest.fixture
def empty(store: Store, tmp_path: Path) -> Iterator[tuple[Store, State]]:
    st.cache_data.clear()
    st.cache_resource.clear()
    state = State(path=tmp_path / "state.sqlite")
    set_store(store)
    set_state(state)
    yield store, state
    set_store(None)
    set_state(None)
    state.close()


def test_empty_pages_say_what_to_do(empty: tuple[Store, State]) -> None:
    assert any("No view was saved yet" in text for text in texts(opened("reviews.py")))
    assert any("Nothing is on record yet" in text for text in texts(opened("timeline.py")))
    assert empty[1].is_new()


def test_a_view_is_saved_from_the_share_menu(empty: tuple[Store, State]) -> None:
    half_sent(empty[0])
    app = opened("counts/retry_ledger.py", region="eu-west-1")
    app.text_input(key="author_name_view").input("Ana")
    app.text_area[0].input("**note**")
    next(one for one in app.button if one.label == "Save view").click().run()
    assert not app.exception
    (saved,) = reviews.saved_views(empty[1])
    assert (saved.author, saved.audit, saved.scope.regions, saved.scope.as_of) == (
        "Ana",
        "retry_ledger",
        ("eu-west-1",),
        1,
    )
    assert saved.finding.n == 20
    assert [note.text for note in reviews.notes(empty[1], "view", saved.view_id)] == ["**note**"]


def test_a_review_shows_then_and_now_and_hostile_text_is_text(empty: tuple[Store, State]) -> None:
    store, state = empty
    review = made_review(state, store)
    app = opened("reviews.py")
    shown = " ".join(texts(app))
    assert HOSTILE in shown
    assert "rows (n): 20 → 40" in shown
    assert "script" not in markdown(app)
    notes = " ".join(str(one.proto.body) for one in app.get("html"))
    assert "<strong>Seen</strong>" in notes
    assert "<script" not in notes
    app.button(key="Down_1").click().run()
    assert not app.exception
    moved = reviews.review_by(state, review.review_id)
    assert moved is not None
    assert moved.views == review.views[::-1]
    app.button(key="out_1").click().run()
    left = reviews.review_by(state, review.review_id)
    assert left is not None
    assert left.views == review.views[1:]


def test_a_review_is_begun_filled_and_noted(empty: tuple[Store, State]) -> None:
    store, state = empty
    made_review(state, store)
    app = opened("reviews.py", review="99")
    assert any("There is no review of that number" in text for text in texts(app))
    next(one for one in app.text_input if one.label == "Name").input("Second")
    next(one for one in app.button if one.label == "Begin it").click().run()
    assert not app.exception
    newest = reviews.reviews(state)[0]
    assert newest.name == "Second"
    _choose(app, newest.review_id)
    next(one for one in app.selectbox if one.label == "Saved view").set_value(2)
    next(one for one in app.button if one.label == "Add").click().run()
    assert not app.exception
    assert reviews.reviews(state)[0].views == (2,)
    next(one for one in app.text_area if one.label == "Note").input("found it")
    next(one for one in app.button if one.label == "Add the note").click().run()
    assert [note.text for note in reviews.notes(state, "review", newest.review_id)] == ["found it"]


def _choose(app: AppTest, number: int) -> None:
    box = next(one for one in app.selectbox if one.label == "Review")
    box.set_value(number).run()
    assert not app.exception


def test_now_waits_until_it_is_asked_again(empty: tuple[Store, State]) -> None:
    """40 runs when the page was opened, 60 since: live data do not make the audits work at every click."""
    store, state = empty
    made_review(state, store)
    app = opened("reviews.py")
    half_sent(store, 41)
    app.run()
    assert "rows (n): 20 → 40" in " ".join(texts(app))
    assert any("now is import 2, the newest is 3" in text for text in texts(app))
    next(one for one in app.button if one.label == "Ask again").click().run()
    assert "rows (n): 20 → 60" in " ".join(texts(app))

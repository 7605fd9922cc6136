"""The deck page and the way into it, through Streamlit's own test runner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import decks
from core.decks import Slide
from core.ledger.store import Store
from core.state import State, set_state
from tests.test_app import HOSTILE, empty, ledger, markdown, opened, texts  # noqa: F401
from tests.test_decks import BRIDGE


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    kept = State(path=tmp_path / "state.sqlite")
    set_state(kept)
    yield kept
    set_state(None)
    kept.close()


def click(app: AppTest, label: str, at: int = 0) -> AppTest:
    [button for button in app.button if button.label == label][at].click()
    app.run()
    assert not app.exception, [one.message for one in app.exception]
    return app


def test_adding_a_figure_offers_its_sentence_and_names_the_data_version(ledger: Store, state: State) -> None:  # noqa: F811
    """This runner draws a dialog but forgets it on the next run: tests/browser/test_deck.py clicks through it."""
    app = click(opened("counts/retry_ledger.py", as_of="1"), "Add to deck")
    (title,) = [area.value for area in app.text_area if area.label == "Title"]
    assert title in texts(app)
    assert "as of import 1, whenever it is exported" in markdown(app)
    assert state.is_new()


def test_decks_are_made_renamed_and_deleted(ledger: Store, state: State) -> None:  # noqa: F811
    app = opened("deck.py")
    assert any(text.startswith("There is no deck yet.") for text in texts(app))
    app.text_input(key="deck_new").input("Budget")
    click(app, "Make it")
    assert list(decks.ids_by_name(state)) == ["Budget"]
    assert any(text.startswith("This deck has no slides.") for text in texts(app))
    app.text_input(key="deck_new").input("Budget")
    click(app, "Make it")
    assert any("a deck named Budget already" in text for text in texts(app))
    next(one for one in app.text_input if one.label == "Other name").input("Review")
    click(app, "Rename it")
    assert list(decks.ids_by_name(state)) == ["Review"]
    click(app, "Delete the deck")
    assert decks.ids_by_name(state) == {}


def test_slides_are_shown_as_they_were_typed(ledger: Store, state: State) -> None:  # noqa: F811
    decks.add("Budget", BRIDGE._replace(title=HOSTILE), state)
    app = opened("deck.py")
    assert "script" not in markdown(app)
    click(app, "Save the slides")
    (slide,) = decks.read(decks.ids_by_name(state)["Budget"], state).slides
    assert slide.title == HOSTILE


def test_a_damaged_template_is_refused_with_a_reason(ledger: Store, state: State) -> None:  # noqa: F811
    decks.add("Budget", Slide("retry_ledger", "retry_flow", BRIDGE.scope, "t"), state)
    app = opened("deck.py")
    app.file_uploader[0].upload("corp.pptx", b"not a zip", "application/zip")
    app.run()
    assert any("is damaged or is no .pptx file" in text for text in texts(app))
    assert not [button for button in app.button if button.label == "Use this template"]

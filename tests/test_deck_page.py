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


def test_a_figure_goes_into_a_deck_with_its_scope_and_sentence(ledger: Store, state: State) -> None:  # noqa: F811
    app = click(opened("headline/retry_ledger.py", region="eu-west-1", as_of="1"), "Add to deck")
    sentence = next(area.value for area in app.text_area if area.label == "Title")
    next(area for area in app.text_area if area.label == "Notes for the speaker").input("Say this.")
    click(app, "Add")
    (number,) = decks.named(state).values()
    (slide,) = decks.read(number, state).slides
    assert (slide.audit, slide.figure, slide.title, slide.notes) == (
        "retry_ledger", "retry_count_bridge", sentence, "Say this.",
    )  # fmt: skip
    assert (slide.scope.regions, slide.scope.as_of) == (("eu-west-1",), 1)
    assert "Slide 1 of the deck Deck." in texts(app)


def test_without_a_database_the_reader_is_told(ledger: Store) -> None:  # noqa: F811
    app = click(click(opened("headline/retry_ledger.py"), "Add to deck"), "Add")
    assert any("Nothing can be saved here" in text for text in texts(app))


def test_decks_are_made_renamed_and_deleted(ledger: Store, state: State) -> None:  # noqa: F811
    app = opened("deck.py")
    assert any(text.startswith("There is no deck yet.") for text in texts(app))
    app.text_input(key="deck_new").input("Budget")
    click(app, "Make it")
    assert list(decks.named(state)) == ["Budget"]
    assert any(text.startswith("This deck has no slides.") for text in texts(app))
    app.text_input(key="deck_new").input("Budget")
    click(app, "Make it")
    assert any("a deck named Budget already" in text for text in texts(app))
    next(one for one in app.text_input if one.label == "Other name").input("Review")
    click(app, "Rename it")
    assert list(decks.named(state)) == ["Review"]
    click(app, "Delete the deck")
    assert decks.named(state) == {}


def test_slides_are_shown_as_they_were_typed(ledger: Store, state: State) -> None:  # noqa: F811
    decks.add("Budget", BRIDGE._replace(title=HOSTILE), state)
    app = opened("deck.py")
    assert "script" not in markdown(app)
    click(app, "Save the slides")
    (slide,) = decks.read(decks.named(state)["Budget"], state).slides
    assert slide.title == HOSTILE


def test_a_damaged_template_is_refused_with_a_reason(ledger: Store, state: State) -> None:  # noqa: F811
    decks.add("Budget", Slide("retry_ledger", "retry_flow", BRIDGE.scope, "t"), state)
    app = opened("deck.py")
    app.file_uploader[0].upload("corp.pptx", b"not a zip", "application/zip")
    app.run()
    assert any("is damaged or is no .pptx file" in text for text in texts(app))
    assert not [button for button in app.button if button.label == "Use this template"]

"""Views, reviews, notes and links in PostgreSQL, as in SQLite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core import reviews, shared_links
from core.audit import Finding
from core.state import EditedMeanwhile, State, StateProblem
from tests.review_world import HOSTILE, SCOPE
from tests.sql.conftest import Postgres

FINDING = Finding("retry_ledger", "watch", "1", "2", 0.1, None, None, "share", 40, "Said.")


@pytest.fixture
def state(postgres: Postgres) -> Iterator[State]:
    opened = State(postgres.url())
    yield opened
    opened.close()


def test_everything_people_keep_comes_back(state: State) -> None:
    number = reviews.save_view(state, HOSTILE, "Ana", SCOPE, FINDING, "d", True, "a\x00 note")
    review_id = reviews.make_review(state, "r", "")
    review = reviews.review_by(state, review_id)
    assert review is not None
    reviews.order_views(state, review, [number])
    with pytest.raises(EditedMeanwhile):
        reviews.order_views(state, review, [])
    (saved,) = reviews.views_of(state, reviews.reviews(state)[0])
    assert (saved.name, saved.scope, saved.finding, saved.demo) == (HOSTILE, SCOPE, FINDING, True)
    assert [note.text for note in reviews.notes(state, "view", number)] == ["a note"]
    token = shared_links.make_link(state, review_id, b"\x00page", 7)
    assert shared_links.open_link(state, token) == ("open", b"\x00page")
    (link,) = shared_links.links_of(state, review_id)
    shared_links.revoke(state, link.link_id)
    assert shared_links.open_link(state, token) == ("revoked", b"")


def test_a_database_that_refuses_says_so_without_its_password(postgres: Postgres) -> None:
    state = State(postgres.url("wrong-horse"))
    with pytest.raises(StateProblem) as told:
        reviews.saved_views(state)
    assert "wrong-horse" not in str(told.value)
    assert "Check state_url" in str(told.value)
    state.close()

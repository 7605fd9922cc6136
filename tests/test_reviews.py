"""What people keep of an incident: it comes back as it was, nothing is overwritten, and then is told from now."""

from __future__ import annotations

import datetime as dt
import doctest
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from sqlalchemy import update

from core import findings, reviews, shared_links, then_now
from core.audit import Finding, Scope
from core.audits import every_audit, retry_ledger, token_forecast
from core.ledger.store import Store
from core.reviews import SavedViewRow
from core.state import EditedMeanwhile, State, StateProblem
from tests.review_world import DAY, SCOPE, half_sent, made_review, view_saved

FINDING = Finding("retry_ledger", "watch", "1", "2", 0.1, -0.2, 0.4, "share", 40, "Said.", "m", "80%")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = State(path=tmp_path / "state.sqlite")
    yield opened
    opened.close()


def test_examples_in_docstrings() -> None:
    assert doctest.testmod(then_now).failed == 0


def test_asking_makes_no_file(state: State, tmp_path: Path) -> None:
    assert reviews.saved_views(state) == []
    assert reviews.reviews(state) == []
    assert reviews.review_by(state, 1) is None
    assert shared_links.links_of(state, 1) == []
    assert shared_links.open_link(state, "x") is None
    assert not (tmp_path / "state.sqlite").exists()


def test_a_view_survives_a_restart_with_every_field(state: State, tmp_path: Path) -> None:
    scope = Scope(
        DAY,
        DAY,
        ("eu",),
        ("a b", "ü"),
        ("m",),
        7,
        (("limit", "0.5"), ("breaks", "3")),
        "EUR",
        (("breaks", "x\ty"),),
    )
    number = reviews.save_view(state, " Two  words ", "", scope, FINDING, "d" * 64, True, "note")
    state.close()
    again = State(path=tmp_path / "state.sqlite")
    (back,) = reviews.saved_views(again)
    assert back[:3] == (number, "Two words", reviews.NOBODY)
    assert (back.scope, back.finding, back.method, back.demo) == (scope, FINDING, "d" * 64, True)
    assert [note.text for note in reviews.notes(again, "view", number)] == ["note"]
    again.close()


def test_a_finding_of_another_version_of_trueup_can_be_read() -> None:
    """A field that was added since takes its default, one that is gone is left out."""
    stored = FINDING._asdict() | {"gone": 1}
    del stored["bounds"]
    assert reviews.read_finding(orjson.dumps(stored).decode()) == FINDING._replace(bounds="95%")


def test_a_review_keeps_order_and_two_editors_do_not_overwrite_each_other(state: State) -> None:
    ids = [reviews.save_view(state, f"v{at}", "", SCOPE, FINDING, "", False) for at in range(3)]
    number = reviews.make_review(state, "r", "")
    first = reviews.review_by(state, number)
    assert first is not None
    reviews.order_views(state, first, [ids[2], ids[0], ids[2]])
    second = reviews.review_by(state, number)
    assert second is not None
    assert (second.revision, second.views) == (1, (ids[2], ids[0]))
    assert [one.name for one in reviews.views_of(state, second)] == ["v2", "v0"]
    with pytest.raises(EditedMeanwhile, match="Somebody else"):
        reviews.order_views(state, first, [ids[1]])
    assert reviews.review_by(state, number) == second


def test_what_cannot_be_kept_says_why(state: State) -> None:
    for name in ("", " \n ", "x" * 121):
        with pytest.raises(reviews.BadText, match="1 to 120"):
            reviews.make_review(state, name, "")
    with pytest.raises(reviews.BadText, match="A note has 1 to 20,000"):
        reviews.add_note(state, "review", 1, "", "x" * 20_001)
    with pytest.raises(StateProblem, match="no database"):
        reviews.make_review(State(), "x", "")


def test_notes_are_added_and_never_replaced(state: State) -> None:
    for text in ("one", "two"):
        reviews.add_note(state, "view", 5, "Ana", text)
    reviews.add_note(state, "review", 5, "Bo", "another's")
    assert [(note.author, note.text) for note in reviews.notes(state, "view", 5)] == [
        ("Ana", "one"),
        ("Ana", "two"),
    ]
    assert not hasattr(reviews, "edit_note")


def compared(state: State, store: Store, version: int) -> then_now.ThenNow:
    (saved,) = reviews.saved_views(state)
    return then_now.compared(
        saved, lambda audit, scope: findings.found_by(audit, store.ask, scope), version, store.ask
    )


def test_new_rows_change_now_and_leave_then(state: State, store: Store) -> None:
    """20 runs at import 1, 40 at import 2: the rows of now differ, the past gives what it gave."""
    half_sent(store)
    view_saved(state, store)
    half_sent(store, 21)
    told = compared(state, store, 2)
    assert told.now is not None
    assert then_now.Change("rows (n)", "20", "40") in told.changes
    assert told.moved == ""
    assert told.past_changes == ()
    assert compared(state, store, 1).changes == ()


def test_rows_that_retention_deleted_are_named(state: State, store: Store) -> None:
    half_sent(store)
    view_saved(state, store)
    store.retain(1, dt.date(2026, 4, 1))
    told = compared(state, store, 1)
    assert "retention has deleted telemetry before 2026-03-31" in told.moved
    assert ("rows (n)", "20", "0") in told.past_changes


def test_a_changed_method_is_named_and_an_unexplained_change_is_not_explained(
    state: State, store: Store
) -> None:
    half_sent(store)
    view_saved(state, store)
    with state.session() as session:  # an upgrade changes what is found and what the method says
        session.execute(
            update(SavedViewRow).values(finding=orjson.dumps(FINDING._asdict()).decode(), method="old")
        )
    assert "the audit's method was changed since" in compared(state, store, 1).moved
    with state.session() as session:
        session.execute(update(SavedViewRow).values(method=then_now.method_digest(retry_ledger)))
    assert "neither a deletion nor a changed method text explains it" in compared(state, store, 1).moved


def test_an_audit_that_is_gone_and_a_version_from_elsewhere_are_told(state: State, store: Store) -> None:
    half_sent(store)
    reviews.save_view(state, "x", "", SCOPE, FINDING._replace(audit="no_more"), "", False)
    told = compared(state, store, 1)
    assert told.now is None
    assert "no_more is not in this version" in told.moved
    newer = reviews.save_view(state, "y", "", SCOPE._replace(as_of=9), FINDING, "", False)
    saved = next(one for one in reviews.saved_views(state) if one.view_id == newer)
    assert "newer than this ledger's 1" in then_now.compared(saved, lambda *_: FINDING, 1, store.ask).moved


def test_now_keeps_the_break_calendar_of_then(state: State) -> None:
    scope = SCOPE._replace(choices=(("breaks", "2"),), made=(("breaks", "of revision 2"),))
    reviews.save_view(state, "x", "", scope, FINDING._replace(audit="token_forecast"), "", False)
    (saved,) = reviews.saved_views(state)
    now = then_now.resolved(token_forecast, then_now.scope_at(saved, 9))
    assert (now.made, now.choices, now.as_of) == (scope.made, scope.choices, 9)


def test_digests_differ_between_audits_and_not_between_runs() -> None:
    digests = [then_now.method_digest(audit) for audit in every_audit()]
    assert len(set(digests)) == len(digests)
    assert digests == [then_now.method_digest(audit) for audit in every_audit()]


def test_a_gap_that_differs_in_its_last_digit_is_the_same() -> None:
    assert then_now.differences(FINDING, FINDING._replace(gap=0.1 + 1e-13)) == ()
    assert [one.what for one in then_now.differences(FINDING, FINDING._replace(low=None))] == ["gap"]


def test_a_link_is_known_by_its_hash_alone(state: State, tmp_path: Path) -> None:
    token = shared_links.make_link(state, 1, b"<p>page</p>", 7)
    assert len(token) == 43  # 32 bytes in base64url
    assert shared_links.open_link(state, token) == ("open", b"<p>page</p>")
    assert shared_links.open_link(state, token[:-1]) is None
    assert shared_links.open_link(state, "\udcff") is None
    state.close()
    assert token.encode() not in (tmp_path / "state.sqlite").read_bytes()


def test_a_link_ends_to_the_nanosecond_and_stays_revoked(state: State) -> None:
    token = shared_links.make_link(state, 1, b"page", 1)
    (link,) = shared_links.links_of(state, 1)
    ends = int(link.expires_at.timestamp()) * 10**9
    assert (link.expires_at - link.made_at) == dt.timedelta(days=1)
    before, after = (
        shared_links.open_link(state, token, ends - 2 * 10**9),
        shared_links.open_link(state, token, ends + 2 * 10**9),
    )
    assert before is not None
    assert after == ("expired", b"")
    assert before.status == "open"
    shared_links.revoke(state, link.link_id)
    shared_links.revoke(state, link.link_id)
    assert shared_links.open_link(state, token) == ("revoked", b"")
    with state.session() as session:
        row = session.get(shared_links.SharedPageRow, link.link_id)
        assert row is not None
        assert row.page == b""
    with pytest.raises(ValueError, match="days"):
        shared_links.make_link(state, 1, b"page", 10_000)


def test_a_review_lists_its_views_after_all_that(state: State, store: Store) -> None:
    review = made_review(state, store)
    assert [one.audit for one in reviews.views_of(state, review)] == ["retry_ledger", "bill_reconciliation"]

"""Tokens made in the app: kept as hashes, scoped, ended; and the log of who made them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select, update

from core.audit_log import AuditRow, Entry, entries, record
from core.roles import require_sign_in
from core.settings import Settings
from core.state import State, StateProblem, now_ns
from core.tokens import BadToken, TokenRow, digest, forget_token, list_tokens, make_token, revoke_token
from core.web.token_table import TokenTable

DAY_NS = 86_400 * 10**9


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(path=tmp_path / "state.sqlite")


def table(state: State, settings: Settings | None = None) -> TokenTable:
    doors = TokenTable(settings or Settings())
    doors.look(state)
    return doors


def outcome(doors: TokenTable, text: str, scope: str = "ingest") -> str:
    return doors.check(scope, f"Bearer {text}" if text else "").outcome  # type: ignore[arg-type]


def test_a_token_is_shown_once_and_kept_as_its_hash(state: State, tmp_path: Path) -> None:
    text = make_token(state, " collector \n eu ", "ingest", "ann")
    assert text.startswith("trueup_ingest_")
    assert len(text) > 50
    (kept,) = list_tokens(state)
    assert (kept.name, kept.scope, kept.author, kept.status, kept.project) == (
        "collector eu",
        "ingest",
        "ann",
        "live",
        None,
    )
    assert text.encode() not in (tmp_path / "state.sqlite").read_bytes()
    (row,) = state.rows(TokenRow, select(TokenRow))
    assert row.token_hash == digest(text)


@pytest.mark.parametrize(
    ("name", "scope", "days", "words"),
    [("", "read", None, "needs a name"), ("x" * 81, "read", None, "needs a name"),
     ("x", "admin", None, "ingest or read"), ("x", "read", 0, "1 to 3660 days"), ("x", "read", 3661, "or never")],
)  # fmt: skip
def test_what_cannot_be_a_token_is_refused(
    state: State, name: str, scope: str, days: int | None, words: str
) -> None:
    with pytest.raises(BadToken, match=words):
        make_token(state, name, scope, "ann", days)
    assert state.is_new()


def test_a_door_is_open_until_its_scope_has_a_token(state: State) -> None:
    doors = table(state)
    assert [outcome(doors, "", scope) for scope in ("ingest", "read")] == ["open", "open"]
    text = make_token(state, "collector", "ingest", "ann")
    assert outcome(doors, "") == "open"  # until the next look
    doors.look(state)
    assert [outcome(doors, one) for one in ("", text + "x", text)] == ["missing", "wrong", "known"]
    assert outcome(doors, text, "read") == "open"
    make_token(state, "grafana", "read", "ann")
    doors.look(state)
    assert outcome(doors, text, "read") == "wrong"
    assert doors.refused() == {
        ("ingest", "missing"): 1, ("ingest", "wrong"): 1, ("ingest", "unreadable"): 0,
        ("read", "missing"): 0, ("read", "wrong"): 1, ("read", "unreadable"): 0,
    }  # fmt: skip


def test_tokens_of_the_settings_and_of_the_app_open_the_same_door(state: State) -> None:
    doors = table(state, Settings(ingest_tokens=(digest("a-token-of-some-length"),)))
    assert [outcome(doors, one) for one in ("", "a-token-of-some-length")] == ["missing", "known"]
    text = make_token(state, "collector", "ingest", "ann")
    doors.look(state)
    assert [outcome(doors, one) for one in ("a-token-of-some-length", text)] == ["known", "known"]


def test_a_door_does_not_open_when_its_last_token_ends(state: State) -> None:
    """An expiry nobody thought of would otherwise let everybody in."""
    text = make_token(state, "collector", "ingest", "ann")
    assert revoke_token(state, 1, "bob") == "collector"
    doors = table(state)
    assert [outcome(doors, one) for one in ("", text)] == ["missing", "wrong"]
    assert [outcome(doors, one) for one in ("", "x")] == ["missing", "wrong"]
    forget_token(state, 1, "bob")
    doors.look(state)
    assert outcome(doors, "") == "open"


def test_an_expired_token_opens_nothing_the_moment_it_expires(state: State) -> None:
    text = make_token(state, "collector", "ingest", "ann", days=1)
    doors = table(state)
    assert outcome(doors, text) == "known"
    with state.session() as session:
        session.execute(update(TokenRow).values(expires_at_ns=now_ns() - 1))
    doors.look(state)
    assert outcome(doors, text) == "wrong"
    assert [one.status for one in list_tokens(state)] == ["expired"]
    assert [one.status for one in list_tokens(state, now_ns() - DAY_NS)] == ["live"]


def test_with_sign_in_no_door_is_open(state: State) -> None:
    """Whoever may not see a page must not read its numbers by asking /api/."""
    require_sign_in(True, Settings())
    try:
        assert [outcome(table(state), "", scope) for scope in ("ingest", "read")] == ["missing", "missing"]
    finally:
        require_sign_in(False, Settings())


def test_doors_stay_shut_while_nobody_knows_the_tokens() -> None:
    doors = TokenTable(Settings(read_tokens=(digest("a-token-of-some-length"),)))
    assert outcome(doors, "x") == "unreadable"
    assert outcome(doors, "a-token-of-some-length", "read") == "known"


def test_uses_are_kept_when_asked_to_and_not_per_request(state: State) -> None:
    text = make_token(state, "collector", "ingest", "ann")
    doors = table(state)
    outcome(doors, text)
    assert list_tokens(state)[0].used_at is None
    doors.keep_used(state)
    assert list_tokens(state)[0].used_at is not None


def test_making_and_ending_are_in_the_log_and_only_once(state: State) -> None:
    make_token(state, "collector", "ingest", "Ann <ann@example.org>", days=30)
    revoke_token(state, 1, "bob")
    revoke_token(state, 1, "bob")
    assert [(one.who, one.act) for one in entries(state)] == [
        ("bob", "token revoked"),
        ("Ann <ann@example.org>", "token made"),
    ]
    with pytest.raises(BadToken, match="no token 9"):
        revoke_token(state, 9, "bob")
    make_token(state, "other", "read", "bob")
    with pytest.raises(BadToken, match="is live"):
        forget_token(state, 2, "bob")


def test_the_log_cannot_be_changed_and_holds_one_line_an_act(state: State) -> None:
    record(state, Entry("", "file uploaded", "a\nb\x00c " + "x" * 900))
    (kept,) = entries(state)
    assert (kept.who, kept.what[:5], len(kept.what)) == ("not signed in", "a b c", 400)
    with pytest.raises(StateProblem, match="cannot be changed"), state.session() as session:
        session.get_one(AuditRow, 1).what = "nothing"
    with pytest.raises(StateProblem, match="cannot be changed"), state.session() as session:
        session.delete(session.get_one(AuditRow, 1))
    assert len(entries(state)) == 1


def test_an_act_is_not_undone_because_the_log_cannot_be_written(caplog: pytest.LogCaptureFixture) -> None:
    record(State(), Entry("ann", "deck made", "Q3"))
    assert "audit log not written" in caplog.text
    assert "deck made" in caplog.text

"""Tokens made in the app: each lets programs send data or read answers, has a name, may expire and can be revoked.

A token is 32 random bytes shown once; only its SHA-256 is kept. Its row stays when it is revoked, so that a door which
was ever locked does not open by itself; only `forget` takes the row away. core.web.token_table has what doors compare with.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from sqlalchemy import BigInteger, Integer, String, Text, select
from sqlalchemy.orm import Mapped, mapped_column

from core.audit_log import Entry, add_entry
from core.projects import DEFAULT
from core.state import Base, State, moment, now_ns

Scope = Literal["ingest", "read"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
TOKEN_BYTES = 32
NAME_LENGTH = 80
MOST_DAYS = 3660
_DAY_NS = 86_400 * 10**9
TokenStatus = Literal["live", "expired", "revoked"]


class TokenRow(Base):
    """One token."""

    __tablename__ = "tokens"

    token_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    scope: Mapped[str] = mapped_column(String(16))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the token, hexadecimal."""
    project: Mapped[str | None] = mapped_column(Text)
    """The project it is confined to; none = the default one."""
    author: Mapped[str] = mapped_column(Text)
    made_at_ns: Mapped[int] = mapped_column(BigInteger)
    expires_at_ns: Mapped[int | None] = mapped_column(BigInteger)
    revoked_at_ns: Mapped[int | None] = mapped_column(BigInteger)
    used_at_ns: Mapped[int | None] = mapped_column(BigInteger)
    """Last use, to the minute or so."""


class Token(NamedTuple):
    """A token as the list shows it: never its text."""

    token_id: int
    name: str
    scope: str
    project: str | None
    author: str
    made_at: dt.datetime
    expires_at: dt.datetime | None
    used_at: dt.datetime | None
    status: TokenStatus


class Known(NamedTuple):
    """What a door needs of a token; hash "" for one that opens nothing any more but keeps the door locked."""

    token_id: int
    name: str
    scope: str
    token_hash: str
    expires_at_ns: int | None
    project: str | None = None


class BadToken(ValueError):
    """A token that cannot be made or found; the message says what to write instead."""


def make_token(
    state: State, name: str, scope: str, author: str, days: int | None = None, project: str | None = None
) -> str:
    """Keep a new token and return its text, which is kept nowhere. Raises BadToken and StateProblem.

    `state` is the database of its project, and `project` that project's name, none for the default one.
    """
    plain = " ".join(name.split())
    if not plain or len(plain) > NAME_LENGTH:
        raise BadToken(
            f"A token needs a name of 1 to {NAME_LENGTH} characters, such as the program that holds it."
        )
    if scope not in SCOPES:
        raise BadToken(f"A token is for {' or '.join(SCOPES)}, not {scope[:40]!r}.")
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise BadToken(f"A token expires after 1 to {MOST_DAYS} days, or never.")
    text, now = f"trueup_{scope}_{secrets.token_urlsafe(TOKEN_BYTES)}", now_ns()
    expires = None if days is None else now + days * _DAY_NS
    row = TokenRow(
        name=plain, scope=scope, token_hash=digest(text), project=project, author=author, made_at_ns=now,
        expires_at_ns=expires, revoked_at_ns=None, used_at_ns=None,
    )  # fmt: skip
    with state.session() as session:
        session.add(row)
        session.flush()
        until = "" if expires is None else f", until {moment(expires):%Y-%m-%d}"
        add_entry(session, Entry(author, "token made", f"{row.token_id} {plain} ({scope}{until})"))
    return text


def list_tokens(state: State, at_ns: int | None = None) -> list[Token]:
    """Every token, newest first; raises StateProblem."""
    now = now_ns() if at_ns is None else at_ns
    return [
        Token(
            row.token_id, row.name, row.scope, row.project, row.author, moment(row.made_at_ns),
            None if row.expires_at_ns is None else moment(row.expires_at_ns),
            None if row.used_at_ns is None else moment(row.used_at_ns), _status(row, now),
        )
        for row in state.rows(TokenRow, select(TokenRow).order_by(TokenRow.token_id.desc()))
    ]  # fmt: skip


def revoke_token(state: State, token_id: int, who: str) -> str:
    """End a token for good; the name it had. Ending one again changes nothing. Raises BadToken and StateProblem."""
    with state.session() as session:
        row = session.get(TokenRow, token_id)
        if row is None:
            raise BadToken(f"There is no token {token_id}.")
        if row.revoked_at_ns is None:
            row.revoked_at_ns = now_ns()
            add_entry(session, Entry(who, "token revoked", f"{token_id} {row.name} ({row.scope})"))
        return row.name


def forget_token(state: State, token_id: int, who: str) -> str:
    """Take a token that opens nothing any more off the list; its door opens when it was the last. Raises as above."""
    with state.session() as session:
        row = session.get(TokenRow, token_id)
        if row is None:
            raise BadToken(f"There is no token {token_id}.")
        if _status(row, now_ns()) == "live":
            raise BadToken(f"Token {token_id} ({row.name}) is live. Revoke it first.")
        session.delete(row)
        add_entry(session, Entry(who, "token forgotten", f"{token_id} {row.name} ({row.scope})"))
        return row.name


def known_tokens(state: State) -> list[Known]:
    """What doors compare with; raises StateProblem. Costs one short question."""
    question = select(TokenRow).order_by(TokenRow.token_id)
    return [
        Known(
            row.token_id,
            row.name,
            row.scope,
            "" if row.revoked_at_ns else row.token_hash,
            row.expires_at_ns,
            row.project,
        )
        for row in state.rows(TokenRow, question)
    ]


def keep_used(state: State, used_at_ns: Mapping[int, int]) -> None:
    """Keep when tokens were last used; raises StateProblem."""
    if not used_at_ns:
        return
    with state.session() as session:
        for token_id, at_ns in used_at_ns.items():
            row = session.get(TokenRow, token_id)
            if row is not None and at_ns > (row.used_at_ns or 0):
                row.used_at_ns = at_ns


def token_project(project: str) -> str | None:
    """How a row names a project."""
    return None if project == DEFAULT else project


def digest(text: str) -> str:
    """SHA-256 of a token, hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _status(row: TokenRow, now: int) -> TokenStatus:
    if row.revoked_at_ns is not None:
        return "revoked"
    return "expired" if row.expires_at_ns is not None and now >= row.expires_at_ns else "live"

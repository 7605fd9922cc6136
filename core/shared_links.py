"""Links to a review for readers outside: one page, read only, until a day, revocable.

A link is 32 random bytes shown once; only their SHA-256 is kept. What it opens is the page as it was made with the
link, stored whole: nothing that is written later shows through it, no upgrade or deletion changes it, and opening it
asks the ledger nothing. Revoking a link deletes its page.
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import hmac
import secrets
from typing import Literal, NamedTuple

from sqlalchemy import BigInteger, Integer, LargeBinary, String, Text, select
from sqlalchemy.orm import Mapped, mapped_column

from core.reviews import NOBODY
from core.state import Base, State, moment, now_ns

TOKEN_BYTES = 32
ADDRESS = "/shared/"
LIFETIMES_DAYS = (1, 7, 30, 90)
_DAY_NS = 86_400 * 10**9
LinkStatus = Literal["open", "expired", "revoked"]


class SharedPageRow(Base):
    """One link and what it opens."""

    __tablename__ = "shared_pages"

    link_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the token, hexadecimal."""
    review_id: Mapped[int] = mapped_column(Integer)
    author: Mapped[str] = mapped_column(Text)
    made_at_ns: Mapped[int] = mapped_column(BigInteger)
    expires_at_ns: Mapped[int] = mapped_column(BigInteger)
    revoked_at_ns: Mapped[int | None] = mapped_column(BigInteger)
    page: Mapped[bytes] = mapped_column(LargeBinary)
    """HTML, gzip; empty once revoked."""


class SharedLink(NamedTuple):
    """A link as the list shows it: never its token."""

    link_id: int
    author: str
    made_at: dt.datetime
    expires_at: dt.datetime
    status: LinkStatus


class Opened(NamedTuple):
    """What a token opens: a page, or why not."""

    status: LinkStatus
    page: bytes


def make_link(state: State, review_id: int, page: bytes, days: int, author: str = "") -> str:
    """Keep a page under a new token and return the token, which is kept nowhere. Raises StateProblem."""
    if days not in LIFETIMES_DAYS:
        raise ValueError(f"a link lives one of {LIFETIMES_DAYS} days, not {days}")
    token, now = secrets.token_urlsafe(TOKEN_BYTES), now_ns()
    row = SharedPageRow(
        token_hash=_digest(token), review_id=review_id, author=" ".join(author.split())[:80] or NOBODY, made_at_ns=now,
        expires_at_ns=now + days * _DAY_NS, revoked_at_ns=None, page=gzip.compress(page, mtime=0),
    )  # fmt: skip
    with state.session() as session:
        session.add(row)
    return token


def open_link(state: State, token: str, at_ns: int | None = None) -> Opened | None:
    """What a token opens at an instant (default now); None for a token that was never made.

    Every hash is compared, each in constant time, so that an answer's duration tells nothing of any of them.
    """
    if state.is_new():
        return None
    digest = _digest(token)
    with state.session() as session:
        hashes = session.execute(select(SharedPageRow.link_id, SharedPageRow.token_hash)).all()
        matches = [link_id for link_id, known in hashes if hmac.compare_digest(known, digest)]
        row = session.get(SharedPageRow, matches[0]) if matches else None
        if row is None:
            return None
        status = _status(row.revoked_at_ns, row.expires_at_ns, at_ns)
        return Opened(status, gzip.decompress(row.page) if status == "open" else b"")


def links_of(state: State, review_id: int) -> list[SharedLink]:
    """The links to a review, newest first."""
    if state.is_new():
        return []
    columns = (
        SharedPageRow.link_id, SharedPageRow.author, SharedPageRow.made_at_ns, SharedPageRow.expires_at_ns,
        SharedPageRow.revoked_at_ns,
    )  # fmt: skip
    question = (
        select(*columns).where(SharedPageRow.review_id == review_id).order_by(SharedPageRow.link_id.desc())
    )
    with state.session() as session:
        return [
            SharedLink(number, author, moment(made), moment(expires), _status(revoked, expires))
            for number, author, made, expires, revoked in session.execute(question)
        ]


def revoke(state: State, link_id: int) -> None:
    """End a link for good and delete its page; ending one again changes nothing."""
    with state.session() as session:
        row = session.get(SharedPageRow, link_id)
        if row is not None and row.revoked_at_ns is None:
            row.revoked_at_ns, row.page = now_ns(), b""


def _status(revoked_at_ns: int | None, expires_at_ns: int, at_ns: int | None = None) -> LinkStatus:
    if revoked_at_ns is not None:
        return "revoked"
    return "expired" if (now_ns() if at_ns is None else at_ns) >= expires_at_ns else "open"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()

"""Saved views, the reviews that list them, and notes: what people make of an incident, in the database of core.state.

Rows are only ever added. A view holds its link and the finding as it was at that moment; a review's order is a new
revision at every change, so that two people who edit at once cannot overwrite each other; a note is never edited.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import orjson
from sqlalchemy import BigInteger, Boolean, Index, Integer, String, Text, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.audit import Finding, Scope
from core.state import Base, EditedMeanwhile, State, StateProblem, moment, now_ns, read_scope, scope_json

NAME_LENGTH, AUTHOR_LENGTH, NOTE_LENGTH, MOST_VIEWS = 120, 80, 20_000, 100
NOBODY = "not named"


class SavedViewRow(Base):
    """One saved view."""

    __tablename__ = "saved_views"

    view_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    author: Mapped[str] = mapped_column(Text)
    saved_at_ns: Mapped[int] = mapped_column(BigInteger)
    """UTC ns."""
    audit: Mapped[str] = mapped_column(String(80))
    """The audit's module."""
    scope: Mapped[str] = mapped_column(Text)
    """JSON of the scope: days, filters, as_of, choices, currency, and the text of what people made."""
    finding: Mapped[str] = mapped_column(Text)
    """JSON of every field of the finding as it was."""
    method: Mapped[str] = mapped_column(String(64))
    """Digest of the audit's text, limit and SQL at that moment."""
    demo: Mapped[bool] = mapped_column(Boolean)
    """Whether demo data were in the ledger."""


class ReviewRow(Base):
    """One review."""

    __tablename__ = "reviews"

    review_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    author: Mapped[str] = mapped_column(Text)
    made_at_ns: Mapped[int] = mapped_column(BigInteger)


class ReviewOrderRow(Base):
    """The views a review lists, in order: one row a change."""

    __tablename__ = "review_orders"

    review_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    saved_at_ns: Mapped[int] = mapped_column(BigInteger)
    views: Mapped[str] = mapped_column(Text)
    """JSON list of view ids."""


class NoteRow(Base):
    """A note."""

    __tablename__ = "review_notes"
    __table_args__ = (Index("review_notes_of", "about", "about_id"),)

    note_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    about: Mapped[str] = mapped_column(String(10))
    """view or review."""
    about_id: Mapped[int] = mapped_column(Integer)
    author: Mapped[str] = mapped_column(Text)
    at_ns: Mapped[int] = mapped_column(BigInteger)
    text: Mapped[str] = mapped_column(Text)
    """As typed: core.markdown."""


class SavedView(NamedTuple):
    """A view as it was saved."""

    view_id: int
    name: str
    author: str
    at: dt.datetime
    audit: str
    scope: Scope
    finding: Finding
    method: str
    demo: bool


class Review(NamedTuple):
    """A review with the ids of its views in order; `revision` is what the next change must be based on."""

    review_id: int
    name: str
    author: str
    at: dt.datetime
    revision: int
    views: tuple[int, ...]


class Note(NamedTuple):
    """One note."""

    author: str
    at: dt.datetime
    text: str


class BadText(ValueError):
    """Why a name or a note cannot be kept."""


def save_view(
    state: State,
    name: str,
    author: str,
    scope: Scope,
    finding: Finding,
    method: str,
    demo: bool,
    note: str = "",
) -> int:
    """Keep a view of the audit that `finding` names; returns its id. Raises BadText or StateProblem."""
    row = SavedViewRow(
        name=_line(name, "The name", NAME_LENGTH), author=_author(author), saved_at_ns=now_ns(),
        audit=finding.audit, scope=scope_json(scope), finding=orjson.dumps(finding._asdict()).decode(),
        method=method, demo=demo,
    )  # fmt: skip
    text = _note_text(note) if note.strip() else ""
    with state.session() as session:
        session.add(row)
        session.flush()
        if text:
            session.add(_note_row("view", row.view_id, author, text))
        return row.view_id


def make_review(state: State, name: str, author: str) -> int:
    """An empty review; returns its id."""
    row = ReviewRow(name=_line(name, "The name", NAME_LENGTH), author=_author(author), made_at_ns=now_ns())
    with state.session() as session:
        session.add(row)
        session.flush()
        return row.review_id


def order_views(state: State, review: Review, views: Sequence[int]) -> int:
    """Give a review another list of views; returns its new revision. Raises EditedMeanwhile when it was changed since."""
    if len(views) > MOST_VIEWS:
        raise BadText(f"A review lists at most {MOST_VIEWS} views; begin another one.")
    row = ReviewOrderRow(
        review_id=review.review_id, revision=review.revision + 1, saved_at_ns=now_ns(),
        views=orjson.dumps(list(dict.fromkeys(views))).decode(),
    )  # fmt: skip
    try:
        with state.session() as session:
            session.add(row)
    except StateProblem as problem:
        if isinstance(problem.__cause__, IntegrityError):
            raise EditedMeanwhile(
                "Somebody else has just changed this review. Open it again and make the change there."
            ) from problem
        raise
    return review.revision + 1


def add_note(state: State, about: str, about_id: int, author: str, text: str) -> int:
    """Add a note to a `view` or a `review`; returns its id. Nothing changes one later."""
    row = _note_row(about, about_id, author, _note_text(text))
    with state.session() as session:
        session.add(row)
        session.flush()
        return row.note_id


def saved_views(state: State) -> list[SavedView]:
    """Every saved view, newest first."""
    if state.is_new():
        return []
    with state.session() as session:
        return [
            _view(row) for row in session.scalars(select(SavedViewRow).order_by(SavedViewRow.view_id.desc()))
        ]


def views_of(state: State, review: Review) -> list[SavedView]:
    """The views a review lists, in its order."""
    with state.session() as session:
        rows = session.scalars(select(SavedViewRow).where(SavedViewRow.view_id.in_(review.views)))
        found = {row.view_id: _view(row) for row in rows}
    return [found[number] for number in review.views if number in found]


def reviews(state: State) -> list[Review]:
    """Every review, newest first."""
    if state.is_new():
        return []
    with state.session() as session:
        rows = session.scalars(select(ReviewRow).order_by(ReviewRow.review_id.desc())).all()
        return [_review(session, row) for row in rows]


def review_by(state: State, review_id: int) -> Review | None:
    """A review as it is now; None when there is none of that number."""
    if state.is_new():
        return None
    with state.session() as session:
        row = session.get(ReviewRow, review_id)
        return _review(session, row) if row else None


def notes(state: State, about: str, about_id: int) -> list[Note]:
    """The notes on a view or a review, oldest first."""
    if state.is_new():
        return []
    question = (
        select(NoteRow).where(NoteRow.about == about, NoteRow.about_id == about_id).order_by(NoteRow.note_id)
    )
    with state.session() as session:
        return [Note(row.author, moment(row.at_ns), row.text) for row in session.scalars(question)]


def read_finding(text: str) -> Finding:
    """The finding of a stored text; fields that an upgrade added take their defaults, dropped ones are left out."""
    return Finding(**{key: value for key, value in orjson.loads(text).items() if key in Finding._fields})


def _view(row: SavedViewRow) -> SavedView:
    return SavedView(
        row.view_id, row.name, row.author, moment(row.saved_at_ns), row.audit, read_scope(row.scope),
        read_finding(row.finding), row.method, row.demo,
    )  # fmt: skip


def _review(session: Session, row: ReviewRow) -> Review:
    orders = select(ReviewOrderRow).where(ReviewOrderRow.review_id == row.review_id)
    order = session.scalar(orders.order_by(ReviewOrderRow.revision.desc()).limit(1))
    listed = tuple(orjson.loads(order.views)) if order else ()
    at = moment(row.made_at_ns)
    return Review(row.review_id, row.name, row.author, at, order.revision if order else 0, listed)


def _note_row(about: str, about_id: int, author: str, text: str) -> NoteRow:
    return NoteRow(about=about, about_id=about_id, author=_author(author), at_ns=now_ns(), text=text)


def _note_text(text: str) -> str:
    kept = text.strip().replace("\x00", "")  # PostgreSQL has no NUL in text
    if not kept or len(kept) > NOTE_LENGTH:
        raise BadText(f"A note has 1 to {NOTE_LENGTH:,} characters; this one has {len(kept):,}.")
    return kept


def _author(text: str) -> str:
    return _line(text, "Your name", AUTHOR_LENGTH) if text.strip() else NOBODY


def _line(text: str, what: str, most: int) -> str:
    kept = "".join(character for character in " ".join(text.split()) if character.isprintable())
    if not kept or len(kept) > most:
        raise BadText(f"{what} needs 1 to {most} characters.")
    return kept

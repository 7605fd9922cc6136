"""Decks that people make: named lists of figures, each with the scope it shows, its title and its notes.

A slide stores what was asked, never a picture: a deck is asked anew at each slide's own data version, so its numbers are
the page's. Several people may work at a deck: adding never disturbs anybody, and whoever saves an older table is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple

from sqlalchemy import ForeignKey, Integer, LargeBinary, Text, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import made
from core.audit import Scope
from core.state import Base, EditedMeanwhile, State, StateProblem, get_state, read_scope, scope_json

FIRST_NAME = "Deck"
LONGEST_NAME, LONGEST_TITLE, LONGEST_NOTES = 80, 400, 20_000
MOST_DECKS, MOST_SLIDES = 200, 100


class DeckRow(Base):
    """A deck."""

    __tablename__ = "decks"

    deck_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    edition: Mapped[int] = mapped_column(Integer, default=1)
    """One more with every edit of its table: an older table is refused."""
    template_name: Mapped[str] = mapped_column(Text, default="")
    template: Mapped[bytes | None] = mapped_column(LargeBinary, default=None)
    """The corporate .pptx, checked when it came; None: the house's own pages."""


class SlideRow(Base):
    """A slide of a deck."""

    __tablename__ = "deck_slides"

    slide_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    deck_id: Mapped[int] = mapped_column(ForeignKey("decks.deck_id", ondelete="CASCADE"), index=True)
    place: Mapped[int] = mapped_column(Integer)
    """Order within the deck; gaps do not matter."""
    audit: Mapped[str] = mapped_column(Text)
    figure: Mapped[str] = mapped_column(Text)
    scope: Mapped[str] = mapped_column(Text)
    """What is asked, as JSON: core.state.scope_json. What people made is named among the choices, never copied."""
    title: Mapped[str] = mapped_column(Text)
    notes: Mapped[str] = mapped_column(Text, default="")


class Slide(NamedTuple):
    """A slide as it is kept; slide_id 0 has not been kept yet."""

    audit: str
    figure: str
    scope: Scope
    title: str
    notes: str = ""
    slide_id: int = 0


class Deck(NamedTuple):
    """A deck as it is kept."""

    deck_id: int
    name: str
    edition: int
    template_name: str
    slides: tuple[Slide, ...]


class BadDeck(StateProblem):
    """A name, an order or a size that cannot be kept; the message says what to write instead."""


def ids_by_name(state: State | None = None) -> dict[str, int]:
    """The id of every deck by its name, in the order of their names. Looking makes no file."""
    state = state or get_state()
    if state.is_new():
        return {}
    with _session(state) as session:
        rows = session.execute(select(DeckRow.name, DeckRow.deck_id).order_by(func.lower(DeckRow.name)))
        return {row.name: row.deck_id for row in rows}


def read(deck_id: int, state: State | None = None) -> Deck:
    """A deck with its slides in order; raises BadDeck when somebody has deleted it."""
    with _session(state) as session:
        row = _deck(session, deck_id)
        slides = session.scalars(
            select(SlideRow).where(SlideRow.deck_id == deck_id).order_by(SlideRow.place, SlideRow.slide_id)
        )
        shown = tuple(
            Slide(one.audit, one.figure, read_scope(one.scope), one.title, one.notes, one.slide_id)
            for one in slides
        )
        return Deck(row.deck_id, row.name, row.edition, row.template_name, shown)


def create(name: str, state: State | None = None) -> int:
    """A new deck's id; raises BadDeck for a name that is taken or unusable."""
    with _session(state) as session:
        return _created(session, name).deck_id


def _created(session: Session, name: str) -> DeckRow:
    row = DeckRow(name=_free(session, name), edition=1, template_name="", template=None)
    if (session.scalar(select(func.count()).select_from(DeckRow)) or 0) >= MOST_DECKS:
        raise BadDeck(f"There are {MOST_DECKS} decks already. Delete one that is no longer needed.")
    session.add(row)
    session.flush()
    return row


def rename(deck_id: int, name: str, state: State | None = None) -> None:
    """Give a deck another name; raises BadDeck."""
    with _session(state) as session:
        row = _deck(session, deck_id)
        if _clean(name) != row.name:
            row.name = _free(session, name)


def remove(deck_id: int, state: State | None = None) -> None:
    """Delete a deck with its slides; one that is gone already is no mistake."""
    with _session(state) as session:
        session.execute(delete(SlideRow).where(SlideRow.deck_id == deck_id))
        session.execute(delete(DeckRow).where(DeckRow.deck_id == deck_id))


def add(name: str, slide: Slide, state: State | None = None) -> int:
    """Put a slide at the end of the deck of that name, which is made when there is none; how many it has now."""
    with _session(state) as session:
        row = session.scalar(select(DeckRow).where(DeckRow.name == _clean(name))) or _created(session, name)
        places = select(func.count(), func.coalesce(func.max(SlideRow.place), 0)).where(
            SlideRow.deck_id == row.deck_id
        )
        count, last = session.execute(places).one()
        if count >= MOST_SLIDES:
            raise BadDeck(
                f"The deck {row.name} has {MOST_SLIDES} slides, which is the most. Start another one."
            )
        session.add(
            SlideRow(
                deck_id=row.deck_id, place=last + 1, audit=slide.audit, figure=slide.figure,
                scope=scope_json(slide.scope._replace(made=())), title=_title(slide.title), notes=_notes(slide.notes),
            )
        )  # fmt: skip
        return int(count) + 1


def edit(deck: Deck, rows: Iterable[Mapping[str, Any]], state: State | None = None) -> None:
    """Keep an edited table: per slide of `deck`, in its order, `order`, `title`, `notes` and `remove`.

    Slides that were added meanwhile stay where they are. Raises EditedMeanwhile when another table was saved since.
    """
    changes = list(zip(deck.slides, rows, strict=True))
    in_order = sorted(changes, key=lambda one: (_order(one[1]), one[0].slide_id))
    with _session(state) as session:
        _next_edition(session, deck)
        for place, (slide, row) in enumerate(in_order, start=1):
            mine = SlideRow.slide_id == slide.slide_id, SlideRow.deck_id == deck.deck_id
            if row.get("remove"):
                session.execute(delete(SlideRow).where(*mine))
            else:
                title, notes = _title(str(row.get("title") or "")), _notes(str(row.get("notes") or ""))
                session.execute(update(SlideRow).where(*mine).values(place=place, title=title, notes=notes))


@contextmanager
def _session(state: State | None) -> Iterator[Session]:
    try:
        with (state or get_state()).session() as session:
            yield session
    except StateProblem as problem:
        if isinstance(problem.__cause__, IntegrityError):
            raise BadDeck("Somebody has just made a deck of that name. Try again.") from problem
        raise


def _next_edition(session: Session, deck: Deck) -> None:
    edition = update(DeckRow).where(DeckRow.deck_id == deck.deck_id, DeckRow.edition == deck.edition)
    found: Any = session.execute(edition.values(edition=deck.edition + 1))
    if found.rowcount != 1:
        raise EditedMeanwhile(
            "Somebody has saved this deck, or deleted it, since this table was opened. Open it anew and make the change there."
        )


def template_of(deck_id: int, state: State | None = None) -> bytes | None:
    """The deck's corporate template."""
    with _session(state) as session:
        return _deck(session, deck_id).template


def set_template(deck_id: int, name: str, content: bytes | None, state: State | None = None) -> None:
    """Keep a template that was checked, or take it away with None."""
    with _session(state) as session:
        row = _deck(session, deck_id)
        row.template, row.template_name = content, _printable(name)[:LONGEST_NAME] if content else ""


def asked(slide: Slide, audit: ModuleType, state: State | None = None) -> Scope:
    """The slide's scope with what people made at the revision it names."""
    return made.resolved(audit, slide.scope, slide.scope.choice(made.BREAKS, "0"), state)


def _deck(session: Session, deck_id: int) -> DeckRow:
    row = session.get(DeckRow, deck_id)
    if row is None:
        raise BadDeck("This deck is gone: somebody has deleted it.")
    return row


def _free(session: Session, name: str) -> str:
    clean = _clean(name)
    if session.scalar(select(DeckRow).where(DeckRow.name == clean)) is not None:
        raise BadDeck(f"There is a deck named {clean} already. Choose another name.")
    return clean


def _clean(name: str) -> str:
    clean = " ".join(_printable(name).split())
    if not clean:
        raise BadDeck("A deck needs a name.")
    if len(clean) > LONGEST_NAME:
        raise BadDeck(f"The name has {len(clean)} characters; use at most {LONGEST_NAME}.")
    return clean


def _title(text: str) -> str:
    title = " ".join(_printable(text).split())
    if len(title) > LONGEST_TITLE:
        raise BadDeck(
            f"A title has {len(title)} characters; use at most {LONGEST_TITLE} and put the rest in the notes."
        )
    return title


def _notes(text: str) -> str:
    return text.replace("\x00", "")[:LONGEST_NOTES]  # PostgreSQL has no NUL in text


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _order(row: Mapping[str, Any]) -> float:
    try:
        return float(row.get("order") or 0)
    except (TypeError, ValueError):
        raise BadDeck(f"The order {str(row.get('order'))[:20]!r} is not a number.") from None

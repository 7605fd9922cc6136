"""What people make: break calendars here; views, reviews and notes in core.reviews, shared links in core.shared.

It is kept apart from the ledger, in SQLite beside it or in PostgreSQL.
Each save is a new revision and no revision ever changes, so a link that names one shows the same for ever. Two people
who edit at once cannot overwrite each other: the later one is told.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import BigInteger, Engine, Integer, Text, create_engine, func, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from core.settings import Settings

STATE_NAME = "state.sqlite"
CONNECT_SECONDS = 5


class Base(DeclarativeBase):
    """Tables of what people make."""


class BreakCalendar(Base):
    """One revision of the break calendar. Rows are only ever added."""

    __tablename__ = "break_calendars"

    revision: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    """1, 2, 3, ...: the number in links."""
    saved_at_ns: Mapped[int] = mapped_column(BigInteger)
    """UTC ns."""
    breaks: Mapped[str] = mapped_column(Text)
    """Canonical text: core.breaks."""


class Revision(NamedTuple):
    """A break calendar as it was saved; number 0 is the empty one that was there before anybody saved."""

    number: int
    text: str


NOTHING = Revision(0, "")


class StateProblem(RuntimeError):
    """What people made cannot be read or kept; the message says why and what to do."""


class EditedMeanwhile(StateProblem):
    """Somebody saved a revision after the one that was edited."""


class State:
    """The database of what people make. A missing SQLite file is an empty one, and is made by the first save."""

    def __init__(self, url: str = "", path: Path | None = None) -> None:
        """A SQLAlchemy URL, or a SQLite file; with neither nothing can be saved."""
        self._url = make_url(url or f"sqlite:///{path}") if url or path else None
        self._path = None if url else path

    @functools.cached_property
    def _engine(self) -> Engine:
        assert self._url is not None
        is_postgres = self._url.get_backend_name() == "postgresql"
        arguments = {"connect_timeout": CONNECT_SECONDS} if is_postgres else {}
        return create_engine(self._url, connect_args=arguments, pool_pre_ping=True)

    def newest(self) -> Revision:
        """The calendar in force; raises StateProblem when the database does not answer."""
        return self._read(select(BreakCalendar).order_by(BreakCalendar.revision.desc()).limit(1)) or NOTHING

    def at(self, number: int) -> Revision | None:
        """A revision by its number; None when it was never saved."""
        if number == 0:
            return NOTHING
        return self._read(select(BreakCalendar).where(BreakCalendar.revision == number))

    def save(self, text: str, base: int) -> Revision:
        """Keep a calendar that was edited from revision `base`; the same text again makes no revision.

        Raises EditedMeanwhile when there is a newer one, StateProblem when nothing can be saved.
        """
        if self._url is None:
            raise StateProblem("Nothing can be saved here: no database of what people make is open.")
        newest = self.newest()
        if newest.number != base:
            raise EditedMeanwhile(
                f"Revision {newest.number} was saved after revision {base}, which this table shows. "
                "Open the newest calendar and make the change there."
            )
        if newest.text == text:
            return newest
        row = BreakCalendar(revision=base + 1, saved_at_ns=_now_ns(), breaks=text)
        try:
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            Base.metadata.create_all(self._engine)
            with Session(self._engine) as session, session.begin():
                session.add(row)
        except IntegrityError as error:
            raise EditedMeanwhile(
                f"Somebody else has just saved revision {base + 1}. Open the newest calendar and make the change there."
            ) from error
        except SQLAlchemyError as error:
            raise StateProblem(self._told(error)) from error
        return Revision(base + 1, text)

    def revisions(self) -> int:
        """How many there are."""
        if not self._there():
            return 0
        with Session(self._engine) as session:
            return int(session.scalar(select(func.count()).select_from(BreakCalendar)) or 0)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction on the tables of `Base`, which are made when missing; for the modules that add tables.

        Raises StateProblem when nothing can be kept here or the database does not answer.
        """
        if self._url is None:
            raise StateProblem("Nothing can be saved here: no database of what people make is open.")
        try:
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            Base.metadata.create_all(self._engine)
            with Session(self._engine, expire_on_commit=False) as session, session.begin():
                yield session
        except SQLAlchemyError as error:
            raise StateProblem(self._told(error)) from error

    def is_new(self) -> bool:
        """Whether nothing was ever kept, as far as can be told without making a file."""
        return self._url is None or (self._path is not None and not self._path.exists())

    def close(self) -> None:
        """Let go of connections."""
        if "_engine" in self.__dict__:
            self._engine.dispose()

    def _read(self, question: object) -> Revision | None:
        try:
            if not self._there():
                return None
            with Session(self._engine) as session:
                row = session.scalar(question)  # type: ignore[call-overload]
                return Revision(row.revision, row.breaks) if row else None
        except SQLAlchemyError as error:
            raise StateProblem(self._told(error)) from error

    def _there(self) -> bool:
        """Whether anything was ever saved. Asking must not make a file."""
        return not self.is_new() and inspect(self._engine).has_table(BreakCalendar.__tablename__)

    def _told(self, error: SQLAlchemyError) -> str:
        """The kind of error and where: a driver's own text may hold the password."""
        assert self._url is not None
        where = self._url.render_as_string(hide_password=True)
        return (
            f"The database of what people make, {where}, does not answer as it should "
            f"({type(error).__name__}). Check state_url and that the server runs."
        )


def _now_ns() -> int:
    return int(dt.datetime.now(dt.UTC).timestamp() * 1e9)


def open_state(settings: Settings) -> State:
    """The settings' database: `state_url`, else a SQLite file in the data folder."""
    return State(settings.state_url) if settings.state_url else State(path=settings.data_dir / STATE_NAME)


_published: list[State] = []


def set_state(state: State | None) -> None:
    """Publish the process's database of what people make, or withdraw it with None."""
    _published[:] = [] if state is None else [state]


def get_state() -> State:
    """The published one; without any, an empty one that cannot be saved to."""
    return _published[0] if _published else State()

"""The database of what people make, apart from the ledger: SQLite beside it, or PostgreSQL.

`State` opens it; each module below adds tables to `Base` and writes them through `State.session`. Here are the break
calendars too. Each save of one is a new revision and no revision ever changes, so a link that names one shows the same for
ever. Two people who edit at once cannot overwrite each other: the later one is told.

core.reviews saved views, reviews, notes; core.shared_links pages for readers outside; core.decks decks and their slides;
core.alerts.changes what has been told; core.tokens tokens of programs; core.audit_log who did what.
core.made puts a calendar into the scope of an audit that reads it.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import orjson
from sqlalchemy import BigInteger, Engine, Integer, Select, Text, create_engine, inspect, select
from sqlalchemy import text as sql_text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.schema import CreateSchema

from core.audit import Scope
from core.projects import DEFAULT, PerProject
from core.settings import Settings

STATE_NAME = "state.sqlite"
CONNECT_SECONDS = 5
Row = TypeVar("Row", bound="Base")


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

    def __init__(self, url: str = "", path: Path | None = None, schema: str = "") -> None:
        """A SQLAlchemy URL, or a SQLite file; with neither nothing can be saved.

        `schema` is one of PostgreSQL's: its connections find no table outside it.
        """
        self._schema = schema
        self._url = make_url(url or f"sqlite:///{path}") if url or path else None
        self._path = None if url else path

    @functools.cached_property
    def _engine(self) -> Engine:
        assert self._url is not None
        is_postgres = self._url.get_backend_name() == "postgresql"
        arguments: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS} if is_postgres else {}
        arguments |= {"options": f"-csearch_path={self._schema}"} if self._schema else {}
        return create_engine(self._url, connect_args=arguments, pool_pre_ping=True)

    def newest_calendar(self) -> Revision:
        """The break calendar in force; raises StateProblem when the database does not answer."""
        return self._read(select(BreakCalendar).order_by(BreakCalendar.revision.desc()).limit(1)) or NOTHING

    def calendar_at(self, number: int) -> Revision | None:
        """A break calendar by its revision's number; None when it was never saved."""
        if number == 0:
            return NOTHING
        return self._read(select(BreakCalendar).where(BreakCalendar.revision == number))

    def save_calendar(self, text: str, base: int) -> Revision:
        """Keep a calendar that was edited from revision `base`; the same text again makes no revision.

        Raises EditedMeanwhile when there is a newer one, StateProblem when nothing can be saved.
        """
        self._check_open()
        newest = self.newest_calendar()
        if newest.number != base:
            raise EditedMeanwhile(
                f"Revision {newest.number} was saved after revision {base}, which this table shows. "
                "Open the newest calendar and make the change there."
            )
        if newest.text == text:
            return newest
        try:
            with self.session() as session:
                session.add(BreakCalendar(revision=base + 1, saved_at_ns=now_ns(), breaks=text))
        except StateProblem as problem:
            if isinstance(problem.__cause__, IntegrityError):
                raise EditedMeanwhile(
                    f"Somebody else has just saved revision {base + 1}. Open the newest calendar and make the change there."
                ) from problem
            raise
        return Revision(base + 1, text)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction on the tables of `Base`, which are made when missing; for the modules that add tables.

        Raises StateProblem when nothing can be kept here or the database does not answer; its cause is an
        IntegrityError where a row with that key is there already, which tells that somebody was quicker.
        """
        self._check_open()
        try:
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            self._make_tables()
            with Session(self._engine, expire_on_commit=False) as session, session.begin():
                yield session
        except SQLAlchemyError as error:
            raise StateProblem(self._told(error)) from error

    def _make_tables(self) -> None:
        if self._schema and not inspect(self._engine).has_schema(self._schema):
            with self._engine.begin() as connection:
                connection.execute(CreateSchema(self._schema, if_not_exists=True))
        Base.metadata.create_all(self._engine)

    def set_aside(self, ending: str) -> None:
        """Give a project's schema another name, so that nothing in it is found any more; raises StateProblem."""
        try:
            if self._schema and inspect(self._engine).has_schema(self._schema):
                with self._engine.begin() as connection:
                    to = f"{self._schema}_{ending}"
                    connection.execute(
                        sql_text("alter schema {} rename to {}".format(*map(_quoted, (self._schema, to))))
                    )
        except SQLAlchemyError as error:
            raise StateProblem(self._told(error)) from error

    def is_new(self) -> bool:
        """Whether nothing was ever kept, as far as can be told without making a file."""
        return self._url is None or (self._path is not None and not self._path.exists())

    def close(self) -> None:
        """Let go of connections."""
        if "_engine" in self.__dict__:
            self._engine.dispose()

    def _check_open(self) -> None:
        if self._url is None:
            raise StateProblem("Nothing can be saved here: no database of what people make is open.")

    def _read(self, question: object) -> Revision | None:
        try:
            if not self._there(BreakCalendar):
                return None
            with Session(self._engine) as session:
                row = session.scalar(question)  # type: ignore[call-overload]
                return Revision(row.revision, row.breaks) if row else None
        except SQLAlchemyError as error:
            raise StateProblem(self._told(error)) from error

    def rows(self, table: type[Row], question: Select[Any]) -> list[Row]:
        """The rows of a question about a table, none while nothing was kept in it; raises StateProblem. It makes no table."""
        try:
            if not self._there(table):
                return []
            with Session(self._engine) as session:
                return list(session.scalars(question))
        except SQLAlchemyError as error:
            raise StateProblem(self._told(error)) from error

    def _there(self, table: type[Base]) -> bool:
        """Whether anything was ever saved there. Asking must not make a file."""
        return not self.is_new() and inspect(self._engine).has_table(table.__tablename__)

    def _told(self, error: SQLAlchemyError) -> str:
        """The kind of error and where: a driver's own text may hold the password."""
        assert self._url is not None
        where = self._url.render_as_string(hide_password=True)
        return (
            f"The database of what people make, {where}, does not answer as it should "
            f"({type(error).__name__}). Check state_url and that the server runs."
        )


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


def now_ns() -> int:
    """The present instant, UTC ns."""
    return int(dt.datetime.now(dt.UTC).timestamp() * 1e9)


def moment(at_ns: int) -> dt.datetime:
    """A stored instant, in UTC."""
    return dt.datetime.fromtimestamp(at_ns / 1e9, dt.UTC)


def scope_json(scope: Scope) -> str:
    """A scope as text, whole; read_scope takes it back."""
    return orjson.dumps(scope._asdict()).decode()


def read_scope(text: str) -> Scope:
    """The scope of a text of `scope_json`; a field that was added since takes its default."""
    told: dict[str, Any] = {key: value for key, value in orjson.loads(text).items() if key in Scope._fields}
    told |= {key: dt.date.fromisoformat(told[key]) for key in ("start", "end")}
    told |= {key: tuple(told[key]) for key in ("regions", "services", "models")}
    told |= {key: tuple((name, value) for name, value in told.get(key, ())) for key in ("choices", "made")}
    return Scope(**told)


def open_state(settings: Settings) -> State:
    """The settings' database: a SQLite file in the data folder, or `state_url`, with a schema for each project but one."""
    if not settings.state_url:
        return State(path=settings.data_dir / STATE_NAME)
    return State(
        settings.state_url, schema="" if settings.project == DEFAULT else schema_of(settings.project)
    )


def schema_of(project: str) -> str:
    """The schema of a project's tables in PostgreSQL; names have no underscores, so no two share one.

    >>> schema_of("web-search")
    'trueup_web_search'
    """
    return f"trueup_{project.replace('-', '_')}"


_published = PerProject[State]()


def set_state(state: State | None) -> None:
    """Publish the project's database of what people make, or withdraw it with None."""
    _published.put(state)


def get_state() -> State:
    """The published one; without any, an empty one that cannot be saved to."""
    return _published.get() or State()

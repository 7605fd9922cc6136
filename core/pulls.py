"""Pulling from SQL sources: connect, read only, stream, and take the rows in like any other file.

What runs is in the operator's configuration file and nowhere else: no page takes a URL or SQL. A password never
stands in an error, a log or the ledger.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from core.audit import Ask
from core.ingest.bills import sql_config, sql_source
from core.ingest.bills.sql_config import BadSource, SqlSource
from core.ingest.files import FileProblem
from core.ingest.options import ReadOptions
from core.intake import Arrival, Taken, take_in
from core.ledger.store import Batch, Store
from core.settings import Settings

ROWS_FETCHED = 5_000
CONNECT_SECONDS = 10
NONE_CONFIGURED = "SQL sources are off: no file is named by sql_sources. See docs/sql-sources.md."

LAST = """
select
    name,
    make_timestamp_ns(arg_max(at_ns, file_id))                        as last_pull_at,
    arg_max(rows_read, file_id)                                       as rows_read,
    arg_max(rows_accepted, file_id)                                   as rows_new,
    arg_max(rows_quarantined, file_id)                                as rows_refused,
    coalesce(arg_max(coalesce(problem, ''), file_id), '')             as problem
from files
where door = 'sql'
group by name
order by name
"""


def configured(settings: Settings) -> list[SqlSource]:
    """The configured sources; empty when none are. Raises BadSource."""
    return [] if settings.sql_sources is None else sql_config.load(settings.sql_sources)


def pull(store: Store, source: SqlSource, options: ReadOptions, now: dt.datetime) -> Taken:
    """Run one source's query and take its rows in; a problem is in the answer, and what came before it is kept."""
    return take_in(store, _batches(source, options, now), Arrival("sql", source.name))


def _batches(source: SqlSource, options: ReadOptions, now: dt.datetime) -> Iterator[Batch]:
    try:
        yield from sql_source.batches(source, _rows(source, now), options)
    except (SQLAlchemyError, ArgumentError, ImportError) as error:
        raise FileProblem(f"{source.name}: {_told(error, source)}") from error


def _rows(source: SqlSource, now: dt.datetime) -> Iterator[Mapping[str, Any]]:
    """Rows one piece at a time, in a transaction that cannot write; raises FileProblem past the row limit."""
    url = make_url(source.url)
    is_postgres, is_sqlite = (url.get_backend_name() == name for name in ("postgresql", "sqlite"))
    arguments = {"connect_timeout": CONNECT_SECONDS} if is_postgres else {}
    engine = create_engine(url, connect_args=arguments, pool_pre_ping=False)
    try:
        with engine.connect() as connection:
            _forbid_writing(connection, is_postgres, is_sqlite, source.timeout_seconds)
            since = now - dt.timedelta(days=source.since_days)
            query = text(source.query)
            parameters = {"since": since.replace(tzinfo=None)} if ":since" in source.query else {}
            with _interrupted_after(connection, source.timeout_seconds, is_sqlite):
                streamed = query.execution_options(stream_results=True, yield_per=ROWS_FETCHED)
                for number, row in enumerate(connection.execute(streamed, parameters).mappings(), 1):
                    if number > source.row_limit:
                        raise FileProblem(
                            f"{source.name}: the query returns more than {source.row_limit:,} rows (row_limit); "
                            "narrow it with :since, or raise the limit."
                        )
                    yield dict(row)
            connection.rollback()
    finally:
        engine.dispose()


def _forbid_writing(connection: Connection, is_postgres: bool, is_sqlite: bool, timeout_seconds: int) -> None:
    if is_postgres:
        connection.execute(text("set transaction read only"))
        connection.execute(text(f"set local statement_timeout = {timeout_seconds * 1000}"))
        connection.execute(text("set local time zone 'UTC'"))
    elif is_sqlite:
        connection.execute(text("pragma query_only = on"))


class _interrupted_after:
    """SQLite has no statement timeout: its connection is interrupted instead."""

    def __init__(self, connection: Connection, seconds: int, is_sqlite: bool) -> None:
        raw: Any = connection.connection.driver_connection
        self._timer = threading.Timer(seconds, raw.interrupt) if is_sqlite else None

    def __enter__(self) -> None:
        if self._timer:
            self._timer.daemon = True
            self._timer.start()

    def __exit__(self, *_: object) -> None:
        if self._timer:
            self._timer.cancel()


def _told(error: Exception, source: SqlSource) -> str:
    """The database's own words in one line, without the password, and what to look at."""
    cause = getattr(error, "orig", None) or error
    words = " ".join(str(cause).split())[:400]
    try:
        password = make_url(source.url).password
    except (ArgumentError, ValueError):
        password = None
    if password:
        words = words.replace(str(password), "***")
    if isinstance(error, NoSuchModuleError | ImportError):
        return f"no driver for this URL is installed ({words}). Install it, or name another one in the URL."
    return f"the database says: {words}. Check url, query and the rights of its user."


def listed(ask: Ask, settings: Settings) -> pl.DataFrame:
    """Every configured source with its last pull; empty where state_text says why there is none."""
    sources = [] if state_text(settings) else configured(settings)
    last = {str(row["name"]): row for row in ask(LAST).rows(named=True)}
    nothing = dict.fromkeys(("last_pull_at", "rows_read", "rows_new", "rows_refused"))
    return pl.DataFrame(
        [
            {"source": source.name, "into": source.target,
             "every": f"{source.every_minutes} min" if source.every_minutes else "by hand",
             **{name: last.get(source.name, nothing)[name] for name in nothing},
             "problem": last.get(source.name, {"problem": "never pulled"})["problem"]}
            for source in sources
        ],
        infer_schema_length=None,
    )  # fmt: skip


def listing(ask: Ask, settings: Settings) -> tuple[str, pl.DataFrame, str, str]:
    """The data page's table of sources: title, rows, name of the download, and the sentence for no rows."""
    return "SQL sources", listed(ask, settings), "sql_sources", state_text(settings)


def state_text(settings: Settings) -> str:
    """What the data page says when there is no list: off, or why the file cannot be used."""
    try:
        return "" if configured(settings) else NONE_CONFIGURED
    except BadSource as error:
        return str(error)

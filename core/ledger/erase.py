"""Erasing a person, a conversation or a trace: every row that tells of them goes, and what remains loses their name.

Traces are erased whole, with what is derived from them and what was attached to them. Bills, tickets and results of
evals are others' records as well: their rows stay and the name in them is replaced, so no sum changes. The deletion is
an import of its own and is recorded by table, without naming anybody. The bytes leave the file with the compaction that
follows: see docs/operations.md.
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from core.ledger import rollups
from core.ledger.batch import ERASED

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

REASON = "erasure"
"""Reason in `deletions`; rows that only lost a name are under REDACTED."""
REDACTED = "redaction"
SHORTEST_TEXT = 6
"""Shorter ids ("42") are looked for by their hash only: as text they would be found everywhere."""
EVENTS_OF_TRACES = ("spans", "span_events")
"""Tables whose texts say that a trace is of the person, also where no attribute names the user."""
DELETED_BY_TEXT = ("quarantine", "repairs", "duplicates")
"""Bookkeeping that quotes rows: a row that quotes the person goes."""
BILLS = ("cost_lines",)

COLUMNS = """
    select
        table_name,
        column_name,
        data_type
    from information_schema.columns
    where table_schema = 'main'
        and table_catalog = current_database()
    order by table_name, column_name
"""

TRACES = """
    create or replace temp table erasing as
    select trace_id
    from spans
    where enduser_hash in (select hash from erasing_hashes)
        or gen_ai_conversation_id in (select conversation_id from erasing_conversations)
    union
    select trace_id
    from runs
    where enduser_hash in (select hash from erasing_hashes)
        or conversation_id in (select conversation_id from erasing_conversations)
    union
    select trace_id
    from erasing_traces
"""

ANSWERS = """
    create or replace temp table erasing_answers as
    select distinct gen_ai_response_id as response_id
    from spans
    where trace_id in (select trace_id from erasing)
        and gen_ai_response_id is not null
"""

NEWEST_DAY = (
    "select coalesce(max(day), current_date) + 1 from spans where trace_id in (select trace_id from erasing)"
)


class NothingToErase(ValueError):
    """No row tells of them; nothing was changed."""


class Subject(NamedTuple):
    """Whose rows are erased: any of these."""

    hashes: tuple[str, ...] = ()
    """16 hex, as in enduser_hash."""
    texts: tuple[str, ...] = ()
    """The id itself, where it is known: looked for in every text, as a whole word."""
    conversations: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()


class Erased(NamedTuple):
    """What was done."""

    import_id: int
    """The data version from which the rows are gone."""
    trace_count: int
    deleted: dict[str, int]
    """Rows by table."""
    redacted: dict[str, int]
    """Rows that stay and lost the name, by table."""


def erase(cursor: DuckDBPyConnection, subject: Subject, import_id: int) -> Erased:
    """Erase inside the caller's transaction; raises NothingToErase."""
    columns = _columns(cursor)
    _name_them(cursor, subject)
    cursor.execute(TRACES)
    for table in EVENTS_OF_TRACES:
        found = _found(_texts(columns[table]))
        cursor.execute(f"insert into erasing select distinct trace_id from {table} where {found}")
    cursor.execute(ANSWERS)
    traces = _count(cursor, "select count(distinct trace_id) from erasing")
    before_day = cursor.execute(NEWEST_DAY).fetchall()[0][0]
    deleted = {table: _delete(cursor, table, columns[table]) for table in columns}
    redacted = {table: _redact(cursor, table, columns[table]) for table in columns}
    deleted, redacted = ({t: n for t, n in one.items() if n} for one in (deleted, redacted))
    if not deleted and not redacted:
        raise NothingToErase("No row of the ledger tells of them; nothing was changed.")
    now_ns = time.time_ns()
    for reason, counts in ((REASON, deleted), (REDACTED, redacted)):
        for table, count in counts.items():
            cursor.execute(
                "insert into deletions values (?, ?, ?, ?, ?)", [now_ns, reason, before_day, table, count]
            )
    cursor.execute(
        """
        insert into imports (import_id, at_ns, source, format, sha256, rows_read, rows_accepted,
            rows_quarantined, rows_duplicate, demo, rows_repaired)
        values (?, ?, 'rows erased on request', ?, ?, 0, 0, 0, 0, false, 0)
        """,
        [import_id, now_ns, ERASED, f"{ERASED} {import_id} at {now_ns}"],
    )
    rollups.fill(cursor)
    _forget(cursor)
    return Erased(import_id, traces, deleted, redacted)


Columns = dict[str, str]
"""Type by column."""


def _columns(cursor: DuckDBPyConnection) -> dict[str, Columns]:
    found: dict[str, Columns] = {}
    for table, column, kind in cursor.execute(COLUMNS).fetchall():
        if table != "schema_version":
            found.setdefault(str(table), {})[str(column)] = str(kind)
    return found


def _name_them(cursor: DuckDBPyConnection, subject: Subject) -> None:
    """Temporary tables live in memory: the file never holds a list of whom to forget."""
    texts = {spelled for text in subject.texts if len(text) >= SHORTEST_TEXT for spelled in _spellings(text)}
    needles = [*subject.hashes, *sorted(texts)]
    for table, column, values in (
        ("erasing_hashes", "hash", subject.hashes),
        ("erasing_conversations", "conversation_id", subject.conversations),
        ("erasing_traces", "trace_id", subject.traces),
        ("erasing_needles", "needle", needles),
    ):
        cursor.execute(f"create or replace temp table {table} ({column} varchar)")
        for value in values:
            cursor.execute(f"insert into {table} values (?)", [value])


def _spellings(text: str) -> set[str]:
    """As it is, and as JSON writes it inside quotes."""
    return {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}


def _forget(cursor: DuckDBPyConnection) -> None:
    for table in ("hashes", "conversations", "traces", "needles", "answers"):
        cursor.execute(f"drop table erasing_{table}")
    cursor.execute("drop table erasing")


def _texts(columns: Columns) -> list[str]:
    return [column for column, kind in columns.items() if kind in ("VARCHAR", "JSON")]


NUMBER = re.compile(r"[0-9.eE+-]+")
WORD = "concat('(^|[^A-Za-z0-9_.@-])', regexp_escape(needle), '($|[^A-Za-z0-9_@-])')"
"""The id as a whole word: ann@example.org is not joann@example.org."""


def _found(texts: list[str]) -> str:
    """A condition: any needle in any of the columns."""
    matches = " or ".join(
        f"(contains({column}::varchar, needle) and regexp_matches({column}::varchar, {WORD}))"
        for column in texts
    )
    return f"exists (select 1 from erasing_needles where {matches or 'false'})"


def _delete(cursor: DuckDBPyConnection, table: str, columns: Columns) -> int:
    told = []
    if table not in BILLS:
        told += [
            f"{column} in (select trace_id from erasing)"
            for column in ("trace_id", "source_trace_id")
            if column in columns
        ]
        if "response_id" in columns:
            told.append("response_id in (select response_id from erasing_answers)")
        if "conversation_id" in columns:
            told.append("conversation_id in (select conversation_id from erasing_conversations)")
        if "subject_hash" in columns and table != "erasure_requests":
            told.append("subject_hash in (select hash from erasing_hashes)")
    if "row_key" in columns:
        told.append("split_part(row_key, '/', 1) in (select trace_id from erasing)")
    if table == "quarantine":
        told.append("exists (select 1 from erasing where contains(row_text, trace_id))")
    if table in DELETED_BY_TEXT:
        told.append(_found(_texts(columns)))
    return _count(cursor, f"delete from {table} where {' or '.join(told)}") if told else 0


def _redact(cursor: DuckDBPyConnection, table: str, columns: Columns) -> int:
    texts = _texts(columns)
    if not texts or table in DELETED_BY_TEXT:
        return 0
    needles = [str(needle) for (needle,) in cursor.execute("select needle from erasing_needles").fetchall()]
    rows = 0
    for needle in needles:
        word = WORD.replace("needle", "$needle")
        where = " or ".join(
            f"(contains({column}::varchar, $needle) and regexp_matches({column}::varchar, {word}))"
            for column in texts
        )
        # Twice, because a separator between two mentions belongs to one match only.
        instead = (
            "0" if NUMBER.fullmatch(needle) else "erased"
        )  # an id that JSON has as a number must stay one
        once = f"regexp_replace({{}}, {{}}, '\\1{instead}\\2', 'g')"
        changes = ", ".join(
            f"{column} = {once.format(once.format(f'{column}::varchar', word), word)}::{columns[column]}"
            for column in texts
        )
        statement = f"update {table} set {changes} where {where}"
        rows += int(cursor.execute(statement, {"needle": needle}).fetchall()[0][0])
    return rows


def _count(cursor: DuckDBPyConnection, statement: str) -> int:
    return int(cursor.execute(statement).fetchall()[0][0])

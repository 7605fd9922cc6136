"""Emptying a ledger that holds demo data and nothing else.

Rows are deleted, the count of imports goes on: a link that pins a version of the demo finds no rows and says why,
instead of showing whatever comes later under the same number. Each table's deletion is recorded in `deletions`, with
the import's format as its reason.
What people made, such as break calendars, is kept elsewhere and stays.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from core.ledger.batch import EMPTIED, ROWLESS_FORMATS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NO_DATA = ("imports", "derivations", "deletions")
"""Tables with import numbers that are no data."""

REAL = f"""
    select
        count(*) filter (where not demo and format not in {ROWLESS_FORMATS}) as real,
        count(*) filter (where demo) as demo
    from imports
"""

TABLES = """
    select
        table_name,
        bool_or(column_name = 'day') as dated
    from information_schema.columns
    where table_schema = 'main'
    group by table_name
    having bool_or(column_name = 'import_id')
    order by table_name
"""


class CannotEmpty(ValueError):
    """The ledger holds rows that are no demo data, or nothing at all."""


class Emptied(NamedTuple):
    """What was deleted."""

    import_id: int
    """From this data version on the ledger is empty."""
    row_count: int
    table_count: int


def empty_demo(cursor: DuckDBPyConnection, import_id: int) -> Emptied:
    """Delete every row inside the caller's transaction; raises CannotEmpty when any import is no demo data."""
    real, demo = cursor.execute(REAL).fetchall()[0]
    if real:
        raise CannotEmpty(
            f"{real} imports of this ledger are no demo data, so nothing was deleted. Undo the demo's imports on the "
            "imports page, or start with another data folder."
        )
    if not demo:
        raise CannotEmpty("The ledger holds no demo data: there is nothing to empty.")
    now_ns, rows, tables = time.time_ns(), 0, 0
    for table, dated in cursor.execute(TABLES).fetchall():
        if table not in NO_DATA:
            deleted = _delete(cursor, str(table), bool(dated), now_ns)
            rows, tables = rows + deleted, tables + bool(deleted)
    # A finding is an answer about rows, a file without rows someone's own attempt: the one goes, the other stays.
    cursor.execute("delete from findings")
    cursor.execute("delete from files where door = 'demo'")
    cursor.execute("delete from imports")
    cursor.execute(
        """
        insert into imports (import_id, at_ns, source, format, sha256, rows_read, rows_accepted,
            rows_quarantined, rows_duplicate, demo, rows_repaired)
        values (?, ?, 'demo data deleted', ?, ?, 0, 0, 0, 0, false, 0)
        """,
        [import_id, now_ns, EMPTIED, f"{EMPTIED} {import_id} at {now_ns}"],
    )
    return Emptied(import_id, rows, tables)


def _delete(cursor: DuckDBPyConnection, table: str, dated: bool, now_ns: int) -> int:
    """Table names come from the schema. `before_day` is the day after the newest row; without days, tomorrow."""
    newest = f"(select max(day) from {table})" if dated else "null"
    before = cursor.execute(f"select coalesce({newest}, current_date) + 1").fetchall()[0][0]
    count = int(cursor.execute(f"delete from {table}").fetchall()[0][0])
    if count:
        cursor.execute(
            "insert into deletions values (?, ?, ?, ?, ?)", [now_ns, EMPTIED, before, table, count]
        )
    return count

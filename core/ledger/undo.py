"""Undoing an import: its rows stay, and stop counting from a new import on.

A link that pins an earlier version keeps its numbers, because `undone` is read "as of" like everything else:
`import_id not in (select import_id from undone where undone_by <= $as_of)`. What is derived from spans is derived
anew for the traces that lose rows. Rows that another import also brought, and that were dropped as exact repeats,
come back as that import's own: undoing one file must not take rows from another.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.ledger.batch import ROWLESS_FORMATS, UNDO

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class CannotUndo(ValueError):
    """The import is not there, is undone already, or holds nothing to undo."""


RESTORE_SPANS = """
    insert into spans by name
    select distinct on (spans.trace_id, spans.span_id, spans.content_hash, again.import_id)
        spans.* replace (again.import_id as import_id)
    from spans
    join (
        select distinct import_id, row_key, first_import_id
        from duplicates
        where table_name = 'spans'
            and kind = 'exact'
            and first_import_id in (select import_id from undoing)
            and import_id not in (select import_id from undone)
    ) as again
        on again.row_key = concat(spans.trace_id, '/', spans.span_id)
        and again.first_import_id = spans.import_id
    where spans.import_id in (select import_id from undoing)
        and again.import_id <> spans.import_id
"""

RESTORE_LINES = """
    insert into cost_lines by name
    select
        cost_lines.* replace (again.import_id as import_id)
    from cost_lines
    join (
        select distinct import_id, row_key, first_import_id
        from duplicates
        where table_name = 'cost_lines'
            and kind = 'exact'
            and import_id not in (select import_id from undone)
    ) as again
        on again.row_key = cost_lines.line_key
        and again.first_import_id = cost_lines.import_id
    where cost_lines.import_id in (select import_id from undoing)
"""
"""`first_import_id` of a dropped line is the import whose line it equalled."""


def undo(cursor: DuckDBPyConnection, import_ids: Sequence[int], undone_by: int, reason: str) -> int:
    """Undo inside the caller's transaction; returns how many accepted rows stop counting. Raises CannotUndo."""
    wanted = sorted(set(import_ids))
    _check(cursor, wanted)
    cursor.execute("create or replace temp table undoing (import_id bigint)")
    cursor.executemany("insert into undoing values (?)", [[import_id] for import_id in wanted])
    now_ns = time.time_ns()
    cursor.execute(
        "insert into undone select import_id, ?, ?, ? from undoing", [undone_by, now_ns, reason[:400]]
    )
    cursor.execute(RESTORE_SPANS)
    cursor.execute(RESTORE_LINES)
    counted = cursor.execute(
        "select coalesce(sum(rows_accepted), 0), bool_or(demo) from imports where import_id in (select import_id from undoing)"
    ).fetchall()
    named = ", ".join(str(import_id) for import_id in wanted[:5]) + (", ..." if len(wanted) > 5 else "")
    cursor.execute(
        """
        insert into imports (import_id, at_ns, source, format, sha256, rows_read, rows_accepted,
            rows_quarantined, rows_duplicate, demo, rows_repaired)
        values (?, ?, ?, ?, ?, 0, 0, 0, 0, false, 0)
        """,
        [undone_by, now_ns, f"undo of import {named}", UNDO, f"undo {undone_by} of {named} at {now_ns}"],
    )
    return int(counted[0][0])


def _check(cursor: DuckDBPyConnection, wanted: Sequence[int]) -> None:
    if not wanted:
        raise CannotUndo("No import was named. Name one, or a file: see the imports page.")
    rows = cursor.execute(
        "select import_id, format, import_id in (select import_id from undone) from imports "
        f"where import_id in ({', '.join('?' * len(wanted))})",
        list(wanted),
    ).fetchall()
    found = {int(row[0]): (str(row[1]), bool(row[2])) for row in rows}
    for import_id in wanted:
        if import_id not in found:
            raise CannotUndo(f"There is no import {import_id}. The imports page lists them.")
        form, gone = found[import_id]
        if gone:
            raise CannotUndo(f"Import {import_id} is undone already. Import its file again to have it back.")
        if form in ROWLESS_FORMATS:
            raise CannotUndo(f"Import {import_id} ({form}) holds no rows: there is nothing to undo.")

"""How far back the spans of some traces lie: a derivation need not look through a whole ledger for those that came just now.

A trace is derived at the first version after its first import, and its run of that version stays in `runs`, in force or closed.
So none of its spans came by the version before that one. Where runs may have been deleted apart from spans (retention, erasure),
or an undo has put repeats back, nothing of the kind is known and all imports are looked through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.ledger.batch import EMPTIED

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_UNKNOWN = f"""
    select
        (select count(*) from deletions where reason <> '{EMPTIED}')
        + (select count(*) from undone where undone_by > $after and undone_by <= $through)
"""

_FIRST_VERSION = """
    select min(import_id)
    from runs
    where trace_id in (select trace_id from touched where chunk = $chunk)
"""
_BEFORE = "select coalesce(max(import_id), 0) from derivations where import_id < $version"


def no_spans_by(cursor: DuckDBPyConnection, chunk: int, after: int, through: int) -> int:
    """An import by which none of the chunk's traces in `touched` had a span that still counts; 0 where any may have had.

    `after` is the last derived version, 0 when all is derived anew; `through` the one being derived.
    """
    if after == 0 or cursor.execute(_UNKNOWN, {"after": after, "through": through}).fetchall()[0][0]:
        return 0
    version = cursor.execute(_FIRST_VERSION, {"chunk": chunk}).fetchall()[0][0]
    if version is None:
        return after
    return int(cursor.execute(_BEFORE, {"version": version}).fetchall()[0][0])

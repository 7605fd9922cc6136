"""Retention: telemetry older than the operator wants to keep is deleted, and the deletion is recorded.

Bills, prices, imports and what people wrote stay: they hold no personal data and books must be kept for years.
"""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING

from core.ledger.file import transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DATED_TELEMETRY = (
    "spans",
    "span_events",
    "streams",
    "metric_points",
    "outcomes",
    "runs",
    "calls",
    "attempts",
    "attempt_hours",
    "call_hours",
    "probes",
    "responses",
    "tickets",
)
"""Tables whose rows carry the UTC day of the event."""


def delete_before(cursor: DuckDBPyConnection, first_kept_day: dt.date) -> int:
    """Delete rows dated before `first_kept_day` in one transaction; returns how many went.

    The file gives the space back at the checkpoint that follows; DuckDB reuses it before growing.
    """
    deleted = 0
    with transaction(cursor):
        for table in DATED_TELEMETRY:
            rows = cursor.execute(f"delete from {table} where day < ?", [first_kept_day]).fetchall()
            count = int(rows[0][0])
            if count:
                cursor.execute(
                    "insert into deletions values (?, 'retention', ?, ?, ?)",
                    [time.time_ns(), first_kept_day, table, count],
                )
            deleted += count
    return deleted

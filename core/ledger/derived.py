"""Spans of whole traces to frames of runs, calls and attempts: pure, so that a worker process can do it."""

from __future__ import annotations

from itertools import groupby

import polars as pl

from core.ledger.cost import Costing
from core.ledger.rollups import IN_FORCE
from core.ledger.rows import ATTEMPT_SCHEMA, CALL_SCHEMA, RUN_SCHEMA, Row, Schema, trace_rows
from core.ledger.trace import Span


def derived_frames(spans: pl.DataFrame, costing: Costing, through: int) -> list[tuple[str, pl.DataFrame]]:
    """(table, rows derived at version `through`) of the traces; `spans` as trace.Span, rows of a trace together."""
    runs: list[Row] = []
    calls: list[Row] = []
    attempts: list[Row] = []
    rows = (Span._make(row) for row in spans.iter_rows())
    for _, members in groupby(rows, key=lambda span: span.trace_id):
        run, some_calls, some_attempts = trace_rows(list(members), costing)
        runs.append(run)
        calls += some_calls
        attempts += some_attempts
    found = (
        ("runs", runs, RUN_SCHEMA),
        ("calls", calls, CALL_SCHEMA),
        ("attempts", attempts, ATTEMPT_SCHEMA),
    )
    return [(table, _frame(records, schema, through)) for table, records, schema in found if records]


def _frame(records: list[Row], schema: Schema, through: int) -> pl.DataFrame:
    # Column by column: Polars reads row tuples several times slower.
    columns = zip(*records, strict=True)
    series = [
        pl.Series(name, values, dtype=kind, strict=True)
        for (name, kind), values in zip(schema.items(), columns, strict=True)
    ]
    return pl.DataFrame(series).with_columns(
        pl.lit(through, dtype=pl.Int64).alias("import_id"),
        pl.lit(IN_FORCE, dtype=pl.Int64).alias("superseded_by"),
    )

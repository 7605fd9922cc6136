"""Spans of whole traces to frames of runs, calls and attempts.

Plain traces, most of them, are derived in columns where they are; the others one by one, by a worker process if there are many.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter

import polars as pl

from core.ledger.cost import Costing
from core.ledger.plain import plain_traces
from core.ledger.plain_rows import plain_rows
from core.ledger.rollups import IN_FORCE
from core.ledger.rows import SCHEMAS, TOLD_BY_START, Row, Schema, trace_rows
from core.ledger.trace import Span
from core.workers import Do, here

WORTH_SENDING = 2_000
"""Spans, of traces that are not plain, that a worker process derives from; fewer take less than a tenth of a second here."""

SPANS_AT_ONCE = 2_048
"""Spans read out of the frame together, so that its cells are not all Python objects at once."""


def derived_frames(
    spans: pl.DataFrame, costing: Costing, through: int, do: Do = here
) -> list[tuple[str, pl.DataFrame]]:
    """(table, rows derived at version `through`) of whole traces; `spans` with the columns of trace.Span in their order.

    A table may come twice: rows of plain traces and rows of the others.
    """
    plain = plain_traces(spans.rename(dict(zip(spans.columns, Span._fields, strict=True))))
    make = do if plain.others.height >= WORTH_SENDING else here
    found = make(rows_of_others, plain.others, costing)
    if plain.spans.height:
        found += plain_rows(plain, costing)
    return [(table, _in_version(table, rows, through)) for table, rows in found if rows.height]


def rows_of_others(spans: pl.DataFrame, costing: Costing) -> list[tuple[str, pl.DataFrame]]:
    """Rows of traces that are looked through one by one; `spans` as trace.Span, those of a trace together."""
    runs: list[Row] = []
    calls: list[Row] = []
    attempts: list[Row] = []
    for _, members in groupby(_each(spans), key=attrgetter("trace_id")):
        run, some_calls, some_attempts = trace_rows(list(members), costing)
        runs.append(run)
        calls += some_calls
        attempts += some_attempts
    found = (("runs", runs), ("calls", calls), ("attempts", attempts))
    return [(table, _frame(records, SCHEMAS[table])) for table, records in found if records]


def _each(spans: pl.DataFrame) -> Iterator[Span]:
    # Column by column: rows out of Polars, as rows into it, take longer.
    for part in spans.iter_slices(SPANS_AT_ONCE):
        yield from map(Span._make, zip(*(column.to_list() for column in part), strict=True))


def _frame(records: list[Row], schema: Schema) -> pl.DataFrame:
    # Column by column: Polars reads row tuples several times slower.
    names = [name for name in schema if name not in TOLD_BY_START]
    return pl.DataFrame(
        [
            pl.Series(name, values, dtype=schema[name], strict=True)
            for name, values in zip(names, zip(*records, strict=True), strict=True)
        ]
    )


def _in_version(table: str, rows: pl.DataFrame, through: int) -> pl.DataFrame:
    return rows.select(
        *(TOLD_BY_START.get(name, pl.col(name)) for name in SCHEMAS[table]),
        pl.lit(through, dtype=pl.Int64).alias("import_id"),
        pl.lit(IN_FORCE, dtype=pl.Int64).alias("superseded_by"),
    )

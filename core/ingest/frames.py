"""Rows to frames of the ledger's tables: explicit types, and the UTC day that every table has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from core.ingest.cells import DAY_NS


def day_of(column: str) -> pl.Expr:
    """UTC date of a column of nanoseconds, named day."""
    return (pl.col(column) // DAY_NS).cast(pl.Int32).cast(pl.Date).alias("day")


def frame(rows: Sequence[tuple[Any, ...]], schema: dict[str, Any]) -> pl.DataFrame:
    """Rows of equal length as a frame, column by column: Polars reads row tuples ten times slower."""
    if not rows:
        return pl.DataFrame(schema=schema)
    columns = zip(*rows, strict=True)
    return pl.DataFrame(
        [pl.Series(name, values, kind) for (name, kind), values in zip(schema.items(), columns, strict=True)]
    )

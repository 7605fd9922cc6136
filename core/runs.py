"""One run's spans in the order a reader follows them: parents before children, each level by start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from core.charts import SpanRow

MOST_SPANS = 200
"""A chart of more bars than this cannot be read; the table below it has every span."""


def span_rows(spans: pl.DataFrame) -> list[SpanRow]:
    """Bars of a run. `spans` has span_id, parent_span_id, name, started_at_ns, duration_ns, status_code, and
    attempt_number, attempt_ok, error_class where a span is an attempt.

    A span whose parent has not arrived stands at the top; a circle of parents is cut where it is entered.
    """
    rows = sorted(spans.to_dicts(), key=lambda row: (row["started_at_ns"], row["span_id"]))
    if not rows:
        return []
    ids = {row["span_id"] for row in rows}
    children: dict[str | None, list[Mapping[str, Any]]] = {}
    for row in rows:
        parent = row["parent_span_id"]
        children.setdefault(parent if parent in ids and parent != row["span_id"] else None, []).append(row)
    ordered = _walk(children)
    reached = {row["span_id"] for row, _ in ordered}
    ordered += [(row, 0) for row in rows if row["span_id"] not in reached]
    first_ns = rows[0]["started_at_ns"]
    return [_span_row(row, depth, first_ns) for row, depth in ordered[:MOST_SPANS]]


def _walk(children: Mapping[str | None, list[Mapping[str, Any]]]) -> list[tuple[Mapping[str, Any], int]]:
    """Depth first without recursion: traces thousands deep exist."""
    ordered: list[tuple[Mapping[str, Any], int]] = []
    waiting = [(row, 0) for row in reversed(children.get(None, []))]
    while waiting:
        row, depth = waiting.pop()
        ordered.append((row, depth))
        waiting += [(child, depth + 1) for child in reversed(children.get(row["span_id"], []))]
    return ordered


def _span_row(row: Mapping[str, Any], depth: int, first_ns: int) -> SpanRow:
    number = row.get("attempt_number")
    attempt_failed = number is not None and row.get("attempt_ok") in (0, False)
    attempt = "" if number is None else f"attempt {number}"
    if attempt_failed:
        attempt += f", {row.get('error_class') or 'failed'}"
    return SpanRow(
        label=row["name"],
        depth=depth,
        start_ms=(row["started_at_ns"] - first_ns) / 1e6,
        duration_ms=row["duration_ns"] / 1e6,
        failed=attempt_failed or row["status_code"] == "ERROR",
        attempt=attempt,
    )


def run_table(spans: pl.DataFrame) -> pl.DataFrame:
    """A run's spans with times a reader can compare: ms after the first span, and ms long."""
    first_ns = pl.col("started_at_ns").min()
    times = {
        "started_at_ns": ((pl.col("started_at_ns") - first_ns) / 1e6).alias("start_ms"),
        "duration_ns": (pl.col("duration_ns") / 1e6).alias("duration_ms"),
    }
    return spans.select(times.get(column, pl.col(column)) for column in spans.columns)

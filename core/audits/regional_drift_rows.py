"""What the pictures and tables of the regional drift audit are made of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import polars as pl

from core.audits.regional_drift_signals import SHARES, comparable
from core.stats.betting import SEED

MOST_VALUES = 2_000
"""Points of one distribution's line."""
MOST_ROWS = 100
TEXT_SHOWN = 200
APART = (
    "region", "day", "prompt", "answer", "length_chars", "length_ref_chars", "score", "score_ref", "refusal",
    "refusal_ref", "response_model", "response_model_ref", "text", "text_ref",
)  # fmt: skip


def distributions(
    signal: str, pairs: pl.DataFrame, region: str, reference: str
) -> list[tuple[str, str, list[float]]]:
    """Side, what is drawn, sorted values. A share of answers is drawn by its days; texts by their lengths."""
    columns = dict(SHARES)
    if signal in columns:
        column = columns[signal]
        known = comparable(pairs, column)
        means = known.group_by("day").agg(pl.col(column, f"{column}_ref").cast(pl.Float64).mean())
        of = f"{signal}, share of a day's answers"
    else:
        column, of = "text_chars", "length of an answer, characters"
        means = pairs.select(pl.col(column, f"{column}_ref").cast(pl.Float64))
    found = []
    for side, name in ((region, column), (reference, f"{column}_ref")):
        values = sorted(means[name].drop_nulls().to_list())
        step = max(1, len(values) // MOST_VALUES)
        if values:
            found.append((side, of, values[::step]))
    return found if len(found) == 2 else []


def apart(name: str, pairs: pl.DataFrame) -> list[tuple[object, ...]]:
    """The pairs of a region that differ most: first by score, then by length."""
    score = (pl.col("score").fill_null(0) - pl.col("score_ref").fill_null(0)).abs()
    chars = (pl.col("text_chars").fill_null(0) - pl.col("text_chars_ref").fill_null(0)).abs()
    rows = pairs.with_columns(a=score, b=chars).sort(
        ["a", "b", "day", "prompt_id", "completion"], descending=[True, True, True, False, False]
    )
    columns = (
        "day", "prompt_id", "completion", "text_chars", "text_chars_ref", "score", "score_ref", "refusal",
        "refusal_ref", "response_model", "response_model_ref",
    )  # fmt: skip
    shown = rows.head(MOST_ROWS).select(
        pl.lit(name), *columns, pl.col("text", "text_ref").str.slice(0, TEXT_SHOWN)
    )
    return shown.rows()


def method(reference: str, days: Sequence[dt.date], window_days: int) -> str:
    """The design of the sample in one line."""
    span = f"{days[0]} to {days[-1]}, {len(days)} days" if days else "no probes"
    return f"reference {reference}; probes of {span}; tests on the last {window_days} days; seed {SEED}"


def scorer_table(pairs: Mapping[str, pl.DataFrame]) -> list[tuple[str, int]]:
    """Pairs of each region whose scores come from two parsers: they are left out, and said to be."""
    found = []
    for name, rows in sorted(pairs.items()):
        known = rows.drop_nulls(["score", "score_ref"])
        left_out = known.height - comparable(rows, "score").height
        if left_out:
            found.append((name, left_out))
    return found

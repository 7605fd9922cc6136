"""Which traces are plain: those for which calls.py, dedup.py and operations.py would find only what columns tell.

In a plain trace no span is told twice and none lies within a call, so every model call and every tool call stands for
itself. A failure is plain too where nothing but its own numbered resend comes after it. Most traces are: for them what is
derived follows row by row (plain_rows.py), and a thousand are read at once. All others are left to rows.trace_rows, which
says the same of a plain one (tests/ledger/test_plain.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from core.ledger.calls import BACKOFF_WINDOW_NS
from core.ledger.trace import CONTAINER_ROLES, MODEL_PATHS

DEEPEST = 16
"""Levels of parents that are followed here; a trace with more, or with parents in a circle, is not plain."""

Array = np.ndarray[Any, np.dtype[Any]]
"""Of one dimension: a value for each row of a frame. Places in it are row numbers, -1 for none."""

CALL_ROLES = ("inference", "tool")
IS_INFERENCE = pl.col("span_role") == "inference"
FAILED = (pl.col("status_code") == "ERROR") | pl.col("error_class").is_not_null()
"""As trace.Span.failed."""
_TO_MODEL_HOST = (
    (pl.col("span_role") == "http")
    & (pl.col("kind") == "client")
    & pl.any_horizontal(
        pl.col("url_path").str.to_lowercase().str.strip_chars_end("/").str.ends_with(path)
        for path in MODEL_PATHS
    ).fill_null(value=False)
)
_RESENDS = pl.col("resend_count").fill_null(0)
_NEXT_HERE = (
    (pl.col("trace") == pl.col("trace").shift(1)) & (pl.col("container") == pl.col("container").shift(1))
).fill_null(value=False)
_SAME_OPERATION = pl.all_horizontal(
    pl.col(name).eq_missing(pl.col(name).shift(1))
    for name in ("parent_span_id", "name", "operation", "request_model", "agent_name")
)
_SAME_ARGUMENTS = (
    (pl.col("error_class").shift(1) == "parse").fill_null(value=False)
    | pl.col("arguments_hash").is_null()
    | pl.col("arguments_hash").shift(1).is_null()
    | (pl.col("arguments_hash") == pl.col("arguments_hash").shift(1))
)
_AFTER_PAUSE = (pl.col("started_at_ns") > pl.col("started_at_ns").shift(1)) & (
    pl.col("started_at_ns") - pl.col("ended_at_ns").shift(1)
).is_between(0, BACKOFF_WINDOW_NS)


class Plain(NamedTuple):
    """Spans of plain traces by trace and time, and their calls by trace, container and time; what is left is `others`."""

    spans: pl.DataFrame
    calls: pl.DataFrame
    others: pl.DataFrame


def plain_traces(spans: pl.DataFrame) -> Plain:
    """Part spans, with the columns of trace.Span, into those of plain traces and others.

    Spans gain `trace`, a number, `top`, whether no parent of it arrived, `rooted`, whether its parents end in a span without
    one, and `container`, the id of the agent or of what stands for it. Calls gain `next_here`, whether the row before is of
    the same container, and `resends`, whether it is the next attempt of the call in the row before.
    """
    family = _with_family(spans)
    calls = _with_resends(
        family.filter(pl.col("span_role").is_in(CALL_ROLES)).sort(
            "trace", "container", "started_at_ns", "span_id"
        )
    )
    odd = pl.concat([_odd_spans(family), _odd_calls(calls)]).unique()
    others = family.join(odd, on="trace", how="semi", maintain_order="left").select(spans.columns)
    if others.is_empty():
        return Plain(family, calls, others)
    spans, calls = (one.join(odd, on="trace", how="anti", maintain_order="left") for one in (family, calls))
    return Plain(spans, calls, others)


def _with_family(spans: pl.DataFrame) -> pl.DataFrame:
    """Spans by trace and time with what their parents tell; `known`: whether the parents end within DEEPEST levels."""
    ordered = spans.sort("trace_id", "started_at_ns", "ended_at_ns", "span_id").with_columns(
        trace=pl.col("trace_id").rle_id(), failed=FAILED
    )
    ids = ordered.select("trace", "span_id", place=pl.int_range(pl.len(), dtype=pl.Int64))
    parent = (
        ordered.select("trace", "parent_span_id")
        .join(
            ids,
            left_on=["trace", "parent_span_id"],
            right_on=["trace", "span_id"],
            how="left",
            maintain_order="left",
        )
        .get_column("place")
        .fill_null(-1)
        .to_numpy()
    )
    role = ordered["span_role"]
    container, top, above = _ancestry(parent, role.is_in(CONTAINER_ROLES).to_numpy())
    ids_of = ordered["span_id"]
    alone = pl.Series(container < 0) & pl.Series(top == np.arange(top.size))
    return ordered.with_columns(
        pl.when(alone)
        .then(pl.col("parent_span_id").fill_null(""))
        .otherwise(ids_of.gather(np.where(container < 0, top, container)))
        .alias("container"),
        ordered["parent_span_id"].gather(top).is_null().alias("rooted"),
        pl.Series("top", parent < 0),
        pl.Series("known", above < 0),
        pl.Series("in_call", (parent >= 0) & role.is_in(CALL_ROLES).to_numpy()[parent]),
    )


def _ancestry(parent: Array, holds: Array) -> tuple[Array, Array, Array]:
    """Of each span: the nearest ancestor that `holds`, the top-most one or itself, and what is above DEEPEST levels."""
    top, container, above = np.arange(parent.size), np.full(parent.size, -1), parent
    for _ in range(DEEPEST):
        reached = above >= 0
        if not reached.any():
            break
        container = np.where(reached & (container < 0) & holds[above], above, container)
        top = np.where(reached, above, top)
        above = np.where(reached, parent[above], -1)
    return container, top, above


def _with_resends(calls: pl.DataFrame) -> pl.DataFrame:
    numbered = ~pl.col("dialect").is_in(["anthropic_native", "vercel_ai"]) & (
        pl.col("resend_count") == _RESENDS.shift(1) + 1
    )
    both = IS_INFERENCE & IS_INFERENCE.shift(1) & pl.col("failed").shift(1)
    resends = pl.col("next_here") & both & numbered & _SAME_OPERATION & _SAME_ARGUMENTS & _AFTER_PAUSE
    return calls.with_columns(_NEXT_HERE.alias("next_here")).with_columns(
        resends.fill_null(value=False).alias("resends")
    )


def _odd_spans(family: pl.DataFrame) -> pl.DataFrame:
    """Traces with a span that is no plain one."""
    failed_around = pl.col("failed") & ~pl.col("span_role").is_in(CALL_ROLES)
    odd = ~pl.col("known") | pl.col("in_call") | failed_around | _TO_MODEL_HOST
    return family.filter(odd).select("trace")


def _odd_calls(calls: pl.DataFrame) -> pl.DataFrame:
    """Traces with calls that may be one call told twice, or repeats whose telling takes more than columns."""
    inferences, tools = calls.filter(IS_INFERENCE), calls.filter(~IS_INFERENCE)
    position = pl.Series(positions(calls["resends"].to_numpy()))
    unanswered = pl.col("next_here") & (IS_INFERENCE & pl.col("failed")).shift(1) & ~pl.col("resends")
    lost = IS_INFERENCE & (position != _RESENDS)
    return pl.concat(
        [
            calls.filter(unanswered | lost).select("trace"),
            _told_twice(inferences, "response_id"),
            _told_twice(tools, "tool_call_id"),
            _of_two_scopes(inferences),
            _doubtful_failures(inferences, tools),
        ]
    )


def positions(follows: Array) -> Array:
    """How many rows before each belong to it: 0 where it does not follow, then 1, 2 and so on."""
    place = np.arange(follows.size)
    return place - np.maximum.accumulate(np.where(follows, 0, place))


def _told_twice(calls: pl.DataFrame, column: str) -> pl.DataFrame:
    said = calls.filter(pl.col(column).is_not_null() & (pl.col(column) != "")).select("trace", column)
    return said.filter(said.is_duplicated()).select("trace")


def _of_two_scopes(inferences: pl.DataFrame) -> pl.DataFrame:
    scopes = inferences.select("trace", "scope_name").unique()
    return scopes.filter(pl.col("trace").is_duplicated()).select("trace")


def _doubtful_failures(inferences: pl.DataFrame, tools: pl.DataFrame) -> pl.DataFrame:
    """A failed tool beside others, and failed model calls beside two that began at once: what came first is not known."""
    at_once = inferences.filter(
        _NEXT_HERE & (pl.col("started_at_ns") == pl.col("started_at_ns").shift(1))
    ).select("trace")
    return pl.concat(
        [
            tools.filter(pl.col("trace").is_duplicated()).filter("failed").select("trace"),
            at_once.join(inferences.filter("failed").select("trace"), on="trace", how="semi"),
        ]
    )

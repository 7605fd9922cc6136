"""Rows of runs, calls and attempts of plain traces, all of them at once: what rows.trace_rows says, in columns."""

from __future__ import annotations

import numpy as np
import polars as pl

from core.ledger.calls import BY_NOTHING, BY_RESEND_COUNT, BY_RESENDS, BY_SDK_SPANS, OF_A_TOOL
from core.ledger.cost import Billed, Costing
from core.ledger.plain import IS_INFERENCE, Array, Plain, positions
from core.ledger.rows import BUCKET_WIDTH, MONEY
from core.ledger.trace import CLOCK_TOLERANCE_NS

_NO_TEXT = pl.lit(None, pl.String)
_OPERATION = pl.when(pl.col("operation") != "").then("operation").otherwise("span_role")
_MODEL = pl.when(pl.col("response_model") != "").then("response_model").otherwise("request_model")
_RESENT = pl.col("resends_before") > 0
_COUNTED = IS_INFERENCE & (
    _RESENT
    | pl.col("resend_count").is_not_null()
    | pl.col("dialect").is_in(["vercel_ai", "anthropic_native"])
)
"""Calls of which it is known how often they were sent."""
_GRADE = (
    pl.when(~_COUNTED)
    .then(pl.lit("unobservable"))
    .when(pl.col("dialect") == "vercel_ai")
    .then(pl.lit("observed"))
    .otherwise(pl.lit("declared"))
)
_EVIDENCE = (
    pl.when(~IS_INFERENCE)
    .then(pl.lit(OF_A_TOOL))
    .when(~_COUNTED)
    .then(pl.lit(BY_NOTHING))
    .when(_RESENT)
    .then(pl.lit(BY_RESENDS))
    .when(pl.col("dialect") == "vercel_ai")
    .then(pl.lit(BY_SDK_SPANS))
    .otherwise(pl.lit(BY_RESEND_COUNT))
)
_RETRY_KIND = (
    pl.when(pl.col("number") == 1)
    .then(pl.lit("first"))
    .when(IS_INFERENCE)
    .then(pl.lit("sdk_retry"))
    .when("after_parse")
    .then(pl.lit("validation_retry"))
    .otherwise(pl.lit("app_retry"))
)
_FIRST_OF_RUN = ("cloud_region", "conversation_id", "enduser_hash")
_LATEST_FIRST = [False, True, False, False, False]


def plain_rows(plain: Plain, costing: Costing) -> list[tuple[str, pl.DataFrame]]:
    """(table, its rows with the columns of rows.RUN_SCHEMA and so on, in any order)."""
    calls = _in_calls(plain.calls)
    if calls.is_empty():
        return [("runs", _runs(plain.spans, calls.select("trace")))]
    attempts = _in_operations(_in_steps(calls))
    return [
        ("runs", _runs(plain.spans, _ended_badly(attempts))),
        ("calls", _calls(calls)),
        ("attempts", _attempts(attempts, costing)),
    ]


def _lasts(before: Array) -> Array:
    """Place of the last of those that belong together; `before` counts how many of them stand before each."""
    is_last = np.append(before[1:] == 0, True)
    return np.minimum.accumulate(np.where(is_last, np.arange(before.size), before.size)[::-1])[::-1]


def _in_calls(calls: pl.DataFrame) -> pl.DataFrame:
    """Attempts with what their call says: its first attempt, the span that stands for it, the last, and its grade."""
    before = positions(calls["resends"].to_numpy())
    last, first = _lasts(before), calls[np.arange(before.size) - before]
    told = calls.with_columns(
        pl.Series("resends_before", before[last]),
        pl.Series("is_call", last == np.arange(before.size)),
        calls["span_id"].gather(last).alias("call_span_id"),
        first["started_at_ns"].alias("first_ns"),
        first["rooted"].alias("first_rooted"),
    )
    return told.with_columns(told.select(_GRADE.alias("grade"))["grade"].gather(last))


def _calls(attempts: pl.DataFrame) -> pl.DataFrame:
    duration = pl.max_horizontal(pl.col("ended_at_ns") - pl.col("first_ns"), pl.lit(0, pl.Int64))
    sent = pl.when(_COUNTED).then(pl.col("resends_before").cast(pl.Int32) + 1)
    return attempts.filter("is_call").select(
        "trace_id",
        "span_id",
        pl.col("span_role").alias("line_kind"),
        _OPERATION.alias("operation"),
        *(
            "service_name",
            "cloud_region",
            "provider",
            "request_model",
            "response_model",
            "tool_name",
            "dialect",
        ),
        pl.col("first_ns").alias("started_at_ns"),
        duration.alias("duration_ns"),
        _bucket(duration).alias("duration_bucket"),
        (~pl.col("failed")).alias("ok"),
        "error_class",
        sent.alias("attempts"),
        (sent - (~pl.col("failed")).cast(pl.Int32)).alias("failed_attempts"),
        "grade",
        _EVIDENCE.alias("evidence"),
        pl.when(_COUNTED).then(pl.col("started_at_ns") - pl.col("first_ns")).alias("waiting_ns"),
        "response_id",
        pl.when(pl.col("provider_request_id") != "").then("provider_request_id").alias("provider_request_id"),
        (~pl.col("first_rooted")).alias("orphan"),
        _NO_TEXT.alias("removed_rule"),
        _NO_TEXT.alias("kept_span_id"),
    )


def _bucket(duration_ns: pl.Expr) -> pl.Expr:
    """As rows._call_row: half a bucket is 1 %."""
    milliseconds = pl.max_horizontal(duration_ns / 1e6, pl.lit(0.001))
    return (milliseconds.log() / BUCKET_WIDTH).floor().cast(pl.Int32)


def _in_steps(calls: pl.DataFrame) -> pl.DataFrame:
    """Calls with their step: a model call and the tools that start after it has ended; any other tool is one of its own.

    `step` and `operation_at` are the places of the step's first call and of its operation's, `number` is the attempt's,
    `attempt_ok` whether every call of the step succeeded, `rescued` whether it did not and a later attempt did.
    """
    asks = (calls["span_role"] == "inference").to_numpy()
    started_ns, ended_ns, failed = (
        calls[name].to_numpy() for name in ("started_at_ns", "ended_at_ns", "failed")
    )
    place = np.arange(asks.size)
    asked = np.maximum.accumulate(np.where(asks | ~calls["next_here"].to_numpy(), place, 0))
    # Where the first tool after a model call started too early, the later ones are steps of their own too.
    in_time = ended_ns[asked] <= started_ns[np.minimum(asked + 1, asks.size - 1)] + CLOCK_TOLERANCE_NS
    step = np.maximum.accumulate(np.where(~asks & asks[asked] & in_time, 0, place))
    firsts, step_number = np.unique(step, return_inverse=True)
    before = positions(calls["resends"].to_numpy())[firsts]
    ok = np.add.reduceat(failed, firsts, dtype=np.int64) == 0
    rescued = ~ok & ok[_lasts(before)]
    return calls.with_columns(
        pl.Series("step", step),
        pl.Series("operation_at", (firsts - before)[step_number]),
        pl.Series("number", (before + 1).astype(np.int32)[step_number]),
        pl.Series("attempt_ok", ok[step_number]),
        pl.Series("rescued", rescued[step_number]),
    )


def _in_operations(calls: pl.DataFrame) -> pl.DataFrame:
    """Calls of steps with what the first call of their operation says, and what only the attempt before it tells."""
    operation_at = calls["operation_at"].to_numpy()
    first = calls.select("span_id", "started_at_ns", _OPERATION.alias("operation"))[operation_at]
    before = calls["error_class"].gather(np.maximum(calls["step"].to_numpy() - 1, 0))
    return calls.with_columns(
        first["span_id"].alias("operation_id"),
        first["operation"],
        first["started_at_ns"].alias("operation_ns"),
        (before == "parse").fill_null(value=False).alias("after_parse"),
        _MODEL.alias("model"),
    )


def _attempts(calls: pl.DataFrame, costing: Costing) -> pl.DataFrame:
    duration = pl.max_horizontal(pl.col("ended_at_ns") - pl.col("started_at_ns"), pl.lit(0, pl.Int64))
    return calls.select(
        *("trace_id", "operation_id", "operation"),
        pl.col("number").alias("attempt_number"),
        pl.col("span_role").alias("line_kind"),
        *("call_span_id", "span_id"),
        _RETRY_KIND.alias("retry_kind"),
        *("grade", "service_name", "cloud_region", "provider", "model", "tool_name", "started_at_ns"),
        duration.alias("duration_ns"),
        (~pl.col("failed")).alias("ok"),
        *("attempt_ok", "rescued"),
        _of_last_success(calls).alias("last_success"),
        (~pl.col("rooted")).alias("orphan"),
        "error_class",
        pl.col("http_status_code").alias("http_response_status_code"),
        *("response_id", "provider_request_id"),
        *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"),
        *_costs(calls, costing),
        _NO_TEXT.alias("removed_rule"),
    )


def _of_last_success(calls: pl.DataFrame) -> pl.Series:
    """Whether each call is of the attempt that succeeded last in its trace."""
    last = (
        calls.filter(pl.col("attempt_ok") & (pl.col("step") == pl.int_range(pl.len())))
        .sort("trace", "started_at_ns", "operation_id", "number")
        .unique("trace", keep="last", maintain_order=True)
    )
    return calls["step"].is_in(last["step"].implode())


def _ended_badly(calls: pl.DataFrame) -> pl.DataFrame:
    """Traces in which the attempt of the call that started last did not succeed."""
    failed = calls.filter(~pl.col("attempt_ok")).select("trace")
    return (
        calls.join(failed, on="trace", how="semi")
        .sort("trace", "started_at_ns", "operation_ns", "operation_id", "number", descending=_LATEST_FIRST)
        .unique("trace", keep="first", maintain_order=True)
        .filter(~pl.col("attempt_ok"))
        .select("trace")
    )


def _costs(attempts: pl.DataFrame, costing: Costing) -> list[pl.Series]:
    """expected_usd, price_source and billable of each attempt."""
    said = attempts.with_columns(ok=~pl.col("failed"), line_kind=pl.col("span_role")).select(Billed._fields)
    costs = map(costing.cost, map(Billed._make, zip(*(column.to_list() for column in said), strict=True)))
    usd, source, billable = zip(*costs, strict=True)
    return [
        pl.Series("expected_usd", usd, MONEY),
        pl.Series("price_source", source, pl.String),
        pl.Series("billable", billable, pl.String),
    ]


def _runs(spans: pl.DataFrame, ended_badly: pl.DataFrame) -> pl.DataFrame:
    """One row for each trace: its first span without a parent, else its first whose parent did not arrive, stands for it."""
    tops = (
        spans.filter("top")
        .sort(pl.col("trace"), pl.col("parent_span_id").is_not_null(), maintain_order=True)
        .unique("trace", keep="first", maintain_order=True)
    )
    whole = spans.group_by("trace", maintain_order=True).agg(
        pl.col("ended_at_ns").max().alias("last_ns"),
        *(pl.col(name).drop_nulls().first().name.suffix("_first") for name in _FIRST_OF_RUN),
    )
    return tops.join(whole, on="trace", how="left", maintain_order="left").select(
        "trace_id",
        pl.col("name").alias("run_name"),
        "service_name",
        _first_said("cloud_region"),
        "deployment_environment_name",
        "started_at_ns",
        (pl.col("last_ns") - pl.col("started_at_ns")).alias("duration_ns"),
        pl.col("parent_span_id").is_null().alias("root_seen"),
        (~pl.col("failed") & ~pl.col("trace").is_in(ended_badly["trace"].implode())).alias("ok"),
        _first_said("conversation_id"),
        _first_said("enduser_hash"),
    )


def _first_said(column: str) -> pl.Expr:
    """What the top span says, else the first span that says it."""
    return pl.coalesce(column, f"{column}_first").alias(column)

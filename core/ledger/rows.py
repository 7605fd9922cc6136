"""From one trace's calls and attempts to the rows of runs, calls and attempts."""

from __future__ import annotations

from math import floor, log
from operator import attrgetter

import polars as pl

from core.ledger.calls import Call, calls_of
from core.ledger.cost import Billed, Costing
from core.ledger.dedup import removals
from core.ledger.operations import Attempt, Line, attempts_of
from core.ledger.trace import Span, Trace

Row = tuple[object, ...]
"""The cells of a schema's columns in order, without those of TOLD_BY_START."""
HOUR_NS = 3_600 * 10**9
DAY_NS = 24 * HOUR_NS
BUCKET_WIDTH = log(1.02)

MONEY = pl.Decimal(24, 12)
_WHEN: dict[str, type[pl.DataType]] = {
    "started_at_ns": pl.Int64,
    "day": pl.Date,
    "hour": pl.Int64,
    "duration_ns": pl.Int64,
}
TOLD_BY_START = {
    "day": (pl.col("started_at_ns") // DAY_NS).cast(pl.Int32).cast(pl.Date).alias("day"),
    "hour": (pl.col("started_at_ns") // HOUR_NS).alias("hour"),
}
"""Columns that follow from the start, in UTC: cheaper for all rows at once than for each."""
Schema = dict[str, pl.DataType | type[pl.DataType]]

RUN_SCHEMA: Schema = {
    "trace_id": pl.String,
    "run_name": pl.String,
    "service_name": pl.String,
    "cloud_region": pl.String,
    "deployment_environment_name": pl.String,
    **_WHEN,
    "root_seen": pl.Boolean,
    "ok": pl.Boolean,
    "conversation_id": pl.String,
    "enduser_hash": pl.String,
}
CALL_SCHEMA: Schema = {
    **dict.fromkeys(
        ("trace_id", "span_id", "line_kind", "operation", "service_name", "cloud_region"), pl.String
    ),
    **dict.fromkeys(("provider", "request_model", "response_model", "tool_name", "dialect"), pl.String),
    **_WHEN,
    "duration_bucket": pl.Int32,
    "ok": pl.Boolean,
    "error_class": pl.String,
    "attempts": pl.Int32,
    "failed_attempts": pl.Int32,
    "grade": pl.String,
    "evidence": pl.String,
    "waiting_ns": pl.Int64,
    "response_id": pl.String,
    "provider_request_id": pl.String,
    "orphan": pl.Boolean,
    "removed_rule": pl.String,
    "kept_span_id": pl.String,
}
ATTEMPT_SCHEMA: Schema = {
    **dict.fromkeys(("trace_id", "operation_id", "operation"), pl.String),
    "attempt_number": pl.Int32,
    **dict.fromkeys(("line_kind", "call_span_id", "span_id", "retry_kind", "grade"), pl.String),
    **dict.fromkeys(("service_name", "cloud_region", "provider", "model", "tool_name"), pl.String),
    **_WHEN,
    **dict.fromkeys(("ok", "attempt_ok", "rescued", "last_success", "orphan"), pl.Boolean),
    "error_class": pl.String,
    "http_response_status_code": pl.Int32,
    "response_id": pl.String,
    "provider_request_id": pl.String,
    **dict.fromkeys(("input_tokens", "output_tokens", "cache_read_tokens"), pl.Int64),
    **dict.fromkeys(("cache_write_tokens", "reasoning_tokens"), pl.Int64),
    "expected_usd": MONEY,
    "price_source": pl.String,
    "billable": pl.String,
    "removed_rule": pl.String,
}
SCHEMAS = {"runs": RUN_SCHEMA, "calls": CALL_SCHEMA, "attempts": ATTEMPT_SCHEMA}


def trace_rows(spans: list[Span], costing: Costing) -> tuple[Row, list[Row], list[Row]]:
    """The run row, the call rows and the attempt lines of one trace (schemas above)."""
    trace = Trace(spans)
    calls = calls_of(trace, removals(trace))
    attempts = attempts_of(trace, calls)
    kept = [attempt for attempt in attempts if attempt.lines[0].call.removal is None]
    final = max(
        [attempt for attempt in kept if attempt.ok],
        key=lambda attempt: (attempt.lines[0].started_at_ns, attempt.operation_id, attempt.number),
        default=None,
    )
    lines = [
        _attempt_row(trace, attempt, line, attempt is final, costing)
        for attempt in attempts
        for line in attempt.lines
    ]
    return _run_row(trace, kept), [_call_row(trace, call) for call in calls], lines


def _run_row(trace: Trace, kept: list[Attempt]) -> Row:
    top = trace.root or _top_of_rootless(trace)
    ok = not top.failed and _agents_ended_well(trace) and _last_attempt_ok(kept)
    return (
        top.trace_id,
        top.name,
        top.service_name,
        _first(trace, "cloud_region", top),
        top.deployment_environment_name,
        top.started_at_ns,
        max([span.ended_at_ns for span in trace.spans]) - top.started_at_ns,
        trace.root is not None,
        ok,
        _first(trace, "conversation_id", top),
        _first(trace, "enduser_hash", top),
    )


def _top_of_rootless(trace: Trace) -> Span:
    for span in trace.spans:
        if span.parent_span_id not in trace.by_id:
            return span
    # Every span has a parent, so they are each other's: the first one stands for the run.
    return min(trace.spans, key=lambda span: (span.started_at_ns, span.span_id))


def _agents_ended_well(trace: Trace) -> bool:
    """Whether the last to end of the agents that no other agent runs did not fail."""
    agents = [trace.by_id[span_id] for span_id in trace.containers]
    top_agents = [
        span for span in agents if not any(a.span_id in trace.containers for a in trace.ancestors(span))
    ]
    last = max(top_agents, key=lambda span: span.ended_at_ns, default=None)
    return last is None or not last.failed


def _last_attempt_ok(kept: list[Attempt]) -> bool:
    """Whether the attempt with the latest start of a line succeeded."""
    ok, latest_ns = True, None
    for attempt in kept:
        for line in attempt.lines:
            if latest_ns is None or line.started_at_ns > latest_ns:
                ok, latest_ns = attempt.ok, line.started_at_ns
    return ok


def _first(trace: Trace, column: str, top: Span) -> object:
    """The value of the top span, else of the first span that has one."""
    value_of = attrgetter(column)
    value = value_of(top)
    if value is not None:
        return value
    return next((value for value in map(value_of, trace.spans) if value is not None), None)


def _call_row(trace: Trace, call: Call) -> Row:
    span, first = call.span, call.members[0]
    duration_ns = max(0, span.ended_at_ns - first.started_at_ns)
    last_sends = call.sends[-1] if call.sends else ()
    last_start = last_sends[-1].started_at_ns if last_sends else span.started_at_ns
    timed = bool(last_sends) or len(call.members) > 1
    waiting_ns = 0 if call.attempts == 1 else max(0, last_start - first.started_at_ns) if timed else None
    return (
        span.trace_id,
        span.span_id,
        call.line_kind,
        span.operation or ("http" if span.span_role == "http" else call.line_kind),
        span.service_name,
        span.cloud_region,
        _provider(span),
        span.request_model,
        span.response_model,
        span.tool_name,
        span.dialect,
        first.started_at_ns,
        duration_ns,
        floor(log(max(duration_ns / 1e6, 0.001)) / BUCKET_WIDTH),
        call.ok,
        span.error_class if span.failed else None,
        call.attempts,
        call.failed_attempts,
        call.grade,
        call.evidence,
        None if call.attempts is None else waiting_ns,
        span.response_id,
        span.provider_request_id or (last_sends[-1].provider_request_id if last_sends else None),
        trace.orphaned(first),
        call.removal.rule if call.removal else None,
        call.removal.kept_span_id if call.removal else None,
    )


def _attempt_row(trace: Trace, attempt: Attempt, line: Line, final: bool, costing: Costing) -> Row:
    member, usage = line.member, line.member if line.carries_usage else None
    billed = _billed(line, member, usage)
    cost = costing.cost(billed)
    return (
        member.trace_id,
        attempt.operation_id,
        attempt.operation,
        attempt.number,
        line.call.line_kind,
        line.call.span.span_id,
        line.span.span_id,
        line.kind,
        line.call.grade,
        member.service_name,
        member.cloud_region,
        billed.provider,
        billed.model,
        billed.tool_name,
        line.started_at_ns,
        line.duration_ns,
        line.ok,
        attempt.ok,
        attempt.rescued,
        final,
        trace.orphaned(member),
        line.error_class,
        line.http_status_code,
        usage.response_id if usage else None,
        line.span.provider_request_id or (usage.provider_request_id if usage else None),
        billed.input_tokens,
        billed.output_tokens,
        billed.cache_read_tokens,
        billed.cache_write_tokens,
        billed.reasoning_tokens,
        cost.usd,
        cost.source,
        cost.billable,
        line.call.removal.rule if line.call.removal else None,
    )


def _billed(line: Line, member: Span, usage: Span | None) -> Billed:
    return Billed(
        line.call.line_kind,
        _provider(member),
        member.model,
        member.tool_name,
        member.service_tier,
        line.started_at_ns,
        line.ok,
        line.error_class,
        line.http_status_code,
        usage.input_tokens if usage else None,
        usage.output_tokens if usage else None,
        usage.cache_read_tokens if usage else None,
        usage.cache_write_tokens if usage else None,
        usage.reasoning_tokens if usage else None,
        usage.reported_cost_usd if usage else None,
    )


def _provider(span: Span) -> str | None:
    """The provider named by the span, else the one whose API the path belongs to."""
    if span.provider or span.span_role != "http":
        return span.provider
    host, path = span.server_address or "", span.url_path or ""
    if "anthropic" in host or path.endswith("/v1/messages"):
        return "anthropic"
    return (
        "openai" if "openai" in host or path.endswith(("/completions", "/responses", "/embeddings")) else None
    )

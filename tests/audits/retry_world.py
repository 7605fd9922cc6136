"""Literal rows for the retry audit's tests: short builders for attempts, calls, runs, outcomes and bill lines."""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal
from typing import Any

import polars as pl

from core.ledger.store import Batch, Store

FOREVER = 9_223_372_036_854_775_807
DAY = dt.date(2026, 3, 2)
MONEY = pl.Decimal(24, 12)
Row = dict[str, Any]


def at_ns(day: dt.date, hour: int = 9) -> int:
    """Nanoseconds of a whole hour of a UTC day."""
    return int(dt.datetime(day.year, day.month, day.day, hour, tzinfo=dt.UTC).timestamp()) * 10**9


def dated(day: dt.date) -> Row:
    """The time columns that derived rows share."""
    return {
        "superseded_by": FOREVER, "started_at_ns": at_ns(day), "day": day,
        "hour": at_ns(day) // 3_600_000_000_000, "duration_ns": 10**9,
    }  # fmt: skip


def line(
    trace: str,
    operation: str,
    number: int,
    usd: str | None = "0.010",
    *,
    ok: bool = True,
    day: dt.date = DAY,
    **more: Any,
) -> Row:
    """One line of an attempt. `attempt_ok` follows `ok` unless given."""
    row: Row = dated(day) | {
        "trace_id": trace, "operation_id": operation, "operation": "chat", "attempt_number": number,
        "line_kind": "inference", "call_span_id": operation, "span_id": f"{operation}{number}",
        "retry_kind": "first" if number == 1 else "app_retry", "grade": "observed", "service_name": "shop",
        "cloud_region": "eu-west-1", "provider": "openai", "model": "gpt-4o-mini-2024-07-18", "tool_name": None,
        "ok": ok, "attempt_ok": ok, "rescued": False, "last_success": False, "orphan": False,
        "error_class": None if ok else "server", "http_response_status_code": None, "response_id": None,
        "provider_request_id": None, "input_tokens": 100, "output_tokens": 10, "cache_read_tokens": 0,
        "cache_write_tokens": 0, "reasoning_tokens": None, "expected_usd": None if usd is None else Decimal(usd),
        "price_source": "catalogue", "billable": "yes", "removed_rule": None,
    }  # fmt: skip
    return row | more


def tool(trace: str, operation: str, number: int, usd: str = "0.002", *, ok: bool = True, **more: Any) -> Row:
    """One tool line of an attempt."""
    of_tool = {"line_kind": "tool", "tool_name": "charge", "provider": None, "model": None, "billable": "no"}
    row = line(trace, operation, number, usd, ok=ok, **(of_tool | more))
    return row | {"span_id": f"{operation}{number}t", "input_tokens": None, "output_tokens": None}


def run(trace: str, *, ok: bool = True, day: dt.date = DAY, **more: Any) -> Row:
    """One run."""
    row: Row = dated(day) | {
        "trace_id": trace, "run_name": "agent", "service_name": "shop", "cloud_region": "eu-west-1",
        "deployment_environment_name": None, "root_seen": True, "ok": ok, "conversation_id": None,
        "enduser_hash": None,
    }  # fmt: skip
    return row | more


def call(trace: str, span: str, attempts: int | None = 1, *, day: dt.date = DAY, **more: Any) -> Row:
    """One logical call."""
    row: Row = dated(day) | {
        "trace_id": trace, "span_id": span, "line_kind": "inference", "operation": "chat", "service_name": "shop",
        "cloud_region": "eu-west-1", "provider": "openai", "request_model": "gpt-4o-mini",
        "response_model": "gpt-4o-mini-2024-07-18", "tool_name": None, "dialect": "genai", "duration_bucket": 1,
        "ok": True, "error_class": None, "attempts": attempts,
        "failed_attempts": None if attempts is None else attempts - 1,
        "grade": "unobservable" if attempts is None else "observed", "evidence": "test", "waiting_ns": 0,
        "response_id": None, "provider_request_id": None, "orphan": False, "removed_rule": None,
        "kept_span_id": None,
    }  # fmt: skip
    return row | more


def outcome(trace: str | None, value: float | None, *, day: dt.date = DAY, **more: Any) -> Row:
    """One outcome named conversion."""
    row: Row = {
        "outcome_key": f"{trace}/conversion", "at_ns": at_ns(day, 12), "day": day, "trace_id": trace,
        "name": "conversion", "value": value, "label": None, "source": "business", "response_id": None,
        "conversation_id": None,
    }  # fmt: skip
    return row | more


def charge(key: str, usd: str | None, *, day: dt.date = DAY, **more: Any) -> Row:
    """One bill line of usage in USD; `usd` is both billed and effective."""
    amount = None if usd is None else Decimal(usd)
    row: Row = {
        "line_key": key, "source_format": "focus", "measure": "cost", "provider_name": "openai",
        "charge_period_start_ns": at_ns(day, 0), "charge_period_end_ns": at_ns(day, 0) + 86_400 * 10**9, "day": day,
        "charge_category": "Usage", "charge_class": None, "model": "gpt-4o-mini", "token_type": None,
        "tokens": None, "requests": None, "billed_cost": amount, "effective_cost": amount,
        "billing_currency": "USD", "response_id": None, "region_id": None, "attempted_retries": None,
    }  # fmt: skip
    return row | more


_serial = itertools.count(1)


def send(store: Store, **tables: list[Row]) -> None:
    """Put rows into tables of a store as one import."""
    frames = {name: _frame(rows) for name, rows in tables.items() if rows}
    store.submit(Batch("test", "test", f"sha-{next(_serial)}", sum(map(len, tables.values())), frames))
    if {"attempts", "calls"} & frames.keys():
        store.rebuild_rollups()  # which derive does with rows that come as spans


def _frame(rows: list[Row]) -> pl.DataFrame:
    money = {name: MONEY for name in ("expected_usd", "billed_cost", "effective_cost") if name in rows[0]}
    frame = pl.DataFrame(rows, infer_schema_length=None, schema_overrides=money)
    empty = [name for name, kind in frame.schema.items() if kind == pl.Null]
    return frame.drop(empty)


def worked_scenario() -> dict[str, list[Row]]:
    """Plan step crashes; the tool-call step fails twice with 500 and then succeeds; the run converts."""
    trace = "0" * 31 + "1"
    step = "bbbbbbbbbbbbbbb"
    lines = [line(trace, "aaaaaaaaaaaaaaa", 1, ok=False)]
    for number in (1, 2, 3):
        good = number == 3
        fate = {"rescued": not good, "last_success": good, "attempt_ok": good}
        lines.append(line(trace, step, number, ok=True, **fate))
        kind = "first" if number == 1 else "step_retry"
        lines.append(tool(trace, step, number, ok=good, retry_kind=kind, **fate))
    calls = [call(trace, "aaaaaaaaaaaaaaa1"), call(trace, step + "1", 3)]
    return {"attempts": lines, "calls": calls, "runs": [run(trace)], "outcomes": [outcome(trace, 1.0)]}

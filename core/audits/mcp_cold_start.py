"""How much of a turn is MCP start-up that was already paid?

How: The overhead of a tools/call is its client span less its SERVER twin (durations only, so no two clocks are compared)
plus the initialize, server/discover and list spans that it waited for. Every call after the turn's first to a server
should cost no more than a warm one: the warm floor is the tenth percentile of warm overhead, by server and tool. What is
above it is avoidable; of calls that overlap the union counts, because a turn waits once. The turn's first start is shown
apart: paid once, or prewarmed. A call is cold when it is the first of its connection (server process or TCP connection; a
session id only before the revision of 2026-07-28) or comes after a longer pause than a single change point of overhead
against idle time, where a permutation test finds one at 1 %. The interval is a BCa bootstrap over turns. A regression on
the step within the turn (GEE, turns as clusters) tells paying again from growing.

Verdict: on the avoidable share of a turn's time. A server needs 20 cold and 50 warm calls, else it is left out and named.
Without server spans, or without warm calls, only connecting and listing are counted: a lower bound, which can break the
limit and cannot keep it.

Assumes: Start-up comes before the tool's work within a call. A turn is a run: a trace. Calls before the sample's first day
tell which connections were open. The model choice of the scope does not apply: servers serve every model.

Not so: The handshake is not the cost on stdio: the process start is, about two seconds against milliseconds (own
measurement, mcp 2.3.0), so a protocol without handshake does not cure it. And sessions are gone: the revision of 2026-07-28
removed initialize and the session id, so a dashboard keyed on either sees no cold start (modelcontextprotocol.io).

Source: mcp SDK 2.3.0, mcp/server/_otel.py; Hawkins 1977 (JASA 72:180); Liang & Zeger 1986 (Biometrika 73:13); Efron 1987;
docs/decisions/032-clocks-and-cold-starts.md.
"""

from __future__ import annotations

import datetime as dt

import plotly.graph_objects as go
import polars as pl

from core.amounts import count, interval, number, share
from core.audit import (
    Ask,
    Fact,
    Finding,
    Need,
    Scope,
    Status,
    TooLittle,
    against_limit,
    limit_choice,
)
from core.audits import mcp_cold_start_figures as pictures
from core.audits import mcp_cold_start_idle as idle
from core.audits.mcp_cold_start_calls import tool_calls
from core.audits.mcp_cold_start_measure import FEWEST_TURNS, Tax, measured
from core.audits.mcp_cold_start_sql import CHANGES, DAYS, SPANS, TURNS
from core.audits.retry_ledger_evidence_sql import SPAN_TREE
from core.recipes import MCP_TITLE
from core.stats.daily_series import newest_that_fit

TITLE = "The MCP cold start tax"
SECTION = "Speed as felt"
REPORTED = "95th percentile of a tool call"
SUPPORTED = "start-up paid again in a turn"
LIMIT = 0.10
"""A tenth of a turn is what people begin to notice as slower (Weber's law for durations of seconds is 5 to 10 %)."""
LIMIT_OF_GAP = "above"
MOST_SPANS = 100_000
"""Spans that reach Python: about 14,000 turns of seven calls. Whole days, the newest first, and the page says from which."""
SEED = idle.SEED
NAME = "mcp-cold-start"
LEAST = "≥\N{NO-BREAK SPACE}"

CHOICES = (
    limit_choice(
        "Limit on the share", ("0.05", "0.10", "0.20"), LIMIT, "Avoidable start-up, of the time of a turn."
    ),
)

CAPTIONS = {
    "cold_start_steps": "Mean time of each step of a turn. Above: turns that started something again; below: turns that did not.",
    "cold_start_idle": "Overhead against the pause before the call, later calls of a connection. Dashed: after it, cold again.",
    "cold_start_days": "Avoidable share of the day's turns. Dotted: deploys and other changes; what moves with one is no proof.",
}

_RECIPE = f"Send spans of the MCP client and of its servers: data page, recipe “{MCP_TITLE}”."
NEEDS = (
    Need("spans.mcp_method_name", "calls, connects and lists of MCP", _RECIPE),
    Need("spans.gen_ai_tool_name", "a warm floor of each tool", _RECIPE, False),
    Need("spans.service_instance_id", "one process told from another", "Leave service.instance.id on: SDKs set it.", False),
    Need("runs.duration_ns", "how long a turn took", "Start the span of the turn before its first call."),
    Need("change_events.title", "deploys beside the days", "Give a changes file: python -m core template changes.", False),
)  # fmt: skip

SQL = {"days": DAYS, "spans": SPANS, "turns": TURNS, "changes": CHANGES}


def load(ask: Ask, scope: Scope) -> dict[str, pl.DataFrame]:
    """Days first: they say from which day on the spans fit."""
    parameters = scope.parameters() | {"first": scope.start - dt.timedelta(days=1)}
    days = ask(DAYS, **parameters)
    since, _ = sample(days, scope)
    frames = {name: ask(SQL[name], **parameters, since=since) for name in ("spans", "turns", "changes")}
    return frames | {"days": days}


def sample(days: pl.DataFrame, scope: Scope) -> tuple[dt.date, dt.date]:
    """(first day read, first day counted): the newest whole days that fit, at least one.

    The day before those that count tells which connections were open.
    """
    since = newest_that_fit(days.select("day", "spans").rows(), MOST_SPANS) or scope.start - dt.timedelta(
        days=1
    )
    return since, max(scope.start, min(since + dt.timedelta(days=1), scope.end))


def measure(frames: dict[str, pl.DataFrame], scope: Scope) -> Tax | TooLittle:
    """The tax of every turn; too little without client spans or without a server with enough cold starts."""
    spans = frames["spans"]
    _, start = sample(frames["days"], scope)
    calls = tool_calls(spans, start)
    counted = sum(call.counted for call in calls)
    if not counted:
        server = int((spans["kind"] == "server").sum()) if spans.height else 0
        seen = f", but {count(server)} spans of servers" if server else ""
        return TooLittle(f"spans: no tools/call of an MCP client in scope{seen}", _RECIPE)
    found, servers, turns = measured(calls, frames["turns"], frames["changes"], start, scope.limit(LIMIT))
    if found is not None:
        return found
    short = "; ".join(f"{one.name}: {one.why}" for one in servers if one.grade == "too few")
    if short and not any(one.grade != "too few" for one in servers):
        return TooLittle(f"spans: {short}", "Widen the range, or wait for more traffic.", counted)
    return TooLittle(
        f"spans: {count(turns)} turns with such calls, {FEWEST_TURNS} are needed", "Widen the range.", counted
    )


def judge(found: Tax | TooLittle) -> Finding:
    """The avoidable share of a turn against the limit, whole interval."""
    if isinstance(found, TooLittle):
        return Finding(
            NAME, "cannot tell", "unknown", "unknown", None, None, None, "share", found.n,
            "How much of a turn is start-up that was already paid is not known.", f"{found.missing}. {found.how}",
        )  # fmt: skip
    value, low, high = found.share[:3]
    return Finding(
        NAME, _status(found), f"{_seconds(found.p95_call_s)} p95 of a call",
        f"{'' if found.complete else LEAST}{_seconds(found.per_turn.value)} of {_seconds(found.turn_s)} a turn",
        value, low, high, "share", len(found.turns), _sentence(found), _missing(found),
    )  # fmt: skip


def _seconds(value: float) -> str:
    """Seconds whose unit stays with the number where a narrow place cuts at a space."""
    return number(value, "s").replace(" ", "\N{NO-BREAK SPACE}")


def _status(found: Tax) -> Status:
    status = against_limit(found.share.low, found.share.high, found.limit)
    return status if found.complete or status == "broken" else "cannot tell"


def _sentence(found: Tax) -> str:
    least = "" if found.complete else "at least "
    told = (
        f"Avoidable start-up is {least}{number(found.per_turn.value, 's')} of a turn of {number(found.turn_s, 's')} "
        f"({count(round(found.calls_per_turn, 1))} calls), {share(found.share.value)} "
        f"{interval(found.share.low, found.share.high, 'share')}"
    )
    shape = found.growth.shape if found.growth and found.share.high > found.limit else ""
    return f"{told}; {shape}." if shape else f"{told}."


def _missing(found: Tax) -> str:
    short = [f"{one.name}: {one.why}" for one in found.servers if one.why]
    if not short and found.complete:
        return ""
    lost = sum(call.work_ns is None for call in found.calls)
    told = short or [f"{count(lost)} of {count(len(found.calls))} calls have no SERVER span"]
    return f"spans: {'; '.join(told[:3])}. {_RECIPE}"


def figures(frames: dict[str, pl.DataFrame], found: Tax) -> dict[str, go.Figure]:
    """Steps of cold and warm turns, overhead against idle time, the share by day."""
    return pictures.figures(found)


def facts(found: Tax) -> list[Fact]:
    """First starts, floors, growth, placebo, and what is believed of MCP and is not so."""
    return pictures.facts(found)


def tables(found: Tax) -> dict[str, pl.DataFrame]:
    """Every server with its counts, and the turns that paid most."""
    return pictures.tables(found)


def worst(found: Tax | TooLittle) -> pl.DataFrame:
    """At most 500 turns, those that paid most again first: the way into a turn's spans."""
    return pictures.worst_turns(() if isinstance(found, TooLittle) else found.turns)


def evidence(ask: Ask, scope: Scope) -> pl.DataFrame:
    """The same, asked anew."""
    return worst(measure(load(ask, scope), scope))


def span_tree(ask: Ask, trace_id: str, as_of: int) -> pl.DataFrame:
    """Spans of one turn in order of start; empty when it is not in the ledger."""
    return ask(SPAN_TREE, trace_id=trace_id, as_of=as_of)

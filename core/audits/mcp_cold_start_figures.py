"""Pictures, facts and tables of the MCP audit. Keys of `figures` are the names of the exports."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import groupby

import plotly.graph_objects as go
import polars as pl

from core.amounts import interval, number, share
from core.audit import Fact
from core.audits.mcp_cold_start_calls import CONNECTING, ToolCall
from core.audits.mcp_cold_start_measure import NS, Tax, Turn
from core.audits.mcp_cold_start_servers import Server
from core.charts import Line, Mark, lines
from core.charts.scatter import Cloud, scatter
from core.charts.stacks import Part, stacks
from core.stats.quantiles import QuantileInterval

MOST_STEPS = 7
MOST_POINTS = 1_500
"""Of each cloud, evenly by idle time: more cannot be told apart."""
MOST_TURNS = 500
MOST_MARKS = 12
ROLES = {"start-up": "loss", "list": "warn", "protocol": "accent", "tool work": "useful"}


def figures(found: Tax) -> dict[str, go.Figure]:
    """Every picture the data can carry; one that cannot be drawn is absent, never empty."""
    drawn = {}
    if parts := _steps(found):
        drawn["cold_start_steps"] = stacks(parts, "s")
    if clouds := _clouds(found):
        idle = [one.idle for one in found.servers if one.idle is not None]
        drawn["cold_start_idle"] = scatter(
            clouds, ("s", "ms"), ("pause before the call", "overhead"), [one.after_s for one in idle]
        )
    drawn["cold_start_days"] = _days(found)
    return drawn


def _steps(found: Tax) -> list[Part]:
    cold = {turn.trace_id for turn in found.turns if turn.cold_again}
    parts = []
    for panel, wanted in (("turns that start again", True), ("turns that stay warm", False)):
        calls = [call for call in found.calls if (call.trace_id in cold) == wanted]
        for step in range(1, MOST_STEPS + 1):
            held = [call for call in calls if call.step == step]
            if held:
                parts += [
                    Part(panel, str(step), name, sum(_parts(call)[name] for call in held) / len(held), role)
                    for name, role in ROLES.items()
                ]
    return parts


def _parts(call: ToolCall) -> dict[str, float]:
    """Seconds of one call, by what they went to; without a twin its own time is not taken apart."""
    lengths = {"start-up": 0, "list": 0}
    for one in call.openings:
        lengths["start-up" if one.method in CONNECTING else "list"] += one.ended_ns - one.started_ns
    own = call.ended_ns - call.started_ns
    work = own if call.work_ns is None else min(call.work_ns, own)
    return {name: length / NS for name, length in lengths.items()} | {
        "protocol": (own - work) / NS,
        "tool work": work / NS,
    }


def _clouds(found: Tax) -> list[Cloud]:
    clouds = []
    for server in found.servers:
        own = [call for call in found.calls if call.server == server.name and call.work_ns is not None]
        calls = sorted(
            (call for call in own if call.idle_ns is not None),
            key=lambda call: (call.idle_ns or 0, call.span_id),
        )  # fmt: skip
        kept = calls[:: max(-(-len(calls) // MOST_POINTS), 1)]
        if kept:
            points = [
                (max((call.idle_ns or 0) / NS, 1e-3), max(call.overhead_ns / 1e6, 1e-2)) for call in kept
            ]
            clouds.append(Cloud(server.name, [x for x, _ in points], [y for _, y in points]))
    return clouds[:6]


def _days(found: Tax) -> go.Figure:
    by_day = groupby(sorted(found.turns, key=lambda turn: turn.day), key=lambda turn: turn.day)
    days: list[dt.date] = []
    shares: list[float] = []
    for day, turns in by_day:
        held = list(turns)
        days.append(day)
        shares.append(sum(turn.avoidable_s for turn in held) / sum(turn.duration_s for turn in held))
    marks = [Mark(day, title) for day, title in found.changes if days[0] <= day <= days[-1]][:MOST_MARKS]
    return lines([Line("avoidable share", days, shares)], "share", marks, limit=found.limit)


def facts(found: Tax) -> list[Fact]:
    """Every number that no figure shows."""
    turns = len(found.turns)
    rows = [
        Fact("a turn", "avoidable start-up", number(found.per_turn.value, "s"),
             interval(found.per_turn.low, found.per_turn.high, "s"), turns, found.per_turn.method),
        Fact("a turn", "time in MCP", number(found.mcp_s, "s"), "", turns, "union of calls and of what they waited for"),
        Fact("a turn", "first starts", number(found.first_s, "s"), "", turns, "paid once a server; none where it is prewarmed"),
        Fact("a turn", "first calls that met a warm connection", share(found.prewarmed_share), "", turns),
        Fact("sample", "from", str(found.since), "", len(found.calls), "whole days, the newest that fit"),
    ]  # fmt: skip
    for one in found.servers:
        rows += _server_facts(one)
    if (grown := found.growth) is not None:
        rows.append(Fact("a step", "overhead grows by", number(grown.slope_ms, "ms"),
                         interval(grown.low, grown.high, "ms"), grown.turns, f"GEE over turns: {grown.shape}"))  # fmt: skip
        rows.append(Fact("a step", "second step above the median warm call", number(grown.gap_ms, "ms"),
                         interval(grown.gap_low, grown.gap_high, "ms"), grown.turns))  # fmt: skip
    if (nothing := found.placebo) is not None:
        said = (
            "called different: read the verdict with this in mind"
            if nothing.fired
            else "not called different"
        )
        rows.append(Fact("placebo", "one half of the turns less the other", number(nothing.difference, "points"),
                         interval(nothing.low, nothing.high, "points"), turns, said))  # fmt: skip
    return [*BELIEVED, *rows]


BELIEVED = (
    Fact("believed", "the handshake is the cost", "not on stdio", "", None,
         "the process start is: about 2 s of 2.05 s a call, with and without handshake (own measurement, mcp 2.3.0)"),
    Fact("believed", "a cold start is a new session", "not any more", "", None,
         "the MCP revision of 2026-07-28 removed initialize and the session id: connections are told by process or port"),
)  # fmt: skip


def _server_facts(one: Server) -> list[Fact]:
    rows = []
    for name, held in (("cold", one.cold_ms), ("warm", one.warm_ms)):
        if held is not None:
            n = one.cold_calls if name == "cold" else one.warm_calls
            rows.append(
                Fact(
                    one.name, f"median overhead, {name}", number(held.value, "ms"), _bounds(held), n, one.why
                )
            )
    if one.floor_ms is not None:
        rows.append(
            Fact(
                one.name,
                "warm floor",
                number(one.floor_ms, "ms"),
                "",
                one.warm_calls,
                "tenth percentile of warm calls",
            )
        )
    if one.idle is not None:
        note = f"single change point, permutation p {one.idle.p:.2g}"
        rows.append(Fact(one.name, "cold again after", number(one.idle.after_s, "s"), "", one.idle.n, note))
    return rows


def _bounds(held: QuantileInterval) -> str:
    return "" if held.low is None or held.high is None else interval(held.low, held.high, "ms")


def tables(found: Tax) -> dict[str, pl.DataFrame]:
    """Servers by name."""
    columns = {
        "server": pl.String, "grade": pl.String, "calls": pl.Int64, "with a server span": pl.Int64, "cold": pl.Int64,
        "warm": pl.Int64, "floor_ms": pl.Float64, "why": pl.String,
    }  # fmt: skip
    rows = [
        (one.name, one.grade, one.calls, one.twins, one.cold_calls, one.warm_calls, one.floor_ms, one.why)
        for one in found.servers
    ]
    return {"Servers": pl.DataFrame(rows, schema=columns, orient="row")}


def worst_turns(turns: Sequence[Turn]) -> pl.DataFrame:
    """Turns as evidence rows, the most avoidable seconds first."""
    columns = {
        "day": pl.Date, "service": pl.String, "turn": pl.String, "calls": pl.Int64, "cold again": pl.Int64,
        "avoidable (s)": pl.Float64, "first starts (s)": pl.Float64, "MCP (s)": pl.Float64, "turn (s)": pl.Float64,
        "trace_id": pl.String,
    }  # fmt: skip
    worst = sorted(turns, key=lambda turn: (-turn.avoidable_s, turn.trace_id))[:MOST_TURNS]
    rows = [
        (one.day, one.service, one.name, one.calls, one.cold_again, one.avoidable_s, one.first_s, one.mcp_s, one.duration_s,
         one.trace_id)
        for one in worst
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=columns, orient="row")

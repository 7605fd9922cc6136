"""Calls to the tax: warm floors, what each turn paid again on its critical path, growth with the step, the placebo."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from core.audits.mcp_cold_start_calls import ToolCall
from core.audits.mcp_cold_start_growth import Growth, growth
from core.audits.mcp_cold_start_servers import Server, servers
from core.stats.halves import Placebo, halves
from core.stats.quantiles import order_statistic
from core.stats.resampling import RatioInterval, ratio_interval

FEWEST_TURNS = 10
"""Below it a bootstrap over turns has too few of them to draw from."""
UNTWINNED_SHARE = 0.05
"""Of calls to measured servers: a few lost spans undercount by as much; more make the number a lower bound."""
MEASURED_SHARE = 0.80
"""Of all calls that go to servers with enough of them: a verdict of "holds" must be about most of the traffic."""
NS = 1e9


class Turn(NamedTuple):
    """One run that used MCP; seconds, on the client's clock."""

    trace_id: str
    name: str
    service: str
    day: dt.date
    calls: int
    duration_s: float
    mcp_s: float
    """Union of its calls and of what they waited for."""
    avoidable_s: float
    """Paid again: union over calls after the first to a server, each less its warm floor."""
    first_s: float
    """Overhead of the first calls, one a server: paid once, or not at all where a connection was warm."""
    cold_again: int
    """Calls after the first to a server that were cold."""


class Tax(NamedTuple):
    """What start-up that was already paid costs a turn."""

    share: RatioInterval
    """Avoidable seconds of the turns' seconds."""
    per_turn: RatioInterval
    """Avoidable seconds of one turn."""
    turn_s: float
    mcp_s: float
    first_s: float
    calls_per_turn: float
    p95_call_s: float
    """What is usually reported: 95th percentile of a tools/call alone."""
    prewarmed_share: float | None
    """First calls of a turn that met a warm connection; None where it is not known of any."""
    complete: bool
    """False: a lower bound, because server spans or warm calls are missing."""
    servers: tuple[Server, ...]
    turns: tuple[Turn, ...]
    calls: tuple[ToolCall, ...]
    growth: Growth | None
    placebo: Placebo | None
    changes: tuple[tuple[dt.date, str], ...]
    since: dt.date
    """First day of the sample."""
    limit: float

    @property
    def method(self) -> str:
        """How the interval was made."""
        return self.share.method


def measured(
    calls: list[ToolCall], turns: pl.DataFrame, changes: pl.DataFrame, since: dt.date, limit: float
) -> tuple[Tax | None, tuple[Server, ...], int]:
    """The tax, the servers either way, and the turns there are; no tax without a server that can be measured."""
    found = servers(calls)
    counted = [call for call in calls if call.counted]
    known = {one.name: one for one in found if one.grade != "too few"}
    told = [call for call in counted if call.server in known]
    made = _turns(told, turns, known)
    if len(made) < FEWEST_TURNS:
        return None, found, len(made)
    untwinned = sum(call.work_ns is None for call in told) / len(told)
    complete = (
        untwinned <= UNTWINNED_SHARE
        and all(one.grade == "measured" for one in known.values())
        and len(told) >= MEASURED_SHARE * len(counted)
    )
    avoidable = [turn.avoidable_s for turn in made]
    marks = sorted({(row["day"], row["title"]) for row in changes.to_dicts()})
    tax = Tax(
        ratio_interval(avoidable, [turn.duration_s for turn in made]),
        ratio_interval(avoidable, [1.0] * len(made)),
        _mean([turn.duration_s for turn in made]), _mean([turn.mcp_s for turn in made]),
        _mean([turn.first_s for turn in made]), len(told) / len(made),
        order_statistic(sorted((call.ended_ns - call.started_ns) / NS for call in told), 0.95), _prewarmed(told, known),
        complete, found, made, tuple(told),
        growth(told, {one.name: one.warm_ms and one.warm_ms.value for one in found}), placebo(made), tuple(marks), since,
        limit,
    )  # fmt: skip
    return tax, found, len(made)


def _turns(calls: list[ToolCall], turns: pl.DataFrame, known: dict[str, Server]) -> tuple[Turn, ...]:
    by_turn: dict[str, list[ToolCall]] = {}
    for call in calls:
        by_turn.setdefault(call.trace_id, []).append(call)
    rows = {row["trace_id"]: row for row in turns.to_dicts()}
    return tuple(_turn(trace, held, rows.get(trace, {}), known) for trace, held in sorted(by_turn.items()))


def _prewarmed(calls: list[ToolCall], known: dict[str, Server]) -> float | None:
    firsts = [call for call in calls if call.first_to_server and call.opens is not None]
    warm = sum(not call.opens and not known[call.server].cold(call) for call in firsts)
    return warm / len(firsts) if firsts else None


def _turn(trace: str, calls: list[ToolCall], row: dict[str, object], servers: dict[str, Server]) -> Turn:
    spans = [(call.started_ns, call.ended_ns) for call in calls]
    spans += [(one.started_ns, one.ended_ns) for call in calls for one in call.openings]
    again = [call for call in calls if not call.first_to_server]
    envelope = max(end for _, end in spans) - min(start for start, _ in spans)
    lasted = row.get("duration_ns")
    day = row.get("day")
    return Turn(
        trace, str(row.get("turn") or ""), str(row.get("service") or calls[0].client.partition("/")[0]),
        day if isinstance(day, dt.date) else dt.date(1970, 1, 1) + dt.timedelta(seconds=calls[0].started_ns // 10**9),
        len(calls), max(int(lasted) if isinstance(lasted, int) else 0, envelope) / NS, union_ns(spans) / NS,
        union_ns([part for call in again for part in avoidable_parts(call, servers[call.server])]) / NS,
        sum(call.overhead_ns for call in calls if call.first_to_server) / NS,
        sum(bool(call.opens) or servers[call.server].cold(call) for call in again),
    )  # fmt: skip


def avoidable_parts(call: ToolCall, server: Server) -> list[tuple[int, int]]:
    """When the call was held up by more than its warm floor: its openings, then its own time less the tool's work.

    Start-up comes before the work, so the work stands at the end of the client's span. The floor is taken off the end:
    what a warm call also pays. A lower bound counts the openings alone.
    """
    parts = [(one.started_ns, one.ended_ns) for one in call.openings]
    floor = server.floor_of(call.tool)
    if server.grade != "measured" or call.work_ns is None or floor is None:
        return parts
    parts.append((call.started_ns, max(call.ended_ns - call.work_ns, call.started_ns)))
    rest = int(floor * 1e6)
    out = []
    for start, end in sorted(parts, reverse=True):
        taken = min(rest, end - start)
        rest -= taken
        out.append((start, end - taken))
    return [(start, end) for start, end in out if end > start]


def union_ns(parts: Sequence[tuple[int, int]]) -> int:
    """Length covered by intervals: what overlaps is waited for once."""
    total, reached = 0, -(1 << 62)
    for start, end in sorted(parts):
        total += max(end - max(start, reached), 0)
        reached = max(reached, end)
    return total


def placebo(turns: Sequence[Turn]) -> Placebo | None:
    """Both halves drawn by hash of the trace id; the interval by linearised variances of two ratios and Student's t."""
    parts = halves(turns, lambda turn: turn.trace_id)
    if min(len(half) for half in parts) < FEWEST_TURNS:
        return None
    values, variance = [], 0.0
    for half in parts:
        top = np.array([turn.avoidable_s for turn in half])
        bottom = np.array([turn.duration_s for turn in half])
        ratio = float(top.sum() / bottom.sum())
        rest = (top - ratio * bottom) / bottom.mean()
        values.append(ratio)
        variance += float(rest.var(ddof=1)) / len(half)
    from scipy.stats import t as student

    freedom = min(len(half) for half in parts) - 1
    difference, reach = values[0] - values[1], float(student.ppf(0.975, freedom)) * math.sqrt(variance)
    return Placebo(difference, difference - reach, difference + reach)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(sorted(values)) / len(values)

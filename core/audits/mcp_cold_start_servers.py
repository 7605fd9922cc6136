"""What is known of each MCP server: cold and warm calls, the idle time after which it is cold, its warm floors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from core.audits.mcp_cold_start_calls import ToolCall
from core.audits.mcp_cold_start_idle import IdleStep, idle_step
from core.stats.quantiles import QuantileInterval, quantile_interval

FEWEST_COLD, FEWEST_WARM = 20, 50
"""Calls a server needs: the median of 20 has an interval, and of 50 the tenth percentile is the fifth smallest."""
FEWEST_OF_A_TOOL = 10
"""Warm calls of a tool for a floor of its own; below it the server's."""
FLOOR = 0.10
Grade = Literal["measured", "lower bound", "too few"]


class Server(NamedTuple):
    """One server as its clients' spans show it; times in ms."""

    name: str
    grade: Grade
    why: str
    """What is missing for `measured`."""
    cold_calls: int
    warm_calls: int
    twins: int
    calls: int
    cold_ms: QuantileInterval | None
    """Median overhead of cold calls."""
    warm_ms: QuantileInterval | None
    floor_ms: float | None
    """Tenth percentile of warm overhead, all tools."""
    floors_ms: tuple[tuple[str, float], ...]
    """The same of each tool with enough warm calls."""
    idle: IdleStep | None

    def floor_of(self, tool: str) -> float | None:
        """What a warm call of this tool pays."""
        return dict(self.floors_ms).get(tool, self.floor_ms)

    def cold(self, call: ToolCall) -> bool:
        """Whether a call after the connection's first came after too long a pause."""
        return self.idle is not None and call.idle_ns is not None and call.idle_ns / 1e9 > self.idle.after_s


def servers(calls: Sequence[ToolCall]) -> tuple[Server, ...]:
    """Every server of counted calls, by name."""
    by_name: dict[str, list[ToolCall]] = {}
    for call in calls:
        if call.counted:
            by_name.setdefault(call.server, []).append(call)
    return tuple(_server(name, held) for name, held in sorted(by_name.items()))


def _server(name: str, calls: Sequence[ToolCall]) -> Server:
    twinned = [call for call in calls if call.work_ns is not None]
    later = [call for call in twinned if call.idle_ns is not None]
    step = idle_step([(call.idle_ns or 0) / 1e9 for call in later], [_ms(call) for call in later])
    bare = Server(name, "too few", "", 0, 0, len(twinned), len(calls), None, None, None, (), step)
    cold = [call for call in calls if call.opens or bare.cold(call)]
    warm = [call for call in twinned if call.opens is False and not bare.cold(call)]
    tools: dict[str, list[float]] = {}
    for call in warm:
        tools.setdefault(call.tool, []).append(_ms(call))
    grade, why = _grade(len(cold), len(warm), len(twinned))
    floors = tuple(
        (tool, floor(held)) for tool, held in sorted(tools.items()) if len(held) >= FEWEST_OF_A_TOOL
    )
    return bare._replace(
        grade=grade, why=why, cold_calls=len(cold), warm_calls=len(warm), floors_ms=floors,
        cold_ms=quantile_interval([_ms(call) for call in cold], 0.5) if cold else None,
        warm_ms=quantile_interval([_ms(call) for call in warm], 0.5) if warm else None,
        floor_ms=floor([_ms(call) for call in warm]) if len(warm) >= FEWEST_WARM else None,
    )  # fmt: skip


def _grade(cold: int, warm: int, twins: int) -> tuple[Grade, str]:
    if cold < FEWEST_COLD:
        return "too few", f"too few cold starts: {cold}, {FEWEST_COLD} are needed"
    if not twins:
        return "lower bound", "no SERVER spans: only connecting and listing are counted"
    if warm < FEWEST_WARM:
        return "lower bound", f"too few warm calls: {warm}, {FEWEST_WARM} are needed for the warm floor"
    return "measured", ""


def floor(overheads_ms: Sequence[float]) -> float:
    """The smallest overhead that at least a tenth of them do not exceed."""
    return sorted(overheads_ms)[max(math.ceil(FLOOR * len(overheads_ms)) - 1, 0)]


def _ms(call: ToolCall) -> float:
    return call.overhead_ns / 1e6

"""The measure of the streaming audit: open requests of one service against what a node holds, and histograms judged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from core.audits.streaming_backend_histograms import Histogram, LeftOut, histograms
from core.audits.streaming_backend_streams import (
    FEWEST_BLOCKS,
    Blocks,
    Capacity,
    Halves,
    Level,
    Minute,
    blocks_of,
    capacity_of,
    halves_of,
    levels_of,
    minutes_of,
    quantile_of,
    stated_streams,
    table_of,
)
from core.audits.streaming_backend_trust import (
    FEWEST,
    QUANTILES,
    Overflow,
    Quantile,
    overflow_of,
)
from core.audits.streaming_backend_trust import quantile_of as band_of

WINDOW_HOLDS = 10
"""The window must be as many times the longest hold, or its edges are what is measured."""
LITTLE = 0.02
"""How far arrivals x hold time may be from the swept average; more, and spans are missing or the window is not closed."""
MOST_JUDGED = 20
MOST_STEPS, TAIL = 200, 0.9
"""Steps of levels above the floor, which lies below TAIL of the node-time: the p99 of a resample is never there."""


class Day(NamedTuple):
    """One day of the service."""

    day: dt.date
    requests: int
    hold_s: float


class Service(NamedTuple):
    """A service in a role (server, client), all days."""

    name: str
    role: str
    requests: int
    failed: int
    streamed: int
    unnamed: int
    held_s: float
    longest_s: float
    over_5_s: int
    over_10_s: int
    window_s: float

    @property
    def hold_s(self) -> float:
        """W: how long a request is held, mean."""
        return self.held_s / self.requests


class Node(NamedTuple):
    """A process."""

    name: str
    requests: int
    failed: int
    most: int
    mean: float
    up_s: float


class Load(NamedTuple):
    """Open requests of one service, a node at a time."""

    service: Service
    little: float
    swept: float
    """L as arrivals x hold time, and as the time-average of the swept line; both a node."""
    per_second: float
    """Requests a second and node."""
    p99: Blocks
    capacity: Capacity
    levels: tuple[Level, ...]
    minutes: tuple[Minute, ...]
    step: int
    nodes: tuple[Node, ...]
    days: tuple[Day, ...]
    halves: Halves
    since: dt.date
    of_requests: int

    @property
    def apart(self) -> float:
        """Of the two L, the difference as a share of the swept one."""
        return abs(self.little - self.swept) / self.swept

    @property
    def bounded(self) -> bool:
        """Whether there are blocks enough for an interval of the p99."""
        return self.p99.blocks >= FEWEST_BLOCKS

    @property
    def used(self) -> tuple[float, float, float]:
        """p99 over capacity with its interval; an upper bound where the capacity was never seen to fail."""
        held = self.capacity
        value = self.p99.value / held.streams
        low = 0.0 if held.high is None else self.p99.low / max(held.high, 1)
        return value, min(low, value), max(self.p99.high / max(held.low or 1, 1), value)


class Judged(NamedTuple):
    """A histogram, what lies above its last bound, and its quantiles."""

    histogram: Histogram
    over: Overflow
    quantiles: tuple[Quantile, ...]

    @property
    def p99(self) -> Quantile:
        """The quantile that decides."""
        return self.quantiles[-1]


class Streams(NamedTuple):
    """What a node holds, and whether the p99 was measured."""

    load: Load | None
    short: str
    """Why there is no load; empty where there is."""
    judged: tuple[Judged, ...]
    """Histograms of the service (of all where none is its own); the worst first."""
    few: tuple[Histogram, ...]
    left_out: LeftOut
    services: tuple[Service, ...]
    changes: tuple[tuple[dt.date, str], ...]
    limit: float
    acceptable: float
    longest: tuple[Mapping[str, object], ...]

    @property
    def method(self) -> str:
        """How the interval was made."""
        return self.load.p99.method if self.load else "Clopper-Pearson"


def services_of(frame: pl.DataFrame) -> tuple[Service, ...]:
    """Services in their roles, the one that the page is about first.

    Those with enough requests, those that serve, those that stream, then by time held: a gateway before the jobs around it.
    """
    groups: dict[tuple[str, str], list[Mapping[str, int]]] = {}
    for row in frame.to_dicts():
        groups.setdefault((row["service"], row["role"]), []).append(row)
    made = []
    for (name, role), rows in groups.items():
        requests, failed, streamed, unnamed, held, over_5, over_10 = (
            sum(row[column] for row in rows)
            for column in ("requests", "failed", "streamed", "unnamed", "held_us", "over_5_s", "over_10_s")
        )
        window = max(row["last_us"] for row in rows) - min(row["first_us"] for row in rows)
        longest = max(row["longest_us"] for row in rows)
        made.append(
            Service(
                name, role, requests, failed, streamed, unnamed, held / 1e6, longest / 1e6, over_5, over_10, window / 1e6
            )
        )  # fmt: skip
    return tuple(
        sorted(
            made,
            key=lambda one: (
                one.requests < FEWEST, one.role != "server", not one.streamed, -one.held_s, one.name,
            ),
        )
    )  # fmt: skip


def floor_and_step(levels: Sequence[Level]) -> tuple[int, int]:
    """(lowest level told apart, levels a step) that keep the minutes few: only the tail moves a p99."""
    if not levels:
        return 0, 1
    floor = quantile_of(levels, TAIL)
    return floor, max(-(-(levels[-1].level - floor) // MOST_STEPS), 1)


def measured(
    frames: Mapping[str, pl.DataFrame], since: dt.date, start_ns: int, limit: float, acceptable: float
) -> Streams:
    """Both halves; either may be missing, and says why."""
    services = services_of(frames["services"])
    load, short = _load(frames, services, since, acceptable)
    found, left_out = histograms(frames["points"], start_ns)
    enough = [one for one in found if one.buckets.n >= FEWEST]
    own = [one for one in enough if services and one.service == services[0].name] or enough
    own = own[:MOST_JUDGED]
    judged = [_judged(one, len(own)) for one in own]
    worst = sorted(
        judged, key=lambda one: (-one.over.interval.low, -one.over.share, -one.over.n, one.histogram.name)
    )
    changes = tuple(sorted({(row["day"], row["title"]) for row in frames["changes"].to_dicts()}))
    few = tuple(one for one in found if one.buckets.n < FEWEST)
    return Streams(
        load, short, tuple(worst), few, left_out, services, changes, limit, acceptable,
        tuple(frames["longest"].sort("span_id").to_dicts()),
    )  # fmt: skip


def _judged(one: Histogram, tested: int) -> Judged:
    over = overflow_of(one.buckets, tested)
    return Judged(one, over, tuple(band_of(one.buckets, share, over) for share in QUANTILES))


def _load(
    frames: Mapping[str, pl.DataFrame], services: Sequence[Service], since: dt.date, acceptable: float
) -> tuple[Load | None, str]:
    if not services:
        return None, "spans: no SERVER span and no model call in scope"
    rows = frames["services"].filter(pl.col("day") >= since)
    service = next(
        one for one in services_of(rows) if (one.name, one.role) == (services[0].name, services[0].role)
    )
    if short := _short(service):
        return None, short
    levels, minutes = levels_of(frames["levels"]), minutes_of(frames["minutes"])
    table = table_of(minutes)
    _, step = floor_and_step(levels)
    nodes = tuple(_node(row) for row in frames["nodes"].sort("node").to_dicts())
    up_us = sum(one.held_us for one in levels)
    swept = sum(one.level * one.held_us for one in levels) / up_us
    stated = stated_streams(frames["capacities"].to_dicts(), service.name)
    found = Load(
        service, service.held_s * 1e6 / up_us, swept, service.requests * 1e6 / up_us,
        blocks_of(table, quantile_of(levels), step), capacity_of(levels, acceptable, stated), tuple(levels), tuple(minutes),
        step, nodes, _days(rows, service), halves_of(table), since, services[0].requests,
    )  # fmt: skip
    return found, ""


def _short(service: Service) -> str:
    if service.requests < FEWEST:
        return f"spans: {service.requests:,} requests of {service.name}, {FEWEST:,} are needed"
    if service.held_s <= 0:
        return f"spans: no request of {service.name} took any time"
    if service.window_s < WINDOW_HOLDS * service.longest_s:
        return (
            f"spans: window too short for W: {service.window_s:,.0f} s against {WINDOW_HOLDS} times the longest request of "
            f"{service.longest_s:,.0f} s"
        )
    return ""


def _node(row: Mapping[str, object]) -> Node:
    requests, failed, most, stream_us, up_us = (
        int(str(row[name])) for name in ("requests", "failed", "most", "stream_us", "up_us")
    )
    return Node(str(row["node"]), requests, failed, most, stream_us / up_us if up_us else 0.0, up_us / 1e6)


def _days(rows: pl.DataFrame, service: Service) -> tuple[Day, ...]:
    own = rows.filter(
        (pl.col("service") == service.name) & (pl.col("role") == service.role) & (pl.col("requests") > 0)
    )
    return tuple(
        Day(day, requests, held / 1e6 / requests)
        for day, requests, held in own.select("day", "requests", "held_us").sort("day").iter_rows()
    )

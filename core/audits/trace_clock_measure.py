"""The measure of the clock audit: sessions and traces, the share not proven, Jaeger's rule beside it, two placebos."""

from __future__ import annotations

import datetime as dt
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from core.audits.trace_clock_jaeger import shift
from core.audits.trace_clock_offsets import (
    UNANSWERED,
    Pair,
    Session,
    intersection,
    session_of,
)
from core.audits.trace_clock_traces import Claims, Crossing, Order, crossings
from core.stats.proportions import clopper_pearson
from core.stats.resampling import RatioInterval, ratio_interval

FEWEST_TRACES, FEWEST_SESSIONS = 30, 10
"""Sessions are what is resampled: a clock is wrong for all traces of one."""
HALVES_FROM = 4
"""Pairs of a session that is halved for the placebo."""


class Placebo(NamedTuple):
    """Where nothing can differ: how many were looked at, and how many were called different."""

    looked_at: int
    fired: int


class Jaeger(NamedTuple):
    """What Jaeger's adjuster would do to pairs whose offset is known, if it were switched on without a cap."""

    pairs: int
    moved: int
    outside: int
    """Its shift lies outside the interval: certainly wrong."""
    apart_ms: float
    """Median distance of its shift from the middle of the interval."""


class Alone(NamedTuple):
    """Spans of both kinds in scope, whatever becomes of them."""

    clients: int
    servers: int
    clients_without_clock: int
    servers_without_clock: int


class Clocks(NamedTuple):
    """How far the order of events across a boundary can be believed."""

    crossings: tuple[Crossing, ...]
    sessions: tuple[Session, ...]
    unproven: RatioInterval
    """Share of traces whose raw order is not proven."""
    half_width_ms: float | None
    """Median over known traces: the offset is known to plus or minus this."""
    claims: Claims
    jaeger: Jaeger
    same_clock: Placebo
    """Pairs on one clock whose interval leaves zero out."""
    halves: Placebo
    """Sessions whose two halves allow no common offset, of those that have one offset."""
    one_sided: int
    """Pairs whose server outlasted its client, or whose client gave up: they bound the offset from one side."""
    unknown_clock: int
    """Pairs of which one side names no clock."""
    alone: Alone
    changes: tuple[tuple[dt.date, str], ...]
    of_pairs: int
    """Pairs in scope; those of a sample of traces are measured where they are too many."""
    limit: float
    shown: tuple[tuple[str, Pair], ...]
    """Names and pairs of the trace that the waterfall draws."""

    @property
    def method(self) -> str:
        """How the interval was made."""
        return self.unproven.method

    def share(self, order: Order) -> float:
        """Of the traces that cross clocks."""
        return sum(one.order == order for one in self.crossings) / len(self.crossings)


def measured(frames: Mapping[str, pl.DataFrame], limit: float) -> Clocks | tuple[int, int]:
    """The measure; or (traces, sessions) where they are too few."""
    rows = sorted(frames["pairs"].to_dicts(), key=lambda row: (row["trace_id"], row["server_span_id"]))
    across = [row for row in rows if _crosses(row)]
    by_session: dict[str, list[Pair]] = {}
    for row in across:
        by_session.setdefault(_session(row), []).append(_pair(row))
    sessions = tuple(session_of(key, pairs) for key, pairs in sorted(by_session.items()))
    events: dict[str, list[int]] = {}
    for span_id, at_ns in sorted(frames["events"].select("span_id", "at_ns").rows()):
        events.setdefault(span_id, []).append(at_ns)
    found = crossings(sessions, {(row["trace_id"], row["server_span_id"]): row for row in across}, events)
    if len(found) < FEWEST_TRACES or len(sessions) < FEWEST_SESSIONS:
        return len(found), len(sessions)
    widths = [(one.bounds.high - one.bounds.low) / 2e6 for one in found if one.bounds is not None]
    same = [_pair(row) for row in rows if row["client_clock"] and row["client_clock"] == row["server_clock"]]
    return Clocks(
        found, sessions, _unproven(found), statistics.median(widths) if widths else None,
        Claims(*(sum(one.claims[at] for one in found) for at in range(3))), _jaeger(sessions), _same_clock(same),
        _halves(sessions), sum(pair.high is None for one in sessions for pair in one.pairs),
        sum(not row["client_clock"] or not row["server_clock"] for row in rows),
        Alone(*(int(value or 0) for value in frames["alone"].row(0))),
        tuple(sorted({(row["day"], row["title"]) for row in frames["changes"].to_dicts()})), int(frames["counted"].item()), limit,
        _shown(found, across),
    )  # fmt: skip


def _crosses(row: Mapping[str, object]) -> bool:
    return bool(row["client_clock"] and row["server_clock"] and row["client_clock"] != row["server_clock"])


def _session(row: Mapping[str, object]) -> str:
    """A browser's session is one; two hosts make a new one every UTC day, because clocks drift."""
    key = f"{row['client_clock']} → {row['server_clock']}"
    return key if row["by_session"] else f"{key}, {row['day']}"


def _pair(row: Mapping[str, object]) -> Pair:
    trace_id, client, server = (str(row[name]) for name in ("trace_id", "client_span_id", "server_span_id"))
    sent, got, received, answered = (
        int(str(row[f"{name}_ns"])) for name in ("sent", "got", "received", "answered")
    )
    return Pair(
        trace_id, client, server, sent, got, received, answered, row["client_error"] not in UNANSWERED
    )


def _unproven(found: Sequence[Crossing]) -> RatioInterval:
    by_session: dict[str, list[bool]] = {}
    for one in found:
        by_session.setdefault(one.session, []).append(one.order != "proven")
    tops, n = [sum(held) for held in by_session.values()], len(by_session)
    sizes = [len(held) for held in by_session.values()]
    if 0 < sum(tops) < sum(sizes):
        return ratio_interval(tops, sizes)
    k = n if sum(tops) else 0
    low, high = clopper_pearson(k, n)
    return RatioInterval(float(bool(k)), low, high, n, f"Clopper-Pearson over {n:,} sessions")


def _jaeger(sessions: Sequence[Session]) -> Jaeger:
    moved = outside = 0
    apart: list[float] = []
    for session in sessions:
        for pair, bounds in zip(session.pairs, session.bounds, strict=True):
            if bounds is None:
                continue
            by = shift(
                pair.sent_ns,
                pair.got_ns - pair.sent_ns,
                pair.received_ns,
                pair.answered_ns - pair.received_ns,
            )
            moved += by != 0
            outside += not bounds.low <= by <= bounds.high
            apart.append(abs(by - bounds.middle) / 1e6)
    return Jaeger(len(apart), moved, outside, statistics.median(apart) if apart else 0.0)


def _same_clock(pairs: Sequence[Pair]) -> Placebo:
    known = [bounds for pair in pairs if (bounds := intersection([pair])) is not None]
    return Placebo(len(known), sum(bounds.skewed for bounds in known))


def _halves(sessions: Sequence[Session]) -> Placebo:
    """Every other pair against the rest: of one offset both halves are true."""
    looked = fired = 0
    for session in sessions:
        if session.state == "constant" and len(session.pairs) >= HALVES_FROM:
            first, second = intersection(session.pairs[::2]), intersection(session.pairs[1::2])
            if first and second:
                looked += 1
                fired += first.low > second.high or second.low > first.high
    return Placebo(looked, fired)


def _shown(found: Sequence[Crossing], across: Sequence[Mapping[str, object]]) -> tuple[tuple[str, Pair], ...]:
    """The trace to draw: corrected before all others and by least, so that one axis shows both drawings; then the longest."""

    def rank(one: Crossing) -> tuple[bool, bool, float, int, str]:
        by = abs(one.bounds.middle) if one.bounds else 0.0
        return (one.bounds is None, one.order != "corrected", by, -one.pairs, one.trace_id)

    trace = min(found, key=rank).trace_id
    held = [row for row in across if row["trace_id"] == trace][:8]
    return tuple((f"{row['client_name']}\x1f{row['server_name']}", _pair(row)) for row in held)

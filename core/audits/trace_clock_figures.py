"""Pictures, facts and tables of the clock audit. Keys of `figures` are the names of the exports."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import groupby

import plotly.graph_objects as go
import polars as pl

from core.amounts import count, number, share
from core.audit import Fact
from core.audits.trace_clock_measure import Clocks, Placebo
from core.audits.trace_clock_offsets import Bounds, Session
from core.audits.trace_clock_traces import Crossing
from core.charts import Bar, Line, Mark, lines, stacked_share
from core.charts.clocks import Fringed, offsets, twice

MOST_MARKS = 12
MOST_ROWS = 500
RANK = {"unknowable": 0, "corrected": 1, "proven": 2}
ROLES = {"proven": "useful", "corrected": "accent", "unknowable": "loss"}


def figures(found: Clocks) -> dict[str, go.Figure]:
    """Every picture the data can carry; one that cannot be drawn is absent, never empty."""
    drawn = {}
    if spans := _spans(found):
        drawn["clock_waterfall"] = twice(spans)
    known = [bounds for one in found.sessions if (bounds := one.bounds[0]) is not None]
    if known:
        skewed = [bounds.middle / 1e6 for bounds in known if bounds.skewed]
        rest = [bounds.middle / 1e6 for bounds in known if not bounds.skewed]
        drawn["clock_offsets"] = offsets({"zero is possible": rest, "certainly off": skewed})
    counts = {name: sum(one.order == name for one in found.crossings) for name in ROLES}
    parts = [Bar(name, held, colour_role=ROLES[name]) for name, held in counts.items() if held]
    drawn["clock_traces"] = stacked_share(parts, "traces")
    drawn["clock_days"] = _days(found)
    return drawn


def _spans(found: Clocks) -> list[Fringed]:
    """Client spans as stamped and as shifted by the middle of the interval, server spans where they are; ms."""
    bounds = {
        (pair.trace_id, pair.server_span_id): held
        for one in found.sessions
        for pair, held in zip(one.pairs, one.bounds, strict=True)
    }
    shown = [(names, pair, bounds[(pair.trace_id, pair.server_span_id)]) for names, pair in found.shown]
    known = [(names, pair, held) for names, pair, held in shown if held is not None]
    if not known:
        return []
    origin = min(min(pair.received_ns, pair.sent_ns, pair.sent_ns - held.high) for _, pair, held in known)
    out = []
    for names, pair, held in known:
        client, server = names.split("\x1f")
        long, work = (pair.got_ns - pair.sent_ns) / 1e6, (pair.answered_ns - pair.received_ns) / 1e6
        stamped, received = (pair.sent_ns - origin) / 1e6, (pair.received_ns - origin) / 1e6
        fringe = (held.high - held.low) / 2e6
        out += [
            Fringed("as stamped", f"{client} (client)", stamped, long, None),
            Fringed("as stamped", f"{server} (server)", received, work, 0.0),
            Fringed("by the server's clock", f"{client} (client)", stamped - held.middle / 1e6, long, fringe),
            Fringed("by the server's clock", f"{server} (server)", received, work, 0.0),
        ]
    return sorted(out, key=lambda one: one.panel)


def _days(found: Clocks) -> go.Figure:
    days: list[dt.date] = []
    shares: list[float] = []
    for day, held in groupby(sorted(found.crossings, key=lambda one: one.day), key=lambda one: one.day):
        orders = [one.order for one in held]
        days.append(day)
        shares.append(sum(order != "proven" for order in orders) / len(orders))
    marks = [Mark(day, title) for day, title in found.changes if days[0] <= day <= days[-1]][:MOST_MARKS]
    return lines([Line("not proven", days, shares)], "share", marks, limit=found.limit)


def facts(found: Clocks) -> list[Fact]:
    """Every number that no figure shows."""
    states: list[str] = [one.state for one in found.sessions]
    skewed = sum(any(held is not None and held.skewed for held in one.bounds) for one in found.sessions)
    claims, rule, alone = found.claims, found.jaeger, found.alone
    rows = [
        Fact("sessions", state, count(states.count(state)), "", len(states), note)
        for state, note in (
            ("constant", "one offset explains every pair"), ("stepped", "a clock was set: two offsets"),
            ("drifting", "a line explains every pair"), ("unknowable", "no offset, step or line does"),
        )
    ]  # fmt: skip
    rows += [
        Fact("sessions", "certainly off", count(skewed), "", len(states), "zero is outside the interval"),
        Fact("orders", "claimed across clocks", count(claims.claimed), "", claims.claimed, "instants of both sides of a pair"),
        Fact("orders", "certain", count(claims.certain), "", claims.claimed, "the same at both ends of the interval"),
        Fact("orders", "certainly drawn the wrong way round", count(claims.wrong), "", claims.claimed),
        Fact("sample", "pairs in scope", count(found.of_pairs), "", sum(len(one.pairs) for one in found.sessions),
             "n: measured, across clocks; a sample of traces by hash of their id where they are too many"),
    ]  # fmt: skip
    for one in found.sessions:
        if one.drift_ppm is not None and len(rows) < 20:
            bounds = f"[{one.drift_ppm[0]:.0f}, {one.drift_ppm[1]:.0f}] ppm"
            rows.append(
                Fact(one.key, "drifts by", f"{sum(one.drift_ppm) / 2:.0f} ppm", bounds, len(one.pairs))
            )
    rows += [
        Fact("left out", "pairs of which a side names no clock", count(found.unknown_clock), "", None, "host.id or session.id"),
        Fact("left out", "one side of the interval", count(found.one_sided), "", None, "the server outlasted its client"),
        Fact("left out", "spans that name no clock", count(alone.clients_without_clock + alone.servers_without_clock), "",
             alone.clients + alone.servers, "client and server spans in scope, those without a twin too"),
        Fact("left out", "observed timestamps of logs, Server-Timing", "not kept", "", None, "this ledger keeps spans"),
        *(_placebo(name, held) for name, held in (("same clock", found.same_clock), ("halves of a session", found.halves))),
    ]  # fmt: skip
    return [*_believed(rule.pairs, rule.moved, rule.outside, rule.apart_ms), *rows]


def _placebo(name: str, held: Placebo) -> Fact:
    said = "read the verdict with this in mind" if held.fired > 0.05 * max(held.looked_at, 1) else ""
    return Fact("placebo", name, f"{count(held.fired)} called different", "", held.looked_at, said)


def _believed(pairs: int, moved: int, outside: int, apart_ms: float) -> list[Fact]:
    source = "max_clock_skew_adjust is 0 by default (clockskew.go at 8498073)"
    return [
        Fact("believed", "Jaeger corrects clocks", "off by default", "", None, source),
        Fact("believed", "switched on, it would move", share(moved / pairs if pairs else None), "", pairs,
             f"of pairs; {count(outside)} to where the offset certainly is not, half of all by {number(apart_ms, 'ms')} or more "
             "from the middle of what is possible"),
        Fact("believed", "a third of traffic is skewed", "not confirmed", "", None, "no public data say so: only your own pairs"),
    ]  # fmt: skip


def tables(found: Clocks) -> dict[str, pl.DataFrame]:
    """Sessions, the widest and the unknowable first."""
    columns = {
        "session": pl.String, "state": pl.String, "pairs": pl.Int64, "offset_ms": pl.Float64, "low_ms": pl.Float64,
        "high_ms": pl.Float64, "certainly off": pl.Boolean,
    }  # fmt: skip
    worst = sorted(found.sessions, key=lambda one: (one.state != "unknowable", -_width(one), one.key))
    rows = [(one.key, one.state, len(one.pairs), *_bounds(one.bounds[0])) for one in worst[:MOST_ROWS]]
    return {"Sessions": pl.DataFrame(rows, schema=columns, orient="row")}


def _width(one: Session) -> int:
    held = one.bounds[0]
    return 0 if held is None else held.high - held.low


def _bounds(held: Bounds | None) -> tuple[float | None, float | None, float | None, bool | None]:
    if held is None:
        return None, None, None, None
    return held.middle / 1e6, held.low / 1e6, held.high / 1e6, held.skewed


def worst_traces(found: Sequence[Crossing]) -> pl.DataFrame:
    """Traces as evidence rows: unknowable, then corrected, by how far they are off."""
    columns = {
        "day": pl.Date, "order": pl.String, "client": pl.String, "server": pl.String, "pairs": pl.Int64,
        "offset_ms": pl.Float64, "low_ms": pl.Float64, "high_ms": pl.Float64, "orders claimed": pl.Int64,
        "certain": pl.Int64, "drawn wrong": pl.Int64, "session": pl.String, "trace_id": pl.String,
    }  # fmt: skip
    worst = sorted(
        found, key=lambda one: (RANK[one.order], -abs(one.bounds.middle) if one.bounds else 0, one.trace_id)
    )
    rows = [
        (one.day, one.order, one.clients, one.servers, one.pairs, *_bounds(one.bounds)[:3], *one.claims, one.session,
         one.trace_id)
        for one in worst[:MOST_ROWS]
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=columns, orient="row")

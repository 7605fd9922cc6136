"""Pictures and tables of the streaming audit. Keys of `figures` are the names of the exports."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import plotly.graph_objects as go
import polars as pl

from core.amounts import number
from core.audits.streaming_backend_measure import Judged, Load, Streams
from core.audits.streaming_backend_sql import CELL_US
from core.audits.streaming_backend_trust import Quantile
from core.charts import Line, Mark, lines
from core.charts.capacity import Band, Bucket, Moment, buckets, over_time

MOST_MOMENTS = 240
MOST_MARKS = 12
MOST_BUCKETS = 24
"""Bars of a histogram; an exponential one has hundreds, of which neighbours are drawn as one."""


def figures(found: Streams) -> dict[str, go.Figure]:
    """Every picture the data can carry; one that cannot be drawn is absent, never empty."""
    drawn = {}
    if found.load:
        drawn["streams_time"] = _time(found.load, found)
    if found.judged:
        drawn["streams_buckets"] = _buckets(found.judged[0])
    if found.load and (levels := _errors(found.load, found.acceptable)):
        drawn["streams_errors"] = levels
    return drawn


def _time(load: Load, found: Streams) -> go.Figure:
    """Stretches so long that MOST_MOMENTS of them fill the range; those without a process are left out."""
    cells = [one.cell for one in load.minutes]
    size = max(-(-(max(one.to_cell for one in load.minutes) - min(cells) + 1) // MOST_MOMENTS), 1)
    parts: dict[int, list[float]] = {}
    for one in load.minutes:
        length = one.to_cell - one.cell + 1
        for at in range(one.cell // size, one.to_cell // size + 1):
            inside = min(one.to_cell, at * size + size - 1) - max(one.cell, at * size) + 1
            part = parts.setdefault(at, [0.0, 0.0, 0.0, 0.0])
            share = inside / length
            part[0] += one.stream_us * share
            part[1] += one.held_us * share
            part[2] += one.started * share
            part[3] = max(part[3], one.most)
    moments = [
        Moment(_instant(at * size), stream / held, most, started * 1e6 / held)
        for at, (stream, held, started, most) in sorted(parts.items())
        if held
    ]
    days = moments[0].at.date(), moments[-1].at.date()
    marks = [
        Mark(dt.datetime.combine(day, dt.time(), dt.UTC), title)
        for day, title in found.changes
        if days[0] <= day <= days[1]
    ]
    held = load.capacity
    return over_time(
        moments, held.streams, f"N = {held.streams:,} ({held.how})", marks[:MOST_MARKS]
    )  # fmt: skip


def _instant(cell: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(cell * CELL_US / 1e6, dt.UTC)


def _buckets(one: Judged) -> go.Figure:
    held = one.histogram.buckets
    edges = [min(0.0, held.bounds[0]) if held.bounds else 0.0, *held.bounds]
    bars = [
        Bucket(low, high, count)
        for low, high, count in zip(edges, [*held.bounds, None], held.counts, strict=True)
    ]
    used = [place for place, bar in enumerate(bars) if bar.value]
    first = used[0] if used else 0
    # Empty buckets at either end say nothing; the last one stays, because that it is empty is the answer.
    last = used[-1] if used else 0
    bars = [*bars[first : min(last + 1, len(bars) - 1)], bars[-1]]
    while len(bars) > MOST_BUCKETS:
        bars = [*_paired(bars[:-1]), bars[-1]]
    return buckets(bars, [_band(band, bars) for band in one.quantiles], "s")


def _paired(bars: list[Bucket]) -> list[Bucket]:
    pairs = [bars[at : at + 2] for at in range(0, len(bars), 2)]
    return [Bucket(pair[0].low, pair[-1].high, sum(one.value for one in pair)) for pair in pairs]


def _band(one: Quantile, bars: list[Bucket]) -> Band:
    """From the edges as drawn: of neighbours drawn as one, theirs."""
    name = f"p{one.share * 100:g}"
    if one.high_s is None:
        return Band(name, bars[-1].low, None)
    place = max((at for at, bar in enumerate(bars[:-1]) if bar.low <= one.low_s), default=0)
    return Band(name, bars[place].low, bars[place].high)


def _errors(load: Load, acceptable: float) -> go.Figure | None:
    """Share of requests that failed by the number open when they began, in at most 24 steps."""
    seen = [one for one in load.levels if one.started]
    if len(seen) < 3 or not any(one.failed for one in seen):
        return None
    step = -(-(seen[-1].level - seen[0].level + 1) // 24)
    parts: dict[int, list[int]] = {}
    for one in seen:
        part = parts.setdefault((one.level - seen[0].level) // step, [0, 0, 0])
        part[0], part[1], part[2] = part[0] + one.failed, part[1] + one.started, one.level
    from core.stats.proportions import wilson

    held = [(level, failed, started) for failed, started, level in parts.values()]
    bounds = [wilson(failed, started) for _, failed, started in held]
    line = Line(
        "failed", [level for level, _, _ in held], [failed / started for _, failed, started in held],
        [one.low for one in bounds], [one.high for one in bounds],
    )  # fmt: skip
    return lines([line], "share", [Mark(load.capacity.streams, "N", True)], limit=acceptable)


def tables(found: Streams) -> dict[str, pl.DataFrame]:
    """Histograms with what they print and what is known; nodes; services."""
    made = {}
    if found.judged:
        made["Histograms"] = _histograms(found)
    if found.load:
        columns = {
            "node": pl.String,
            "requests": pl.Int64,
            "failed": pl.Int64,
            "most open": pl.Int64,
            "mean open": pl.Float64,
            "up_s": pl.Float64,
        }
        nodes = sorted(found.load.nodes, key=lambda one: (-one.most, one.name))[:500]
        rows = [(one.name or "not named", *one[1:]) for one in nodes]
        made["Nodes"] = pl.DataFrame(rows, schema=columns, orient="row")
    if found.services:
        columns = {"service": pl.String, "role": pl.String, "requests": pl.Int64, "failed": pl.Int64,
                   "streams asked for": pl.Int64, "mean_s": pl.Float64, "longest_s": pl.Float64,
                   "over_10_s": pl.Int64}  # fmt: skip
        served = [
            (
                one.name,
                one.role,
                one.requests,
                one.failed,
                one.streamed,
                one.hold_s,
                one.longest_s,
                one.over_10_s,
            )
            for one in found.services[:500]
        ]
        made["Services"] = pl.DataFrame(served, schema=columns, orient="row")
    return made


def _histograms(found: Streams) -> pl.DataFrame:
    columns = {
        "metric": pl.String,
        "service": pl.String,
        "n": pl.Int64,
        "last_bound_s": pl.Float64,
        "above it": pl.Float64,
    }
    columns |= {
        "p95 printed": pl.String,
        "p95 is": pl.String,
        "p99 printed": pl.String,
        "p99 is": pl.String,
        "p99 was": pl.String,
    }
    rows = []
    for one in found.judged:
        p95, p99 = one.quantiles[-2:]
        rows.append(
            (one.histogram.name, one.histogram.service, one.over.n, one.over.last_bound_s, one.over.share,
             number(p95.printed_s, "s"), known(p95), number(p99.printed_s, "s"), known(p99), p99.trusted)
        )  # fmt: skip
    return pl.DataFrame(rows, schema=columns, orient="row")


def known(one: Quantile) -> str:
    """What is known of a quantile: between its edges, or above the last bound."""
    if one.high_s is None:
        return f"over {number(one.low_s, 's')}"
    return f"{number(one.low_s, 's')} to {number(one.high_s, 's')}"


def longest_requests(rows: tuple[Mapping[str, object], ...]) -> pl.DataFrame:
    """At most 500 requests held longest, with the trace that leads into their spans."""
    columns = {
        "day": pl.Date,
        "node": pl.String,
        "seconds": pl.Float64,
        "stream": pl.Boolean,
        "failed": pl.Boolean,
    }
    columns |= {"trace_id": pl.String, "span_id": pl.String}
    told = [
        (
            row["day"],
            row["node"] or "not named",
            row["seconds"],
            bool(row["streamed"]),
            bool(row["failed"]),
            row["trace_id"],
            row["span_id"],
        )
        for row in sorted(rows, key=lambda row: (-float(str(row["seconds"])), str(row["span_id"])))
    ]
    return pl.DataFrame(told, schema=columns, orient="row")

"""Pictures, facts and tables of the chunking audit. Keys of `figures` are the names of the exports."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import plotly.graph_objects as go
import polars as pl

from core.amounts import count, interval, number, share
from core.audit import Fact
from core.audits.tps_chunking_measure import Chunking, Kind
from core.audits.tps_chunking_reader import DEADLINE_MS
from core.charts import Line, lines
from core.charts.compare import Effect, forest
from core.charts.panels import Panel, panels

MOST_KINDS = 8
"""Kinds of streams in one figure; the table has all."""
NAMES = {
    "unit": "in a chunk", "rate": "rate", "chunks_per_s": "chunks a second", "gap_p95_ms": "gap p95",
    "longest_gap_ms": "longest gap",
}  # fmt: skip


def figures(found: Chunking) -> dict[str, go.Figure]:
    """Every picture the data can carry; one that cannot be drawn is absent, never empty."""
    lead = found.kinds[0]
    drawn = {"chunk_ribbons": _ribbons(found, lead)}
    if found.shown:
        steps = [
            Line(
                f"{name}: {len(one.t_ms):,} chunks",
                one.t_ms,
                one.upto,
                colour_role="muted" if name == "before" else "accent",
            )
            for name, one in found.shown
        ]
        drawn["chunk_staircase"] = lines(steps, lead.of).update_traces(line_shape="hv")
        drawn["chunk_staircase"].update_xaxes(title={"text": "ms after the request", "font": {"size": 11.5}})
    effects = [
        Effect(one.name, f"{one.of} {NAMES['unit']}" if change.metric == "unit" else NAMES[change.metric], change.value - 1,
               change.low - 1, change.high - 1)
        for one in found.kinds[:MOST_KINDS] for change in one.changes
    ]  # fmt: skip
    if effects:
        drawn["chunk_changes"] = forest(effects, "share", found.limit)
    return drawn


def _ribbons(found: Chunking, lead: Kind) -> go.Figure:
    days = [day for day, *_ in lead.days]
    drawn = []
    for name, role, part in ((f"{lead.of} a second", "muted", 2), (f"{lead.of} a chunk", "accent", 3)):
        values = [one[part] for one in lead.days]
        middle, low, high = ([value[at] for value in values] for at in range(3))  # type: ignore[index]
        drawn.append(Panel(name, "score", middle, low, high, role))
    first = next((at for at, day in enumerate(days) if day >= found.since), None)
    marks = [(days.index(day), title) for day, title in found.changes if day in days]
    return panels(drawn, [day.isoformat() for day in days], first, "looked at", marks)


def facts(found: Chunking) -> list[Fact]:
    """Every number that no figure shows."""
    lead = found.kinds[0]
    rows = [
        Fact(one.name, f"{NAMES[change.metric]}, now over before", number(change.value, "ratio"),
             interval(change.low, change.high, "ratio"), one.before.streams + one.now.streams,
             f"{count(change.before_hours)} and {count(change.now_hours)} hours")
        for one in found.kinds[:MOST_KINDS] for change in one.changes
    ]  # fmt: skip
    rows += [
        Fact(one.name, "rate held", "yes" if one.rate.held else "not shown", f"p {one.rate.p:.2g}", None,
             f"two one-sided tests, ±{share(one.rate.band)}")
        for one in found.kinds[:MOST_KINDS] if one.rate
    ]  # fmt: skip
    return [*_believed(found, lead), *rows, *_placebos(found), *_left_out(found)]


def _believed(found: Chunking, lead: Kind) -> list[Fact]:
    before, now = lead.before, lead.now if lead.now.streams else lead.before
    over = (
        "more than the page can paint: pieces wait"
        if (now.chunks_per_s or 0) > found.paints_per_s
        else "within it"
    )
    tickets, complaints = found.tickets[::2], found.tickets[1::2]
    said = " → ".join(f"{count(k)} of {count(n)}" for k, n in zip(complaints, tickets, strict=True))
    return [
        Fact("believed", "fluidity tells a stream cut smaller",
             f"no: {number(before.fluidity, 'score')} → {number(now.fluidity, 'score')}", "", None,
             f"Etalon (arXiv 2407.07000), a token due every {DEADLINE_MS:.0f} ms, before → now: chunks come as tokens are due"),
        Fact("believed", "a chunk is a token",
             f"{number(now.chunk_rate, 'score')}/s instead of {number(now.whole_rate, 'score')}/s", "", now.streams,
             f"{lead.of} from request to last chunk; LLMPerf counted so until commit afd137a of 2024-04-07"),
        Fact("reader", "chunks a second", f"{number(before.chunks_per_s, 'score')} → {number(now.chunks_per_s, 'score')}", "",
             now.streams, f"{over}: {found.paints_per_s:.0f} paints a second (yours to set)"),
        Fact("reader", "Andes QoE", f"{number(before.quality, 'score')} → {number(now.quality, 'score')}", "", None,
             "arXiv 2404.16283: area under what is read over what is expected, 4.8 tokens a second"),
        Fact("reader", "tickets about stutter or streams", said if sum(tickets) else "no tickets", "", sum(tickets),
             "stutter is what people say, and no part of the verdict"),
    ]  # fmt: skip


def _placebos(found: Chunking) -> list[Fact]:
    out = []
    for one in found.kinds[:MOST_KINDS]:
        if one.placebo.splits:
            loud = one.placebo.fired > 0.05 * one.placebo.splits
            told = (
                "read the verdict with this in mind" if loud else "halves of the days before, drawn at random"
            )
            moved = f"the interval left 1 out in {count(one.placebo.moved)}"
            out.append(
                Fact(
                    "placebo",
                    one.name,
                    f"{count(one.placebo.fired)} called changed",
                    moved,
                    one.placebo.splits,
                    told,
                )
            )
    return out


def _left_out(found: Chunking) -> list[Fact]:
    few = sum(one.verdict == "too few" for one in found.kinds)
    compared = len(found.kinds) - few
    return [
        Fact("tested", "kinds of streams compared", count(compared), "", len(found.kinds),
             f"each interval at {found.level:.2%}, so that all hold together in 95 %"),
        Fact("left out", "kinds with too few responses", count(few), "", len(found.kinds), "listed in the table"),
        Fact("left out", "streams with neither tokens nor characters", count(found.unsized), "", found.sampled),
        Fact("sample", "streams looked at", count(found.sampled), "", found.streams, "by hash of their key where too many"),
    ]  # fmt: skip


def tables(found: Chunking) -> dict[str, pl.DataFrame]:
    """Kinds of streams, a row a side."""
    columns = {
        "stream": pl.String, "side": pl.String, "verdict": pl.String, "responses": pl.Int64, "full hours": pl.Int64,
        "of": pl.String, "a chunk": pl.Float64, "a second": pl.Float64, "chunks a second": pl.Float64,
        "a second, from the request": pl.Float64, "the same, a chunk for a token": pl.Float64, "fluidity": pl.Float64,
    }  # fmt: skip
    rows = [
        (one.name, name, one.verdict, side.streams, side.hours, one.of, side.unit, side.rate, side.chunks_per_s,
         side.whole_rate, side.chunk_rate, side.fluidity)
        for one in found.kinds for name, side in (("before", one.before), ("now", one.now)) if side.streams
    ]  # fmt: skip
    return {"Streams": pl.DataFrame(rows, schema=columns, orient="row")}


def furthest(
    rows: Sequence[tuple[dt.date, str, float, float, float, str | None, str | None]],
) -> pl.DataFrame:
    """Responses as evidence rows."""
    columns = {
        "day": pl.Date, "stream": pl.String, "in a chunk": pl.Float64, "a second": pl.Float64, "chunks a second": pl.Float64,
        "response_id": pl.String, "trace_id": pl.String,
    }  # fmt: skip
    return pl.DataFrame(list(rows), schema=columns, orient="row")

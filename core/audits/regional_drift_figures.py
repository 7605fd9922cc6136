"""Pictures, facts and tables of the regional drift audit. Keys of `figures` are the names of the exports."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go
import polars as pl

from core.amounts import count, interval, number, share
from core.audit import Fact
from core.audits.regional_drift_measure import Drift
from core.audits.regional_drift_placebo import Placebo
from core.audits.regional_drift_rows import APART
from core.audits.regional_drift_signals import Signal
from core.audits.regional_drift_time import Split
from core.audits.regional_drift_verdict import CANARY_SHARE, SUSPECT_ALPHA, Region
from core.charts import Bar, bars
from core.charts.compare import Effect, ecdf, forest
from core.charts.grid import DayMark, GridCell, grid

MOST_MARKS = 6
SIGNAL_COLUMNS = {
    "region": pl.String, "signal": pl.String, "kind": pl.String, "effect": pl.Float64, "low": pl.Float64,
    "high": pl.Float64, "unit": pl.String, "p": pl.String, "p, Holm": pl.String, "n": pl.Int64, "note": pl.String,
}  # fmt: skip


def figures(found: Drift) -> dict[str, go.Figure]:
    """Every picture the data can carry; one that cannot be drawn is absent, never empty."""
    drawn = {}
    if found.evidence:
        drawn["drift_strip"] = _strip(found)
    effects = [effect for one in found.regions for effect in _effects(one.region, one.signals)]
    if effects and found.placebo:
        effects += _effects(f"placebo ({found.placebo.region})", found.placebo.signals)
    if effects:
        drawn["drift_signals"] = forest(sorted(effects, key=lambda one: one.group), "points", found.limit)
    if found.ecdf:
        of = found.ecdf[0][1]
        unit = "share" if "share" in of else ""
        drawn["drift_distribution"] = ecdf([(side, values) for side, _, values in found.ecdf], unit, of)
    moved = [
        Effect(move.region, f"when {one.region} came apart", move.change, move.low, move.high, move.signal)
        for one in found.regions
        for move in one.moved
        if move.low is not None and move.high is not None
    ]
    if moved:
        drawn["drift_moved"] = forest(moved, "points", found.limit)
    return drawn or {"drift_labels": _labels(found)}


def _labels(found: Drift) -> go.Figure:
    """Without any probe: which regions are certain to differ by the snapshot that answers their traffic."""
    drawn = [
        Bar(f"{one.region}: {c.here}", c.n, colour_role="loss") for one in found.regions for c in one.certain
    ]
    return bars(drawn, "calls")


def _strip(found: Drift) -> go.Figure:
    """Log e-values; the colour ends where e-BH over all streams would alarm on one alone."""
    streams = max(sum(len([s for s in one.signals if s.kind == "behaviour"]) for one in found.regions), 1)
    top = math.log(max(streams, 2) / found.alpha)
    notes = {one.region: one.verdict for one in found.regions}
    cells = [GridCell(region, day, value, "", notes.get(region, "")) for region, day, value in found.evidence]
    if found.placebo:
        cells += [
            GridCell("placebo", day, value, "", f"{found.placebo.region}: nothing can differ")
            for day, value in found.placebo.evidence
        ]
    marks = [
        DayMark(day, f"{title} ({region})" if region else title, f"{day} {title}")
        for day, title, region in found.releases[:MOST_MARKS]
    ]
    return grid(cells, "log e", top, marks)


def _effects(series: str, signals: list[Signal]) -> list[Effect]:
    return [
        Effect(one.name, series, one.effect, one.low, one.high, f"n {one.n:,}, Holm p {one.p_holm:.2g}")
        for one in signals
        if one.kind == "behaviour" and one.low is not None and one.high is not None
    ]


def facts(found: Drift) -> list[Fact]:
    """Certainties, power, moves, the placebo and the parsers: every number that no figure shows."""
    rows = [
        Fact(one.region, f"{c.what} differs", c.here, "", c.n, f"the reference has {c.reference}")
        for one in found.regions
        for c in one.certain
    ]
    for one in found.regions:
        rows += _power_facts(one)
        rows += _shift_facts(one.region, one.shifts)
    rows += _shift_facts(found.reference, found.reference_shifts)
    rows += _reference_facts(found)
    if found.placebo:
        rows += _placebo_facts(found.placebo)
    parsers = ", ".join(found.scorers) or "not named"
    rows.append(
        Fact(
            "scores",
            "read by",
            parsers,
            "",
            None,
            "another parser is another measure: it never counts as drift",
        )
    )
    rows += [
        Fact(
            name, "pairs left out of success", count(n), "", n, "their two scores come from different parsers"
        )
        for name, n in found.two_scorers
    ]
    return rows


def _shift_facts(region: str, shifts: Sequence[Split]) -> list[Fact]:
    return [
        Fact(region, f"{move.signal} against the other regions moved on {move.day}", share(math.expm1(move.change)),
             "", None, f"permuted days, Holm p {move.p:.2g}")
        for move in shifts
    ]  # fmt: skip


def _reference_facts(found: Drift) -> list[Fact]:
    rows = []
    moved = [one for one in found.changed if one.p <= SUSPECT_ALPHA]
    for split in moved:
        note = f"largest split over permuted days, Holm p {split.p:.2g}"
        name = f"{split.signal} moved on {split.day}"
        rows.append(Fact(found.reference, name, f"{split.change:+.3f}", "", None, note))
    if found.changed and not moved:
        smallest = min(one.p for one in found.changed)
        rows.append(
            Fact(found.reference, "moved over time", "no", "", None, f"smallest Holm p {smallest:.2g}")
        )
    return rows


def _power_facts(one: Region) -> list[Fact]:
    if one.power is None:
        return []
    power = one.power
    of = f"{share(power.discordance)} of pairs differ; 80 % power, one-sided 5 %"
    seen = number(power.detectable, "points") if power.detectable else "any difference"
    canary = f"{share(CANARY_SHARE)} canary of a generation {number(power.generation, 'points')} away"
    return [
        Fact(one.region, "smallest difference the sample can show", seen, "", power.pairs, of),
        Fact(one.region, f"pairs needed for a {canary}", count(power.canary_pairs), "", power.pairs, of),
    ]


def _placebo_facts(found: Placebo) -> list[Fact]:
    said = "called different: read every verdict with this in mind" if found.fired else "not called different"
    smallest = min((one.p_holm for one in found.signals), default=1.0)
    rows = [Fact(found.region, "placebo", said, "", None, f"smallest Holm p {smallest:.2g}")]
    for one in found.signals:
        bounds = "" if one.low is None else interval(one.low, one.high, one.unit)
        rows.append(
            Fact(
                found.region,
                f"placebo {one.name}",
                number(one.effect, one.unit),
                bounds,
                one.n,
                f"p {one.p:.2g}",
            )
        )
    return rows


def tables(found: Drift) -> dict[str, pl.DataFrame]:
    """Verdicts by region, every test, the pairs that differ most."""
    regions = pl.DataFrame(
        [
            (one.region, one.verdict, one.why, one.pairs, one.strongest, one.since and one.since.day,
             one.since and one.since.low, one.since and one.since.high, one.alarm)
            for one in found.regions
        ],
        schema={
            "region": pl.String, "verdict": pl.String, "why": pl.String, "pairs": pl.Int64, "strongest signal": pl.String,
            "since": pl.Date, "since, earliest": pl.Date, "since, latest": pl.Date, "alarm": pl.Date,
        },
        orient="row",
    )  # fmt: skip
    tests = pl.DataFrame(
        [
            (one.region, one.name, one.kind, one.effect, one.low, one.high, one.unit, f"{one.p:.2g}",
             f"{one.p_holm:.2g}", one.n, one.note)
            for region in found.regions for one in region.signals
        ],
        schema=SIGNAL_COLUMNS, orient="row",
    )  # fmt: skip
    made = {"Regions": regions, "Every test": tests}
    if found.pairs_apart:
        columns = dict(zip(APART, zip(*found.pairs_apart, strict=True), strict=True))
        made["Pairs that differ most"] = pl.DataFrame({name: list(cells) for name, cells in columns.items()})
    return made

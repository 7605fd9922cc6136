"""Pictures, facts and tables of the audit of unwritten stream contracts. Keys of `figures` are the names of the exports."""

from __future__ import annotations

import math

import plotly.graph_objects as go
import polars as pl

from core.amounts import count, interval, number, share
from core.audit import Fact
from core.audits.hyrum_stream_compare import Compared
from core.audits.hyrum_stream_features import FEATURES
from core.audits.hyrum_stream_measure import MOST_ROWS, State, Streams, Upgrade
from core.charts import Bar, stacked_share
from core.charts.barcode import barcode
from core.charts.dumbbell import Estimate, Pair, dumbbell
from core.stats.proportions import wilson

MOST_UPGRADES = 6
"""Upgrades whose features are listed as facts; the table has all."""
NAMED: tuple[tuple[State, str, str], ...] = (
    ("inside", "inside the old range", "useful"), ("unsure", "not shown either way", "warn"),
    ("outside", "outside the old range", "loss"),
)  # fmt: skip


def figures(found: Streams) -> dict[str, go.Figure]:
    """Every picture the data can carry; one that cannot be drawn is absent, never empty."""
    drawn: dict[str, go.Figure] = {}
    lead = found.upgrades[0] if found.upgrades else None
    if lead and (strip := _strip(lead)):
        drawn["stream_fingerprint"] = dumbbell(
            strip, "share", f"{lead.sides.old}: 5 to 95 %", f"{lead.sides.new}: median"
        )
    if len(found.replay) == 2:
        drawn["stream_barcodes"] = barcode(found.replay)
    if lead and lead.features:
        parts = [
            Bar(name, lead.states(state), colour_role=role)
            for state, name, role in NAMED
            if lead.states(state)
        ]
        drawn["stream_behaviours"] = stacked_share(parts, "behaviours")
    return drawn


def _strip(lead: Upgrade) -> list[Pair]:
    """In shares of the old median, because ms, characters and shares have no common axis; without one no row."""
    rows = []
    for one in (judged.found for judged in lead.features):
        if one.old > 0:
            usual = one.band if one.feature.yes_no else one.usual
            before, after = (
                Estimate(*(value / one.old - 1 for value in side))
                for side in ((one.old, *usual), (one.new, one.low, one.high))
            )
            rows.append(Pair(one.feature.label, before, after))
    return rows


def told(one: Compared, value: float) -> str:
    return share(value) if one.feature.unit == "share" else number(value, one.feature.unit)


def facts(found: Streams) -> list[Fact]:
    """Features with their ranges, the overall distance, placebos, preambles, and what is believed and is not so."""
    rows = [
        Fact("believed", "answers and schemas match, so nothing changed", _seen(found), "", None,
             "hyrumslaw.com: all observable behaviours of a system will be depended on by somebody; no contract names these"),
    ]  # fmt: skip
    for one in found.upgrades[:MOST_UPGRADES]:
        rows += _features(one) + _overall(one)
    rows += [
        Fact(f"{one.version or 'unnamed'}", "tool calls with text before them", share(k / n),
             interval(*wilson(k, n), "share"), n, f"{count(k)} of {count(n)}")
        for one in found.references if (n := one.preambles[1]) for k in (one.preambles[0],)
    ][:40]  # fmt: skip
    few = sum(not one.features for one in found.upgrades)
    rows += [
        Fact("tested", "behaviours of all upgrades", count(sum(len(one.features) for one in found.upgrades)), "",
             len(found.upgrades), f"Holm over all; each interval at {found.level:.2%}"),
        Fact("left out", "upgrades with too few responses", count(few), "", len(found.upgrades)),
        Fact("sample", "streams looked at", count(found.sampled), "", found.streams, "by hash of the prompt where too many"),
    ]  # fmt: skip
    return rows


def _seen(found: Streams) -> str:
    outside = sum(one.states("outside") for one in found.upgrades)
    return f"{count(outside)} of {count(sum(len(one.features) for one in found.upgrades))} outside"


def _features(one: Upgrade) -> list[Fact]:
    return [
        Fact(
            one.sides.new, f.feature.label, f"{told(f, f.old)} → {told(f, f.new)}", f"[{told(f, f.low)}, {told(f, f.high)}]", f.n,
            f"{judged.state}; usual [{told(f, f.band[0])}, {told(f, f.band[1])}], p {judged.p_holm:.2g} (Holm)",
        )
        for judged in one.features for f in (judged.found,)
    ]  # fmt: skip


def _overall(one: Upgrade) -> list[Fact]:
    placebo, out = one.placebo, []
    if one.energy:
        within = "the prompt" if one.sides.paired else "the hour"
        was = (
            ""
            if one.usual_distance is None
            else f"; days of the old version lie up to {one.usual_distance:.2f} apart"
        )
        note = f"2,000 permutations of the version within {within}, standardised{was}"
        out.append(
            Fact(one.sides.new, "energy distance, all at once", f"{one.energy.distance:.2f}", f"p {one.energy.p:.2g}",
                 one.energy.n, note)
        )  # fmt: skip
    if placebo.splits:
        loud = placebo.features > 0.05 * placebo.tested
        note = (
            "read the verdict with this in mind" if loud else "days of the old version against its other days"
        )
        out.append(
            Fact("placebo", one.sides.old, f"{count(placebo.fired)} of {count(placebo.splits)} splits",
                 f"{count(placebo.features)} of {count(placebo.tested)} features", placebo.splits, note)
        )  # fmt: skip
    if one.sides.dropped:
        note = "at hours of the day, or with prompts, that only one version has"
        out.append(
            Fact(
                "left out",
                f"responses of {one.sides.name}",
                count(one.sides.dropped),
                "",
                one.sides.every,
                note,
            )
        )
    return out


def tables(found: Streams) -> dict[str, pl.DataFrame]:
    """Every feature of every upgrade, and what is recorded of every version."""
    columns = {
        "stream": pl.String, "from": pl.String, "to": pl.String, "behaviour": pl.String, "state": pl.String, "before": pl.Float64,
        "now": pl.Float64, "low": pl.Float64, "high": pl.Float64, "usual from": pl.Float64, "usual to": pl.Float64, "n": pl.Int64,
    }  # fmt: skip
    rows = [
        (one.sides.name, one.sides.old, one.sides.new, f.feature.label, judged.state, f.old, f.new, f.low, f.high, *f.band, f.n)
        for one in found.upgrades for judged in one.features for f in (judged.found,)
    ]  # fmt: skip
    held = {
        "provider": pl.String, "model": pl.String, "region": pl.String, "version": pl.String, "measured by": pl.String,
        "responses": pl.Int64, "days": pl.Int64, "prompts": pl.Int64, "from": pl.Date, "to": pl.Date,
        **{feature.label: pl.Float64 for feature in FEATURES},
    }  # fmt: skip
    kept = [
        (
            *one.key[1:],
            one.version,
            one.key[0],
            one.responses,
            one.days,
            one.prompts,
            one.first_on,
            one.last_on,
            *one.medians,
        )
        for one in found.references
    ]
    recorded = {"Recorded versions": pl.DataFrame(kept, schema=held, orient="row")}
    if not rows:
        return recorded
    return {"Behaviours": pl.DataFrame(rows, schema=columns, orient="row")} | recorded


def newest(found: Streams | None) -> pl.DataFrame:
    """Responses of the new version, those furthest from the old median in what changed most first."""
    columns = {
        "day": pl.Date, "stream": pl.String, "prompt": pl.String, "behaviour": pl.String, "value": pl.Float64,
        "response_id": pl.String, "trace_id": pl.String,
    }  # fmt: skip
    lead = found.upgrades[0] if found and found.upgrades else None
    if lead is None or not lead.features:
        return pl.DataFrame(schema=columns)
    first = leading(lead)
    name, old = first.feature.name, first.old
    known = [row for row in lead.sides.after if row[name] is not None]
    known.sort(key=lambda row: (-abs(float(str(row[name])) - old), str(row["stream_key"])))
    rows = [
        (row["day"], row["stream_key"], row["prompt"], first.feature.label, float(str(row[name])), row["response_id"],
         row["trace_id"])
        for row in known[:MOST_ROWS]
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=columns, orient="row")


def leading(one: Upgrade) -> Compared:
    """What changed most, by the larger over the smaller of old and new, differences below the floor apart."""

    def far(found: Compared) -> float:
        least = max(found.feature.floor, 1e-6)
        return abs(math.log(max(found.new, least) / max(found.old, least)))

    order = {"outside": 0, "unsure": 1, "inside": 2}
    return min(one.features, key=lambda judged: (order[judged.state], -far(judged.found))).found

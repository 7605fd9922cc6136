"""The regions beside the reference: who differs, since when, by what, and what the sample could have shown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from core.audit import Scope
from core.audits import regional_drift_passive as passive
from core.audits import regional_drift_time as timing
from core.audits.regional_drift_placebo import Placebo, placebo
from core.audits.regional_drift_rows import apart, distributions, method, scorer_table
from core.audits.regional_drift_signals import Certainty, Signal, battery, certainties, daily, paired
from core.audits.regional_drift_time import Split
from core.audits.regional_drift_verdict import (
    MOVED_SHARE,
    SUSPECT_ALPHA,
    WATCHED_DAYS,
    Context,
    Region,
    Side,
    judged_region,
)
from core.stats.betting import ALPHA
from core.stats.many_tests import holm


class Drift(NamedTuple):
    """Every region's answer; lists are in the order of names."""

    reference: str
    regions: list[Region]
    placebo: Placebo | None
    evidence: list[tuple[str, dt.date, float]]
    """Region, day, largest log e-value of its signals."""
    changed: list[Split]
    """Moves of the reference itself."""
    reference_shifts: list[Split]
    """Moves of the reference's own latency against the other regions."""
    releases: list[tuple[dt.date, str, str]]
    """Day, title, region ("" = all)."""
    scorers: list[str]
    two_scorers: list[tuple[str, int]]
    """Region, and pairs left out because two parsers scored them."""
    ecdf: list[tuple[str, str, list[float]]]
    """Side, what is drawn, sorted values: the strongest signal of the region with most evidence."""
    pairs_apart: list[tuple[object, ...]]
    """Rows behind it: the pairs that differ most."""
    answers: int
    days: int
    first_day: dt.date | None
    """First day probed: a date on it may be older."""
    window: tuple[dt.date, dt.date] | None
    limit: float
    alpha: float
    method: str


def reference_region(counts: pl.DataFrame, calls: pl.DataFrame) -> str:
    """The region with most ordinary traffic among those probed, then most answers, then the first name."""
    traffic = dict(calls.group_by("region").agg(pl.col("calls").sum()).iter_rows())
    if not counts.height:
        return min(traffic, key=lambda name: (-traffic[name], name), default="")
    rows = counts.select("region", "answers").iter_rows()
    return str(min(rows, key=lambda row: (-traffic.get(row[0], 0), -row[1], row[0]))[0])


def prepared(probes: pl.DataFrame) -> pl.DataFrame:
    """Answers with tokens_per_s: output tokens over the time between first and last chunk."""
    spent = pl.col("last_chunk_ms") - pl.col("first_chunk_ms")
    speed = pl.when(spent > 0).then(pl.col("output_tokens") * 1_000 / spent)
    return probes.with_columns(tokens_per_s=speed).sort("region", "day", "prompt_id", "completion")


def measured(frames: Mapping[str, pl.DataFrame], scope: Scope, limit: float, window_days: int) -> Drift:
    """Every region compared with the reference."""
    reference = reference_region(frames["counts"], frames["calls"])
    answers = prepared(frames["probes"])
    there = answers.filter(pl.col("region") == reference)
    days = sorted(answers["day"].unique())
    first = days[-1] - dt.timedelta(days=window_days - 1) if days else scope.start
    names = _compared(frames, answers, reference, scope)
    sides = {name: _side(answers, there, name, first) for name in names}
    streams = {name: daily(side.pairs, days) for name, side in sides.items()}
    watched = timing.watch_all(streams, ALPHA)
    alarmed = timing.alarms(watched, days, ALPHA)
    tests = _adjusted({name: _tests(frames, name, reference, side) for name, side in sides.items()})
    shifts = timing.latency_moves(timing.latency(answers), reference, SUSPECT_ALPHA, MOVED_SHARE)
    changed = timing.splits(timing.series(there))
    levels = {name: timing.series(answers.filter(pl.col("region") == name)) for name in (reference, *names)}
    context = Context(reference, limit, len(days) >= WATCHED_DAYS, first, changed, shifts, levels, days)
    regions = [
        judged_region(name, sides[name], tests[name], _certain(frames, name, reference, sides[name], first),
                {key[1]: day for key, day in alarmed.items() if key[0] == name},
                {key[1]: one.log_e[-1] for key, one in watched.items() if key[0] == name and one.log_e},
                streams[name], context)
        for name in names
    ]  # fmt: skip
    evidence = [
        (name, day, max(watched[(name, signal)].log_e[at] for signal in streams[name]))
        for name in names if streams[name] for at, day in enumerate(days)
    ]  # fmt: skip
    worst = _worst(regions)
    recent = {name: side.recent for name, side in sides.items()}
    return Drift(
        reference, regions, placebo(there, first, days), evidence, changed, shifts.get(reference, []),
        releases(frames["changes"]),
        sorted(answers["scorer"].drop_nulls().unique()),
        scorer_table(recent), distributions(worst.strongest, recent[worst.region], worst.region, reference) if worst else [],
        apart(worst.region, recent[worst.region]) if worst else [], answers.height, len(days), days[0] if days else None,
        (max(first, days[0]), days[-1]) if days else None, limit, ALPHA, method(reference, days, window_days),
    )  # fmt: skip


def _compared(
    frames: Mapping[str, pl.DataFrame], answers: pl.DataFrame, reference: str, scope: Scope
) -> list[str]:
    """Probed regions, and those whose ordinary traffic names another snapshot; of the scope's regions if it has any."""
    known = {certain.region for certain in passive.snapshots(frames["calls"], reference)}
    found = {*answers["region"].unique(), *known} - {reference}
    return sorted(name for name in found if not scope.regions or name in scope.regions)


def _side(answers: pl.DataFrame, there: pl.DataFrame, name: str, first: dt.date) -> Side:
    here = answers.filter(pl.col("region") == name)
    pairs = paired(here, there)
    both = pl.concat([here.with_columns(side=pl.lit("here")), there.with_columns(side=pl.lit("reference"))])
    return Side(pairs, pairs.filter(pl.col("day") >= first), both.filter(pl.col("day") >= first))


def _tests(frames: Mapping[str, pl.DataFrame], name: str, reference: str, side: Side) -> list[Signal]:
    found = battery(name, side.recent, side.answers)
    extra = (passive.evals(frames["evals"], name), passive.lengths(frames["lengths"], name, reference))
    return found + [signal for signal in extra if signal is not None]


def _adjusted(tests: dict[str, list[Signal]]) -> dict[str, list[Signal]]:
    """p adjusted by Holm over signals and regions."""
    listed = [signal for signals in tests.values() for signal in signals]
    adjusted = iter(holm([signal.p for signal in listed]) if listed else [])
    return {
        name: [signal._replace(p_holm=next(adjusted)) for signal in signals]
        for name, signals in tests.items()
    }


def _certain(
    frames: Mapping[str, pl.DataFrame], name: str, reference: str, side: Side, first: dt.date
) -> list[Certainty]:
    found = certainties(name, side.pairs, first)
    said = {one.what for one in found}
    of_traffic = [one for one in passive.snapshots(frames["calls"], reference) if one.region == name]
    return found + [one for one in of_traffic if one.what not in said]


def _worst(regions: Sequence[Region]) -> Region | None:
    """The region to show: one that differs, with the smallest p; else the one with the smallest p."""
    ranked = [one for one in regions if one.signals]
    return min(
        ranked,
        key=lambda one: (one.verdict != "different generation", _smallest_p(one), one.region),
        default=None,
    )


def _smallest_p(region: Region) -> float:
    return min((one.p for one in region.signals if one.kind == "behaviour"), default=1.0)


def releases(changes: pl.DataFrame) -> list[tuple[dt.date, str, str]]:
    """Day, title and region ("" = all) of every recorded change, in order."""
    rows = changes.select("day", "title", "region").iter_rows()
    return sorted((day, title, region or "") for day, title, region in rows)

"""One region beside the reference: its verdict, why, since when, who moved, and what the sample could show."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import polars as pl

from core.audits import regional_drift_time as timing
from core.audits.regional_drift_signals import SHARES, Certainty, Signal, comparable
from core.audits.regional_drift_time import Moved, Since, Split
from core.stats.betting import ALPHA
from core.stats.paired import detectable_paired, items_needed_paired

Verdict = Literal["same", "different generation", "both changed", "infrastructure only", "cannot tell"]
WATCHED_DAYS = 8
"""From so many days on only the e-process says that a region differs: tests repeated every day do not keep their level."""
SUSPECT_ALPHA = 0.01
"""Level of what can only make a watch or a note while the e-process keeps the 5 %: the window's tests, moves in time."""
MOVED_SHARE = 0.10
"""A latency that moved by less is weather."""
CANARY_SHARE = 0.10
GENERATION_POINTS = 0.30
"""What a generation is assumed to change where none was seen: the snapshots of LLMDrift differ by 14 to 48 points."""


class Power(NamedTuple):
    """What this many pairs can show of a share of answers, and what a canary needs."""

    pairs: int
    discordance: float
    """Share of pairs whose answers differ in success (or the first share that is known)."""
    detectable: float | None
    """Smallest difference seen with 80 % power, one-sided 5 %."""
    canary_pairs: int | None
    """Pairs for 80 % power when CANARY_SHARE of the answers come from another generation."""
    generation: float
    """The difference of a whole generation that this assumes."""


class Region(NamedTuple):
    """One region beside the reference. pairs: in the recent window."""

    region: str
    verdict: Verdict
    why: str
    pairs: int
    signals: list[Signal]
    certain: list[Certainty]
    alarm: dt.date | None
    since: Since | None
    strongest: str
    """Signal with the largest e-value over the period, else with the smallest p."""
    suspected: bool
    """The window's tests differ, the watch has not reached its alarm."""
    earlier: bool
    """An alarm in the past, and no difference in the window."""
    shifts: list[Split]
    """Moves of its latency against the other regions."""
    moved: list[Moved]
    """Who moved when it came apart: every region's change of the strongest signal."""
    power: Power | None


class Side(NamedTuple):
    """A region's pairs and answers, whole and in the window."""

    pairs: pl.DataFrame
    recent: pl.DataFrame
    answers: pl.DataFrame


class Context(NamedTuple):
    """What every region is judged against."""

    reference: str
    limit: float
    watched: bool
    first: dt.date
    changed: list[Split]
    shifts: dict[str, list[Split]]
    """Moves of each region's latency against the other regions'."""
    levels: dict[str, dict[str, dict[dt.date, float]]]
    days: list[dt.date]


def judged_region(
    name: str,
    side: Side,
    signals: list[Signal],
    certain: list[Certainty],
    alarms: Mapping[str, dt.date],
    log_e: Mapping[str, float],
    streams: Mapping[str, list[list[float]]],
    context: Context,
) -> Region:
    """One region's answer. `alarms`: first day of each signal that alarmed; `log_e`: each signal's newest log e-value.

    `streams`: by signal, a list a day of bounded paired differences; `signals` are adjusted over all regions.
    """
    behaviour = [signal for signal in signals if signal.kind == "behaviour"]
    level = SUSPECT_ALPHA if context.watched else ALPHA
    differs = [signal for signal in behaviour if signal.p_holm <= level]
    inside, checked = _inside(behaviour, context.limit)
    shifts = context.shifts.get(name, [])
    decided = [one for one in certain if one.decides]
    earlier = bool(alarms) and not differs and inside
    different = bool(decided) or (bool(alarms) and not earlier) or (bool(differs) and not context.watched)
    suspected = bool(differs) and not different
    strongest = _strongest(behaviour, alarms, log_e)
    verdict, why = _word(different, suspected, inside, checked, decided, certain, shifts, context)
    dated = different and strongest in streams and bool(alarms)
    began = timing.since(streams[strongest], context.days) if dated else None
    return Region(
        name, verdict, why, side.recent.height, signals, certain, min(alarms.values(), default=None), began,
        strongest, suspected, earlier, shifts, _who_moved(strongest, began, context), _power(side.recent, behaviour),
    )  # fmt: skip


def _inside(behaviour: Sequence[Signal], limit: float) -> tuple[bool, int]:
    """Whether every interval lies within the limit, and how many there were: no test can show that nothing differs."""
    bounded = [(one.low, one.high) for one in behaviour if one.low is not None and one.high is not None]
    return bool(bounded) and all(-limit <= low and high <= limit for low, high in bounded), len(bounded)


def _strongest(behaviour: Sequence[Signal], alarms: Mapping[str, dt.date], log_e: Mapping[str, float]) -> str:
    if alarms:
        return max(sorted(alarms), key=lambda name: log_e.get(name, 0.0))
    return min(behaviour, key=lambda signal: signal.p).name if behaviour else ""


def _word(
    different: bool, suspected: bool, inside: bool, checked: int, decided: Sequence[Certainty],
    certain: Sequence[Certainty], shifts: Sequence[Split], context: Context,
) -> tuple[Verdict, str]:  # fmt: skip
    if different:
        told = f"{decided[0].what} is {decided[0].here}, not {decided[0].reference}" if decided else ""
        return "different generation", told or "its answers differ from the reference's"
    if suspected:
        return "cannot tell", "the window's tests differ, and the watch has not reached its alarm"
    if not inside:
        short = (
            "intervals reach past the limit"
            if checked
            else "no signal with an interval: probes need a text or a score"
        )
        return "cannot tell", short
    other = [one.what for one in certain]
    if shifts or other:
        return "infrastructure only", f"{(other or [shifts[0].signal])[0]} moved, behaviour did not"
    together = [one for one in context.changed if one.p <= SUSPECT_ALPHA]
    if together:
        return (
            "both changed",
            f"{together[0].signal} moved on {together[0].day} here and in {context.reference}",
        )
    return "same", "every interval lies within the limit"


def _who_moved(signal: str, began: Since | None, context: Context) -> list[Moved]:
    if began is None:
        return []
    barriers = [
        one.day
        for one in context.changed
        if one.p <= SUSPECT_ALPHA and not began.low <= one.day <= began.high
    ]
    name = signal if signal in ("success", "format", "refusal", "length") else "success"
    found = [
        timing.moved(region, name, levels[name], began.day, barriers)
        for region, levels in context.levels.items()
        if name in levels
    ]
    return [one for one in found if one is not None]


def _power(recent: pl.DataFrame, behaviour: Sequence[Signal]) -> Power | None:
    shares = [one for one in behaviour if one.unit == "points" and one.name != "evals"]
    if not shares or not recent.height:
        return None
    column = dict(SHARES)[shares[0].name]
    known = comparable(recent, column)
    apart = known[column].cast(pl.Float64) != known[f"{column}_ref"].cast(pl.Float64)
    discordance = float(apart.mean() or 0.0)  # type: ignore[arg-type]
    seen = abs(shares[0].effect) if shares[0].p_holm <= ALPHA and shares[0].effect else GENERATION_POINTS
    canary = CANARY_SHARE * seen
    needed = items_needed_paired(canary, max(discordance, canary))
    shown = detectable_paired(known.height, discordance) if discordance else None
    return Power(known.height, discordance, shown, needed, seen)

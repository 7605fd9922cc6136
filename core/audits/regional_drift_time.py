"""When regions came apart, what moved, and whether everybody moved together.

Alarms: e-processes of every region and signal, looked at together every day by e-BH; the first day on which it
rejects is a stopping time, so over any number of quiet days some region alarms with chance at most alpha.
Moves of one series: the largest standardised difference over all splits into before and after, against the same
over permuted days. Who moved: before and after of each region beside the others (difference in differences).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist, median
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.audits.regional_drift_signals import SHARES
from core.stats.betting import SEED, Watch, began, e_benjamini_hochberg, watch
from core.stats.many_tests import holm

DRAWS = 1_999
"""Permutations of the days: the smallest p is 0.0005, below 0.05 / 20 tests."""
FEWEST_DAYS = 8
"""Days of a series below which no split has enough on both sides."""
AROUND_DAYS = 14
"""Days before and after a date that say who moved: longer would reach into the next change."""
NEAR_DAYS = 2
"""A release this near to a date may be its cause: releases roll out over a day or two."""

Key = tuple[str, str]
"""Region and signal."""


class Since(NamedTuple):
    """When a difference began, with its bootstrap interval."""

    day: dt.date
    low: dt.date
    high: dt.date
    level: float


class Moved(NamedTuple):
    """Before and after of one series."""

    region: str
    signal: str
    change: float
    low: float | None
    high: float | None
    unit: str
    days: int


class Split(NamedTuple):
    """The most likely day of a move of one series, with its permutation p."""

    signal: str
    day: dt.date
    change: float
    p: float


def alarms(watched: Mapping[Key, Watch], days: Sequence[dt.date], alpha: float) -> dict[Key, dt.date]:
    """First day on which e-BH over every stream rejects the stream."""
    keys = sorted(watched)
    found: dict[Key, dt.date] = {}
    for at, day in enumerate(days):
        rejected = e_benjamini_hochberg([watched[key].log_e[at] for key in keys], alpha) if keys else []
        for key, alarm in zip(keys, rejected, strict=True):
            if alarm:
                found.setdefault(key, day)
    return found


def watch_all(streams: Mapping[str, Mapping[str, list[list[float]]]], alpha: float) -> dict[Key, Watch]:
    """The e-process of every region's every signal."""
    return {
        (region, name): watch(periods, alpha)
        for region, found in sorted(streams.items())
        for name, periods in found.items()
    }


def since(periods: Sequence[Sequence[float]], days: Sequence[dt.date]) -> Since | None:
    """The date of a lasting shift. One day is added on both sides: a shift inside a day has half a day's pairs."""
    found = began(periods)
    if found is None:
        return None
    last = len(days) - 1
    return Since(days[found.at], days[max(found.low - 1, 0)], days[min(found.high + 1, last)], found.level)


def series(answers: pl.DataFrame) -> dict[str, dict[dt.date, float]]:
    """Daily means of a region's signals with each prompt's own level taken off; length in logarithms."""
    columns = [(name, pl.col(column).cast(pl.Float64)) for name, column in SHARES]
    columns.append(("length", pl.col("text_chars").cast(pl.Float64).clip(1).log()))
    found = {}
    for name, value in columns:
        rows = answers.select("day", "prompt_id", x=value).drop_nulls().sort("day", "prompt_id", "x")
        level = pl.col("x") - pl.col("x").mean().over("prompt_id")
        means = rows.with_columns(level).group_by("day").agg(pl.col("x").mean()).sort("day")
        if means.height:
            found[name] = dict(means.iter_rows())
    return found


Levels = dict[str, dict[str, dict[dt.date, float]]]
"""Region, signal, day to a daily level."""


def latency(answers: pl.DataFrame) -> Levels:
    """Logarithms of each region's daily medians of time to first chunk and tokens per second."""
    found: Levels = {}
    for name, column in (("first chunk", "first_chunk_ms"), ("tokens per second", "tokens_per_s")):
        rows = answers.filter(pl.col(column) > 0).group_by("region", "day")
        medians = rows.agg(x=pl.col(column).median().log()).sort("region", "day")
        for region, day, x in medians.select("region", "day", "x").iter_rows():
            found.setdefault(region, {}).setdefault(name, {})[day] = x
    return found


def latency_moves(levels: Levels, reference: str, alpha: float, smallest: float) -> dict[str, list[Split]]:
    """Which regions' latency moved against the others' median (difference in differences), one by one.

    The one that moved most is taken out before the next is looked for: it would make the others seem to move. What
    stays the same over time is distance, and what all regions share is the provider's day: neither is a move.
    """
    left, found = sorted(levels), dict[str, list[Split]]()
    while len(left) > 1:
        against = {
            f"{region}\x1f{name}": _against(levels, left, region, name)
            for region in left
            for name in levels[region]
        }
        moves = [one for one in splits(against) if one.p <= alpha and abs(one.change) > smallest]
        if not moves:
            break
        most = max(moves, key=lambda one: (round(abs(one.change), 9), not one.signal.startswith(reference)))
        region = most.signal.partition("\x1f")[0]
        found[region] = [
            one._replace(signal=name)
            for one in moves
            for at, _, name in [one.signal.partition("\x1f")]
            if at == region
        ]
        left.remove(region)
    return found


def _against(levels: Levels, left: Sequence[str], region: str, name: str) -> dict[dt.date, float]:
    others = [levels[other].get(name, {}) for other in left if other != region]
    return {
        day: x - median([other[day] for other in others if day in other])
        for day, x in levels[region][name].items()
        if any(day in other for other in others)
    }


def splits(found: Mapping[str, Mapping[dt.date, float]]) -> list[Split]:
    """The likeliest split of every series, with p adjusted by Holm; series of too few days are left out."""
    made = [split for name, values in found.items() if (split := _split(name, values)) is not None]
    return (
        [one._replace(p=p) for one, p in zip(made, holm([one.p for one in made]), strict=True)]
        if made
        else []
    )


def _split(name: str, values: Mapping[dt.date, float]) -> Split | None:
    days = sorted(values)
    y = np.array([values[day] for day in days])
    if len(days) < FEWEST_DAYS or float(np.ptp(y)) == 0:
        return None
    random = np.random.default_rng(SEED)
    drawn = random.permuted(np.tile(y, (DRAWS, 1)), axis=1)
    null = np.abs(_standardised(drawn)).max(axis=1)
    observed = np.abs(_standardised(y[None, :]))[0]
    at = int(np.argmax(observed)) + 2
    p = (1 + int((null >= float(observed.max()) - 1e-12).sum())) / (DRAWS + 1)
    return Split(name, days[at], float(y[at:].mean() - y[:at].mean()), p)


def _standardised(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Difference of the means after and before each split with two days on both sides, times its root weight."""
    n = rows.shape[1]
    before = np.arange(2, n - 1)
    sums = rows.cumsum(axis=1)
    left = sums[:, before - 1]
    difference = (sums[:, -1:] - left) / (n - before) - left / before
    return np.asarray(difference * np.sqrt(before * (n - before) / n))


def moved(
    region: str, signal: str, values: Mapping[dt.date, float], at: dt.date, barriers: Sequence[dt.date]
) -> Moved | None:
    """After minus before, AROUND_DAYS each, not reaching across other changes; Welch interval over days."""
    start = max([day for day in barriers if day < at], default=at - dt.timedelta(days=AROUND_DAYS))
    end = min([day for day in barriers if day > at], default=at + dt.timedelta(days=AROUND_DAYS))
    start, end = (
        max(start, at - dt.timedelta(days=AROUND_DAYS)),
        min(end, at + dt.timedelta(days=AROUND_DAYS)),
    )
    before = np.array([values[day] for day in sorted(values) if start <= day < at])
    after = np.array([values[day] for day in sorted(values) if at <= day < end])
    if len(before) < 3 or len(after) < 3:
        return None
    change = float(after.mean() - before.mean())
    spread = _welch(before, after)
    low, high = change - spread, change + spread
    if signal == "length":
        change, low, high = (math.expm1(bound) for bound in (change, low, high))
    unit = "share" if signal == "length" else "points"
    return Moved(region, signal, change, low, high, unit, len(before) + len(after))


def _welch(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Half the 95 % interval of a difference of means of unequal variances (Welch 1947)."""
    parts = [float(side.var(ddof=1)) / len(side) for side in (before, after)]
    total = sum(parts)
    if total == 0:
        return 0.0
    freedom = total**2 / (parts[0] ** 2 / (len(before) - 1) + parts[1] ** 2 / (len(after) - 1))
    return _t_quantile(freedom) * math.sqrt(total)


def _t_quantile(freedom: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.975)) if freedom > 0 else NormalDist().inv_cdf(0.975)

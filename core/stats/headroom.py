"""How likely a rate limit is hit: forecast of the hour × how far its worst minute stands above its mean.

A limit counts minutes and a forecast counts hours. Inside an hour the peak minute is several times the mean, and
how many times is itself spread out, so the mean path alone never hits a limit that peaks hit daily. Here

    tokens of the peak minute = expected day × share of the hour × exp(day's error) × hour's ratio × peak factor / 60

with three empirical distributions: errors of past forecasts (whole paths, one an origin), actual over expected share of
the hour, and peak minute over mean minute, from the third of hours with similar load, because quiet hours
have the larger factors. P is the share of combinations at or above the limit. Its interval resamples the past
forecasts and the days that the peak factors come from (percentile bootstrap, Efron & Tibshirani 1993, chapter 13),
with the one-sided bound for a count of none where no combination reaches the limit.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.stats.proportions import none_seen
from core.stats.resampling import SEED

MINUTES, HOURS, WEEKDAYS = 60, 24, 7
PROFILE_WEEKS = 8
MINIMUM_HOURS = 72
"""Hours with minutes below which peaks are not known: three days."""
MINIMUM_FORECASTS = 4
"""Below four past forecasts not even an 80 % interval of the forecast itself is known."""
BY_LOAD_HOURS = 270
"""Hours from which thirds by load have at least 90 each."""
PAIRS = 4_000
REPLICATES = 120


class PeakFactors(NamedTuple):
    """One entry an hour: peak minute / mean minute, the hour's tokens, and the day it belongs to."""

    factor: NDArray[np.float64]
    load: NDArray[np.float64]
    day: NDArray[np.int64]


class HourlyShape(NamedTuple):
    """How a day's tokens fall on its hours."""

    share: NDArray[np.float64]
    """Weekday (Monday = 0) × hour; each row sums to 1."""
    ratio: NDArray[np.float64]
    """Actual over expected share, of hours past, as many as seen."""


class Limit(NamedTuple):
    """Tokens (or requests) a minute from a local day on, until the next."""

    valid_from: dt.date
    per_minute: float


class HourChance(NamedTuple):
    """P(limit hit) in one hour of the week, over the days ahead with that weekday."""

    weekday: int
    hour: int
    chance: float
    low: float
    high: float
    hours: int


class WeekChance(NamedTuple):
    """P(limit hit at least once) in one week ahead."""

    week: int
    chance: float
    low: float
    high: float


class Headroom(NamedTuple):
    """`why` is empty, or says why there are no chances."""

    hours: tuple[HourChance, ...]
    weeks: tuple[WeekChance, ...]
    peak_hours: int
    forecasts: int
    seed: int
    why: str = ""


def peak_factors(hours: pl.DataFrame) -> PeakFactors:
    """From whole hours (day: Date, hour: 0-23, total, peak: the busiest minute); hours without traffic have none."""
    rows = hours.filter(pl.col("total") > 0).sort("day", "hour", "total", "peak")
    total, peak = (rows[name].cast(pl.Float64).to_numpy() for name in ("total", "peak"))
    return PeakFactors(peak * MINUTES / total, total, rows["day"].cast(pl.Int32).cast(pl.Int64).to_numpy())


def hourly_shape(hours: pl.DataFrame) -> HourlyShape | None:
    """From local (day: Date, hour: 0-23, total) of whole days; the last eight weeks count, absent hours had none.

    The share is of the weekday's summed tokens. None when a weekday has no tokens in those weeks.
    """
    if hours.is_empty():
        return None
    days = (hours["day"] - hours["day"].max()).dt.total_days().to_numpy()
    recent = hours.filter(pl.Series(days > -PROFILE_WEEKS * WEEKDAYS))
    position = (recent["day"] - recent["day"].min()).dt.total_days().to_numpy()
    grid = np.zeros((int(position.max()) + 1, HOURS))
    np.add.at(grid, (position, recent["hour"].to_numpy()), recent["total"].cast(pl.Float64).to_numpy())
    start = recent["day"].min()
    assert isinstance(start, dt.date)
    weekday = (start.weekday() + np.arange(len(grid))) % WEEKDAYS
    sums = np.array([grid[weekday == i].sum(axis=0) for i in range(WEEKDAYS)])
    if (sums.sum(axis=1) == 0).any():
        return None
    share = sums / sums.sum(axis=1, keepdims=True)
    expected = grid.sum(axis=1, keepdims=True) * share[weekday]
    return HourlyShape(share, (grid[expected > 0] / expected[expected > 0]))


def headroom(
    expected: NDArray[np.float64],
    first: dt.date,
    log_errors: NDArray[np.float64],
    shape: HourlyShape | None,
    peaks: PeakFactors,
    limits: Sequence[Limit],
    seed: int = SEED,
) -> Headroom:
    """Chances for the days `first` on with `expected` tokens; `log_errors` = past forecast × day, whole paths.

    Hours before the first limit have no limit and no chance of hitting one.
    """
    why = _missing(log_errors, shape, peaks, limits)
    if why or shape is None:
        return Headroom((), (), len(peaks.factor), len(log_errors), seed, why)
    days = len(expected)
    weekday = (first.weekday() + np.arange(days)) % WEEKDAYS
    mean_hour = expected[:, None] * shape.share[weekday]
    per_minute = np.array([_in_force(limits, first + dt.timedelta(days=i)) for i in range(days)])
    with np.errstate(divide="ignore", over="ignore"):
        # How often the mean minute fits into the limit, past forecast × day × hour.
        room = (per_minute[:, None] * MINUTES / mean_hour)[None] / np.exp(log_errors[:, :days])[:, :, None]
    band = _load_bands(mean_hour, peaks)
    random = np.random.default_rng(seed)
    worlds = [_hit(room, band, shape, peaks, random, resample=i > 0) for i in range(REPLICATES + 1)]
    floor = none_seen(int(min(np.sum(_bands_of(peaks) == i) for i in np.unique(band))))
    wider = few_days(len(np.unique(peaks.day)))
    return Headroom(
        _by_hour(worlds, weekday, floor, wider),
        _by_week(worlds, floor, wider),
        len(peaks.factor),
        len(log_errors),
        seed,
    )


def _missing(
    log_errors: NDArray[np.float64], shape: HourlyShape | None, peaks: PeakFactors, limits: Sequence[Limit]
) -> str:
    if not limits:
        return "no limit is given"
    if shape is None:
        return "a weekday has no hourly tokens in the last eight weeks"
    if len(peaks.factor) < MINIMUM_HOURS:
        return f"minutes of {len(peaks.factor)} hours with traffic are known, {MINIMUM_HOURS} are needed"
    if len(log_errors) < MINIMUM_FORECASTS:
        return f"{len(log_errors)} past forecasts have a known outcome, {MINIMUM_FORECASTS} are needed"
    return ""


def _in_force(limits: Sequence[Limit], day: dt.date) -> float:
    valid = [limit for limit in limits if limit.valid_from <= day]
    return max(valid, key=lambda limit: limit.valid_from).per_minute if valid else np.inf


def _bands_of(peaks: PeakFactors) -> NDArray[np.int64]:
    """Third of load of each known hour, 0 quiet to 2 busy; all 0 where there are too few hours to split."""
    if len(peaks.factor) < BY_LOAD_HOURS:
        return np.zeros(len(peaks.factor), dtype=np.int64)
    return np.searchsorted(np.quantile(peaks.load, [1 / 3, 2 / 3]), peaks.load)


def _load_bands(mean_hour: NDArray[np.float64], peaks: PeakFactors) -> NDArray[np.int64]:
    if len(peaks.factor) < BY_LOAD_HOURS:
        return np.zeros(mean_hour.shape, dtype=np.int64)
    return np.searchsorted(np.quantile(peaks.load, [1 / 3, 2 / 3]), mean_hour)


def _hit(
    room: NDArray[np.float64],
    band: NDArray[np.int64],
    shape: HourlyShape,
    peaks: PeakFactors,
    random: np.random.Generator,
    resample: bool,
) -> NDArray[np.float64]:
    """P(hit | past forecast) of each day and hour, with peak factors as seen or from days drawn anew."""
    weight = np.ones(len(peaks.factor))
    if resample:
        days, index = np.unique(peaks.day, return_inverse=True)
        weight = np.bincount(random.integers(0, len(days), len(days)), minlength=len(days))[index].astype(
            float
        )
        room = room[random.integers(0, len(room), len(room))]
    chance = np.zeros(room.shape)
    own = _bands_of(peaks)
    for third in np.unique(band).tolist():
        chosen = weight * (own == third)
        if chosen.sum() == 0:
            chosen = weight
        factors = random.choice(peaks.factor, size=PAIRS, p=chosen / chosen.sum())
        products = np.sort(factors * random.choice(shape.ratio, size=PAIRS))
        at = np.broadcast_to(band == third, room.shape)
        chance[at] = 1 - np.searchsorted(products, room[at], side="left") / PAIRS
    return chance


def _by_hour(
    worlds: list[NDArray[np.float64]], weekday: NDArray[np.int64], floor: float, wider: float
) -> tuple[HourChance, ...]:
    found = []
    means = np.array([world.mean(axis=0) for world in worlds])
    for day in np.unique(weekday).tolist():
        for hour in range(HOURS):
            chances = means[:, weekday == day, hour].mean(axis=1)
            low, high = _percentiles(chances, floor, wider)
            found.append(HourChance(day, hour, float(chances[0]), low, high, int((weekday == day).sum())))
    return tuple(found)


def _by_week(worlds: list[NDArray[np.float64]], floor: float, wider: float) -> tuple[WeekChance, ...]:
    """Given a forecast's error, hours hit independently; over errors they do not, so the product comes first."""
    found = []
    for start in range(0, worlds[0].shape[1] - WEEKDAYS + 1, WEEKDAYS):
        chances = np.array(
            [1 - np.prod(1 - world[:, start : start + WEEKDAYS], axis=(1, 2)).mean() for world in worlds]
        )
        low, high = _percentiles(chances, floor, wider)
        found.append(WeekChance(start // WEEKDAYS + 1, float(chances[0]), low, high))
    return tuple(found)


def few_days(days: int) -> float:
    """How much a bootstrap of so few days must be stretched: Student's quantile over the normal one, and n / (n − 1)."""
    from scipy.stats import norm, t

    if days < 2:
        return 1.0
    return float(t.ppf(0.975, days - 1) / norm.ppf(0.975) * np.sqrt(days / (days - 1)))


def _percentiles(chances: NDArray[np.float64], floor: float, wider: float) -> tuple[float, float]:
    """2.5 % and 97.5 % of the resampled chances, widened to hold the estimate and what none seen can exclude."""
    value = float(chances[0])
    low, high = value + wider * (np.quantile(chances[1:], [0.025, 0.975]) - value)
    return max(min(float(low), value), 0.0), min(max(float(high), value, floor if value == 0 else 0.0), 1.0)

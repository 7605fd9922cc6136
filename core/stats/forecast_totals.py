"""Sums of forecasts, over days and regions, with intervals that keep what errs together together.

One draw picks one past origin and takes from it the whole error path of every region that has one: days of a month miss
together, and so do regions that share customers. Summing quantiles instead would call a sum of ten regions as
unsure as if all missed at once, summing independent days as sure as if none did. A region without errors at
the drawn origin draws an origin of its own. This is the bootstrap of forecast paths (Thombs & Schucany 1990,
JASA 85:486) with out-of-sample errors; the interval is total × exp(± q) with q the conformal quantile of |log|.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.stats.conformal import KEPT_ORIGINS, Errors, forecasts_needed, known
from core.stats.resampling import DRAWS, SEED

LEVELS = (0.80, 0.95)


class RegionPath(NamedTuple):
    """One region's forecast, and what forecasts of the same model missed by."""

    region: str
    expected: NDArray[np.float64]
    """Tokens of each day ahead."""
    errors: Errors
    origin_days: tuple[dt.date, ...]
    """The day of each row of `errors`, by which regions are aligned."""
    now: int
    """Row of the first day ahead, in the rows of `errors`."""


class TotalInterval(NamedTuple):
    """An interval of a sum; None with the reason where too few past forecasts reach that far."""

    level: float
    low: float | None
    high: float | None
    why: str


class Total(NamedTuple):
    """Tokens of the days and regions together."""

    value: float
    intervals: tuple[TotalInterval, ...]
    n_forecasts: int
    """Past forecasts with errors over the whole horizon, of the region that has fewest."""
    draws: int
    seed: int


class Step(NamedTuple):
    """A price from a day on, until the next step."""

    valid_from: dt.date
    price: Decimal
    """Currency a token."""


class Spend(NamedTuple):
    """Money of a forecast, in the currency of its prices. `unpriced` days have no price in force and are in no sum."""

    value: Decimal
    intervals: tuple[tuple[float, Decimal | None, Decimal | None, str], ...]
    """Level, low, high, why there is none."""
    unpriced: tuple[tuple[str, dt.date], ...]


class Draws(NamedTuple):
    """Simulated tokens by region: draw × day. Rows of the same index belong together."""

    by_region: dict[str, NDArray[np.float64]]
    n_forecasts: int
    seed: int


def draw_paths(paths: Sequence[RegionPath], days: int, draws: int = DRAWS, seed: int = SEED) -> Draws | None:
    """Joint paths of the first `days` days; None when a region has no past error that reaches so far."""
    random = np.random.default_rng(seed)
    whole = [whole_errors(path, days) for path in paths]
    if not paths or any(not errors for errors in whole):
        return None
    shared = sorted(set().union(*whole))
    picked = random.integers(0, len(shared), size=draws)
    drawn = {}
    for path, errors in zip(paths, whole, strict=True):
        own = sorted(errors)
        instead = random.integers(0, len(own), size=draws)
        origin = [shared[i] if shared[i] in errors else own[j] for i, j in zip(picked, instead, strict=True)]
        drawn[path.region] = path.expected[:days] * np.exp(np.array([errors[day] for day in origin]))
    return Draws(drawn, min(len(errors) for errors in whole), seed)


def whole_errors(path: RegionPath, days: int) -> dict[dt.date, NDArray[np.float64]]:
    """Error paths whose outcome is known, by the Monday of the origin's week: regions need not end on the same day.

    A missing day takes the path's median: a path counts from a quarter of its days on (a week of four), because the few
    days of a short history that no break excuses still say by how much a level was missed.
    """
    past = known(path.errors, path.now)
    day_of = dict(zip(path.errors.origins.tolist(), path.origin_days, strict=True))
    whole = {}
    for origin, logs in zip(past.origins.tolist(), past.log_errors[:, :days], strict=True):
        seen = ~np.isnan(logs)
        if logs.shape[0] == days and origin + days <= path.now and seen.sum() >= days / 4:
            day = day_of[origin]
            whole[day - dt.timedelta(days=day.weekday())] = np.where(seen, logs, np.median(logs[seen]))
    return dict(sorted(whole.items())[-KEPT_ORIGINS:])


def total(paths: Sequence[RegionPath], days: int, draws: int = DRAWS, seed: int = SEED) -> Total:
    """Tokens of all regions over the first `days` days, with 80 and 95 % intervals."""
    value = float(sum(path.expected[:days].sum() for path in paths))
    made = draw_paths(paths, days, draws, seed)
    if made is None:
        why = f"no past forecast reaches {days} days ahead in every region"
        return Total(value, tuple(TotalInterval(level, None, None, why) for level in LEVELS), 0, draws, seed)
    sums = np.sum([tokens.sum(axis=1) for tokens in made.by_region.values()], axis=0)
    found = tuple(interval_of(value, sums, level, made.n_forecasts, days) for level in LEVELS)
    return Total(value, found, made.n_forecasts, draws, seed)


def interval_of(
    value: float, sums: NDArray[np.float64], level: float, n_forecasts: int, days: int
) -> TotalInterval:
    if n_forecasts < forecasts_needed(level):
        why = (
            f"{n_forecasts} past forecasts reach {days} days ahead in every region, "
            f"a {level:.0%} interval needs {forecasts_needed(level)}"
        )
        return TotalInterval(level, None, None, why)
    with np.errstate(divide="ignore"):
        scores = np.abs(np.log(sums / value))
    # Draws repeat the same few origins: the rank is corrected for their number, not for the number of draws.
    corrected = min(1.0, np.ceil((n_forecasts + 1) * level - 1e-9) / n_forecasts)
    quantile = float(np.quantile(scores, corrected, method="inverted_cdf"))
    if not np.isfinite(quantile):
        return TotalInterval(level, None, None, "too many past totals were 0")
    return TotalInterval(level, value * float(np.exp(-quantile)), value * float(np.exp(quantile)), "")


def price_on(steps: Sequence[Step], day: dt.date) -> Decimal | None:
    """The price in force on a day: the latest step not after it; None before the first."""
    valid = [step for step in steps if step.valid_from <= day]
    return max(valid, key=lambda step: step.valid_from).price if valid else None


def spend(
    paths: Sequence[RegionPath],
    first: Mapping[str, dt.date],
    prices: Mapping[str, Sequence[Step]],
    days: int,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Spend:
    """Tokens × the price of the day and region. `first`: the first day ahead of each region.

    The sum is exact decimals of whole expected tokens; only the intervals go through floats.
    """
    value = Decimal(0)
    unpriced: list[tuple[str, dt.date]] = []
    weights: dict[str, NDArray[np.float64]] = {}
    for path in paths:
        rates = [
            price_on(prices.get(path.region, ()), first[path.region] + dt.timedelta(days=i))
            for i in range(days)
        ]
        for i, rate in enumerate(rates):
            # A region whose forecast ends earlier has no money there either.
            if rate is None or i >= len(path.expected):
                unpriced.append((path.region, first[path.region] + dt.timedelta(days=i)))
            else:
                value += round(path.expected[i]) * rate
        weights[path.region] = np.array([0.0 if rate is None else float(rate) for rate in rates])
    made = draw_paths(paths, days, draws, seed)
    found = _money_intervals(paths, weights, made, days, value)
    return Spend(value, found, tuple(unpriced))


def _money_intervals(
    paths: Sequence[RegionPath],
    weights: dict[str, NDArray[np.float64]],
    made: Draws | None,
    days: int,
    value: Decimal,
) -> tuple[tuple[float, Decimal | None, Decimal | None, str], ...]:
    expected = float(sum(path.expected[:days] @ weights[path.region][: len(path.expected)] for path in paths))
    if made is None or expected == 0:
        why = (
            "nothing is priced"
            if expected == 0
            else f"no past forecast reaches {days} days ahead in every region"
        )
        return tuple((level, None, None, why) for level in LEVELS)
    sums = np.sum([tokens @ weights[region] for region, tokens in made.by_region.items()], axis=0)
    found: list[tuple[float, Decimal | None, Decimal | None, str]] = []
    for level in LEVELS:
        interval = interval_of(expected, sums, level, made.n_forecasts, days)
        if interval.low is None or interval.high is None:
            found.append((level, None, None, interval.why))
        else:
            low, high = (value * Decimal(bound / expected) for bound in (interval.low, interval.high))
            found.append((level, _cents(low), _cents(high), ""))
    return tuple(found)


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"))

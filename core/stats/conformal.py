"""Intervals from what past forecasts missed by, and from nothing that was not known when the forecast was made.

Split conformal prediction (Vovk, Gammerman & Shafer 2005; Lei et al. 2018, JASA 113:1094): the interval is
forecast × exp(± q), q the ceil((n + 1) × level)-th smallest of n past |log error|, pooled over the days of a
horizon week. Days of one past forecast err together, as groups do (Dunn, Wasserman & Ramdas 2023, JASA 118:2491), so
whether there are enough errors is asked of the number of forecasts, not of days. Demand drifts and
exchangeability is an assumption: the backtest shows the coverage that came of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVELS = (0.80, 0.90, 0.95)
WEEK = 7
KEPT_ORIGINS = 52
"""The latest past forecasts with a known outcome that make an interval: a year of weeks, each season once."""


class Errors(NamedTuple):
    """What forecasts missed by: log(actual / forecast), one row an origin, one column a day ahead.

    NaN where the outcome is not in the history or missing; −inf where a day expected to carry traffic had none.
    `origins` are rows of the series: the day `origins[i] + j` is the target of `log_errors[i, j]`.
    """

    origins: NDArray[np.int64]
    log_errors: NDArray[np.float64]


class Band(NamedTuple):
    """Factors that turn a forecast into an interval, by horizon week; None where too few errors are known."""

    level: float
    factor: tuple[float | None, ...]
    """exp(q) of each horizon week: the interval is forecast / factor to forecast × factor."""
    n_forecasts: tuple[int, ...]
    why: tuple[str, ...]
    """Why a week has no interval; empty where it has one."""


def conformal_quantile(scores: NDArray[np.float64], level: float) -> float | None:
    """The ceil((n + 1) level)-th smallest of n scores; None when there is no such score.

    >>> conformal_quantile(np.array([4.0, 1.0, 3.0, 2.0]), 0.8)
    4.0
    >>> conformal_quantile(np.array([4.0, 1.0, 3.0]), 0.8) is None
    True
    """
    # The guard keeps 0.95 × 20 = 19.000000000000004 from asking for one error more.
    rank = math.ceil((len(scores) + 1) * level - 1e-9)
    return float(np.sort(scores)[rank - 1]) if 0 < rank <= len(scores) else None


def forecasts_needed(level: float) -> int:
    """Past forecasts with a known outcome below which there is no interval: 4, 9 and 19 for 80, 90 and 95 %."""
    return math.ceil(level / (1 - level) - 1e-9)


def known(errors: Errors, before: int) -> Errors:
    """The errors of origins before the row `before`, each day only if its target was observed by then."""
    past = errors.origins < before
    origins, logs = errors.origins[past], errors.log_errors[past].copy()
    target = origins[:, None] + np.arange(logs.shape[1])
    logs[target >= before] = np.nan
    return Errors(origins, logs)


def band(errors: Errors, before: int, level: float, kept: int = KEPT_ORIGINS) -> Band:
    """The interval of a forecast made at row `before`, for each week ahead that the errors have."""
    return bands(errors, before, (level,), kept)[0]


def bands(
    errors: Errors, before: int, levels: Sequence[float] = LEVELS, kept: int = KEPT_ORIGINS
) -> list[Band]:
    """One `band` a level, from errors that are sorted once for all of them."""
    seen = known(errors, before)
    weeks = [_scores(seen, start, kept) for start in range(0, seen.log_errors.shape[1], WEEK)]
    found = []
    for level in levels:
        quantiles = [conformal_quantile(scores, level) if n >= forecasts_needed(level) else None
                     for scores, n in weeks]  # fmt: skip
        factors = tuple(None if q is None else float(np.exp(q)) for q in quantiles)
        counts = tuple(n for _, n in weeks)
        why = tuple(
            _missing(q, level, n, week) for week, (q, n) in enumerate(zip(quantiles, counts, strict=True), 1)
        )
        found.append(Band(level, factors, counts, why))
    return found


def _scores(seen: Errors, start: int, kept: int) -> tuple[NDArray[np.float64], int]:
    """Sorted |log errors| of one week ahead and how many forecasts they are of."""
    week = np.abs(seen.log_errors[:, start : start + WEEK])
    missing = np.isnan(week)
    # At least half a week of outcomes, or the newest origin would count as a whole forecast on its first day.
    whole = np.flatnonzero((~missing).sum(axis=1) > WEEK // 2)[-kept:]
    return np.sort(week[whole][~missing[whole]]), len(whole)


def _missing(found: float | None, level: float, n: int, week: int) -> str:
    if found is None:
        return (
            f"week {week}: {n} past forecasts have a known outcome, "
            f"a {level:.0%} interval needs {forecasts_needed(level)}"
        )
    if math.isinf(found):
        return f"week {week}: too many past days had no traffic at all for a {level:.0%} interval"
    return ""


def per_day(found: Band, horizon_days: int) -> NDArray[np.float64]:
    """The factor of each day ahead; NaN where its week has none (or an infinite one)."""
    weekly = [math.nan if factor is None or math.isinf(factor) else factor for factor in found.factor]
    days = np.repeat(weekly, WEEK)[:horizon_days]
    return np.concatenate([days, np.full(horizon_days - len(days), math.nan)])

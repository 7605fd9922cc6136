"""The backtest as rows: how far each model missed, with intervals over past forecasts, and no clock times."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.audit import Progress, Scope
from core.stats.backtest import FitProgress, outcomes
from core.stats.challengers import REPORTED
from core.stats.conformal import LEVELS, WEEK
from core.stats.region_forecast import RegionForecast
from core.stats.resampling import ratio_interval


class ModelScore(NamedTuple):
    """One model over four weeks ahead: WAPE, its 95 % interval over origins, bias, coverage at 80, 90 and 95 %."""

    model: str
    chosen: bool
    wape: float | None
    low: float | None
    high: float | None
    bias: float | None
    coverage: tuple[float | None, ...]
    origins: int
    failed: int
    reason: str


class WeekError(NamedTuple):
    """WAPE of one model in one week ahead."""

    model: str
    week: int
    wape: float
    low: float | None
    high: float | None
    origins: int


def scores(found: RegionForecast) -> tuple[ModelScore, ...]:
    """Every model of the league; the ones that failed with the reason."""
    rows = []
    for score in found.league.scores:
        _, low, high, _ = _wape(found, score.model, slice(None))
        rows.append(
            ModelScore(
                score.model,
                score.model == found.model,
                score.wape,
                low,
                high,
                score.bias,
                score.coverage or (None,) * len(LEVELS),
                score.origins,
                score.failed,
                score.reason,
            )
        )
    return tuple(rows)


def week_errors(found: RegionForecast) -> tuple[WeekError, ...]:
    """The model that forecasts and the reported average, by week ahead."""
    rows = []
    for model in dict.fromkeys((found.model, REPORTED.name)):
        for week in range(4):
            wape, low, high, n = _wape(found, model, slice(week * WEEK, (week + 1) * WEEK))
            if wape is not None:
                rows.append(WeekError(model, week + 1, wape, low, high, n))
    return tuple(rows)


def _wape(
    found: RegionForecast, model: str, days: slice
) -> tuple[float | None, float | None, float | None, int]:
    """WAPE with an interval that resamples origins whole; overlapping ones make it somewhat too narrow."""
    path = found.league.paths.get(model)
    if path is None or not len(path):
        return None, None, None, 0
    actual = _judged(found, path.shape)[:, days]
    both = ~np.isnan(actual) & ~np.isnan(path[:, days])
    misses = np.where(both, np.abs(path[:, days] - actual), 0.0).sum(axis=1)
    sums = np.where(both, actual, 0.0).sum(axis=1)
    kept = both.any(axis=1)
    if not sums.sum():
        return None, None, None, 0
    wape, n = float(misses.sum() / sums.sum()), int(kept.sum())
    if n < 3:
        return wape, None, None, n
    made = ratio_interval(misses[kept], sums[kept], draws=500)
    return wape, made.low, made.high, n


def _judged(found: RegionForecast, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Outcomes that judge a model: where the league's errors are known."""
    actual = outcomes(found.series, found.league.origins, shape[1])
    return np.where(found.league.judged, actual, np.nan)


def takes_long(scope: Scope) -> bool:
    """Whether every model is tried at every origin, which takes a minute."""
    return scope.choice("backtest", "quick") == "full"


def part_of(progress: Progress | None, region: int, regions: int) -> FitProgress | None:
    """How far all regions are, told by one region's fits. No region's name: it would be drawn as Markdown."""
    if progress is None:
        return None

    def tell(done: int, total: int, what: str) -> None:
        said = f"Region {region + 1} of {regions}: past forecast {done} of {total} ({what})"
        progress((region + done / total) / regions, said)

    return tell

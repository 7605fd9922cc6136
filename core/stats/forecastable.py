"""Whether a forecast may be shown at all: the honest state "not forecastable at this grain", defined.

A history is not forecastable at its grain (days of one region, say) when

* it has fewer than 28 observed days, or
* the backtest error (WAPE) of every model lies at or above the naive band's lower edge.

The naive band is what someone reaches who knows how large days are but not their order: the history's days are
shuffled, the better of the flat mean and the flat median of the last four weeks is forecast from the same
origins, and the band is the middle 90 % of the WAPE over 200 shuffles. A steady history needs no order and a
wild one is not made usable by it, so the edge is kept between 30 % and 50 % (above 50 % a forecast counts as
inaccurate: Lewis 1982, Industrial and Business Forecasting Methods, page 40). Then the trailing four weeks are
shown, and the page says that this is what they are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.stats.backtest import Backtest
from core.stats.calendar_fit import MINIMUM_DAYS
from core.stats.daily_series import Series
from core.stats.resampling import SEED

STEADY_WAPE = 0.30
INACCURATE_WAPE = 0.50
SHUFFLES = 200
WINDOW_DAYS = 28


class NaiveBand(NamedTuple):
    """WAPE without knowledge of the order of days, and the edge that a model must stay below."""

    low: float
    high: float
    edge: float
    shuffles: int
    seed: int


class Forecastable(NamedTuple):
    """The state and the sentence that explains it."""

    holds: bool
    reason: str
    best_model: str | None
    best_wape: float | None
    band: NaiveBand | None


def naive_band(series: Series, tested: Backtest, seed: int = SEED) -> NaiveBand:
    """The band for the backtest's own origins and horizon. Missing days stay where they are."""
    random = np.random.default_rng(seed)
    horizon = next(iter(tested.paths.values())).shape[1]
    seen = np.flatnonzero(~np.isnan(series.tokens))
    shuffled = np.tile(series.tokens, (SHUFFLES, 1))
    for row in shuffled:
        row[seen] = random.permutation(row[seen])
    wapes = _flat_wapes(shuffled, tested.origins, horizon)
    low, high = np.quantile(wapes, [0.05, 0.95])
    return NaiveBand(
        float(low), float(high), float(np.clip(low, STEADY_WAPE, INACCURATE_WAPE)), SHUFFLES, seed
    )


def _flat_wapes(
    histories: NDArray[np.float64], origins: NDArray[np.int64], horizon_days: int
) -> NDArray[np.float64]:
    """Of each history, a row: the smaller of the two flat forecasts' WAPE. All rows miss the same days."""
    n = len(histories)
    longer = np.hstack([histories, np.full((n, horizon_days), np.nan)])
    actual = longer[:, origins[:, None] + np.arange(horizon_days)]
    windows = histories[:, origins[:, None] - np.arange(1, WINDOW_DAYS + 1)].reshape(-1, WINDOW_DAYS)
    total = np.nansum(actual.reshape(n, -1), axis=1)
    whole = not np.isnan(windows).any()
    errors = []
    for summary in (np.mean, np.median) if whole else (_mean_of_seen, _median_of_seen):
        level = summary(windows, axis=1).reshape(n, -1, 1)
        errors.append(np.nansum(np.abs(actual - level).reshape(n, -1), axis=1))
    return np.divide(np.min(errors, axis=0), total, out=np.full(n, np.inf), where=total != 0)


def _mean_of_seen(windows: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    return np.asarray(np.nanmean(_some_seen(windows), axis=axis))


def _median_of_seen(windows: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    return np.asarray(np.nanmedian(_some_seen(windows), axis=axis))


def _some_seen(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """A window of missing days only forecasts 0: its error is the whole of what came."""
    unseen = np.isnan(windows).all(axis=1, keepdims=True)
    return np.where(unseen, 0.0, windows)


def forecastable(series: Series, tested: Backtest, seed: int = SEED) -> Forecastable:
    """The state of a history, from its backtest over all models that were tried."""
    observed = int(np.isfinite(series.tokens).sum())
    if observed < MINIMUM_DAYS:
        reason = f"not forecastable at this grain: {observed} observed days, {MINIMUM_DAYS} are needed"
        return Forecastable(False, reason, None, None, None)
    scored = [(score.wape, score.model) for score in tested.scores if score.wape is not None]
    if not scored:
        reason = (
            f"not checked: {observed} observed days, a forecast from past days can be judged from "
            f"{MINIMUM_DAYS + 7} days on"
        )
        return Forecastable(True, reason, None, None, None)
    wape, model = min(scored)
    band = naive_band(series, tested, seed)
    share = f"{wape:.0%} (WAPE of {model} over {len(tested.origins)} past forecasts)"
    if wape >= band.edge:
        reason = (
            f"not forecastable at this grain: the best of {len(scored)} models errs by {share}; knowing only how "
            f"large days are, and not their order, gives {band.low:.0%} to {band.high:.0%}, and a model must stay "
            f"below {band.edge:.0%}. The trailing four weeks are shown instead"
        )
        return Forecastable(False, reason, model, wape, band)
    reason = f"forecastable: the best of {len(scored)} models errs by {share}, below {band.edge:.0%}"
    return Forecastable(True, reason, model, wape, band)

"""Rolling-origin backtest: every model forecasts from the same past days, and is judged on what came next.

Tashman 2000 (Int. J. Forecasting 16:437). The error is WAPE = sum |forecast − actual| / sum actual (Kolassa & Schuetz
2007, Foresight 6:40), which a day without traffic does not blow up. A model that cannot forecast leaves rows with the
reason; nothing is dropped.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.stats.calendar_fit import MINIMUM_DAYS, CalendarFits
from core.stats.calendar_terms import Break, Place, calendar
from core.stats.challengers import REPORTED, History, Model
from core.stats.conformal import KEPT_ORIGINS, LEVELS, Errors, bands, per_day
from core.stats.daily_series import Series

WEEK = 7
WORTH_CHANGING = 0.95
FitProgress = Callable[[int, int, str], None]
"""progress(done, total, what): called after each fit."""


class Score(NamedTuple):
    """One model over all origins and weeks; shares are over days, pooled."""

    model: str
    wape: float | None
    bias: float | None
    coverage: tuple[float | None, ...]
    """At 80, 90 and 95 %."""
    origins: int
    failed: int
    fit_seconds: float
    """Median of the fits."""
    reason: str


class Forecasts(NamedTuple):
    """What each model said from each past day: paths and log errors by model, one row an origin."""

    origins: NDArray[np.int64]
    paths: dict[str, NDArray[np.float64]]
    errors: dict[str, Errors]
    seconds: dict[str, NDArray[np.float64]]
    reasons: dict[str, list[str]]
    """Why a model could not forecast from an origin; empty where it did."""


class Backtest(NamedTuple):
    """The league over `origins`; `paths` keeps each model's forecasts, one row an origin."""

    origins: NDArray[np.int64]
    scores: tuple[Score, ...]
    paths: dict[str, NDArray[np.float64]]
    judged: NDArray[np.bool_]
    """Origin × day: whether the day was seen and could be foreseen."""
    chosen: str | None
    """Of the models that forecast from every origin: see `_chosen`."""


def rolling_origins(series: Series, every_days: int = WEEK, at_most: int = KEPT_ORIGINS) -> NDArray[np.int64]:
    """Rows to forecast from: the latest has one known week after it, each has four weeks of days before it."""
    starts = np.arange(len(series.tokens) - WEEK, 0, -every_days)[:at_most]
    seen = np.concatenate([[0], np.cumsum(series.tokens > 0)])
    return starts[seen[starts] >= MINIMUM_DAYS][::-1]


def fits_by_knowledge(
    series: Series, place: Place, breaks: Sequence[Break], horizon_days: int
) -> Callable[[dt.date], CalendarFits]:
    """Calendar fits as known on a day: breaks that nobody could know of then are not in them."""
    kept: dict[tuple[Break, ...], CalendarFits] = {}
    last = series.last + dt.timedelta(days=horizon_days)

    def known_on(day: dt.date) -> CalendarFits:
        made = tuple(b for b in breaks if b.known_from is None or b.known_from <= day)
        if made not in kept:
            kept[made] = CalendarFits(calendar(place, series.first, last, made), series.logs())
        return kept[made]

    return known_on


def backtest(
    series: Series,
    known_on: Callable[[dt.date], CalendarFits],
    models: Sequence[Model],
    origins: NDArray[np.int64],
    breaks: Sequence[Break] = (),
    horizon_days: int = 28,
    progress: FitProgress | None = None,
) -> Forecasts:
    """Forecast from each origin with each model. `horizon_days` is whole weeks; `known_on` from `fits_by_knowledge`.

    Raises ValueError for a horizon that is not whole weeks. Deterministic but for the seconds.
    """
    if horizon_days % WEEK or horizon_days <= 0:
        raise ValueError(f"horizon_days is {horizon_days}, must be whole weeks")
    paths = {model.name: np.full((len(origins), horizon_days), np.nan) for model in models}
    seconds = {model.name: np.zeros(len(origins)) for model in models}
    reasons = {model.name: [""] * len(origins) for model in models}
    for i, origin in enumerate(origins.tolist()):
        history = History(series.until(origin), known_on(series.day(origin)), origin, horizon_days)
        for j, model in enumerate(models):
            began = time.perf_counter()
            try:
                paths[model.name][i] = model.path(history)
            except Exception as error:  # a library may raise anything; the row says what it was
                reasons[model.name][i] = (
                    f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
                )
            seconds[model.name][i] = time.perf_counter() - began
            if progress is not None:
                progress(
                    i * len(models) + j + 1, len(origins) * len(models), f"{model.name}, {series.day(origin)}"
                )
    actual = _judgeable(series, breaks, origins, horizon_days)
    errors = {name: Errors(origins, log_errors(actual, path)) for name, path in paths.items()}
    return Forecasts(origins, paths, errors, seconds, reasons)


def _judgeable(
    series: Series, breaks: Sequence[Break], origins: NDArray[np.int64], horizon_days: int
) -> NDArray[np.float64]:
    """Outcomes by which a model may be judged; NaN elsewhere."""
    actual = outcomes(series, origins, horizon_days)
    for i, origin in enumerate(origins.tolist()):
        actual[i, unforeseeable(series, breaks, origin, horizon_days)] = np.nan
    return actual


def unforeseeable(
    series: Series, breaks: Sequence[Break], origin: int, horizon_days: int
) -> NDArray[np.bool_]:
    """Days ahead of the origin in a break that nobody could forecast then; they judge no model.

    Such a break was not known of yet, or its name had never happened and no effect is stated. A forecast is made for
    the calendar as it stands: what the calendar later turned out to lack is the calendar's error.
    """
    today = series.day(origin)
    known = [b for b in breaks if b.known_from is None or b.known_from <= today]
    happened = {b.name for b in known if b.start < today}
    days = np.zeros(horizon_days, dtype=bool)
    for named in breaks:
        forecast = named in known and (named.effect_share is not None or named.name in happened)
        if not forecast and named.effect_share != 0:
            days[max((named.start - today).days, 0) : max((named.end - today).days + 1, 0)] = True
    return days


def judged(
    made: Forecasts,
    series: Series,
    breaks: Sequence[Break],
    origins: NDArray[np.int64],
    horizon_days: int = 28,
) -> Backtest:
    """The league of some of the origins (a part of `made.origins`) and the first days ahead."""
    at = np.flatnonzero(np.isin(made.origins, origins))
    actual = _judgeable(series, breaks, made.origins[at], horizon_days)
    scores, paths = [], {}
    for name, whole in made.paths.items():
        path = paths[name] = whole[at, :horizon_days]
        errors = Errors(made.origins, made.errors[name].log_errors[:, :horizon_days])
        inside = covered(errors)[:, at]
        seconds, reasons = made.seconds[name][at], [made.reasons[name][i] for i in at.tolist()]
        scores.append(_score(name, path, actual, inside, seconds, reasons))
    chosen = _chosen(scores)
    return Backtest(made.origins[at], tuple(scores), paths, ~np.isnan(actual), chosen)


def _chosen(scores: Sequence[Score]) -> str | None:
    """The first model of the list, unless another errs less by a twentieth: less than that is chance."""
    able = [
        (score.wape, score.model)
        for score in scores
        if score.failed == 0 and score.wape is not None and score.model != REPORTED.name
    ]
    if not able:
        return None
    wape, model = min(able, key=lambda pair: pair[0])
    first_wape, first = able[0]
    return model if wape < WORTH_CHANGING * first_wape else first


def outcomes(series: Series, origins: NDArray[np.int64], horizon_days: int) -> NDArray[np.float64]:
    """Tokens of each day ahead of each origin; NaN beyond the history and on missing days."""
    longer = np.concatenate([series.tokens, np.full(horizon_days, np.nan)])
    return longer[origins[:, None] + np.arange(horizon_days)]


def log_errors(actual: NDArray[np.float64], forecast: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(actual / forecast); 0 where both are 0, −inf where only the actual is, +inf where only the forecast is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((actual == 0) & (forecast == 0), 0.0, np.log(actual) - np.log(forecast))


def covered(errors: Errors) -> NDArray[np.float64]:
    """level × origin × day: 1 inside the interval, 0 outside, NaN where there is no interval or no outcome.

    The interval at each origin is made of errors known by then.
    """
    inside = np.full((len(LEVELS), *errors.log_errors.shape), np.nan)
    size = np.abs(errors.log_errors)
    for i, origin in enumerate(errors.origins.tolist()):
        for j, found in enumerate(bands(errors, origin)):
            factor = per_day(found, size.shape[1])
            known = ~np.isnan(factor) & ~np.isnan(size[i])
            inside[j, i, known] = size[i, known] <= np.log(factor[known])
    return inside


def wape_and_bias(
    actual: NDArray[np.float64], forecast: NDArray[np.float64]
) -> tuple[float | None, float | None, int]:
    """sum |forecast − actual| / sum actual, sum (forecast − actual) / sum actual, over days that have both."""
    both = ~np.isnan(actual) & ~np.isnan(forecast)
    total = float(actual[both].sum())
    if total <= 0:
        return None, None, int(both.sum())
    gap = forecast[both] - actual[both]
    return float(np.abs(gap).sum()) / total, float(gap.sum()) / total, int(both.sum())


def _score(
    name: str,
    path: NDArray[np.float64],
    actual: NDArray[np.float64],
    inside: NDArray[np.float64],
    seconds: NDArray[np.float64],
    reasons: list[str],
) -> Score:
    wape, bias, _ = wape_and_bias(actual, path)
    failed = [reason for reason in reasons if reason]
    coverage = tuple(_mean(inside[j]) for j in range(len(LEVELS)))
    why = f"{len(failed)} of {len(reasons)} forecasts failed, first: {failed[0]}" if failed else ""
    middle = float(np.median(seconds)) if len(seconds) else 0.0
    return Score(name, wape, bias, coverage, len(reasons), len(failed), middle, why)


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None

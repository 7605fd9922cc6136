"""One region from its days to its forecast: state, model, path, intervals, and what the trailing window hides."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.remembered import remembered
from core.stats.backtest import (
    Backtest,
    FitProgress,
    backtest,
    fits_by_knowledge,
    judged,
    rolling_origins,
)
from core.stats.calendar_fit import CalendarFits
from core.stats.calendar_terms import BRIDGE, HOLIDAY, SATURDAY_HOLIDAY, YEAR_END, Break, Place, calendar
from core.stats.challengers import CALENDAR, QUICK, REPORTED, TRAILING_FLAT, History, Model
from core.stats.conformal import KEPT_ORIGINS, WEEK, Band, Errors, bands, per_day
from core.stats.daily_series import Series, daily_series
from core.stats.demand_breaks import Proposal
from core.stats.forecast import CalendarForecast, forecast_at
from core.stats.forecast_totals import RegionPath
from core.stats.forecastable import Forecastable, forecastable

CHOICE_HORIZON_DAYS = 28
SLOW_EVERY_DAYS, SLOW_ORIGINS = 14, 22
"""Twenty-two origins two weeks apart leave twenty with an outcome four weeks on: one more than 95 % needs."""
WINDOW_DAYS = 28


class RegionForecast(NamedTuple):
    """What a page shows of one region. Arrays have one entry a day ahead, from `first` on."""

    place: Place
    series: Series
    state: Forecastable
    model: str
    """Whose path it is: the chosen model, or the trailing four weeks where the state does not hold."""
    first: dt.date
    expected: NDArray[np.float64]
    low: NDArray[np.float64]
    """level (80, 90, 95 %) × day; NaN where there is no interval, see `bands` for why."""
    high: NDArray[np.float64]
    bands: tuple[Band, ...]
    trailing: NDArray[np.float64]
    """What a four-week average says: the ghost line."""
    calendar: CalendarForecast | None
    """The calendar model's own answer, chosen or not: level, trend, terms it cannot know."""
    fits: CalendarFits
    """On the calendar as known today: what each term contributes."""
    league: Backtest
    path: RegionPath
    """For `forecast_totals`."""


class WindowShare(NamedTuple):
    """The trailing four weeks by what their days were."""

    days: int
    observed: int
    not_normal: tuple[tuple[dt.date, str], ...]
    """Day and why: a public holiday, a bridge, year-end, an accepted or proposed break, no traffic."""

    @property
    def share(self) -> float | None:
        """Share of the observed days that were not normal demand; None when none was observed."""
        return len(self.not_normal) / self.observed if self.observed else None


def forecast_region(
    days: pl.DataFrame,
    place: Place,
    breaks: Sequence[Break] = (),
    horizon_days: int = 28,
    slow: Sequence[Model] = (),
    progress: FitProgress | None = None,
) -> RegionForecast:
    """Forecast a region from (day: Date in its own zone, region, tokens).

    The model is chosen by WAPE over four weeks ahead, from weekly origins of the last year; its errors from the same
    origins make the intervals. With `slow` models all are judged from fewer origins, two weeks apart.
    Raises ValueError for a bad frame, an unknown country, or a horizon that is not whole weeks.
    """
    if slow or progress is not None:
        return _forecast(days, place, tuple(breaks), horizon_days, slow, progress)
    return _quick_forecast(days, place, tuple(breaks), horizon_days)


@remembered
def _quick_forecast(
    days: pl.DataFrame, place: Place, breaks: tuple[Break, ...], horizon_days: int
) -> RegionForecast:
    return _forecast(days, place, breaks, horizon_days, (), None)


def _forecast(
    days: pl.DataFrame,
    place: Place,
    breaks: tuple[Break, ...],
    horizon_days: int,
    slow: Sequence[Model],
    progress: FitProgress | None,
) -> RegionForecast:
    series = daily_series(days, place.region)
    known_on = fits_by_knowledge(series, place, breaks, horizon_days)
    # Thirteen weeks ahead need thirteen origins more for a year of outcomes.
    weekly = rolling_origins(series, WEEK, KEPT_ORIGINS + horizon_days // WEEK)
    told = None if slow else progress  # of two backtests the one that takes minutes is told of
    tested = backtest(series, known_on, QUICK, weekly, breaks, horizon_days, told)
    league = judged(tested, series, breaks, weekly[-KEPT_ORIGINS:], CHOICE_HORIZON_DAYS)
    if slow:
        # A short history has too few origins to skip every other one.
        every_days = SLOW_EVERY_DAYS if len(weekly) > SLOW_ORIGINS else WEEK
        sparse = rolling_origins(series, every_days, SLOW_ORIGINS)
        tested = backtest(series, known_on, (*QUICK, *slow), sparse, breaks, horizon_days, progress)
        league = judged(tested, series, breaks, sparse, CHOICE_HORIZON_DAYS)
    state = forecastable(series, league)
    models = {model.name: model for model in (*QUICK, *slow)}
    model = models.get(league.chosen or "", CALENDAR) if state.holds else TRAILING_FLAT
    now = len(series.tokens)
    history = History(series, known_on(series.day(now)), now, horizon_days)
    return _region(place, state, model, league, tested.errors[model.name], history)


def _region(
    place: Place, state: Forecastable, model: Model, league: Backtest, errors: Errors, history: History
) -> RegionForecast:
    series, now, days = history.series, history.origin, history.horizon_days
    expected = model.path(history)
    made = tuple(bands(errors, now))
    factors = np.array([per_day(found, days) for found in made])
    own = forecast_at(history.fits, series, now, days)
    origin_days = tuple(series.day(int(origin)) for origin in errors.origins)
    path = RegionPath(place.region, expected, errors, origin_days, now)
    return RegionForecast(
        place, series, state, model.name, series.day(now), expected, expected / factors, expected * factors, made,
        REPORTED.path(history), own, history.fits, league, path,
    )  # fmt: skip


def window_share(
    series: Series, place: Place, breaks: Sequence[Break] = (), proposals: Sequence[Proposal] = ()
) -> WindowShare:
    """How much of the last 28 days was not normal demand, each day counted once, by its first reason."""
    start = max(0, len(series.tokens) - WINDOW_DAYS)
    terms = calendar(place, series.first, series.last)
    special = [terms.columns.index(name) for name in (HOLIDAY, SATURDAY_HOLIDAY, BRIDGE, YEAR_END)]
    found = []
    for row in range(start, len(series.tokens)):
        day = series.day(row)
        if np.isnan(series.tokens[row]):
            continue
        reasons = [f'break "{b.name}"' for b in breaks if b.start <= day <= b.end and b.effect_share != 0]
        reasons += [terms.columns[column] for column in special if terms.matrix[row, column]]
        reasons += ["proposed break" for p in proposals if p.start <= day <= p.end]
        reasons += ["no traffic"] if series.tokens[row] == 0 else []
        if reasons:
            found.append((day, reasons[0]))
    observed = int(np.isfinite(series.tokens[start:]).sum())
    return WindowShare(len(series.tokens) - start, observed, tuple(found))

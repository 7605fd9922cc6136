"""Forecast of tokens a day: level × calendar, with the trend carried only as far as it has earned.

    log median of day t ahead = calendar effects of that day + level + share × slope × min(t, reach)

The calendar effects are least squares on all history. The level is the median residual of the last 28 days that
carry news of it, so one outage or one launch day does not move it. Tokens are exp of that, times Duan's
smearing factor. A log-linear trend is exponential growth and a season of nine months looks like
a trend; so (1) the share that is extrapolated (0, ½, 1) and whether the yearly waves are used are chosen by what
would have been best at the past weekly origins whose outcome was known, as damped trends are (Gardner & McKenzie
1985, Management Science 31:1237), and (2) it never runs further ahead than an eighth of the history.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.stats.calendar_fit import CalendarFits, Coefficients, Setting
from core.stats.calendar_terms import STATED, TREND, Calendar
from core.stats.daily_series import Series, closed_weekdays

SHARES = (0.0, 0.5, 1.0)
TREND_REACH = 8
"""The trend is extrapolated over at most history / 8: three and a half days after four weeks, 91 after two years."""
CHOICE_ORIGINS = 52
"""Weekly origins whose known errors choose the setting: a year, so that each season has its say."""
CHOICE_DAYS = 28
FOURIER_MINIMUM = 13
"""Origins before yearly waves compete: a quarter of a year of forecasts that used them."""
CHOICE_MINIMUM = 4
"""Origins with at least a week of known errors below which the plain setting is kept."""


class Unknown(NamedTuple):
    """A term that lies ahead and never happened in the history: nothing can be said about its effect."""

    term: str
    days: tuple[dt.date, ...]

    def reason(self) -> str:
        return (
            f"{self.term}: {len(self.days)} days ahead from {self.days[0]}, none in the history. "
            f"They are forecast as ordinary days; state an effect to change that."
        )


class CalendarForecast(NamedTuple):
    """Days ahead of the origin. Tokens of a day are typical (the median) and expected (the mean, what sums use)."""

    first: dt.date
    typical: NDArray[np.float64]
    expected: NDArray[np.float64]
    smearing: float
    setting: Setting
    why: str
    """How much of trend and yearly waves is carried forward, and why."""
    growth_28_days: float
    """Share by which the fitted trend changes tokens in 28 days, extrapolated or not."""
    level_from: dt.date
    level_days: int
    closed: frozenset[int]
    """Weekdays without traffic, forecast as 0."""
    unknown: tuple[Unknown, ...]


def calendar_forecast(series: Series, calendar: Calendar, horizon_days: int) -> CalendarForecast | None:
    """The forecast of the days after the series; None below four weeks of observed days.

    `calendar` starts with the series and reaches at least `horizon_days` beyond it.
    """
    return forecast_at(CalendarFits(calendar, series.logs()), series, len(series.tokens), horizon_days)


def forecast_at(
    fits: CalendarFits, series: Series, origin: int, horizon_days: int
) -> CalendarForecast | None:
    """The forecast as it would have been made before the day `origin` of the series, from nothing later."""
    made = _path_at(fits, series, origin, horizon_days)
    if made is None:
        return None
    setting, why, fitted, typical, closed = made
    smearing = fits.smearing(fitted)
    rows = fits.level_rows(origin)
    return CalendarForecast(
        series.day(origin),
        typical,
        typical * smearing,
        smearing,
        setting,
        why,
        float(np.expm1(28 * fits.slope(fitted))),
        series.day(int(rows[0])),
        len(rows),
        closed,
        unknown_terms(fits, origin, horizon_days, setting, closed),
    )


def expected_at(
    fits: CalendarFits, series: Series, origin: int, horizon_days: int
) -> NDArray[np.float64] | None:
    """Only the expected tokens of `forecast_at`: what a backtest asks for a hundred times."""
    made = _path_at(fits, series, origin, horizon_days)
    return None if made is None else made[3] * fits.smearing(made[2])


def _path_at(
    fits: CalendarFits, series: Series, origin: int, horizon_days: int
) -> tuple[Setting, str, Coefficients, NDArray[np.float64], frozenset[int]] | None:
    setting, why = choose(fits, origin)
    fitted = fits.at(origin, setting.fourier)
    if fitted is None:
        return None
    path = log_path(fits, fitted, setting.trend_share, horizon_days)
    closed = closed_weekdays(series.until(origin))
    ahead = [series.day(origin + step) for step in range(horizon_days)]
    typical = np.where([day.weekday() in closed for day in ahead], 0.0, np.exp(path))
    return setting, why, fitted, typical, closed


def log_path(
    fits: CalendarFits, fitted: Coefficients, share: float, horizon_days: int
) -> NDArray[np.float64]:
    """Log medians of the days from the fit's origin on."""
    return _log_paths(fits, fitted, (share,), horizon_days)[0]


def _log_paths(
    fits: CalendarFits, fitted: Coefficients, shares: Sequence[float], horizon_days: int
) -> NDArray[np.float64]:
    """One row a share of the trend."""
    origin = fitted.origin
    slopes = np.array(shares)[:, None] * fits.slope(fitted)
    rows = fits.level_rows(origin)
    residuals = fits.logs[rows] - fits.without_trend(fitted, rows) - slopes * (rows - origin)
    ahead = np.arange(origin, min(origin + horizon_days, len(fits.calendar.matrix)))
    reach = np.minimum(ahead - origin, origin / TREND_REACH)
    level = np.median(residuals, axis=1)[:, None]
    return fits.without_trend(fitted, ahead, future=True) + level + slopes * reach


def choose(fits: CalendarFits, origin: int) -> tuple[Setting, str]:
    """The setting with the smallest mean |log error| over past origins, on days observed before `origin`.

    Yearly waves compete only over origins at which they could be fitted. With too few origins nothing is
    extrapolated. A richer setting must be better by 1 %: ties go to the plain one.
    """
    plain = Setting(False, 0.0)
    kinds = (False, True) if fits.fourier_possible(origin - 7 * FOURIER_MINIMUM) else (False,)
    past = [
        start
        for start in range(origin - 7, max(origin - 7 * CHOICE_ORIGINS - 1, 0), -7)
        if fits.at(start, kinds[-1]) is not None and (kinds[-1] is False or fits.fourier_possible(start))
    ]
    if len(past) < CHOICE_MINIMUM:
        return plain, (
            f"trend and yearly waves are not extrapolated: only {len(past)} past weekly forecasts can be checked, "
            f"{CHOICE_MINIMUM} are needed"
        )
    errors = {
        Setting(fourier, share): error
        for fourier in kinds
        for share, error in zip(SHARES, _past_errors(fits, past, origin, fourier), strict=True)
    }
    best = plain
    for setting, error in errors.items():
        if error < 0.99 * errors[best]:
            best = setting
    return best, _why(best, errors, len(past))


def _past_errors(fits: CalendarFits, past: list[int], origin: int, fourier: bool) -> NDArray[np.float64]:
    """Mean |log error| by share, of the first four weeks after each past origin, as far as they were known."""
    kept = np.array([_errors_from(fits, start, fourier) for start in past])
    target = np.array(past)[:, None] + np.arange(CHOICE_DAYS)
    errors = np.where(target[:, None, :] < origin, kept, np.nan)
    counts = (~np.isnan(errors)).sum(axis=(0, 2))
    sums = np.nansum(errors, axis=(0, 2))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)


def _errors_from(fits: CalendarFits, start: int, fourier: bool) -> NDArray[np.float64]:
    """|log error| of the four weeks after `start`, share × day; NaN where unseen or in a break never seen before."""
    if (start, fourier) not in fits.kept_errors:
        errors = np.full((len(SHARES), CHOICE_DAYS), np.nan)
        fitted = fits.at(start, fourier)
        stop = min(start + CHOICE_DAYS, len(fits.logs))
        if fitted is not None:
            found = np.abs(fits.logs[start:stop] - _log_paths(fits, fitted, SHARES, stop - start))
            errors[:, : stop - start] = np.where(fits.unforeseen(start, stop), np.nan, found)
        fits.kept_errors[start, fourier] = errors
    return fits.kept_errors[start, fourier]


def _why(best: Setting, errors: dict[Setting, float], n: int) -> str:
    carried = {0.0: "none of the trend", 0.5: "half the trend", 1.0: "the whole trend"}[best.trend_share]
    waves = " and yearly waves" if best.fourier else ""
    kept = (
        " (yearly waves were tried and not kept)"
        if not best.fourier and any(s.fourier for s in errors)
        else ""
    )
    return (
        f"{carried}{waves} carried forward{kept}: mean error factor {np.exp(errors[best]):.3f} over {n} past weekly "
        f"forecasts, {np.exp(errors[Setting(best.fourier, 0.0)]):.3f} without trend, "
        f"{np.exp(errors[Setting(best.fourier, 1.0)]):.3f} with all of it"
    )


def unknown_terms(
    fits: CalendarFits, origin: int, horizon_days: int, setting: Setting, closed: frozenset[int]
) -> tuple[Unknown, ...]:
    """Terms with days ahead and no observed day behind."""
    fitted = fits.at(origin, setting.fourier)
    if fitted is None:
        return ()
    found = []
    for column, kind in enumerate(fits.calendar.kinds):
        if fitted.used[column] or fits.is_fourier[column] or kind == TREND or kind.startswith(STATED):
            continue
        ahead = np.flatnonzero(fits.calendar.matrix[origin : origin + horizon_days, column]) + origin
        days = tuple(day for day in map(fits.calendar.day, ahead.tolist()) if day.weekday() not in closed)
        if days:
            found.append(Unknown(fits.calendar.columns[column], days))
    return tuple(found)

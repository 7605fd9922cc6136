"""The models a calendar forecast must beat: what dashboards show, and what a forecaster would reach for.

Each takes a `History` and gives the tokens expected on each day ahead; each raises ValueError where it
cannot. statsmodels is imported inside the functions because it costs seconds. All but the trailing means work on
log tokens, with missing and zero days filled by the same weekday nearest before (SARIMAX skips them by itself), and
on the last three years at most, which bounds their fit times.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.stats.calendar_fit import CalendarFits
from core.stats.calendar_terms import BREAK, BRIDGE, HOLIDAY, SATURDAY_HOLIDAY, STATED, YEAR_END
from core.stats.daily_series import Series
from core.stats.forecast import expected_at

WEEK = 7
TRAILING_DAYS = 28
LONGEST_DAYS = 3 * 365
PROPHET = "prophet==1.5.0"


class History(NamedTuple):
    """What a forecaster has on the morning of row `origin`: the days before it, and the calendar of those ahead."""

    series: Series
    """The days before the origin only."""
    fits: CalendarFits
    """Fits on the calendar as known at the origin; ask them for this origin or earlier ones."""
    origin: int
    horizon_days: int


class Model(NamedTuple):
    """A name for tables and the function that forecasts."""

    name: str
    path: Callable[[History], NDArray[np.float64]]


def calendar_model(history: History) -> NDArray[np.float64]:
    """Level × calendar: `core.stats.forecast`."""
    expected = expected_at(history.fits, history.series, history.origin, history.horizon_days)
    if expected is None:
        raise ValueError(f"{np.isfinite(history.series.logs()).sum()} days with tokens, 28 are needed")
    return expected


def seasonal_naive(history: History) -> NDArray[np.float64]:
    """Each weekday as it last was."""
    week = _by_weekday(history, lambda own: own[-1])
    return np.resize(week, history.horizon_days)


def as_reported(history: History) -> NDArray[np.float64]:
    """The mean of the observed days of the last 28, whatever they were: what a four-week average says."""
    window = history.series.tokens[-TRAILING_DAYS:]
    if np.isnan(window).all():
        raise ValueError("the last 28 days are all missing")
    return np.full(history.horizon_days, np.nanmean(window))


def trailing_flat(history: History) -> NDArray[np.float64]:
    """The mean of the last 28 observed days outside known breaks."""
    tokens = normal_tokens(history)
    window = tokens[np.isfinite(tokens)][-TRAILING_DAYS:]
    if len(window) == 0:
        raise ValueError("no day outside breaks was observed")
    return np.full(history.horizon_days, window.mean())


def normal_tokens(history: History) -> NDArray[np.float64]:
    """Tokens of the days before the origin, NaN in breaks that were known at it and said to matter.

    Models without regressors get these: what the user said of the past is told to every model alike.
    """
    tokens = history.series.tokens.copy()
    for named in history.fits.calendar.breaks:
        if named.effect_share != 0:
            start = (named.start - history.series.first).days
            tokens[max(start, 0) : max((named.end - history.series.first).days + 1, 0)] = np.nan
    return tokens


def trailing_by_weekday(history: History) -> NDArray[np.float64]:
    """The mean of the last four observed days of each weekday, outside known breaks."""
    return np.resize(_by_weekday(history, lambda own: own[-4:].mean()), history.horizon_days)


def _by_weekday(history: History, summary: Callable[[NDArray[np.float64]], float]) -> NDArray[np.float64]:
    """One number for each of the seven days from the origin on."""
    tokens = normal_tokens(history)
    week = np.empty(WEEK)
    for ahead in range(WEEK):
        own = tokens[(history.origin + ahead) % WEEK :: WEEK]
        own = own[np.isfinite(own)]
        if len(own) == 0:
            raise ValueError("a weekday was never seen")
        week[ahead] = summary(own)
    return week


def ets(history: History) -> NDArray[np.float64]:
    """Exponential smoothing ETS(A,Ad,A) of log tokens (Hyndman, Koehler, Ord & Snyder 2008), week = 7."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    logs = _filled(history)
    model = ETSModel(logs, error="add", trend="add", damped_trend=True, seasonal="add", seasonal_periods=WEEK)
    with _quiet():
        fitted = model.fit(disp=False, maxiter=200)
        return _tokens(fitted.forecast(history.horizon_days))


def stl_ets(history: History) -> NDArray[np.float64]:
    """STL (Cleveland et al. 1990), from two years on MSTL (Bandara et al. 2021) with week and year; then ETS(A,Ad,N).

    Seasons repeat as they last were.
    """
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel
    from statsmodels.tsa.seasonal import MSTL, STL

    logs = _filled(history)
    periods = (WEEK, 365) if len(logs) > 2 * 365 else (WEEK,)
    with _quiet():
        if len(periods) == 1:
            seasons = [STL(logs, period=WEEK, robust=True).fit().seasonal]
        else:
            seasons = list(MSTL(logs, periods=periods).fit().seasonal.T)
        level = ETSModel(logs - sum(seasons), error="add", trend="add", damped_trend=True)
        path = level.fit(disp=False, maxiter=200).forecast(history.horizon_days)
    for period, season in zip(periods, seasons, strict=True):
        path = path + np.resize(season[-period:], history.horizon_days)
    return _tokens(path)


def sarimax(history: History) -> NDArray[np.float64]:
    """Regression on the same calendar columns with ARMA(1,1) errors, by the Kalman filter (Harvey 1989)."""
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    fits, origin = history.fits, history.origin
    start = max(0, origin - LONGEST_DAYS)
    logs = history.series.logs()[start:]
    if int(np.isfinite(logs).sum()) < 2 * TRAILING_DAYS:
        raise ValueError(
            f"{np.isfinite(logs).sum()} days with tokens, 56 are needed for regressors and ARMA errors"
        )
    columns = _independent(fits, start, origin)
    regressors = fits.calendar.matrix[start : origin + history.horizon_days, columns]
    regressors = np.column_stack([np.ones(len(regressors)), regressors])
    now = origin - start
    with _quiet():
        # Coefficients as states: only three parameters are searched for, where a search over all takes minutes.
        model = SARIMAX(logs, exog=regressors[:now], order=(1, 0, 1), mle_regression=False)
        fitted = model.fit(disp=False, maxiter=50, method="lbfgs")
        return _tokens(fitted.forecast(history.horizon_days, exog=regressors[now:]))


def _independent(fits: CalendarFits, start: int, origin: int) -> list[int]:
    """Columns that the fit may use here: seen, and not a combination of those before them."""
    fitted = fits.at(origin, fits.fourier_possible(origin))
    if fitted is None:
        raise ValueError("fewer than 28 days with tokens")
    kept: list[int] = []
    rows = fits.calendar.matrix[start:origin][fits.seen[start:origin]]
    basis = np.ones((len(rows), 1))
    for column in np.flatnonzero(fitted.used).tolist():
        wider = np.column_stack([basis, rows[:, column]])
        if np.linalg.matrix_rank(wider) == wider.shape[1]:
            basis = wider
            kept.append(column)
    return kept


def prophet(history: History) -> NDArray[np.float64]:
    """Prophet (Taylor & Letham 2018, Am. Stat. 72:37) on log tokens with the same holidays and breaks; optional."""
    try:
        from prophet import Prophet
    except ImportError as error:
        raise ValueError(f"not installed: an optional extra, pip install {PROPHET}") from error
    import logging

    import pandas as pd

    for name in ("prophet", "cmdstanpy"):
        logger = logging.getLogger(name)
        if not logger.hasHandlers():  # cmdstanpy gives itself one, and a level, at its first fit
            logger.addHandler(logging.NullHandler())
        logger.setLevel(logging.ERROR)
    calendar = history.fits.calendar
    days = pd.to_datetime([calendar.day(row) for row in range(history.origin + history.horizon_days)])
    marked = [
        pd.DataFrame({"holiday": name, "ds": days[calendar.matrix[: len(days), column] != 0]})
        for column, name in enumerate(calendar.columns)
        if name in (HOLIDAY, SATURDAY_HOLIDAY, BRIDGE, YEAR_END) or name.startswith((BREAK, STATED))
    ]
    seen = pd.DataFrame({"ds": days[: history.origin], "y": history.series.logs()}).dropna()
    model = Prophet(
        holidays=pd.concat(marked) if any(len(m) for m in marked) else None, uncertainty_samples=0
    )
    with _quiet():
        model.fit(seen.tail(LONGEST_DAYS))
        made = model.predict(pd.DataFrame({"ds": days[history.origin :]}))
    return _tokens(made["yhat"].to_numpy())


def _filled(history: History) -> NDArray[np.float64]:
    """Logs without gaps: the same weekday before, else after."""
    logs = Series(history.series.first, normal_tokens(history)).logs()[-LONGEST_DAYS:]
    if int(np.isfinite(logs).sum()) < TRAILING_DAYS:
        raise ValueError(f"{np.isfinite(logs).sum()} days with tokens, 28 are needed")
    for start in range(WEEK):
        own = logs[start::WEEK]
        seen = np.flatnonzero(np.isfinite(own))
        if len(seen) == 0:
            raise ValueError("a weekday was never seen with tokens")
        nearest = np.searchsorted(seen, np.arange(len(own)), side="right") - 1
        logs[start::WEEK] = own[seen[np.maximum(nearest, 0)]]
    return logs


def _tokens(path: object) -> NDArray[np.float64]:
    tokens = np.exp(np.asarray(path, dtype=float))
    if not np.isfinite(tokens).all():
        raise ValueError("the fit gave numbers that are not finite")
    return tokens


def _quiet() -> warnings.catch_warnings:
    """Convergence warnings are judged by the backtest's error, not by a text on standard error."""
    return warnings.catch_warnings(action="ignore")


CALENDAR = Model("calendar", calendar_model)
SEASONAL_NAIVE = Model("seasonal naive", seasonal_naive)
REPORTED = Model("trailing 4 weeks as reported", as_reported)
"""In every table, never chosen: it is what the forecast is compared with."""
TRAILING_FLAT = Model("trailing 4 weeks", trailing_flat)
TRAILING_BY_WEEKDAY = Model("trailing 4 weeks by weekday", trailing_by_weekday)
QUICK = (CALENDAR, SEASONAL_NAIVE, TRAILING_FLAT, TRAILING_BY_WEEKDAY, REPORTED)
"""Milliseconds each."""
SLOW = (Model("ETS", ets), Model("STL + ETS", stl_ets), Model("SARIMAX", sarimax), Model("Prophet", prophet))
"""Up to seconds each. In both lists the order breaks ties."""

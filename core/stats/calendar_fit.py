"""Least squares of log tokens on the calendar, at any past day, from sums that are built once.

The normal equations of the days before an origin are sums over those days (Gentleman 1974, Applied Statistics 23:448),
so a backtest of hundreds of origins costs one pass over the history. Columns are scaled to unit length
and solved by singular values with a cut-off: what the history cannot tell apart shares the effect
evenly, what it never saw gets none and is named by `forecast`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.stats.calendar_terms import BREAK, FOURIER, STATED, TREND, YEAR_DAYS, Calendar

LEVEL_DAYS = 28
MINIMUM_DAYS = 28
"""Observed days below which nothing is fitted: four weeks."""
FOURIER_DAYS = 365
"""Days of history from which yearly waves may enter: before, one cannot tell them from trend and level."""
SMEAR_DAYS = 365
ALIASED = 1e-9
"""Singular values below this share of the largest are collinearity."""


class Setting(NamedTuple):
    """What of the fit is carried forward."""

    fourier: bool
    trend_share: float
    """How much of the fitted trend is extrapolated: 0, a half or all of it."""


class Coefficients(NamedTuple):
    """One fit on the days before `origin`. `effects` is in log units, 0 for columns without an estimate."""

    origin: int
    intercept: float
    effects: NDArray[np.float64]
    used: NDArray[np.bool_]


class CalendarFits:
    """All least-squares fits of one series on one calendar, made when first asked for and kept."""

    def __init__(self, calendar: Calendar, logs: NDArray[np.float64]) -> None:
        """`logs`: one a day from the calendar's first day, NaN where missing or zero; shorter than the calendar."""
        self.calendar = calendar
        self.logs = logs
        self.seen = np.isfinite(logs)
        self.is_fourier = np.array([kind == FOURIER for kind in calendar.kinds])
        self.trend = calendar.kinds.index(TREND)
        self._design = np.column_stack([np.ones(len(logs)), calendar.matrix[: len(logs)]])
        self._sums = _weekly_sums(self._design, logs, self.seen)
        self._kept: dict[tuple[int, bool], Coefficients | None] = {}
        self._levels: dict[int, NDArray[np.int64]] = {}
        self.kept_errors: dict[tuple[int, bool], NDArray[np.float64]] = {}
        """For `core.stats.forecast.choose`: errors from a past day, which every later origin asks for again."""
        self._one_off = [i for i, kind in enumerate(calendar.kinds) if kind.startswith((BREAK, STATED))]

    def fourier_possible(self, origin: int) -> bool:
        return int(self.seen[:origin].sum()) >= FOURIER_DAYS

    def at(self, origin: int, fourier: bool) -> Coefficients | None:
        """The fit on the days before `origin`; None below four weeks of observed days."""
        if (origin, fourier) not in self._kept:
            self._kept[origin, fourier] = self._solve(origin, fourier)
        return self._kept[origin, fourier]

    def _solve(self, origin: int, fourier: bool) -> Coefficients | None:
        if int(self.seen[:origin].sum()) < MINIMUM_DAYS:
            return None
        squares, products = self._normal_equations(origin)
        used = np.diag(squares) > 0
        if not fourier:
            used[1:][self.is_fourier] = False
        scale = np.sqrt(np.diag(squares)[used])
        scaled = squares[np.ix_(used, used)] / np.outer(scale, scale)
        solved = np.linalg.lstsq(scaled, products[used] / scale, rcond=ALIASED)[0] / scale
        everything = np.zeros(len(used))
        everything[used] = solved
        return Coefficients(origin, float(everything[0]), everything[1:], used[1:])

    def _normal_equations(self, origin: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        week = origin // 7
        squares, products = self._sums[0][week].copy(), self._sums[1][week].copy()
        rest = self._design[week * 7 : origin][self.seen[week * 7 : origin]]
        squares += rest.T @ rest
        products += rest.T @ self.logs[week * 7 : origin][self.seen[week * 7 : origin]]
        return squares, products

    def level_rows(self, origin: int) -> NDArray[np.int64]:
        """The last 28 observed days before the origin that say something about the level.

        Days of a break that happened once so far carry nothing: its effect is whatever they differ by. Days of
        a break with a stated effect are left out too, lest a wrong statement moves the level.
        """
        if origin not in self._levels:
            self._levels[origin] = self._level_rows(origin)
        return self._levels[origin]

    def _level_rows(self, origin: int) -> NDArray[np.int64]:
        informative = self.seen[:origin].copy()
        for column in self._one_off:
            active = self.calendar.matrix[:origin, column] != 0
            starts = int((active & ~np.concatenate([[False], active[:-1]])).sum())
            if starts == 1 or self.calendar.kinds[column].startswith(STATED):
                informative &= ~active
        if not informative.any():
            # Every day so far lies in breaks: their days are all there is to know of the level.
            informative = self.seen[:origin]
        return np.flatnonzero(informative)[-LEVEL_DAYS:]

    def unforeseen(self, origin: int, stop: int) -> NDArray[np.bool_]:
        """Rows `origin` to `stop` in a break that had not happened before: no fit could know its effect."""
        rows = np.zeros(max(stop - origin, 0), dtype=bool)
        for column in self._one_off:
            values = self.calendar.matrix[:, column]
            if not self.calendar.kinds[column].startswith(STATED) and not (
                values[:origin][self.seen[:origin]].any()
            ):
                rows |= values[origin:stop] != 0
        return rows

    def slope(self, fitted: Coefficients) -> float:
        """Log change a day."""
        return float(fitted.effects[self.trend]) / YEAR_DAYS

    def without_trend(
        self, fitted: Coefficients, rows: NDArray[np.int64], future: bool = False
    ) -> NDArray[np.float64]:
        """Log of what the calendar says about the rows, at the fitted intercept and without trend.

        For days ahead a stated break counts as stated (coefficient 1), for past days as observed.
        """
        effects = fitted.effects.copy()
        effects[self.trend] = 0.0
        if future:
            effects[[kind.startswith(STATED) for kind in self.calendar.kinds]] = 1.0
        return fitted.intercept + self.calendar.matrix[rows] @ effects

    def smearing(self, fitted: Coefficients) -> float:
        """Duan's smearing factor (1983, JASA 78:605): mean of exp(residual), from median to mean tokens.

        Residuals of the last year, each around the median of the 28 days it ends: the fitted line may be far
        from the level of the day, and that distance is not noise.
        """
        rows = np.flatnonzero(self.seen[: fitted.origin])[-SMEAR_DAYS:]
        residuals = self.logs[rows] - self.without_trend(fitted, rows) - self.slope(fitted) * rows
        windows = np.lib.stride_tricks.sliding_window_view(residuals, LEVEL_DAYS)
        return float(np.mean(np.exp(residuals[LEVEL_DAYS - 1 :] - np.median(windows, axis=1))))


def _weekly_sums(
    design: NDArray[np.float64], logs: NDArray[np.float64], seen: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """X'X and X'y of the days before day 0, 7, 14, ...: missing days count as rows of zeros."""
    weeks = len(logs) // 7
    width = design.shape[1]
    clean = np.where(seen[:, None], design, 0.0)[: weeks * 7].reshape(weeks, 7, width)
    response = np.where(seen, logs, 0.0)[: weeks * 7].reshape(weeks, 7)
    squares = np.zeros((weeks + 1, width, width))
    products = np.zeros((weeks + 1, width))
    np.cumsum(np.einsum("wdi,wdj->wij", clean, clean), axis=0, out=squares[1:])
    np.cumsum(np.einsum("wdi,wd->wi", clean, response), axis=0, out=products[1:])
    return squares, products

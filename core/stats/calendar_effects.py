"""What each term of the calendar does to a day's tokens, with an interval that allows for days that resemble each other.

The standard errors are Newey & West's (1987, Econometrica 55:703): residuals of neighbouring days are alike, and plain
least squares would call a trough of three weeks twenty-one independent witnesses.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.stats.calendar_fit import CalendarFits
from core.stats.calendar_terms import FOURIER, STATED, TREND, YEAR_DAYS
from core.stats.proportions import Z_95

LAG_DAYS = 14
"""Two weeks of resemblance: longer ones are in the level."""
TREND_DAYS = 28


class TermEffect(NamedTuple):
    """A term's effect on a day, as a share of the day without it; of the trend, on a day four weeks later."""

    term: str
    effect_share: float
    low: float
    high: float
    days_seen: int
    days_ahead: int


def term_effects(fits: CalendarFits, origin: int, fourier: bool, horizon_days: int) -> tuple[TermEffect, ...]:
    """Every term with days behind it, except yearly waves, which are many columns and one wave."""
    fitted = fits.at(origin, fourier)
    if fitted is None:
        return ()
    seen = np.flatnonzero(fits.seen[:origin])
    columns = np.flatnonzero(fitted.used)
    design = np.column_stack([np.ones(len(seen)), fits.calendar.matrix[seen][:, columns]])
    residuals = fits.logs[seen] - fitted.intercept - fits.calendar.matrix[seen] @ fitted.effects
    errors = np.sqrt(np.maximum(np.diag(newey_west(design, residuals)), 0.0))[1:]
    found = []
    for column, error in zip(columns.tolist(), errors.tolist(), strict=True):
        kind = fits.calendar.kinds[column]
        if kind == FOURIER or kind.startswith(STATED):
            continue
        scale = TREND_DAYS / YEAR_DAYS if kind == TREND else 1.0
        effect, half = fitted.effects[column] * scale, Z_95 * error * scale
        values = fits.calendar.matrix[:, column] != 0
        found.append(
            TermEffect(
                "trend over four weeks" if kind == TREND else fits.calendar.columns[column],
                float(np.expm1(effect)),
                float(np.expm1(effect - half)),
                float(np.expm1(effect + half)),
                int(values[seen].sum()),
                int(values[origin : origin + horizon_days].sum()),
            )
        )
    return tuple(found)


def newey_west(design: NDArray[np.float64], residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariance of least-squares coefficients, Bartlett weights up to two weeks, with n / (n − k)."""
    n, k = design.shape
    scores = design * residuals[:, None]
    middle = scores.T @ scores
    for lag in range(1, min(LAG_DAYS, n - 1) + 1):
        product = scores[lag:].T @ scores[:-lag]
        middle += (1 - lag / (LAG_DAYS + 1)) * (product + product.T)
    bread = np.linalg.pinv(design.T @ design, rcond=1e-10)
    return np.asarray(bread @ middle @ bread * (n / max(n - k, 1)))

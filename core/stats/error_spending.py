"""Looking again and again: how far a statistic must go at each look so that all looks together err rarely.

Error spending (Lan & DeMets 1983, Biometrika 70:659): alpha is spent look by look, and the boundary of each look is
the one that lets through, of series without effect, what that look may spend. Estimates from growing data have
independent increments on the scale of information (Jennison & Turnbull 2000, chapter 11), so the boundary follows by
integrating one look after the other (Armitage, McPherson & Rowe 1969, JRSS A 132:235).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

PLANNED_LOOKS = 26
"""Half a year of weekly checkpoints."""
ALPHA = 0.05
_POINTS = 401
_REACH = 8.0
"""Standard deviations below 0 at which the integration begins: what lies beyond weighs 6e-16."""


def evenly(looks: int, planned: int = PLANNED_LOOKS, alpha: float = ALPHA) -> list[float]:
    """Alpha spent by each look, in equal parts over the planned looks; after the last planned one nothing is left.

    >>> evenly(3, planned=4, alpha=0.04)
    [0.01, 0.02, 0.03]
    """
    return [alpha * min(look, planned) / planned for look in range(1, looks + 1)]


def boundaries(information: Sequence[float], spent: Sequence[float]) -> list[float]:
    """Upper boundaries of z at each look, one-sided; infinite where a look spends nothing.

    `information`: 1 / variance of the estimate at each look, rising; `spent`: alpha spent up to each look.
    Information that does not rise brings nothing new: that look gets the boundary infinity.
    """
    if len(information) != len(spent):
        raise ValueError(f"{len(information)} looks but {len(spent)} amounts of alpha")
    found: list[float] = []
    starts, weights = np.zeros(1), np.array([1.0])
    carry: tuple[float, float, float] | None = None
    before, before_spent = 0.0, 0.0
    for now, through in zip(information, spent, strict=True):
        pay, step = through - before_spent, now - before
        if pay <= 0 or step <= 0:
            found.append(math.inf)
            continue
        if carry is not None:  # only now: after the last look nobody asks for it
            starts, weights = _carried(starts, weights, *carry)
        limit = _limit(starts, weights, math.sqrt(step), pay, math.sqrt(now))
        found.append(limit / math.sqrt(now))
        carry = math.sqrt(step), limit, math.sqrt(now)
        before, before_spent = now, through
    return found


def _limit(
    starts: NDArray[np.float64], weights: NDArray[np.float64], spread: float, pay: float, scale: float
) -> float:
    """The score at which the chance of crossing now, without having crossed before, is what may be spent."""
    from scipy.optimize import brentq
    from scipy.special import ndtr

    def excess(limit: float) -> float:
        return float((weights * ndtr((starts - limit) / spread)).sum()) - pay

    return float(brentq(excess, -_REACH * scale, 12 * scale, xtol=1e-10 * scale))


def _carried(
    starts: NDArray[np.float64], weights: NDArray[np.float64], spread: float, limit: float, scale: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Grid and weights of the score after this look, of the series that have not crossed (Simpson's rule)."""
    grid = np.linspace(-_REACH * scale, limit, _POINTS)
    simpson = np.ones(_POINTS)
    simpson[1:-1:2], simpson[2:-1:2] = 4.0, 2.0
    simpson *= (grid[1] - grid[0]) / 3
    apart = (grid[:, None] - starts[None, :]) / spread
    np.multiply(apart, apart, out=apart)
    np.multiply(apart, -0.5, out=apart)
    density = (np.exp(apart, out=apart) @ weights) / (spread * math.sqrt(2 * math.pi))
    return grid, density * simpson

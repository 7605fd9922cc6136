"""Watching bounded differences for ever: betting e-processes, e-BH over many of them, and when a shift began.

A gambler who stakes a share l of what she has on each difference x in [-1, 1] has prod(1 + l x). If the mean of x
given the past is 0, no l makes money on average, nor does any average over l: a nonnegative martingale that starts
at 1, so the chance that it ever reaches 1 / alpha is at most alpha (Ville 1939; Waudby-Smith & Ramdas 2024, JRSS B
86:1). Averaging over a grid of l needs no guess of the size of the shift and loses at most the logarithm of the
grid's size; with both signs in the grid the test is two-sided. A stake that has waited through a quiet quarter has
lost most of its wealth, so a part of the money starts afresh every seven periods: the k-th start holds 1 / (k (k+1))
of it, and what has not started lies still. An average of martingales is one, whatever the weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.05
SEED = 20_261_125
START_EVERY = 7
"""Periods between two starts: a week of days, so that a start late in a quarter still holds about a percent."""
STAKES = tuple(sign * size for size in (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9) for sign in (-1.0, 1.0))
"""Shares of the wealth that are staked: below 1, so that one difference cannot ruin; both signs."""


class Watch(NamedTuple):
    """Evidence after each period, and when it reached the alarm."""

    log_e: list[float]
    """Natural logarithm of the e-process after each period."""
    alarm: int | None
    """Index of the first period at which it reached 1 / alpha; None = no alarm."""
    alpha: float


class Began(NamedTuple):
    """The period in which a shift began, by index, and a bootstrap interval. core.stats.change_point counts otherwise."""

    at: int
    """The first period that is shifted."""
    low: int
    high: int
    level: float
    draws: int
    seed: int


def watch(periods: Sequence[Sequence[float]], alpha: float = ALPHA) -> Watch:
    """The two-sided e-process over periods (days), each holding any number of differences in [-1, 1].

    Under the null every difference has mean 0 given those before it. Raises ValueError for a value outside.
    """
    log_e, alarm = [], None
    wealth = np.empty((0, len(STAKES)))
    for index, differences in enumerate(periods):
        if index % START_EVERY == 0:
            wealth = np.vstack([wealth, np.zeros(len(STAKES))])
        wealth = wealth + _growth(differences)
        log_e.append(_log_of_all(wealth))
        if alarm is None and log_e[-1] >= math.log(1 / alpha):
            alarm = index
    return Watch(log_e, alarm, alpha)


def _log_of_all(wealth: NDArray[np.float64]) -> float:
    """Log of all the money: each start's share of it grown, and what has not started."""
    starts = np.arange(1, len(wealth) + 1)
    shares = np.append(-np.log(starts * (starts + 1.0)), -math.log(len(wealth) + 1.0))
    grown = np.append(_log_mean_exp(wealth), 0.0) + shares
    top = float(grown.max())
    return top + math.log(float(np.exp(grown - top).sum()))


def _growth(differences: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Log growth of each stake over one period's differences."""
    x = np.asarray(differences, dtype=float)
    if x.size and (not np.isfinite(x).all() or np.abs(x).max() > 1):
        raise ValueError("betting needs differences between -1 and 1")
    growth: NDArray[np.float64] = np.log1p(np.outer(STAKES, x)).sum(axis=1)
    return growth


def _log_mean_exp(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Along the last axis, the stakes."""
    top = logs.max(axis=-1, keepdims=True)
    return np.asarray(top[..., 0] + np.log(np.exp(logs - top).mean(axis=-1)))


def e_benjamini_hochberg(log_e: Sequence[float], q: float = ALPHA) -> list[bool]:
    """Which of many e-values to reject so that on average at most a share q of the rejected is false.

    Valid under any dependence between them (Wang & Ramdas 2022, JRSS B 84:822): reject the k largest, k being
    the largest number with e_(k) >= m / (k q).

    >>> import math
    >>> e_benjamini_hochberg([math.log(100), math.log(25), math.log(3)])
    [True, False, False]
    """
    m = len(log_e)
    order = sorted(range(m), key=lambda at: -log_e[at])
    cut = 0
    for rank, at in enumerate(order, 1):
        if log_e[at] >= math.log(m / (rank * q)) - 1e-12:
            cut = rank
    chosen = set(order[:cut])
    return [at in chosen for at in range(m)]


def began(
    periods: Sequence[Sequence[float]], level: float = 0.95, draws: int = 400, seed: int = SEED
) -> Began | None:
    """When the shift began: the restart whose e-value up to the last period is largest.

    The interval is the percentile bootstrap over draws of each period's differences; it is conditional on there
    being one lasting shift, which is what an alarm has said. None without any difference.
    """
    growth = np.array([_growth(period) for period in periods]).reshape(len(periods), len(STAKES))
    if not any(len(period) for period in periods):
        return None
    random = np.random.default_rng(seed)
    drawn = np.stack([_drawn(np.asarray(period, dtype=float), draws, random) for period in periods], axis=1)
    found = _restart(drawn)
    tail = (1 - level) / 2
    low, high = np.quantile(found, [tail, 1 - tail], method="inverted_cdf")
    at = int(_restart(growth))
    return Began(at, min(int(low), at), max(int(high), at), level, draws, seed)


def _drawn(period: NDArray[np.float64], draws: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Growth of each stake (draws x stakes) over resamples of one period's differences."""
    if not len(period):
        return np.zeros((draws, len(STAKES)))
    each = np.log1p(np.outer(period, STAKES))
    counts = random.multinomial(len(period), np.full(len(period), 1 / len(period)), size=draws)
    growth: NDArray[np.float64] = counts @ each
    return growth


def _restart(growth: NDArray[np.float64]) -> NDArray[np.intp]:
    """Index whose restart gives the largest e-value at the end; the earliest of equals. `growth`: ... x periods x stakes."""
    since = np.cumsum(growth[..., ::-1, :], axis=-2)[..., ::-1, :]
    return np.asarray(np.argmax(_log_mean_exp(since), axis=-1))

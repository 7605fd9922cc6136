"""How far one sample lies from another: Hodges-Lehmann shifts, with an exact-rank interval or one that resamples clusters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SEED = 20_260_104
"""Seed of every draw of this module; shown on the page."""
MOST_PAIRED = 1_500
"""Values of a side that are compared with each other: beyond it evenly spaced ones of the ordered values."""

MOST_WEIGHED = 200_000
"""Weights that are summed at once: what fits into a processor's cache."""


class TwoSampleShift(NamedTuple):
    """Second less first, with its interval, and the two-sided p of no shift."""

    value: float
    low: float
    high: float
    p: float


def two_sample_shift(
    first: Sequence[float], second: Sequence[float], level: float = 0.95
) -> TwoSampleShift | None:
    """Hodges-Lehmann shift with Moses' interval and the Mann-Whitney test (Hollander, Wolfe & Chicken, 4.1-4.3).

    The interval is made of ordered differences by the normal approximation, one rank wider on each side. None below 4
    values on a side, where no 95 % interval exists.
    """
    a, b = (_thinned(np.asarray(values, dtype=float)) for values in (first, second))
    n, m = len(a), len(b)
    if min(n, m) < 4:
        return None
    from scipy.special import ndtri
    from scipy.stats import mannwhitneyu

    differences = np.subtract.outer(b, a).ravel()
    spread = math.sqrt(n * m * (n + m + 1) / 12)
    rank = math.floor(n * m / 2 + float(ndtri((1 - level) / 2)) * spread)
    last, middle = len(differences) - 1, len(differences) // 2
    rank = min(max(rank - 1, 0), last)
    differences.partition(sorted({rank, last - rank, last - middle, middle}))
    same = bool(np.all(a == a[0]) and np.all(b == a[0]))
    p = 1.0 if same else float(mannwhitneyu(b, a, method="asymptotic").pvalue)
    value = float(np.mean(differences[[last - middle, middle]]))
    return TwoSampleShift(value, float(differences[rank]), float(differences[last - rank]), p)


def _thinned(values: NDArray[np.float64]) -> NDArray[np.float64]:
    ordered = np.sort(values)
    if len(ordered) <= MOST_PAIRED:
        return ordered
    return ordered[np.linspace(0, len(ordered) - 1, MOST_PAIRED).round().astype(int)]


class ClusterShift(NamedTuple):
    """Second less first with its interval; `first` and `second` count clusters."""

    value: float
    low: float
    high: float
    first: int
    second: int


def cluster_shift(
    first: Sequence[float],
    second: Sequence[float],
    level: float = 0.95,
    draws: int = 2_000,
    seed: int = SEED,
) -> ClusterShift:
    """Hodges-Lehmann shift between medians of clusters, each side's clusters resampled whole.

    The differences are ordered once; a draw only weighs them. The interval is the percentile bootstrap's, widened by
    sqrt(n / (n - 1)) of the smaller side, because few clusters spread too little among themselves (Efron & Tibshirani
    1993, section 14.3, of the variance). Raises ValueError below 2 clusters on a side.
    """
    a, b = np.sort(np.asarray(first, dtype=float)), np.sort(np.asarray(second, dtype=float))
    n, m = len(a), len(b)
    if min(n, m) < 2:
        raise ValueError(f"a shift between clusters needs 2 on each side, got {n} and {m}")
    differences = np.subtract.outer(b, a).ravel()
    order = np.argsort(differences, kind="stable")
    ordered = differences[order]
    last, middle = len(ordered) - 1, len(ordered) // 2
    value = float((ordered[middle] + ordered[last - middle]) / 2)
    found = _drawn_shifts(ordered, order, (n, m), draws, seed)
    tail, wide = (1 - level) / 2, math.sqrt(min(n, m) / (min(n, m) - 1))
    low, high = np.quantile(found, [tail, 1 - tail])
    return ClusterShift(
        value, value - max(value - float(low), 0.0) * wide, value + max(float(high) - value, 0.0) * wide, n, m
    )


def _drawn_shifts(
    ordered: NDArray[np.float64], order: NDArray[np.int64], sizes: tuple[int, int], draws: int, seed: int
) -> NDArray[np.float64]:
    """The weighted median of the ordered differences in each draw; `sizes` are of the first side and the second."""
    n, m = sizes
    random = np.random.default_rng(seed)
    even = np.full(m, 1 / m), np.full(n, 1 / n)
    weights = [(random.multinomial(m, even[0]), random.multinomial(n, even[1])) for _ in range(draws)]
    of_second, of_first = (np.array(side, dtype=np.int32) for side in zip(*weights, strict=True))
    found, half = np.empty(draws), n * m / 2
    at_once = max(MOST_WEIGHED // len(ordered), 1)
    for start in range(0, draws, at_once):
        part = slice(start, start + at_once)
        second, first = of_second[part].take(order // n, axis=1), of_first[part].take(order % n, axis=1)
        upto = np.cumsum(second * first, axis=1, dtype=np.int32)
        low, high = np.count_nonzero(upto < half, axis=1), np.count_nonzero(upto <= half, axis=1)
        found[part] = (ordered[low] + ordered[np.minimum(high, len(ordered) - 1)]) / 2
    return found

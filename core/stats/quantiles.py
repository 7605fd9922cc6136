"""Quantiles with an interval made of order statistics: no shape is assumed, and some bounds do not exist."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class QuantileInterval(NamedTuple):
    """A sample quantile; `low` or `high` is None where no order statistic reaches the confidence asked for."""

    value: float
    low: float | None
    high: float | None
    n: int


def ranks(n: int, quantile: float, level: float = 0.95) -> tuple[int | None, int | None]:
    """1-based ranks whose order statistics bound the quantile, each with one-sided error (1 - level) / 2.

    The number of values below the quantile is binomial(n, quantile); David & Nagaraja, Order Statistics,
    section 7.1. A rank that does not exist is None.
    """
    if n <= 0 or not 0 < quantile < 1:
        raise ValueError(
            f"an order-statistic interval needs n > 0 and 0 < q < 1, got n = {n}, q = {quantile}"
        )
    from scipy.stats import binom

    tail = (1 - level) / 2
    lower = int(binom.ppf(tail, n, quantile))
    upper = int(binom.ppf(1 - tail, n, quantile)) + 1
    return (lower or None, upper if upper <= n else None)


def upper_bound_rank(n: int, quantile: float, level: float = 0.95) -> int | None:
    """Rank of the one-sided upper bound: exists from n = 59 for p95 and n = 299 for p99 (0.95^59 < 0.05)."""
    from scipy.stats import binom

    rank = int(binom.ppf(level, n, quantile)) + 1
    return rank if rank <= n else None


def order_statistic(ordered: Sequence[float], quantile: float) -> float:
    """Of a sorted sample the smallest value with at least that share at or below it."""
    return ordered[_place(len(ordered), quantile)]


def _place(n: int, quantile: float) -> int:
    return max(math.ceil(quantile * n) - 1, 0)


def quantile_interval(values: Sequence[float], quantile: float, level: float = 0.95) -> QuantileInterval:
    """Sample quantile (smallest value with at least that share at or below it) and its interval."""
    ordered = np.sort(np.asarray(values, dtype=float))
    low, high = ranks(len(ordered), quantile, level)
    return QuantileInterval(
        float(ordered[_place(len(ordered), quantile)]),
        None if low is None else float(ordered[low - 1]),
        None if high is None else float(ordered[high - 1]),
        len(ordered),
    )


def bucket_middle_ms(bucket: int) -> float:
    """What a stored duration bucket, floor(ln(ms) / ln(1.02)), stands for: its geometric middle, 1 % from all in it."""
    return float(1.02 ** (bucket + 0.5))


def of_histogram(
    edges: Sequence[float], counts: Sequence[int], quantile: float, level: float = 0.95
) -> QuantileInterval:
    """The same from counted values: `edges[i]` stands for `counts[i]` equal values.

    With log-spaced buckets the answer carries the bucket's relative width as error (1 % at ratio 1.02).
    """
    order = np.argsort(np.asarray(edges, dtype=float))
    values = np.asarray(edges, dtype=float)[order]
    upto = np.cumsum(np.asarray(counts, dtype=np.int64)[order])
    n = int(upto[-1]) if len(upto) else 0
    low, high = ranks(n, quantile, level)

    def at(rank: int) -> float:
        return float(values[int(np.searchsorted(upto, rank))])

    return QuantileInterval(
        at(max(math.ceil(quantile * n), 1)),
        None if low is None else at(low),
        None if high is None else at(high),
        n,
    )

"""Values that come in clusters, such as turns of one call: how many independent ones they are worth, and intervals for that."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from core.stats.proportions import Z_95, Interval
from core.stats.quantiles import QuantileInterval, ranks, upper_bound_rank


class Design(NamedTuple):
    """What clustering costs; `effective` is n divided by `effect`."""

    n: int
    clusters: int
    icc: float
    """Correlation of two values of one cluster, at least 0."""
    effect: float
    effective: float

    @property
    def z(self) -> float:
        """Student's point for as many clusters, where 1.96 would take the ICC as known (Korn & Graubard 1998)."""
        from scipy.stats import t as student

        return float(student.ppf(0.975, max(self.clusters - 1, 1)))


def design(values: Sequence[float], clusters: Sequence[Hashable]) -> Design:
    """Intraclass correlation by one-way analysis of variance, and the design effect 1 + (m - 1) ICC.

    m is the size of the cluster that a value is in, on average (sum of squares by sum), which is the mean size where all
    are equal and costs more where they are not. Source: Kish 1965, Survey Sampling, 5.4; Donner & Klar 2000, section 1.4.

    >>> design([0, 0, 1, 1], ["a", "a", "b", "b"])
    Design(n=4, clusters=2, icc=1.0, effect=2.0, effective=2.0)
    """
    found, place = np.unique(np.asarray([str(one) for one in clusters]), return_inverse=True)
    held = np.asarray(values, dtype=float)
    n, k = len(held), len(found)
    sizes = np.bincount(place, minlength=k).astype(float)
    means = np.bincount(place, weights=held, minlength=k) / np.maximum(sizes, 1)
    between = float((sizes * (means - held.mean()) ** 2).sum()) if n else 0.0
    within = float(((held - means[place]) ** 2).sum()) if n else 0.0
    if k < 2 or n == k or between + within == 0:
        return Design(n, k, 0.0, 1.0, float(n))
    between, within = between / (k - 1), within / (n - k)
    usual = (n - float((sizes**2).sum()) / n) / (k - 1)
    icc = max((between - within) / (between + (usual - 1) * within), 0.0)
    effect = 1 + (float((sizes**2).sum()) / n - 1) * icc
    return Design(n, k, icc, effect, n / effect)


def share_interval(share: float, effective: float, z: float = Z_95) -> Interval:
    """Wilson's interval of a share over a number of values that need not be whole (Kish's effective n).

    >>> low, high = share_interval(81 / 263, 263)
    >>> round(low, 4), round(high, 4)
    (0.2553, 0.3662)
    """
    if effective <= 0 or not 0 <= share <= 1:
        raise ValueError(
            f"a share needs n > 0 and lies in 0 to 1, got share = {share}, effective n = {effective}"
        )
    centre = share + z * z / (2 * effective)
    spread = z * math.sqrt(share * (1 - share) / effective + z * z / (4 * effective * effective))
    scale = 1 + z * z / effective
    low = 0.0 if share == 0 else (centre - spread) / scale
    high = 1.0 if share == 1 else (centre + spread) / scale
    return Interval(low, high)


def difference_interval(
    first: float, n_first: float, second: float, n_second: float, z: float = Z_95
) -> Interval:
    """Interval of a difference of two such shares (Newcombe 1998, Stat. Med. 17:873, method 10)."""
    one, other = share_interval(first, n_first, z), share_interval(second, n_second, z)
    below = math.hypot(first - one.low, other.high - second)
    above = math.hypot(one.high - first, second - other.low)
    return Interval(first - second - below, first - second + above)


def quantile_of_clusters(values: Sequence[float], quantile: float, effective: float) -> QuantileInterval:
    """Sample quantile with the order statistics that bound it in a sample of `effective` independent values.

    Ranks are taken for the effective n and read off the whole sample at the same share (Woodruff 1952, JASA 47:635). Where
    the upper bound of the two-sided interval does not exist (p95: below 72), the one-sided 95 % bound stands in, from 59 on.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    whole = max(math.floor(effective), 1)
    low, high = ranks(whole, quantile)
    high = upper_bound_rank(whole, quantile) if high is None else high

    def at(rank: int) -> float:
        return float(ordered[min(max(math.ceil(rank / whole * len(ordered)) - 1, 0), len(ordered) - 1)])

    return QuantileInterval(
        float(ordered[max(math.ceil(quantile * len(ordered)) - 1, 0)]),
        None if low is None else at(low),
        None if high is None else at(high),
        len(ordered),
    )

"""Intervals for shares: how sure a count out of a count is.

Wilson for display, Clopper-Pearson where the count is 0 or n or safety is claimed, Newcombe for a difference.
Bounds come from the beta quantile of scipy, imported inside the function because it costs seconds.
"""

from __future__ import annotations

import math
from typing import NamedTuple

Z_95 = 1.959963984540054
"""The 97.5 % point of the standard normal: two-sided 95 %."""


class Interval(NamedTuple):
    """A closed interval."""

    low: float
    high: float


def _checked(k: int, n: int) -> None:
    if n <= 0 or not 0 <= k <= n:
        raise ValueError(f"a proportion needs 0 <= k <= n and n > 0, got k = {k}, n = {n}")


def wilson(k: int, n: int, z: float = Z_95) -> Interval:
    """Score interval of k of n (Wilson 1927, JASA 22:209). Never leaves [0, 1] and is never empty.

    >>> low, high = wilson(81, 263)
    >>> round(low, 4), round(high, 4)
    (0.2553, 0.3662)
    """
    _checked(k, n)
    share = k / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if k == 0 else (centre - spread) / scale
    high = 1.0 if k == n else (centre + spread) / scale
    return Interval(low, high)


def clopper_pearson(k: int, n: int, level: float = 0.95) -> Interval:
    """Exact interval of k of n (Clopper & Pearson 1934): covers at least `level` whatever the share is.

    0 of n gives an upper bound of about 3.7 / n at 95 % two-sided.
    """
    _checked(k, n)
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, tail))
    high = 1.0 if k == n else float(betaincinv(k + 1, n - k, 1 - tail))
    return Interval(low, high)


def newcombe(k1: int, n1: int, k2: int, n2: int, z: float = Z_95) -> Interval:
    """Interval of k1/n1 - k2/n2 from the two Wilson intervals (Newcombe 1998, Stat. Med. 17:873, method 10)."""
    first, second = wilson(k1, n1, z), wilson(k2, n2, z)
    p1, p2 = k1 / n1, k2 / n2
    below = math.hypot(p1 - first.low, second.high - p2)
    above = math.hypot(first.high - p1, p2 - second.low)
    return Interval(p1 - p2 - below, p1 - p2 + above)


def none_seen(n: int, level: float = 0.95) -> float:
    """The largest share still compatible with 0 of n seen, one-sided: about 3 / n at 95 % ("rule of three").

    >>> round(none_seen(100), 4)
    0.0295
    """
    _checked(0, n)
    return -math.expm1(math.log1p(-level) / n)

"""Two versions on the same items: exact McNemar with an interval, signed ranks, and the sample that is needed.

Items that both versions pass or both fail say nothing about which is better; the tests look at the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core.stats.proportions import Z_95, Interval, wilson

Z_ALPHA_ONE_SIDED = 1.6448536269514722
Z_POWER_80 = 0.8416212335729143


class PairedShares(NamedTuple):
    """Share of passes, second minus first, on the same items."""

    difference: float
    low: float
    high: float
    p: float
    """Exact two-sided McNemar."""
    gained: int
    """Items that only the second passes."""
    lost: int
    """Items that only the first passes."""
    n: int


class Shift(NamedTuple):
    """Hodges-Lehmann estimate of a paired shift, second minus first, with its interval and exact-or-normal p."""

    value: float
    low: float
    high: float
    p: float
    n: int


def mcnemar(both: int, lost: int, gained: int, neither: int) -> PairedShares:
    """Exact McNemar test (McNemar 1947; binomial) and Newcombe's paired interval (1998, Stat. Med. 17:2635, 10).

    Raises ValueError for a negative count or no item.
    """
    n = both + lost + gained + neither
    if min(both, lost, gained, neither) < 0 or n == 0:
        raise ValueError(f"a paired table needs counts >= 0, got {both}, {lost}, {gained}, {neither}")
    low, high = _newcombe_paired(both, gained, lost, neither)
    return PairedShares((gained - lost) / n, low, high, _exact_sign(gained, lost), gained, lost, n)


def _exact_sign(first: int, second: int) -> float:
    from scipy.stats import binom

    return min(1.0, 2 * float(binom.cdf(min(first, second), first + second, 0.5)))


def _newcombe_paired(a: int, b: int, c: int, d: int) -> Interval:
    """Interval of (b - c) / n from the Wilson intervals of the margins and their correlation."""
    n = a + b + c + d
    one, other = wilson(a + b, n), wilson(a + c, n)
    p1, p2 = (a + b) / n, (a + c) / n
    product = (a + b) * (c + d) * (a + c) * (b + d)
    cross = a * d - b * c
    phi = 0.0
    if product:
        phi = (max(cross - n / 2, 0) if cross > 0 else cross) / math.sqrt(product)
    below, above = p1 - one.low, other.high - p2
    beneath, over = one.high - p1, p2 - other.low
    low = math.sqrt(max(below**2 - 2 * phi * below * above + above**2, 0.0))
    high = math.sqrt(max(beneath**2 - 2 * phi * beneath * over + over**2, 0.0))
    return Interval(p1 - p2 - low, p1 - p2 + high)


def signed_rank(first: Sequence[float], second: Sequence[float], level: float = 0.95) -> Shift | None:
    """Wilcoxon's signed-rank test with the Hodges-Lehmann shift of second - first (Hollander, Wolfe & Chicken, 3.1-3.3).

    The interval is made of ordered Walsh averages by the normal approximation, one rank wider on each side.
    Pairs without a difference stay in the estimate and leave the test (Wilcoxon 1945). None below 6 pairs, where
    no 95 % interval exists.
    """
    d = np.asarray(second, dtype=float) - np.asarray(first, dtype=float)
    n = len(d)
    if n < 6:
        return None
    from scipy.special import ndtri
    from scipy.stats import wilcoxon

    walsh = np.concatenate([(d[at:] + d[at]) / 2 for at in range(n)])
    spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    rank = math.floor(n * (n + 1) / 4 + float(ndtri((1 - level) / 2)) * spread)
    rank = min(max(rank - 1, 0), len(walsh) - 1)
    last, middle = len(walsh) - 1, len(walsh) // 2
    walsh.partition(
        [rank, last - rank, last - middle, middle]
    )  # of 320,000 averages only these four are read
    p = float(wilcoxon(d).pvalue) if np.any(d != 0) else 1.0
    median = float(np.mean(walsh[[last - middle, middle]]))
    return Shift(median, float(walsh[rank]), float(walsh[last - rank]), p, n)


def items_needed_paired(difference: float, discordance: float) -> int:
    """Items for 80 % power at one-sided 5 %: (z + z)^2 (discordance - difference^2) / difference^2.

    Connor 1987, Biometrics 43:207, with the alternative's variance. `discordance`: share of items on which the
    versions differ, at least |difference|.

    >>> [items_needed_paired(0.04, share) for share in (0.1, 0.2, 0.3)]
    [380, 767, 1153]
    """
    if not 0 < abs(difference) <= discordance <= 1:
        raise ValueError(f"needs 0 < |difference| <= discordance <= 1, got {difference} and {discordance}")
    z = Z_ALPHA_ONE_SIDED + Z_POWER_80
    return round(z * z * (discordance - difference**2) / difference**2)


def items_needed_unpaired(before: float, after: float) -> int:
    """Items on each side for 80 % power at two-sided 5 %, by arcsine shares (Cohen 1988, section 6.4).

    >>> items_needed_unpaired(0.70, 0.66), items_needed_unpaired(0.60, 0.69)
    (2133, 442)
    """
    h = 2 * math.asin(math.sqrt(before)) - 2 * math.asin(math.sqrt(after))
    z = Z_95 + Z_POWER_80
    return round(2 * z * z / (h * h))


def detectable_paired(items: int, discordance: float) -> float:
    """The smallest paired difference that `items` show with 80 % power: the inverse of items_needed_paired."""
    z = Z_ALPHA_ONE_SIDED + Z_POWER_80
    return math.sqrt(discordance * z * z / (items + z * z))

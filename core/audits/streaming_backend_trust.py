"""Whether a quantile of a histogram was measured: what lies above the last bound, and the bucket a quantile falls into."""

from __future__ import annotations

from typing import Literal, NamedTuple

from core.audits.streaming_backend_histograms import Buckets
from core.stats.proportions import Interval, clopper_pearson

Trusted = Literal["measured", "borderline", "not measured"]
QUANTILES = (0.50, 0.95, 0.99)
FEWEST = 1_000
"""Observations of a histogram that is judged; also the requests that the page needs."""


class Quantile(NamedTuple):
    """A quantile of a histogram: the edges of its bucket, and what histogram_quantile prints for it."""

    share: float
    low_s: float
    high_s: float | None
    """None: it lies above the last bound, nobody knows how far."""
    printed_s: float
    trusted: Trusted


class Overflow(NamedTuple):
    """What lies above the last bound, `k` of `n`, with its interval."""

    k: int
    n: int
    interval: Interval
    last_bound_s: float | None

    @property
    def share(self) -> float:
        """Of all observations."""
        return self.k / self.n


def overflow_of(buckets: Buckets, tested: int = 1) -> Overflow:
    """Clopper-Pearson interval of the share above the last bound; the level is shared among the `tested` histograms."""
    k, n = buckets.counts[-1], buckets.n
    last = buckets.bounds[-1] if buckets.bounds else None
    return Overflow(k, n, clopper_pearson(k, n, 1 - 0.05 / tested), last)


def trusted(over: Interval, share: float) -> Trusted:
    """Quantile `share` is known where less than 1 - share lies above the last bound, as far as the interval says.

    >>> trusted(Interval(0.3, 0.4), 0.99), trusted(Interval(0.005, 0.02), 0.99), trusted(Interval(0.0, 0.002), 0.99)
    ('not measured', 'borderline', 'measured')
    """
    room = 1 - share
    if over.low > room:
        return "not measured"
    return "measured" if over.high < room else "borderline"


def quantile_of(buckets: Buckets, share: float, over: Overflow) -> Quantile:
    """The bucket of the quantile, and the point that Prometheus draws into it.

    `histogram_quantile` interpolates in a straight line within the bucket, takes zero as the lower edge of the first where its
    upper one is above zero, and prints the last bound where the quantile lies above it.

    >>> held = Buckets((1.0, 5.0), (50, 40, 10))
    >>> quantile_of(held, 0.7, overflow_of(held))[1:4]
    (1.0, 5.0, 3.0)
    >>> quantile_of(held, 0.99, overflow_of(held))[1:4]
    (5.0, None, 5.0)
    """
    rank = share * buckets.n
    told = trusted(over.interval, share)
    upto = 0
    for place, count in enumerate(buckets.counts[:-1]):
        # The sum of counts is exact and the product is not: 0.95 x 1,000 must not fall past 950.
        if upto + count >= rank - 1e-9 and count:
            high = buckets.bounds[place]
            low = buckets.bounds[place - 1] if place else min(0.0, high)
            return Quantile(share, low, high, low + (high - low) * (rank - upto) / count, told)
        upto += count
    last = buckets.bounds[-1] if buckets.bounds else 0.0
    return Quantile(share, last, None, last, told)

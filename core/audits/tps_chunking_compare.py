"""Two sides of hours compared: the ratio of a metric with its interval, whether a rate was held, and the placebo."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from core.stats.shifts import SEED, cluster_shift

FEWEST_STREAMS = 30
"""Streams of an hour that counts: its median is then within a fifth of the spread of single streams."""
FEWEST_HOURS = 8
"""Hours on each side: fewer resample into few different sets."""
MOST_HOURS = 168
"""Hours of a side that are compared, evenly spaced over it: a week of them."""
DRAWS, FEW_DRAWS = 2_000, 300
SPLITS = 40
"""Placebo: the side before, cut into halves at random this often."""


class Change(NamedTuple):
    """Now over before; n counts hours."""

    metric: str
    value: float
    low: float
    high: float
    before_hours: int
    now_hours: int


class Rate(NamedTuple):
    """Whether the rate is shown to be where it was."""

    held: bool
    p: float
    """Of two one-sided tests: that the rate is outside the band."""
    band: float


class Placebo(NamedTuple):
    """Halves of the side before against each other."""

    splits: int
    fired: int
    """How often the unit was called changed."""
    moved: int
    """How often the 95 % interval left 1 out: about one in twenty where all is well."""


def _spaced(values: Sequence[float]) -> list[float]:
    step = max(len(values) / MOST_HOURS, 1.0)
    return [values[int(at * step)] for at in range(min(len(values), MOST_HOURS))]


def _logs(values: Sequence[float | None]) -> list[float]:
    return [math.log(value) for value in values if value is not None and value > 0]


def compared(metric: str, before: Sequence[float], now: Sequence[float], level: float) -> Change | None:
    """Hodges-Lehmann ratio of medians of hours; None without values on both sides."""
    first, second = _logs(_spaced(before)), _logs(_spaced(now))
    if min(len(first), len(second)) < 2:
        return None
    found = cluster_shift(first, second, level, DRAWS if metric in ("unit", "rate") else FEW_DRAWS)
    value, low, high = (math.exp(one) for one in found[:3])
    return Change(metric, value, low, high, len(first), len(second))


def held(before: Sequence[float], now: Sequence[float], band: float, alpha: float) -> Rate:
    """Two one-sided t tests of the logarithms of hours' medians against the band (Schuirmann 1987; Welch).

    A side that does not vary at all is compared as it stands.
    """
    first, second = _logs(before), _logs(now)
    low, high = math.log(1 - band), math.log(1 + band)
    if len(set(first)) == 1 and len(set(second)) == 1:
        inside = low < second[0] - first[0] < high
        return Rate(inside, 0.0 if inside else 1.0, band)
    import numpy as np
    from statsmodels.stats.weightstats import ttost_ind

    p = float(ttost_ind(np.array(second), np.array(first), low, high, usevar="unequal")[0])
    return Rate(p < alpha, p, band)


def placebo(hours: Sequence[float], limit: float) -> Placebo:
    """The same comparison of random halves of one side; of few hours none."""
    values = _logs(_spaced(hours))
    if len(values) < 2 * FEWEST_HOURS:
        return Placebo(0, 0, 0)
    random = Random(SEED)
    fired = moved = 0
    for split in range(SPLITS):
        mixed = sorted(values)
        random.shuffle(mixed)
        half = len(mixed) // 2
        found = cluster_shift(mixed[:half], mixed[half:], 0.95, FEW_DRAWS, SEED + split)
        moved += not found.low <= 0 <= found.high
        fired += found.low > math.log(1 + limit) or found.high < math.log(1 - limit)
    return Placebo(SPLITS, fired, moved)

"""One feature of two versions: where the new one lies, and whether that is inside or outside what was usual."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.audits.hyrum_stream_features import Feature, Row, by_day, values
from core.stats.paired import signed_rank
from core.stats.shifts import two_sample_shift

FEWEST_PAIRED, FEWEST_VALUES, FEWEST_OF_DAY = 30, 60, 20
"""Pairs, or values a side, of a feature that not every response has; responses of a day that tells how days differ."""
Z_90 = 1.6448536269514722
MOST_VALUES = 600
"""Values of a side that enter a rank test; beyond it evenly spaced ones of the ordered values."""
Values = NDArray[np.float64]


class Compared(NamedTuple):
    """One feature; old and new are medians, or shares."""

    feature: Feature
    old: float
    new: float
    low: float
    high: float
    band: tuple[float, float]
    usual: tuple[float, float]
    """5 to 95 % of the old version's responses: what single readers were used to."""
    p_outside: float
    p_inside: float
    n: int
    """Pairs, or responses of both sides."""


class Data(NamedTuple):
    """Either differences of pairs, or two sides."""

    old: Values
    new: Values
    paired: bool


def gathered(before: Sequence[Row], after: Sequence[Row], name: str, prompts: Sequence[str]) -> Data | None:
    """Values of a feature: medians (means of a yes or no) by prompt where responses are paired; None if too few."""
    if not prompts:
        first, second = values(before, name), values(after, name)
        return (
            None
            if min(len(first), len(second)) < FEWEST_VALUES
            else Data(_spaced(first), _spaced(second), False)
        )
    sides = [_by_prompt(rows, name) for rows in (before, after)]
    both = [prompt for prompt in prompts if prompt in sides[0] and prompt in sides[1]]
    if len(both) < FEWEST_PAIRED:
        return None
    middle = statistics.fmean if name == "preamble" else statistics.median
    made = [np.array([middle(side[prompt]) for prompt in both]) for side in sides]
    return Data(made[0], made[1], True)


def _by_prompt(rows: Sequence[Row], name: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for row in rows:
        if row[name] is not None:
            found.setdefault(str(row["prompt"]), []).append(float(str(row[name])))
    return found


def _spaced(found: Sequence[float]) -> Values:
    ordered = np.sort(np.asarray(found, dtype=float))
    if len(ordered) <= MOST_VALUES:
        return ordered
    return ordered[np.linspace(0, len(ordered) - 1, MOST_VALUES).round().astype(int)]


def band(feature: Feature, before: Sequence[Row], middle: float, limit: float) -> tuple[float, float]:
    """How far from `middle` is as usual: the limit, or what two days of the old version differ by in 90 % if that is more."""
    of_day = _of_days(feature, before)
    half = max(feature.floor, limit if feature.yes_no else limit * abs(middle))
    if len(of_day) >= 2:
        half = max(half, Z_90 * math.sqrt(2) * statistics.stdev(of_day))
    return middle - half, middle + half


def compared(
    feature: Feature,
    before: Sequence[Row],
    after: Sequence[Row],
    prompts: Sequence[str],
    limit: float,
    level: float,
) -> Compared | None:
    """The feature with its interval and both tests; None where too few responses have it."""
    held = gathered(before, after, feature.name, prompts)
    if held is None:
        return None
    middle = float(np.mean(held.old) if feature.yes_no else np.median(held.old))
    low, high = band(feature, before, middle, limit)
    if feature.yes_no:
        shift, spread = _difference(held)
        z = statistics.NormalDist().inv_cdf(0.5 + level / 2)
        found = (shift, shift - z * spread, shift + z * spread)
    else:
        shifted = signed_rank if held.paired else two_sample_shift
        made = shifted(held.old.tolist(), held.new.tolist(), level)
        if made is None:
            return None
        found = (made.value, made.low, made.high)
    found = (found[0], *_widened(feature, before, after, found, level))
    outside, inside = beyond_edges(feature, held, (low - middle, high - middle))
    of_single = values(before, feature.name)
    usual = (float(np.quantile(of_single, 0.05)), float(np.quantile(of_single, 0.95)))
    n = len(held.old) if held.paired else len(held.old) + len(held.new)
    value, least, most = (min(max(middle + one, 0.0), 1.0 if feature.yes_no else math.inf) for one in found)
    return Compared(feature, middle, value, least, most, (low, high), usual, outside, inside, n)


def _widened(
    feature: Feature,
    before: Sequence[Row],
    after: Sequence[Row],
    found: tuple[float, float, float],
    level: float,
) -> tuple[float, float]:
    """The interval with the load of days in it, which moves all responses of one: variances of both sources added."""
    sides = [_of_days(feature, rows) for rows in (before, after)]
    free = sum(len(days) - 1 for days in sides)
    value, low, high = found
    if min(len(days) for days in sides) < 1 or free < 1:
        return low, high
    squares = sum((len(days) - 1) * statistics.variance(days) for days in sides if len(days) > 1)
    of_load = math.sqrt(squares / free * sum(1 / len(days) for days in sides))
    more = statistics.NormalDist().inv_cdf(0.5 + level / 2) * of_load
    return value - math.hypot(value - low, more), value + math.hypot(high - value, more)


def _of_days(feature: Feature, rows: Sequence[Row]) -> list[float]:
    """Median, or share, of each day with enough responses."""
    days = [found for found in by_day(rows, feature.name).values() if len(found) >= FEWEST_OF_DAY]
    return [statistics.fmean(day) if feature.yes_no else statistics.median(day) for day in days]


def beyond_edges(feature: Feature, held: Data, edges: tuple[float, float]) -> tuple[float, float]:
    """p of lying outside by chance (two-sided), and of the two one-sided tests that it lies inside (Schuirmann 1987)."""
    above_low, below_low = _beyond(feature, held, edges[0])
    above_high, below_high = _beyond(feature, held, edges[1])
    return min(1.0, 2 * min(above_high, below_low)), max(above_low, below_high)


def _beyond(feature: Feature, held: Data, edge: float) -> tuple[float, float]:
    """One-sided p that the shift is above the edge, and below it."""
    if feature.yes_no:
        shift, spread = _difference(held)
        below = statistics.NormalDist().cdf((shift - edge) / spread)
        return 1 - below, below
    from scipy.special import ndtr
    from scipy.stats import mannwhitneyu, wilcoxon

    if not held.paired:
        moved = held.old + edge
        if np.all(moved == moved[0]) and np.all(held.new == moved[0]):
            return 1.0, 1.0
        found = [float(mannwhitneyu(held.new, moved, alternative=way).pvalue) for way in ("greater", "less")]
        return found[0], found[1]
    off = held.new - held.old - edge
    if not np.any(off != 0):
        return 1.0, 1.0
    found_above = wilcoxon(off, alternative="greater", method="asymptotic")
    return float(found_above.pvalue), float(ndtr(found_above.zstatistic))  # below has the same statistic


def _difference(held: Data) -> tuple[float, float]:
    """Difference of shares with its standard error: Agresti & Min 2005 for pairs, Agresti & Caffo 2000 for sides."""
    n, m = len(held.old), len(held.new)
    if held.paired:
        off = held.new - held.old
        mean = float(off.sum()) / (n + 2)
        variance = (float((off**2).sum()) + 1) / (n + 2) - mean**2
        return float(off.mean()), math.sqrt(variance / (n + 2))
    p, q = (float(held.old.sum()) + 1) / (n + 2), (float(held.new.sum()) + 1) / (m + 2)
    return float(held.new.mean() - held.old.mean()), math.sqrt(p * (1 - p) / (n + 2) + q * (1 - q) / (m + 2))

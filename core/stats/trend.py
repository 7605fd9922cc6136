"""Means and their slope along a scale, within groups, when rows of a cluster are not independent.

The within estimator compares a group only with itself, so neither an easier task set nor another mix of users can
move it: each row is measured from its group's mean, in x and in y, and y is regressed on x. The variance is that of
Liang & Zeger 1986 (Biometrika 73:13), clusters kept whole, with the G / (G - 1) correction.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.stats.proportions import wilson

MOST_CODES = 10_000_000
"""Numbers below it are renumbered by a table of as many places."""
FEWEST_CLUSTERS = 20
"""Below this the cluster-robust variance is too small on average (Cameron & Miller 2015, J. Hum. Resour. 50:317)."""


class Slope(NamedTuple):
    """Change of y per unit of x."""

    value: float
    se: float
    clusters: int
    """Clusters that carry information: those in groups seen at two or more x."""
    n: int

    @property
    def z(self) -> float:
        """The slope in standard errors; 0 where nothing varies."""
        return self.value / self.se if self.se > 0 else 0.0


def within_slope(x: ArrayLike, y: ArrayLike, group: ArrayLike, cluster: ArrayLike) -> Slope | None:
    """Slope of y on x within groups; arrays of one length, group and cluster as whole numbers.

    None where no group is seen at two x, or all information lies in fewer than FEWEST_CLUSTERS clusters.
    """
    xs, ys = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    groups, clusters = codes(group), codes(cluster)
    x_within, y_within = xs - _means(xs, groups), ys - _means(ys, groups)
    bread = float((x_within**2).sum())
    if bread <= 1e-12:
        return None
    value = float((x_within * y_within).sum() / bread)
    informative = np.bincount(clusters, weights=x_within**2) > 1e-12
    count = int(informative.sum())
    if count < FEWEST_CLUSTERS:
        return None
    scores = np.bincount(clusters, weights=x_within * (y_within - value * x_within))
    spread = math.sqrt(float((scores**2).sum()) * count / (count - 1)) / bread
    return Slope(value, spread, count, len(xs))


def shuffled_z(x: ArrayLike, y: ArrayLike, group: ArrayLike, draws: int, seed: int) -> NDArray[np.float64]:
    """z of the within slope after x was shuffled within each group, `draws` times: what chance alone brings.

    Rows are their own clusters, since shuffling makes them so.
    """
    groups = codes(group)
    order = np.lexsort((np.asarray(y, dtype=float), np.asarray(x, dtype=float), groups))
    xs, ys, groups = np.asarray(x, dtype=float)[order], np.asarray(y, dtype=float)[order], groups[order]
    x_within, y_within = xs - _means(xs, groups), ys - _means(ys, groups)
    bread = float((x_within**2).sum())
    found = np.zeros(draws)
    if bread <= 1e-12:
        return found
    random, blocks = np.random.default_rng(seed), _blocks(groups)
    for start in range(0, draws, 20):
        drawn = np.empty((min(20, draws - start), len(groups)))
        keys = groups + random.random(drawn.shape)
        for places in blocks:
            order = np.argsort(keys[:, places], axis=-1)
            drawn[:, places] = np.take_along_axis(x_within[places][None], order, axis=-1)
        moments = drawn * y_within
        value = moments.sum(axis=1) / bread
        spread = np.sqrt(((moments - value[:, None] * drawn * drawn) ** 2).sum(axis=1)) / bread
        np.divide(value, spread, out=found[start : start + len(drawn)], where=spread > 0)
    return found


def _blocks(groups: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Places of the groups, groups x size, those of one size together: to sort each by itself is faster than all at once."""
    sizes = np.bincount(groups)
    starts = np.cumsum(sizes) - sizes
    return [starts[sizes == size][:, None] + np.arange(size) for size in np.unique(sizes[sizes > 0]).tolist()]


def codes(labels: ArrayLike) -> NDArray[np.intp]:
    """Whole numbers from 0 on in the order of the labels: groups named by them are looked up without sorting names."""
    found = np.asarray(labels)
    if (
        found.dtype.kind not in "iu"
        or not len(found)
        or int(found.min()) < 0
        or int(found.max()) >= MOST_CODES
    ):
        return np.unique(found, return_inverse=True)[1].reshape(-1)
    seen = np.zeros(int(found.max()) + 1, dtype=np.intp)
    seen[found] = 1
    return np.asarray((np.cumsum(seen) - 1)[found])


def _means(values: NDArray[np.float64], groups: NDArray[np.intp]) -> NDArray[np.float64]:
    sums, sizes = np.bincount(groups, weights=values), np.bincount(groups)
    means: NDArray[np.float64] = (sums / np.maximum(sizes, 1))[groups]
    return means


class ClusteredMean(NamedTuple):
    """A mean with its 95 % interval, clusters kept whole."""

    value: float
    low: float
    high: float
    n: int
    clusters: int


def clustered_mean(
    y: ArrayLike, cluster: ArrayLike, bounds: tuple[float, float] | None = None
) -> ClusteredMean | None:
    """Mean of y with Student's t over clusters (Miller 2024, arXiv 2411.00640, equation 4); None below two clusters.

    `bounds`: the interval is cut there (0 and 1 for a share). A share of exactly 0 or 1 has no spread to measure:
    its interval is Wilson's over clusters.
    """
    ys, clusters = np.asarray(y, dtype=float), codes(cluster)
    count = int(clusters.max()) + 1 if len(clusters) else 0
    if count < 2:
        return None
    value = float(ys.mean())
    sums = np.bincount(clusters, weights=ys - value)
    se = math.sqrt(float((sums**2).sum()) * count / (count - 1)) / len(ys)
    if se == 0 and bounds is not None and value in bounds:
        low, high = wilson(count if value == bounds[1] else 0, count)
        return ClusteredMean(value, low, high, len(ys), count)
    from scipy.special import stdtrit

    reach = float(stdtrit(count - 1, 0.975)) * se
    low, high = value - reach, value + reach
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return ClusteredMean(value, low, high, len(ys), count)

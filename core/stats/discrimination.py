"""Does a score still tell right from wrong? The area under the ROC curve within groups, beside the pooled one.

A pooled AUROC compares answers to different prompts, so a score that has only learned which prompts are easy looks
good. Within a prompt only answers to the same question meet.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

FEWEST_GROUPS = 20
"""Prompts with a right and a wrong answer; below it the spread between prompts is not known well enough."""


class Auroc(NamedTuple):
    """Chance that of a right and a wrong answer the right one scores higher; ties count half."""

    value: float
    low: float
    high: float
    groups: int
    """Groups that hold both kinds."""
    pairs: int
    pooled: float
    """The same over all pairs, whatever their group."""


def within_auroc(score: ArrayLike, right: ArrayLike, group: ArrayLike) -> Auroc | None:
    """Pairs within groups, all pairs equal; 95 % interval over groups by the ratio estimator's variance, on the logit.

    None below FEWEST_GROUPS groups with both kinds. Source: Hanley & McNeil 1982 (Radiology 143:29) for the area,
    Cochran 1977 section 6.3 for the variance of a ratio of sums.
    """
    scores, rights = np.asarray(score, dtype=float), np.asarray(right, dtype=bool)
    groups = np.unique(np.asarray(group), return_inverse=True)[1].reshape(-1)
    wins, pairs = _wins(scores, rights, groups)
    both = pairs > 0
    count = int(both.sum())
    if count < FEWEST_GROUPS:
        return None
    wins, pairs = wins[both], pairs[both]
    value = float(wins.sum() / pairs.sum())
    rest = wins - value * pairs
    se = math.sqrt(float((rest**2).sum()) * count / (count - 1)) / float(pairs.sum())
    low, high = _logit_interval(value, se, count)
    everything = np.zeros(len(scores), dtype=np.intp)
    all_wins, all_pairs = _wins(scores, rights, everything)
    return Auroc(value, low, high, count, int(pairs.sum()), float(all_wins[0] / all_pairs[0]))


def _wins(
    scores: NDArray[np.float64], rights: NDArray[np.bool_], groups: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each group: pairs won by the right answer, and pairs. By midranks within the group (Mann & Whitney 1947)."""
    from scipy.stats import rankdata

    size = int(groups.max()) + 1 if len(groups) else 0
    first_of_group = rankdata(groups, method="min")
    keys = np.unique(np.column_stack([groups, scores]), axis=0, return_inverse=True)[1]
    ranks = rankdata(keys.reshape(-1), method="average") - first_of_group + 1
    n_right = np.bincount(groups, weights=rights, minlength=size)
    n_wrong = np.bincount(groups, minlength=size) - n_right
    sums = np.bincount(groups, weights=ranks * rights, minlength=size)
    return sums - n_right * (n_right + 1) / 2, n_right * n_wrong


def _logit_interval(value: float, se: float, count: int) -> tuple[float, float]:
    from scipy.special import stdtrit

    if not 0 < value < 1 or se == 0:
        reach = 3.7 / count  # all groups alike: the rule of three, two-sided, over groups
        return max(value - reach, 0.0), min(value + reach, 1.0)
    centre = math.log(value / (1 - value))
    reach = float(stdtrit(count - 1, 0.975)) * se / (value * (1 - value))
    return _expit(centre - reach), _expit(centre + reach)


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))

"""Few gold labels and many judge labels: a judge may narrow an interval and can never move what it means."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from core.stats.proportions import Z_95

FEWEST_GOLD = 20
"""Below it the variance of the gold labels, on which everything rests, is not known."""


class Powered(NamedTuple):
    """The mean of the gold labels, narrowed by a judge, with its 95 % interval."""

    value: float
    low: float
    high: float
    weight: float
    """How much the judge was listened to: 0 not at all, 1 as if it were gold."""
    gold_mean: float
    """The gold labels alone."""
    judge_mean: float
    """The judge alone: biased by as much as it errs."""
    n_gold: int
    n_judge: int
    """Answers that only the judge has seen."""


def powered_mean(gold: ArrayLike, judge_on_gold: ArrayLike, judge_only: ArrayLike) -> Powered | None:
    """PPI++ mean (Angelopoulos, Duchi & Zrnic 2023, arXiv 2311.01453, section 6.1), the weight by power tuning.

    theta = mean(gold) + weight (mean(judge_only) - mean(judge_on_gold)); None below FEWEST_GOLD gold labels or
    without judge labels. The weight is cut to [0, 1]; the interval stays valid for any weight.
    """
    y, f, more = (np.asarray(values, dtype=float) for values in (gold, judge_on_gold, judge_only))
    if len(y) != len(f):
        raise ValueError(f"{len(y)} gold labels but {len(f)} judge labels on them")
    n, m = len(y), len(more)
    if n < FEWEST_GOLD or m < 2:
        return None
    spread = float(np.concatenate([f, more]).var(ddof=1))
    shared = float(np.cov(y, f, ddof=1)[0, 1])
    weight = min(max(shared / ((1 + n / m) * spread), 0.0), 1.0) if spread > 0 else 0.0
    value = float(y.mean() + weight * (more.mean() - f.mean()))
    variance = float((y - weight * f).var(ddof=1)) / n + weight**2 * float(more.var(ddof=1)) / m
    reach = Z_95 * math.sqrt(variance)
    judge_mean = float(np.concatenate([f, more]).mean())
    return Powered(value, value - reach, value + reach, weight, float(y.mean()), judge_mean, n, m)

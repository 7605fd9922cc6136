"""After how long idle a connection is cold again: one step of overhead along idle time, or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SEED = 20_260_728
SHUFFLES = 499
"""The smallest p is then 0.002."""
ALPHA = 0.01
FEWEST_EACH_SIDE = 10
MOST_CALLS = 2_000
"""Calls the step is looked for in; beyond it every k-th by idle time, so that all idle times stay represented."""


class IdleStep(NamedTuple):
    """Where overhead steps up along idle time."""

    after_s: float
    """Idle longer than this is cold again: the middle, on a log axis, of the two calls beside the step."""
    p: float
    """By permutation of overheads over idle times, the place of the step chosen anew each time."""
    n: int


def idle_step(idle_s: Sequence[float], overhead_ms: Sequence[float]) -> IdleStep | None:
    """The single change point of log overhead against idle time; None when no step up is sure at ALPHA.

    The step with the largest standardised difference of means (Hawkins 1977, JASA 72:180), its p by permutation.
    """
    order = np.lexsort((overhead_ms, idle_s))
    every = max(-(-len(order) // MOST_CALLS), 1)
    idle = np.asarray(idle_s, dtype=float)[order][::every]
    height = np.log(np.maximum(np.asarray(overhead_ms, dtype=float)[order][::every], 1e-3))
    if len(idle) < 2 * FEWEST_EACH_SIDE or idle[0] == idle[-1]:
        return None
    splits = np.arange(FEWEST_EACH_SIDE, len(idle) - FEWEST_EACH_SIDE + 1)
    splits = splits[idle[splits - 1] < idle[np.minimum(splits, len(idle) - 1)]]
    if not len(splits):
        return None
    steps = _steps(height[None, :], splits)[0]
    best = int(np.argmax(steps))
    random = np.random.default_rng(SEED)
    as_large = 0
    for start in range(0, SHUFFLES, 50):
        drawn = random.permuted(np.tile(height, (min(50, SHUFFLES - start), 1)), axis=1)
        as_large += int((_steps(drawn, splits).max(axis=1) >= steps[best]).sum())
    p = (1 + as_large) / (1 + SHUFFLES)
    if p > ALPHA or steps[best] <= 0:
        return None
    at = int(splits[best])
    return IdleStep(float(np.sqrt(max(idle[at - 1], 1e-3) * max(idle[at], 1e-3))), p, len(idle))


def _steps(heights: NDArray[np.float64], splits: NDArray[np.int64]) -> NDArray[np.float64]:
    """Later mean less earlier mean at each split, over what chance would give it (equal variances)."""
    n = heights.shape[1]
    upto = np.cumsum(heights, axis=1)[:, splits - 1]
    total = heights.sum(axis=1, keepdims=True)
    later, earlier = (total - upto) / (n - splits), upto / splits
    return np.asarray((later - earlier) * np.sqrt(splits * (n - splits) / n))

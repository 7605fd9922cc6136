"""When a level began to move: the best of a step and a bend, and all places that fit nearly as well."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_LIKELIHOOD_LOST = 7.352
"""95 % point of the likelihood ratio of a step's place, (1 - exp(-x / 2))^2 = 0.95 (Hansen 2000,
Econometrica 68:575). A bend's is smaller (chi-square, 3.84), so the interval of a bend is too wide rather than too narrow."""

STEP_MUST_GAIN = 3.84
"""Likelihood ratio (chi-square, 5 %) by which a step must fit better than every bend. Of a slow change a step is taken for
the middle, of a sudden one a bend for a little before it: in simulated falls of four points the date then lies within two
positions in 68 to 81 % of bends and 88 to 98 % of steps, against 51 to 69 % and 95 to 100 % without it."""


class Began(NamedTuple):
    """The last position before the movement, by index, with a 95 % interval. core.stats.betting counts otherwise."""

    at: int
    """The last position that has not moved."""
    low: int
    high: int
    shape: str
    """step: at once after `at`; bend: more and more after `at`."""


def began(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> Began | None:
    """Of a series of means: after which position it moved. `sums`, `counts`: groups x positions.

    Each candidate (a step after t, a bend at t) is fitted by least squares weighted by counts (Quandt 1958, JASA 53:873). The
    best bend wins, or a step that is better by STEP_MUST_GAIN. The interval holds every t of which one shape loses no more
    likelihood than MOST_LIKELIHOOD_LOST; it supposes that there was one movement. Noise is what is left within groups
    after the mean of each position. None for fewer than 3 positions or 2 groups, or without noise to compare with.
    """
    noise = _noise(sums, counts)
    if noise is None:
        return None
    candidates = _candidates(sums.shape[1])
    explained = _explained(
        sums.sum(axis=0), counts.sum(axis=0), [regressor for _, _, regressor in candidates]
    )
    near = explained >= explained.max() - MOST_LIKELIHOOD_LOST * noise
    best = _chosen(candidates, explained, noise)
    places = [at for (at, _, _), close in zip(candidates, near, strict=True) if close]
    at, shape, _ = candidates[best]
    return Began(at, min(places), max(places), shape)


def _chosen(
    candidates: list[tuple[int, str, NDArray[np.float64]]], explained: NDArray[np.float64], noise: float
) -> int:
    """The best bend, unless a step fits better by more than STEP_MUST_GAIN: the earliest of equals."""
    worth = np.array([-STEP_MUST_GAIN * noise if shape == "step" else 0.0 for _, shape, _ in candidates])
    return int(np.argmax(np.round(explained + worth, 12)))


def _noise(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> float | None:
    """Variance of one observation, given its group and its position; groups seen once say nothing."""
    used = (counts > 0).sum(axis=1) > 1
    sums, counts = sums[used], counts[used]
    if sums.shape[0] < 2 or sums.shape[1] < 3:
        return None
    seen = counts > 0
    freedom = int(seen.sum()) - len(sums) - sums.shape[1] + 1
    rest = np.where(seen, sums / np.maximum(counts, 1e-12), 0.0)
    for _ in range(3):  # groups and positions by turns: exact at once where every group is seen everywhere
        rest -= (counts * rest).sum(axis=1, keepdims=True) / counts.sum(axis=1, keepdims=True)
        rest -= (counts * rest).sum(axis=0) / np.maximum(counts.sum(axis=0), 1e-12)
    variance = float((counts * rest**2).sum()) / freedom if freedom > 0 else 0.0
    return variance if variance > 1e-12 else None


def _candidates(positions: int) -> list[tuple[int, str, NDArray[np.float64]]]:
    """(last position before, shape, regressor); a bend at the one before last is the step there."""
    along = np.arange(positions, dtype=float)
    found = []
    for at in range(positions - 1):
        found.append((at, "bend", np.maximum(along - at, 0)))
        if at < positions - 2:
            found.append((at, "step", (along > at).astype(float)))
    return found


def _explained(
    sums: NDArray[np.float64], counts: NDArray[np.float64], regressors: list[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Weighted sum of squares that each regressor takes off the series of means."""
    weights = np.maximum(counts, 1e-12)
    y = sums / weights - sums.sum() / weights.sum()
    found = []
    for regressor in regressors:
        x = regressor - np.average(regressor, weights=weights)
        found.append(float((weights * x * y).sum()) ** 2 / max(float((weights * x * x).sum()), 1e-12))
    return np.array(found)

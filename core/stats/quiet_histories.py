"""Quiet histories to compare with: baseline, runs of unusual days, and worlds in which every run is chance.

The method is `core.stats.demand_breaks`; these are its steps, on rows of deviations, one history a row.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BASELINE_DAYS = 121
LONG_DAYS = 2 * BASELINE_DAYS
STRETCH_DAYS, STRETCH_STEP = (7, 14, 21, 28, 42), 4
SIDES = (-1.0, 1.0)
DRIFT = 0.5
CAP = 2.5
"""Robust standard deviations that a single day counts at most."""
NORMAL_MAD = 1.4826
"""A normal distribution's standard deviation over its median absolute deviation."""


class Run(NamedTuple):
    """An excursion: positions from `start` up to but without `stop`, and the height of its peak."""

    start: int
    stop: int
    mass: float


def baseline(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each row's level was, whatever its breaks."""
    return running_median(rows) if rows.shape[1] >= LONG_DAYS else line_beside_a_stretch(rows)


def running_median(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median over the 121 nearest days; in the first and last 60 the median goes on with its window's slope."""
    from scipy.ndimage import median_filter

    n, half = rows.shape[1], BASELINE_DAYS // 2
    medians = np.array([median_filter(row, size=BASELINE_DAYS, mode="nearest") for row in rows])
    slopes = [
        (np.median(window[:, half + 1 :], axis=1) - np.median(window[:, :half], axis=1)) / (half + 1)
        for window in (rows[:, :BASELINE_DAYS], rows[:, n - BASELINE_DAYS :])
    ]
    before, after = np.arange(-half, 0), np.arange(1, half + 1)
    medians[:, :half] = medians[:, [half]] + slopes[0][:, None] * before
    medians[:, n - half :] = medians[:, [n - half - 1]] + slopes[1][:, None] * after
    return medians


def line_beside_a_stretch(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The line of the least-squares fit of a line and one stretch with a level of its own, at its best place."""
    best = np.full(len(rows), np.inf)
    lines = np.zeros_like(rows)
    for design, solver in _stretch_fits(rows.shape[1]):
        effects = rows @ solver
        squares = ((rows - effects @ design.T) ** 2).sum(axis=1)
        better = squares < best
        best[better] = squares[better]
        lines[better] = effects[better, :2] @ design[:, :2].T
    return lines


@lru_cache(maxsize=8)
def _stretch_fits(n: int) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Design and least-squares solver of every place of a stretch: they depend on the number of days alone."""
    days, found = np.linspace(-1.0, 1.0, n), []
    for length in STRETCH_DAYS:
        for start in range(0, n - length + 1, STRETCH_STEP):
            design = np.column_stack([np.ones(n), days, np.zeros(n)])
            design[start : start + length, 2] = 1.0
            found.append((design, np.linalg.pinv(design).T))
    return found


def quiet_worlds(
    scaled: NDArray[np.float64], design: NDArray[np.float64], worlds: int, seed: int
) -> tuple[NDArray[np.float64], float]:
    """Histories as they would be without breaks, one a row, in units of their own robust deviation.

    Each loses what a regression on the design takes from it: a short history is bent by its own weekdays.
    """
    random = np.random.default_rng(seed)
    left, sizes, _ = np.linalg.svd(design, full_matrices=False)
    basis = left[:, sizes > 1e-9 * sizes[0]]
    clipped = np.clip(scaled, -CAP, CAP)
    wanted = float(_autocorrelations(scaled[None])[0])
    persistence = min(max(wanted, 0.0), 0.95)
    made = np.empty((worlds, len(scaled)))
    for step in range(4):
        innovations = clipped[1:] - persistence * clipped[:-1]
        innovations = innovations - np.median(innovations)
        made = _autoregression(innovations, persistence, worlds if step == 3 else 50, len(scaled), random)
        made -= (made @ basis) @ basis.T
        made -= baseline(made)
        made /= NORMAL_MAD * np.median(np.abs(made), axis=1, keepdims=True)
        if step < 3:
            lost = wanted - float(np.mean(_autocorrelations(made)))
            persistence = min(max(persistence + lost, 0.0), 0.97)
    return made, persistence


def _autoregression(
    innovations: NDArray[np.float64], persistence: float, worlds: int, n: int, random: np.random.Generator
) -> NDArray[np.float64]:
    warm = 60
    drawn = random.choice(innovations, size=(worlds, n + warm))
    for day in range(1, n + warm):
        drawn[:, day] += persistence * drawn[:, day - 1]
    return drawn[:, warm:]


def _autocorrelations(worlds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of one day with the next, by row, without the mean of the row's heaviest run: a break is no persistence."""
    found = np.empty(len(worlds))
    starts, stops = _heaviest_runs(worlds)
    for i, values in enumerate(np.clip(worlds, -CAP, CAP)):
        start, stop = starts[i], stops[i]
        if stop > start:
            values[start:stop] -= values[start:stop].mean()
        centred = values - values.mean()
        square = float((centred**2).sum())
        found[i] = float((centred[1:] * centred[:-1]).sum()) / square if square > 0 else 0.0
    return found


def _heaviest_runs(worlds: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """`start` and `stop` of each row's heaviest of `runs_of`, the first of equals; both 0 where there is none."""
    heaviest = np.zeros(len(worlds))
    starts, stops = (np.zeros(len(worlds), dtype=np.intp) for _ in range(2))
    everyone = np.arange(len(worlds))
    for side in SIDES:
        path = np.pad(cumulative(side * worlds), ((0, 0), (1, 1)))
        peaks = np.argmax(path, axis=1)
        masses_here = path[everyone, peaks]
        zeros = np.where(path <= 1e-12, np.arange(path.shape[1]), 0)
        left = np.maximum.accumulate(zeros, axis=1)[everyone, peaks]
        heavier = (masses_here > heaviest) & (masses_here > 1e-12)
        heaviest[heavier], starts[heavier], stops[heavier] = (
            masses_here[heavier],
            left[heavier],
            peaks[heavier],
        )
    return starts, stops


def cumulative(scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    """One-sided cumulative sums along the last axis: upward shifts of one deviation are what they are made for."""
    steps = np.minimum(scaled, CAP) - DRIFT
    sums = np.cumsum(steps, axis=-1)
    # max(0, S + step) of Page is the distance from the lowest point so far.
    return sums - np.minimum(np.minimum.accumulate(sums, axis=-1), 0.0)


def masses(worlds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Peaks of all excursions of all rows."""
    path = np.pad(cumulative(worlds), ((0, 0), (1, 1))).ravel()
    zeros = np.flatnonzero(path <= 1e-12)
    peaks = np.maximum.reduceat(path, zeros)
    return peaks[peaks > 1e-12]


def runs_of(scaled: NDArray[np.float64]) -> list[Run]:
    """Excursions on both sides, each from its first day to its peak."""
    runs = []
    for side in SIDES:
        path = np.pad(cumulative(side * scaled), 1)
        zeros = np.flatnonzero(path <= 1e-12)
        for left, right in pairwise(zeros.tolist()):
            if right - left > 1:
                peak = left + 1 + int(np.argmax(path[left + 1 : right]))
                runs.append(Run(left, peak, float(path[peak])))
    return runs

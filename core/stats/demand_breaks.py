"""Candidate breaks: runs of days that the calendar did not expect, low (a trough) or high (a launch).

1. Expectation: log tokens on weekday, holidays and known breaks (yearly waves from two years on) by Tukey's biweight,
   from several starts. Around it a baseline, so that growth is not a break: below 242 days a line beside the one
   stretch of days whose own level helps it most (a trough at the end would bend any line through it), above a
   median over the 121 nearest days, carried on by its slope at both ends.
2. Runs are excursions of a cumulative sum (Page 1954, Biometrika 41:100) of deviations in robust standard deviations
   less one half, each side by itself, from where it leaves zero to its peak, which is the run's mass. A day counts
   2.5 at most: one wild day is an outage, not a break, and nothing shorter than 3 days is proposed.
3. Days resemble their neighbours, and then long runs come by chance. The p-value of a run is the share of
   runs at least as heavy among those of simulated quiet histories: an AR(1) process with the series' own
   autocorrelation and resampled innovations (sieve bootstrap, Bühlmann 1997, Bernoulli 3:123), clipped so that the
   trough itself is not called normal, put through regression and baseline of step 1 and through 2. The heaviest
   run's mean is taken off before the autocorrelation is measured, in the data and in every simulated history
   alike; what the steps take away from it is put back by matching it after the steps (indirect inference,
   Gouriéroux et al. 1993).
4. Benjamini-Hochberg over all candidate runs: of those proposed, at most a share of 5 % is chance; a
   quiet series proposes nothing in 95 of 100 cases.

A proposal is a question to the user, not a correction: nothing changes until it is accepted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.stats.calendar_terms import FOURIER, TREND, Break, Calendar, Place, calendar
from core.stats.daily_series import Series
from core.stats.many_tests import benjamini_hochberg
from core.stats.resampling import SEED

MINIMUM_DAYS = 56
"""Observed days below which nothing is proposed: four weeks to know a weekday by, four to deviate in."""
LOOK_BACK_DAYS = 730
BASELINE_DAYS = 121
LONG_DAYS = 2 * BASELINE_DAYS
STRETCH_DAYS, STRETCH_STEP = (7, 14, 21, 28, 42), 4
SHORTEST_RUN_DAYS = 3
SMALLEST_SHARE = 0.10
"""Deviations below a tenth are no question worth asking: a forecast's own error is as large."""
FDR = 0.05
WORLDS = 200
"""Simulated quiet histories: with about 20 runs each the smallest p-value is about 1 in 4,000."""
FOURIER_DAYS = 730
STARTS = 8
SIDES = (-1.0, 1.0)
DRIFT = 0.5
CAP = 2.5
"""Robust standard deviations that a single day counts at most."""
NORMAL_MAD = 1.4826
"""A normal distribution's standard deviation over its median absolute deviation."""


class Proposal(NamedTuple):
    """A run of days beyond expectation, both ends included."""

    start: dt.date
    end: dt.date
    days: int
    size_share: float
    """Mean deviation: −0.4 = 40 % below the calendar's expectation."""
    low: float
    high: float
    """95 % interval of the size, from means of as many days in quiet histories."""
    p_value: float
    q_value: float
    """Benjamini-Hochberg adjusted over all runs of the history."""
    ongoing: bool
    """It touches the last day, so its end is not known."""


class Search(NamedTuple):
    """What was looked at and what was found. `why` says why nothing could be looked for."""

    proposals: tuple[Proposal, ...]
    runs: int
    """Candidate runs tested."""
    days: int
    autocorrelation: float
    daily_spread_share: float
    """Robust standard deviation of a normal day around its expectation, log units."""
    seed: int
    why: str = ""


class _Run(NamedTuple):
    start: int
    stop: int
    mass: float


def propose_breaks(
    series: Series, place: Place, accepted: Sequence[Break] = (), seed: int = SEED, fdr: float = FDR
) -> Search:
    """Runs of the last two years that are hardly chance. Days of accepted breaks are fitted, not proposed again."""
    cut = max(0, len(series.tokens) - LOOK_BACK_DAYS)
    recent = Series(series.day(cut), series.tokens[cut:])
    seen = np.flatnonzero(recent.tokens > 0)
    if len(seen) < MINIMUM_DAYS:
        return Search(
            (), 0, len(seen), 0.0, 0.0, seed, f"{len(seen)} days with tokens, {MINIMUM_DAYS} are needed"
        )
    residuals, design = _residuals(recent, calendar(place, recent.first, recent.last, accepted))
    deviations = residuals - baseline(residuals[None])[0]
    spread = NORMAL_MAD * float(np.median(np.abs(deviations)))
    if spread < 1e-9:
        return Search((), 0, len(seen), 0.0, 0.0, seed, "the days equal their expectation exactly")
    scaled = deviations / spread
    worlds, persistence = quiet_worlds(scaled, design, WORLDS, seed)
    runs = _runs(scaled)
    null = np.sort(np.concatenate([masses(side * worlds) for side in SIDES]))
    p = [(1 + len(null) - np.searchsorted(null, run.mass - 1e-12)) / (1 + len(null)) for run in runs]
    q = benjamini_hochberg(p) if runs else []
    kept = [
        _proposal(recent, seen, deviations, worlds * spread, run, float(p[i]), q[i])
        for i, run in enumerate(runs)
        if q[i] <= fdr and run.stop - run.start >= SHORTEST_RUN_DAYS
    ]
    kept = [proposal for proposal in kept if abs(proposal.size_share) >= SMALLEST_SHARE]
    kept.sort(key=lambda proposal: proposal.start)
    return Search(tuple(kept), len(runs), len(seen), persistence, spread, seed)


def accept(proposal: Proposal, name: str, effect_share: float | None = None) -> Break:
    """The break that a user's yes makes of a proposal: known only after it was seen, so backtests stay honest."""
    return Break(
        name, proposal.start, proposal.end, effect_share, known_from=proposal.end + dt.timedelta(days=1)
    )


def _residuals(series: Series, terms: Calendar) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log tokens of the days seen less what the calendar says of them, and the regressors that said it."""
    logs = series.logs()
    seen = np.flatnonzero(np.isfinite(logs))
    yearly = len(seen) >= FOURIER_DAYS - BASELINE_DAYS
    left_out = {FOURIER: not yearly, TREND: len(seen) < LONG_DAYS}
    kept = [not left_out.get(kind, False) for kind in terms.kinds]
    design = np.column_stack([np.ones(len(seen)), terms.matrix[seen][:, kept]])
    # The trend counts years from the first day: centred, it is not another intercept.
    design[:, 1:] -= design[:, 1:].mean(axis=0) * np.array([kind == TREND for kind in terms.kinds])[kept]
    return _robust(design, logs[seen]), design


def _robust(design: NDArray[np.float64], response: NDArray[np.float64]) -> NDArray[np.float64]:
    """Residuals of the fit with the smallest robust scale, from starts that each leave one stretch of days out.

    A trough at the end of a short history bends every fit that begins with all days; one that begins without it
    does not return to it, because Tukey's biweight gives days beyond 4.685 scales no weight.
    """
    n = len(response)
    stretches = [slice(0, 0)] + [slice(i * n // STARTS, (i + 2) * n // STARTS) for i in range(STARTS - 1)]
    fits = [_biweight(design, response, stretch) for stretch in stretches]
    return min(fits, key=lambda residuals: float(np.median(np.abs(residuals))))


def _biweight(
    design: NDArray[np.float64], response: NDArray[np.float64], left_out: slice
) -> NDArray[np.float64]:
    """Iteratively reweighted least squares: one step without the stretch, then biweights."""
    weights = np.ones(len(response))
    weights[left_out] = 0.0
    residuals = response
    for _ in range(15):
        # Normal equations: a thousand rows of thirty columns a step are too slow to decompose whole.
        weighted = design * weights[:, None]
        effects = np.linalg.lstsq(weighted.T @ design, weighted.T @ response, rcond=1e-12)[0]
        residuals = response - design @ effects
        spread = NORMAL_MAD * float(np.median(np.abs(residuals)))
        if spread < 1e-12:
            break
        weights = np.clip(1 - (residuals / (4.685 * spread)) ** 2, 0, None) ** 2
    return residuals


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
    n = rows.shape[1]
    days = np.linspace(-1.0, 1.0, n)
    best = np.full(len(rows), np.inf)
    lines = np.zeros_like(rows)
    for length in STRETCH_DAYS:
        for start in range(0, n - length + 1, STRETCH_STEP):
            design = np.column_stack([np.ones(n), days, np.zeros(n)])
            design[start : start + length, 2] = 1.0
            effects = rows @ np.linalg.pinv(design).T
            squares = ((rows - effects @ design.T) ** 2).sum(axis=1)
            better = squares < best
            best[better] = squares[better]
            lines[better] = effects[better, :2] @ design[:, :2].T
    return lines


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
    for i, world in enumerate(worlds):
        values = np.clip(world, -CAP, CAP)
        heaviest = max(_runs(world), key=lambda run: run.mass, default=None)
        if heaviest is not None:
            values[heaviest.start : heaviest.stop] -= values[heaviest.start : heaviest.stop].mean()
        centred = values - values.mean()
        square = float((centred**2).sum())
        found[i] = float((centred[1:] * centred[:-1]).sum()) / square if square > 0 else 0.0
    return found


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


def _runs(scaled: NDArray[np.float64]) -> list[_Run]:
    """Excursions on both sides, each from its first day to its peak."""
    runs = []
    for side in SIDES:
        path = np.pad(cumulative(side * scaled), 1)
        zeros = np.flatnonzero(path <= 1e-12)
        for left, right in pairwise(zeros.tolist()):
            if right - left > 1:
                peak = left + 1 + int(np.argmax(path[left + 1 : right]))
                runs.append(_Run(left, peak, float(path[peak])))
    return runs


def _proposal(
    series: Series,
    seen: NDArray[np.int64],
    deviations: NDArray[np.float64],
    worlds: NDArray[np.float64],
    run: _Run,
    p_value: float,
    q_value: float,
) -> Proposal:
    length = run.stop - run.start
    mean = float(deviations[run.start : run.stop].mean())
    sums = np.cumsum(np.pad(worlds, ((0, 0), (1, 0))), axis=1)
    noise = float(np.quantile(np.abs(sums[:, length:] - sums[:, :-length]) / length, 0.95))
    return Proposal(
        series.day(int(seen[run.start])),
        series.day(int(seen[run.stop - 1])),
        length,
        float(np.expm1(mean)),
        float(np.expm1(mean - noise)),
        float(np.expm1(mean + noise)),
        p_value,
        q_value,
        bool(seen[run.stop - 1] == len(series.tokens) - 1),
    )

"""Candidate breaks: runs of days that the calendar did not expect, low (a trough) or high (a launch).

1. Expectation: log tokens on weekday and holidays (yearly waves from two years on) by Tukey's biweight,
   from several starts. Around it a baseline, so that growth is not a break: below 242 days a line beside the one
   stretch of days whose own level helps it most (a trough at the end would bend any line through it), above a
   median over the 121 nearest days, carried on by its slope at both ends.
2. Runs are excursions of a cumulative sum (Page 1954, Biometrika 41:100) of deviations in robust standard deviations
   less one half, each side by itself, from where it leaves zero to its peak, which is the run's mass. A day counts
   2.5 at most: one wild day is an outage, not a break, and nothing shorter than 3 days is proposed. First and last day
   are those of the stretch in and around the run that least squares would give a level of its own.
3. Days resemble their neighbours, and then long runs come by chance. The p-value of a run is the share of
   runs at least as heavy among those of simulated quiet histories: an AR(1) process with the series' own
   autocorrelation and resampled innovations (sieve bootstrap, Bühlmann 1997, Bernoulli 3:123), clipped so that the
   trough itself is not called normal, put through regression and baseline of step 1 and through 2. The heaviest
   run's mean is taken off before the autocorrelation is measured, in the data and in every simulated history
   alike; what the steps take away from it is put back by matching it after the steps (indirect inference,
   Gouriéroux et al. 1993).
4. Benjamini-Hochberg over all candidate runs: of those proposed, at most a share of 5 % is meant to be chance.
   Measured on simulated quiet histories: 2 to 6 of 100 propose something, but 7 to 11 of 100 where the history is
   ninety days and each resembles the one before (autocorrelation 0.6): so little cannot tell the two apart.

A proposal is a question to the user, not a correction: nothing changes until it is accepted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.stats.calendar_terms import FOURIER, TREND, Break, Calendar, Place, calendar
from core.stats.daily_series import Series
from core.stats.many_tests import benjamini_hochberg
from core.stats.quiet_histories import (
    BASELINE_DAYS,
    LONG_DAYS,
    NORMAL_MAD,
    SIDES,
    Run,
    baseline,
    masses,
    quiet_worlds,
    runs_of,
)
from core.stats.resampling import SEED

MINIMUM_DAYS = 56
"""Observed days below which nothing is proposed: four weeks to know a weekday by, four to deviate in."""
LOOK_BACK_DAYS = 730
SHORTEST_RUN_DAYS = 3
EDGE_DAYS = 3
SMALLEST_SHARE = 0.10
"""Deviations below a tenth are no question worth asking: a forecast's own error is as large."""
FDR = 0.05
WORLDS = 200
"""Simulated quiet histories: with about 20 runs each the smallest p-value is about 1 in 4,000."""
FOURIER_DAYS = 730
STARTS = 8


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


def propose_breaks(
    series: Series, place: Place, accepted: Sequence[Break] = (), seed: int = SEED, fdr: float = FDR
) -> Search:
    """Runs of the last two years that are hardly chance. Days of accepted breaks are left out: they have been explained."""
    cut = max(0, len(series.tokens) - LOOK_BACK_DAYS)
    recent = Series(series.day(cut), _unexplained(series, accepted)[cut:])
    seen = np.flatnonzero(recent.tokens > 0)
    if len(seen) < MINIMUM_DAYS:
        return Search(
            (), 0, len(seen), 0.0, 0.0, seed, f"{len(seen)} days with tokens, {MINIMUM_DAYS} are needed"
        )
    residuals, design = _residuals(recent, calendar(place, recent.first, recent.last))
    deviations = residuals - baseline(residuals[None])[0]
    spread = NORMAL_MAD * float(np.median(np.abs(deviations)))
    if spread < 1e-9:
        return Search((), 0, len(seen), 0.0, 0.0, seed, "the days equal their expectation exactly")
    scaled = deviations / spread
    worlds, persistence = quiet_worlds(scaled, design, WORLDS, seed)
    runs = runs_of(scaled)
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


def _unexplained(series: Series, accepted: Sequence[Break]) -> NDArray[np.float64]:
    tokens = series.tokens.copy()
    for named in accepted:
        start, stop = ((day - series.first).days for day in (named.start, named.end + dt.timedelta(days=1)))
        tokens[max(start, 0) : max(stop, 0)] = np.nan
    return tokens


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


def _proposal(
    series: Series,
    seen: NDArray[np.int64],
    deviations: NDArray[np.float64],
    worlds: NDArray[np.float64],
    run: Run,
    p_value: float,
    q_value: float,
) -> Proposal:
    start, stop = edges(deviations, run)
    length = stop - start
    mean = float(deviations[start:stop].mean())
    sums = np.cumsum(np.pad(worlds, ((0, 0), (1, 0))), axis=1)
    noise = float(np.quantile(np.abs(sums[:, length:] - sums[:, :-length]) / length, 0.95))
    return Proposal(
        series.day(int(seen[start])),
        series.day(int(seen[stop - 1])),
        length,
        float(np.expm1(mean)),
        float(np.expm1(mean - noise)),
        float(np.expm1(mean + noise)),
        p_value,
        q_value,
        bool(seen[stop - 1] == len(series.tokens) - 1),
    )


def edges(deviations: NDArray[np.float64], run: Run) -> tuple[int, int]:
    """First day and the day after the last: the stretch near the run whose own level explains the squares best.

    A cumulative sum says that something happened more surely than when: by chance it runs on for days. A day counts
    at most twice the run's median, so that one wild day is not all of the stretch.
    """
    most = 2 * float(np.median(np.abs(deviations[run.start : run.stop])))
    low, high = max(run.start - EDGE_DAYS, 0), min(run.stop + EDGE_DAYS, len(deviations))
    sums = np.concatenate([[0.0], np.cumsum(np.clip(deviations[low:high], -most, most))])
    lengths = np.subtract.outer(np.arange(len(sums)), np.arange(len(sums)))
    inside = lengths >= SHORTEST_RUN_DAYS
    gains = np.where(inside, np.subtract.outer(sums, sums) ** 2 / np.maximum(lengths, 1), -1.0)
    stop, start = np.unravel_index(int(np.argmax(gains)), gains.shape)
    return low + int(start), low + int(stop)

"""Candidate breaks: runs of days that the calendar did not expect, low (a trough) or high (a launch).

1. Expectation: log tokens on weekday, holidays, known breaks and trend (yearly waves from two years on) by Huber's
   regression (1964, Ann. Math. Stat. 35:73), which a trough of some weeks bends little; around it a median over the 121
   nearest days, so that a drifting level is not a break and one of up to eight weeks is.
2. Runs of at least 3 days beyond one robust standard deviation, one day of pause allowed. A run's mass is the sum
   of its deviations, each counted as 2.5 at most: one wild day is an outage, not a break.
3. Days resemble their neighbours, and then long runs come by chance. The p-value of a run is the share of
   runs at least as heavy among those of simulated quiet histories: an AR(1) process with the series' own
   autocorrelation and resampled innovations (sieve bootstrap, Bühlmann 1997, Bernoulli 3:123), clipped so that the
   trough itself is not called normal, put through steps 1 (median) and 2. What the steps take away from the
   autocorrelation is put back by matching it after the steps (indirect inference, Gouriéroux et al. 1993).
4. Benjamini-Hochberg over all candidate runs: of those proposed, at most a share of 5 % is chance; a
   quiet series proposes nothing in 95 of 100 cases.

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
from core.stats.resampling import SEED

MINIMUM_DAYS = 56
"""Observed days below which nothing is proposed: four weeks to know a weekday by, four to deviate in."""
LOOK_BACK_DAYS = 730
BASELINE_DAYS = 121
SHORTEST_RUN_DAYS = 3
FDR = 0.05
WORLDS = 200
"""Simulated quiet histories: with about 20 runs each the smallest p-value is about 1 in 4,000."""
FOURIER_DAYS = 730
STARTS = 8
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
    deviations = _deviations(recent, calendar(place, recent.first, recent.last, accepted))[seen]
    spread = NORMAL_MAD * float(np.median(np.abs(deviations)))
    if spread < 1e-9:
        return Search((), 0, len(seen), 0.0, 0.0, seed, "the days equal their expectation exactly")
    scaled = deviations / spread
    worlds, persistence = quiet_worlds(scaled, WORLDS, seed)
    runs = _runs(scaled)
    null = np.sort([run.mass for world in worlds for run in _runs(world)])
    p = [(1 + len(null) - np.searchsorted(null, run.mass - 1e-12)) / (1 + len(null)) for run in runs]
    q = benjamini_hochberg(p) if runs else []
    kept = [
        _proposal(recent, seen, deviations, worlds * spread, run, float(p[i]), q[i])
        for i, run in enumerate(runs)
        if q[i] <= fdr
    ]
    return Search(tuple(kept), len(runs), len(seen), persistence, spread, seed)


def accept(proposal: Proposal, name: str, effect_share: float | None = None) -> Break:
    """The break that a user's yes makes of a proposal: known only after it was seen, so backtests stay honest."""
    return Break(
        name, proposal.start, proposal.end, effect_share, known_from=proposal.end + dt.timedelta(days=1)
    )


def _deviations(series: Series, terms: Calendar) -> NDArray[np.float64]:
    """Log tokens minus expectation; NaN where unseen."""
    logs = series.logs()
    seen = np.flatnonzero(np.isfinite(logs))
    yearly = len(seen) >= FOURIER_DAYS - BASELINE_DAYS
    kept = [kind != FOURIER or yearly for kind in terms.kinds]
    design = np.column_stack([np.ones(len(seen)), terms.matrix[seen][:, kept]])
    trend = 1 + [kind for kind, keep in zip(terms.kinds, kept, strict=True) if keep].index(TREND)
    design[:, trend] -= design[:, trend].mean()
    residuals = _robust(design, logs[seen])
    deviations = np.full(len(logs), np.nan)
    deviations[seen] = residuals - running_median(residuals)
    return deviations


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
        root = np.sqrt(weights)
        effects = np.linalg.lstsq(design * root[:, None], response * root, rcond=1e-9)[0]
        residuals = response - design @ effects
        spread = NORMAL_MAD * float(np.median(np.abs(residuals)))
        if spread < 1e-12:
            break
        weights = np.clip(1 - (residuals / (4.685 * spread)) ** 2, 0, None) ** 2
    return residuals


def running_median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median over the 121 nearest positions of the last axis; at the ends the first and last 121."""
    n = values.shape[-1]
    width = min(BASELINE_DAYS, n)
    medians = np.median(np.lib.stride_tricks.sliding_window_view(values, width, axis=-1), axis=-1)
    centre = np.clip(np.arange(n) - width // 2, 0, n - width)
    return medians[..., centre]


def quiet_worlds(scaled: NDArray[np.float64], worlds: int, seed: int) -> tuple[NDArray[np.float64], float]:
    """Histories as they would be without breaks, one a row, in units of their own robust deviation."""
    random = np.random.default_rng(seed)
    clipped = np.clip(scaled, -CAP, CAP)
    wanted = _autocorrelation(clipped)
    persistence = min(max(wanted, 0.0), 0.95)
    made = np.empty((worlds, len(scaled)))
    for step in range(4):
        innovations = clipped[1:] - persistence * clipped[:-1]
        innovations = innovations - np.median(innovations)
        made = _autoregression(innovations, persistence, worlds if step == 3 else 50, len(scaled), random)
        made -= running_median(made)
        made /= NORMAL_MAD * np.median(np.abs(made), axis=1, keepdims=True)
        if step < 3:
            lost = wanted - float(np.mean([_autocorrelation(np.clip(world, -CAP, CAP)) for world in made]))
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


def _autocorrelation(values: NDArray[np.float64]) -> float:
    centred = values - values.mean()
    square = float((centred**2).sum())
    return float((centred[1:] * centred[:-1]).sum()) / square if square > 0 else 0.0


def _runs(scaled: NDArray[np.float64]) -> list[_Run]:
    """Runs beyond one deviation on one side, bridging single days, at least 3 days from first to last."""
    runs = []
    capped = np.clip(scaled, -CAP, CAP)
    for side in (-1.0, 1.0):
        beyond = np.flatnonzero(side * scaled > 1)
        if len(beyond) == 0:
            continue
        breaks = np.flatnonzero(np.diff(beyond) > 2)
        firsts, lasts = beyond[np.r_[0, breaks + 1]], beyond[np.r_[breaks, len(beyond) - 1]]
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
            if last - first + 1 >= SHORTEST_RUN_DAYS:
                runs.append(_Run(first, last + 1, float(side * capped[first : last + 1].sum())))
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

"""Watching a difference for ever: an e-process whose false-alarm rate holds at every look, not at one.

The null says that what is left over each period (billed minus traced) is as likely to be +x as -x, given the
past. Then exp(l S - l^2 V / 2), with S the sum and V the sum of squares, is a supermartingale for every l
(de la Pena 1999, Ann. Probab. 27:537), and so is its average over a half-normal l > 0, which has a closed
form (Howard, Ramdas, McAuliffe & Sekhon 2021, Ann. Stat. 49:1055, one-sided normal mixture):

    E = 2 sqrt(r / (V + r)) exp(S^2 / (2 (V + r))) Phi(S / sqrt(V + r))

By Ville's inequality P(E ever reaches 1 / alpha) <= alpha. A CUSUM would need the noise's size and shape to
be known in advance; this needs neither. Requests that slip over a period's edge come back in the next one:
S stays near 0 while V grows, so such noise makes E smaller, never larger.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

ALPHA = 0.05
"""Chance that a series without drift ever raises the alarm, however long it is watched."""
MIX = 7 * 0.01**2
"""r above, in squared shares: a week of 1 % noise. A poor guess costs half its logarithm, never validity."""


class Drift(NamedTuple):
    """Evidence of upward drift after each period, and when it reached the alarm."""

    log_e: list[float]
    """Natural log of the e-process after each period."""
    cumulative: list[float]
    """Running sum of the differences as given."""
    alarm: int | None
    """Index of the first period at which E >= 1 / alpha; None = no alarm."""
    began: int | None
    """Index of the period at which the drift that raised the alarm probably began."""
    alpha: float


def symmetric_drift(
    differences: Sequence[float], scales: Sequence[float], alpha: float = ALPHA, mix: float = MIX
) -> Drift:
    """Test that differences (in units of `scales`, > 0, e.g. billed + traced) drift upwards.

    Dividing by billed + traced keeps the symmetry of the null, because it does not change when the two swap.
    Periods with scale 0 carry no evidence.
    """
    if len(differences) != len(scales):
        raise ValueError(f"{len(differences)} differences but {len(scales)} scales")
    d, s = np.asarray(differences, dtype=float), np.asarray(scales, dtype=float)
    shares = np.divide(d, s, out=np.zeros_like(d), where=s > 0)
    sums, squares = np.cumsum(shares), np.cumsum(shares**2)
    log_e = [_log_mixture(float(a), float(v), mix) for a, v in zip(sums, squares, strict=True)]
    alarm = next((i for i, e in enumerate(log_e) if e >= math.log(1 / alpha)), None)
    return Drift(log_e, np.cumsum(d).tolist(), alarm, _beginning(sums, alarm), alpha)


def _log_mixture(total: float, square: float, mix: float) -> float:
    from scipy.special import log_ndtr

    width = square + mix
    return float(
        math.log(2)
        + 0.5 * math.log(mix / width)
        + total * total / (2 * width)
        + log_ndtr(total / math.sqrt(width))
    )


def _beginning(sums: np.ndarray, alarm: int | None) -> int | None:
    """Likeliest start of a shift from 0 that lasts to the alarm: largest (sum since)^2 / periods since.

    The likelihood ratio of a change in the mean at an unknown time (Lai 1995, JRSS B 57:613).
    """
    if alarm is None:
        return None
    before = np.concatenate([[0.0], sums[:alarm]])
    since = np.maximum(sums[alarm] - before, 0.0)
    return int(np.argmax(since**2 / np.arange(alarm + 1, 0, -1)))

"""Boundaries against published ones, and what they promise by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from core.stats.error_spending import boundaries, evenly

FIFTHS = (0.2, 0.4, 0.6, 0.8, 1.0)


def test_published_boundaries_of_obrien_and_fleming_and_of_pocock() -> None:
    """One-sided 0.025 at five equal looks, by Lan & DeMets' two functions: as R's ldbounds prints them."""
    fleming = [2 - 2 * norm.cdf(norm.ppf(1 - 0.025 / 2) / math.sqrt(t)) for t in FIFTHS]
    assert boundaries(FIFTHS, fleming) == pytest.approx([4.8769, 3.3570, 2.6803, 2.2898, 2.0310], abs=2e-4)
    pocock = [0.025 * math.log(1 + (math.e - 1) * t) for t in FIFTHS]
    assert boundaries(FIFTHS, pocock) == pytest.approx([2.4380, 2.4268, 2.4102, 2.3966, 2.3860], abs=2e-4)


def test_one_look_is_the_ordinary_test() -> None:
    assert boundaries([3.0], [0.05]) == pytest.approx([1.6449], abs=1e-4)


def test_a_look_that_brings_or_spends_nothing_cannot_reject() -> None:
    """The second look brings nothing, and the third may spend what it left; the fourth has nothing to spend."""
    found = boundaries([1.0, 1.0, 2.0, 3.0], [0.01, 0.02, 0.02, 0.02])
    assert found == [pytest.approx(2.326, abs=1e-3), math.inf, pytest.approx(2.219, abs=1e-3), math.inf]
    assert evenly(30)[-1] == evenly(26)[-1] == pytest.approx(0.05)


def test_26_looks_at_growing_information_err_as_often_as_promised() -> None:
    """20,000 series without effect: 5 % cross somewhere; standard deviation 0.15 points, so 4.5 to 5.5 is three."""
    information = np.arange(1.0, 27.0) ** 3
    limits = np.array(boundaries(information.tolist(), evenly(26)))
    steps = np.sqrt(np.diff(information, prepend=0.0))
    score = np.cumsum(np.random.default_rng(5).normal(size=(20_000, 26)) * steps, axis=1)
    crossed = (score / np.sqrt(information) >= limits).any(axis=1).mean()
    assert 0.045 < crossed < 0.055


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="2 looks but 1"):
        boundaries([1.0, 2.0], [0.05])

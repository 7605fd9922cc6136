"""Betting e-processes: growth by hand, laws, e-BH against its definition, false alarms, delay and date."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.stats.betting import STAKES, began, e_benjamini_hochberg, watch


def test_one_difference_by_hand() -> None:
    """One difference of 1: half the money started, grown by the mean of 1 + l = 1 (the grid is symmetric)."""
    assert watch([[1.0]]).log_e == [pytest.approx(0.0)]


def test_two_differences_by_hand() -> None:
    """Two of 1 in one period: 1/2 + 1/2 x mean (1 + l)^2 = 1 + mean(l^2) / 2."""
    expected = 1 + sum(stake**2 for stake in STAKES) / len(STAKES) / 2
    assert watch([[1.0, 1.0]]).log_e == [pytest.approx(math.log(expected))]


@given(st.lists(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), max_size=5), min_size=1, max_size=20))
def test_either_sign_is_the_same_evidence(periods: list[list[float]]) -> None:
    flipped = [[-x for x in period] for period in periods]
    assert watch(periods).log_e == pytest.approx(watch(flipped).log_e)


@given(st.integers(1, 8))
def test_a_fair_coin_has_expected_value_one(n: int) -> None:
    """The mean of e over all 2^n outcomes is 1 exactly: the martingale, checked by enumeration."""
    outcomes = np.array(np.meshgrid(*[[-1.0, 1.0]] * n)).reshape(n, -1).T
    mean = np.mean([math.exp(watch([[x] for x in outcome]).log_e[-1]) for outcome in outcomes])
    assert mean == pytest.approx(1.0)


def test_periods_without_data_change_nothing() -> None:
    assert watch([[], [], []]).log_e == pytest.approx([0.0, 0.0, 0.0])
    assert began([[], []]) is None


def test_a_difference_outside_is_refused() -> None:
    with pytest.raises(ValueError, match="between -1 and 1"):
        watch([[1.5]])


@given(st.lists(st.floats(-3, 9), min_size=1, max_size=8), st.sampled_from([0.05, 0.2]))
def test_e_bh_is_bh_on_inverted_values(log_e: list[float], q: float) -> None:
    """Wang & Ramdas, section 3: e-BH is BH on p = 1 / e."""
    p = sorted(min(1.0, math.exp(-e)) for e in log_e)
    cut = max((k for k in range(1, len(p) + 1) if p[k - 1] <= q * k / len(p)), default=0)
    assert sum(e_benjamini_hochberg(log_e, q)) == sum(math.exp(-e) <= q * cut / len(p) + 1e-12 for e in log_e)


def test_a_shift_is_found_and_dated() -> None:
    random = np.random.default_rng(1)
    quiet = [list(random.choice([-1.0, 0.0, 0.0, 0.0, 1.0], 20)) for _ in range(60)]
    moved = [list(random.choice([-1.0, 0.0, 1.0, 1.0], 20)) for _ in range(30)]
    found, date = watch(quiet + moved), began(quiet + moved)
    assert found.alarm is not None
    assert 60 <= found.alarm <= 80
    assert date is not None
    assert date.low <= 60 <= date.high
    assert abs(date.at - 60) <= 5


@pytest.mark.slow
def test_quiet_quarters_raise_at_most_the_promised_alarms() -> None:
    """500 quarters of 90 quiet days, looked at every day: at most 5 % + 3 standard errors (2.9 points)."""
    random = np.random.default_rng(11)
    quarters = [[random.choice([-1.0, 0.0, 0.0, 1.0], 12) for _ in range(90)] for _ in range(500)]
    share = np.mean([watch(quarter).alarm is not None for quarter in quarters])
    print(f"e-process: {share:.1%} of 500 quiet quarters alarmed")
    assert share <= 0.079

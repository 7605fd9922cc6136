"""Order-statistic intervals: when they exist, what they cover, and that counted values give the same answer."""

from __future__ import annotations

from collections import Counter
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.stats.quantiles import of_histogram, quantile_interval, ranks, upper_bound_rank


@pytest.mark.parametrize(("quantile", "enough"), [(0.95, 59), (0.99, 299)])
def test_an_upper_bound_exists_from_n_on(quantile: float, enough: int) -> None:
    """The largest of n is a 95 % upper bound when quantile^n <= 0.05: 0.95^59 = 0.0485, 0.95^58 = 0.0510."""
    assert quantile**enough <= 0.05 < quantile ** (enough - 1)
    assert upper_bound_rank(enough, quantile) == enough
    assert upper_bound_rank(enough - 1, quantile) is None


def test_published_ranks_of_the_median() -> None:
    """n = 20: ranks 6 and 15 cover the median with 95.86 % (Conover 1999, table A3: P(X <= 5) = .0207)."""
    assert sum(comb(20, i) for i in range(6)) / 2**20 == pytest.approx(0.0207, abs=5e-5)
    assert ranks(20, 0.5) == (6, 15)


@given(st.integers(1, 120), st.sampled_from([0.1, 0.5, 0.9, 0.95]))
def test_each_side_errs_at_most_two_and_a_half_percent(n: int, quantile: float) -> None:
    """P(value of rank r > quantile) = P(fewer than r below) and must be <= 2.5 %, by the plain sum."""
    below = [comb(n, i) * quantile**i * (1 - quantile) ** (n - i) for i in range(n + 1)]
    low, high = ranks(n, quantile)
    if low is not None:
        assert sum(below[:low]) <= 0.025 + sum(below[low - 1 : low])
        assert sum(below[: low - 1]) <= 0.025
    if high is not None:
        assert sum(below[high:]) <= 0.025 + 1e-12


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), st.sampled_from([0.5, 0.95]))
def test_counted_values_give_the_same_as_listed_ones(values: list[int], quantile: float) -> None:
    counted = Counter(values)
    listed = quantile_interval([float(value) for value in values], quantile)
    assert of_histogram([float(value) for value in counted], list(counted.values()), quantile) == listed


@pytest.mark.slow
def test_coverage_of_the_p95_interval() -> None:
    """2,000 exponential samples of 400: the true p95 = ln 20 lies inside at least 95 % of the time."""
    random = np.random.default_rng(7)
    inside = 0
    for _ in range(2_000):
        found = quantile_interval(random.exponential(size=400).tolist(), 0.95)
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= np.log(20) <= found.high
    assert inside / 2_000 >= 0.945


def test_no_values_is_an_error() -> None:
    with pytest.raises(ValueError, match="n = 0"):
        quantile_interval([], 0.5)

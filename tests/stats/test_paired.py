"""Two versions on the same items: published values, sums by hand, laws, coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.stats.paired import detectable_paired, items_needed_paired, mcnemar, signed_rank


def test_newcombe_paired_published_example() -> None:
    """Newcombe 1998, Stat. Med. 17:2635, table II, method 10: 36, 12, 2, 0 gives 0.0569 to 0.3404."""
    found = mcnemar(both=36, lost=2, gained=12, neither=0)
    assert (round(found.low, 4), round(found.difference, 4), round(found.high, 4)) == (0.0569, 0.2, 0.3404)


def test_exact_p_by_hand() -> None:
    """5 gained, 0 lost: two-sided 2 x (1/2)^5 = 0.0625; none discordant: 1."""
    assert mcnemar(10, 0, 5, 10).p == pytest.approx(0.0625)
    assert mcnemar(10, 0, 0, 10).p == 1.0


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(1, 30))
def test_swapping_the_versions_flips_the_sign(both: int, lost: int, gained: int, neither: int) -> None:
    one, other = mcnemar(both, lost, gained, neither), mcnemar(both, gained, lost, neither)
    assert one.difference == pytest.approx(-other.difference)
    assert (one.low, one.high) == (pytest.approx(-other.high), pytest.approx(-other.low))
    assert one.p == other.p
    assert -1 <= one.low <= one.difference <= one.high <= 1


def test_an_impossible_table_is_refused() -> None:
    for table in ((0, 0, 0, 0), (-1, 2, 3, 4)):
        with pytest.raises(ValueError, match="paired table"):
            mcnemar(*table)


def test_signed_rank_against_scipy_and_a_plain_median() -> None:
    """Hollander & Wolfe, table 3.1 (Hamilton depression scale): estimate -0.46, T+ = 5, exact two-sided p 0.0391."""
    before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
    after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
    found = signed_rank(before, after)
    assert found is not None
    assert round(found.value, 2) == -0.46
    assert round(found.p, 4) == 0.0391
    assert found.low <= found.value <= found.high < 0.05
    d = [b - a for a, b in zip(before, after, strict=True)]
    assert found.value == np.median([(d[i] + d[j]) / 2 for i in range(9) for j in range(i, 9)])


def test_five_pairs_are_too_few_and_no_difference_is_no_evidence() -> None:
    assert signed_rank([1.0] * 5, [2.0] * 5) is None
    found = signed_rank([1.0] * 8, [1.0] * 8)
    assert found is not None
    assert (found.value, found.p) == (0.0, 1.0)


@given(st.floats(0.02, 0.3), st.integers(50, 5_000))
def test_detectable_inverts_needed(discordance: float, items: int) -> None:
    """Solving n = z^2 (d - x^2) / x^2 for x gives x = sqrt(d z^2 / (n + z^2))."""
    smallest = detectable_paired(items, discordance)
    if smallest <= discordance:
        assert abs(items_needed_paired(smallest, discordance) - items) <= 1


@pytest.mark.slow
def test_paired_intervals_cover() -> None:
    """2,000 tables a setting, 95 % nominal: between 93 and 97.5 %."""
    random = np.random.default_rng(5)
    for shares in ((0.6, 0.1, 0.1, 0.2), (0.8, 0.02, 0.1, 0.08), (0.3, 0.2, 0.25, 0.25)):
        truth, hits = shares[2] - shares[1], 0
        for both, lost, gained, neither in random.multinomial(80, shares, size=2_000):
            found = mcnemar(int(both), int(lost), int(gained), int(neither))
            hits += found.low <= truth <= found.high
        assert 0.93 <= hits / 2_000 <= 0.985, shares


@pytest.mark.slow
def test_signed_rank_covers() -> None:
    random = np.random.default_rng(6)
    hits = 0
    for _ in range(1_000):
        first = random.normal(0, 1, 40)
        found = signed_rank(first, first + 0.3 + random.laplace(0, 1, 40))
        assert found is not None
        hits += found.low <= 0.3 <= found.high
    assert math.isclose(hits / 1_000, 0.955, abs_tol=0.025)


@pytest.mark.parametrize("n", [6, 7, 40, 41])
def test_the_shift_is_read_off_the_sorted_averages(n: int) -> None:
    """Estimate and interval from a plain sorted list of every pair's average, as the book has them."""
    random = np.random.default_rng(n)
    first, second = random.normal(size=n).round(1), random.normal(0.3, size=n).round(1)
    d = second - first
    walsh = sorted((d[i] + d[j]) / 2 for i in range(n) for j in range(i, n))
    rank = math.floor(n * (n + 1) / 4 - 1.959964 * math.sqrt(n * (n + 1) * (2 * n + 1) / 24)) - 1
    found = signed_rank(list(first), list(second))
    assert found is not None
    assert found.value == float(np.median(walsh))
    assert (found.low, found.high) == (walsh[max(rank, 0)], walsh[len(walsh) - 1 - max(rank, 0)])

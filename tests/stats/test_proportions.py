"""Intervals of shares against published tables, laws and plain definitions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.stats.proportions import clopper_pearson, newcombe, none_seen, wilson

COUNTS = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))

# Newcombe 1998, Stat. Med. 17:857-872, table I: methods 3 (score, no correction) and 5 (Clopper-Pearson).
PUBLISHED = [
    (81, 263, 0.2553, 0.3662, 0.2527, 0.3676),
    (15, 148, 0.0624, 0.1605, 0.0578, 0.1617),
    (0, 20, 0.0000, 0.1611, 0.0000, 0.1684),
    (1, 29, 0.0061, 0.1718, 0.0009, 0.1776),
]


@pytest.mark.parametrize(("k", "n", "low", "high", "exact_low", "exact_high"), PUBLISHED)
def test_published_intervals_of_one_share(
    k: int, n: int, low: float, high: float, exact_low: float, exact_high: float
) -> None:
    assert wilson(k, n) == pytest.approx((low, high), abs=5e-5)
    assert clopper_pearson(k, n) == pytest.approx((exact_low, exact_high), abs=5e-5)


# Newcombe 1998, Stat. Med. 17:873-890, table II, method 10.
@pytest.mark.parametrize(
    ("k1", "n1", "k2", "n2", "low", "high"),
    [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (10, 10, 0, 10, 0.6075, 1.0000),
        (0, 10, 0, 10, -0.2775, 0.2775),
    ],
)
def test_published_intervals_of_a_difference(
    k1: int, n1: int, k2: int, n2: int, low: float, high: float
) -> None:
    assert newcombe(k1, n1, k2, n2) == pytest.approx((low, high), abs=6e-5)


@given(COUNTS)
def test_an_interval_holds_its_estimate_and_mirrors(counts: tuple[int, int]) -> None:
    k, n = counts
    for interval in (wilson, clopper_pearson):
        low, high = interval(k, n)
        assert 0 <= low <= k / n <= high <= 1
        assert interval(n - k, n) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@given(COUNTS, COUNTS)
def test_swapping_the_groups_flips_the_difference(one: tuple[int, int], other: tuple[int, int]) -> None:
    low, high = newcombe(*one, *other)
    assert newcombe(*other, *one) == pytest.approx((-high, -low), abs=1e-12)
    assert low <= one[0] / one[1] - other[0] / other[1] <= high


@pytest.mark.parametrize("n", [1, 10, 100, 5_000])
def test_clopper_pearson_inverts_the_binomial(n: int) -> None:
    """P(X <= 0 | high) = (1 - high)^n = 0.025 by definition; about 3.7 / n for large n."""
    high = clopper_pearson(0, n).high
    assert (1 - high) ** n == pytest.approx(0.025)
    assert high <= -math.log(0.025) / n


def test_none_seen_is_the_rule_of_three() -> None:
    """(1 - p)^100 = 0.05 gives p = 1 - 0.05^0.01 = 0.02951."""
    assert none_seen(100) == pytest.approx(1 - 0.05**0.01)
    assert none_seen(10_000) == pytest.approx(3 / 10_000, rel=0.01)


@pytest.mark.parametrize(("k", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused_with_their_numbers(k: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"k = {k}, n = {n}"):
        wilson(k, n)

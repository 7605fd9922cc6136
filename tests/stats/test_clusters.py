"""Clusters: design effects by hand, the laws of an ICC, Wilson and Newcombe as a special case, order statistics, coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.stats.clusters import design, difference_interval, quantile_of_clusters, share_interval
from core.stats.proportions import newcombe, wilson
from core.stats.quantiles import quantile_interval


def test_by_hand() -> None:
    # Calls (0, 0), (0, 1), (1, 1): means 0, 0.5, 1; between 2(0.25 + 0 + 0.25) / 2 = 0.5; within (0.25 + 0.25) / 3 = 1/6.
    # ICC = (1/2 - 1/6) / (1/2 + 1/6) = 0.5; effect 1 + (2 - 1) 0.5 = 1.5; 6 turns are worth 4.
    found = design([0, 0, 0, 1, 1, 1], ["a", "a", "b", "b", "c", "c"])
    assert (found.icc, found.effect, found.effective) == (
        pytest.approx(0.5),
        pytest.approx(1.5),
        pytest.approx(4),
    )


def test_unequal_calls_cost_more() -> None:
    # Sizes 1 and 3: a turn is in a call of (1 + 9) / 4 = 2.5 turns, not of 2.
    found = design([0, 1, 1, 1], ["a", "b", "b", "b"])
    assert (found.icc, found.effect) == (pytest.approx(1.0), pytest.approx(2.5))


@pytest.mark.parametrize(
    ("values", "calls"), [([1.0, 0.0, 1.0], "abc"), ([0.0, 0.0], "aa"), ([1.0, 1.0, 1.0, 1.0], "aabb")]
)
def test_one_turn_a_call_and_no_spread_cost_nothing(values: list[float], calls: str) -> None:
    assert design(values, list(calls)).effect == 1


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=80))
def test_the_effective_n_is_never_more_than_n_and_the_order_is_nothing(rows: list[tuple[int, bool]]) -> None:
    found = design([float(value) for _, value in rows], [call for call, _ in rows])
    assert found.effect >= 1
    assert found.effective <= found.n
    turned = design([float(value) for _, value in reversed(rows)], [call for call, _ in reversed(rows)])
    assert turned.effect == pytest.approx(found.effect)


def test_whole_numbers_give_wilson_and_newcombe() -> None:
    assert share_interval(81 / 263, 263) == pytest.approx(wilson(81, 263))
    assert difference_interval(56 / 70, 70, 48 / 80, 80) == pytest.approx(newcombe(56, 70, 48, 80))
    assert share_interval(0.0, 50).low == 0
    assert share_interval(1.0, 50).high == 1


@pytest.mark.parametrize("n", [0.0, -1.0])
def test_no_turns_are_refused(n: float) -> None:
    with pytest.raises(ValueError, match="n > 0"):
        share_interval(0.5, n)


@given(st.lists(st.floats(0, 10), min_size=72, max_size=200))
def test_of_independent_values_the_interval_is_the_ordinary_one(values: list[float]) -> None:
    assert quantile_of_clusters(values, 0.95, len(values)) == quantile_interval(values, 0.95)


@pytest.mark.parametrize(("effective", "bounded"), [(58.9, False), (59.0, True)])
def test_a_p95_has_an_upper_bound_from_fifty_nine_on(effective: float, bounded: bool) -> None:
    assert (
        quantile_of_clusters([float(at) for at in range(300)], 0.95, effective).high is not None
    ) == bounded


@pytest.mark.slow
def test_coverage_of_a_clustered_p95(capsys: pytest.CaptureFixture[str]) -> None:
    """1,000 samples of 80 calls of five turns, ICC 0.4: the true p95 of N(0, 1) is 1.645; naive intervals cover less."""
    random = np.random.default_rng(11)
    ours = naive = 0
    calls = [call for call in range(80) for _ in range(5)]
    for _ in range(1_000):
        own = np.repeat(random.normal(size=80), 5)
        values = (0.4**0.5 * own + 0.6**0.5 * random.normal(size=400)).tolist()
        slow = sorted(values)[379]
        found = quantile_of_clusters(values, 0.95, design([float(v > slow) for v in values], calls).effective)
        plain = quantile_interval(values, 0.95)
        for held, counts in ((found, True), (plain, False)):
            assert held.low is not None
            assert held.high is not None
            covered = held.low <= 1.6449 <= held.high
            ours, naive = ours + (covered and counts), naive + (covered and not counts)
    with capsys.disabled():
        print(f"clustered p95 covered {ours / 1000:.1%}, as if independent {naive / 1000:.1%}")
    assert ours / 1000 >= 0.93

"""The cluster bootstrap of a ratio: laws, an independent reference, coverage."""

from __future__ import annotations

import numpy as np
import pytest

from core.stats.resampling import ratio_interval


def _runs(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    calls = random.poisson(3, n) + 1.0
    return calls * random.gamma(2, 0.5, n), calls


def test_it_agrees_with_scipy_bca() -> None:
    """scipy.stats.bootstrap 1.17.1, method BCa, is an independent implementation; Monte-Carlo error remains."""
    from scipy.stats import bootstrap

    top, bottom = _runs(150, 1)
    ours = ratio_interval(top, bottom, draws=20_000)
    theirs = bootstrap(
        (top, bottom),
        lambda a, b, axis=-1: a.sum(axis=axis) / b.sum(axis=axis),
        paired=True,
        n_resamples=20_000,
        method="BCa",
        rng=np.random.default_rng(5),
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.03 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.03 * width)


def test_scaling_scales_and_order_does_not_matter() -> None:
    top, bottom = _runs(80, 2)
    one = ratio_interval(top, bottom)
    assert one.low < one.value < one.high
    scaled = ratio_interval(top * 4, bottom)
    assert (scaled.value, scaled.low, scaled.high) == pytest.approx(
        (one.value * 4, one.low * 4, one.high * 4)
    )
    mixed = np.random.default_rng(0).permutation(80)
    assert ratio_interval(top[mixed], bottom[mixed]) == one._replace(value=pytest.approx(one.value))


def test_equal_clusters_leave_no_doubt() -> None:
    """Every run costs 3 for 2 calls: any resample gives 1.5."""
    found = ratio_interval([3.0] * 40, [2.0] * 40)
    assert (found.value, found.low, found.high) == (1.5, 1.5, 1.5)


def test_rare_conversions_may_be_infinitely_dear() -> None:
    """One conversion in 40 runs: a resample misses it with chance 1 / e, so there is no upper bound."""
    found = ratio_interval([1.0] * 40, [1.0] + [0.0] * 39)
    assert found.value == 40
    assert np.isinf(found.high)


@pytest.mark.parametrize(("top", "bottom"), [([1.0], [1.0]), ([1.0, 2.0], [0.0, 0.0])])
def test_too_little_is_refused(top: list[float], bottom: list[float]) -> None:
    with pytest.raises(ValueError, match="clusters"):
        ratio_interval(top, bottom)


@pytest.mark.slow
def test_coverage() -> None:
    """400 worlds of 200 runs; truth E[cost] / E[calls] = 1. Nominal 95 %, asked for 91 % to 98.5 %."""
    inside = 0
    for seed in range(400):
        found = ratio_interval(*_runs(200, 1_000 + seed), draws=600)
        inside += found.low <= 1.0 <= found.high
    assert 0.91 <= inside / 400 <= 0.985

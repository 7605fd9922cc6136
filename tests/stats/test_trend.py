"""Slopes and means by clusters, against statsmodels and by hand; blind to mix."""

from __future__ import annotations

import numpy as np
import pytest

from core.stats.trend import clustered_mean, codes, shuffled_z, within_slope


def panel(
    seed: int, items: int = 200, looks: int = 6, slope: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    item, x = np.repeat(np.arange(items), looks), np.tile(np.arange(looks), items)
    ease = random.beta(4, 2, items)[item]
    return x, (random.random(items * looks) < np.clip(ease + slope * x, 0, 1)).astype(float), item


def test_slope_and_error_equal_statsmodels_with_a_dummy_an_item() -> None:
    import statsmodels.api as sm

    x, y, item = panel(1, items=40, slope=-0.02)
    dummies = (item[:, None] == np.arange(40)[None, :]).astype(float)
    fitted = sm.OLS(y, np.column_stack([x, dummies])).fit(
        cov_type="cluster", cov_kwds={"groups": item, "use_correction": False}
    )
    found = within_slope(x, y, item, item)
    assert found is not None
    assert found.value == pytest.approx(fitted.params[0], abs=1e-12)
    assert found.se == pytest.approx(fitted.bse[0] * np.sqrt(40 / 39), rel=1e-9)


def test_two_looks_give_the_mean_paired_difference() -> None:
    """20 items, 5 of them lost and 1 gained: (1 - 5) / 20 = -0.2 from look 0 to look 1."""
    before = np.array([1.0] * 10 + [0.0] * 10)
    after = before.copy()
    after[:5], after[10] = 0.0, 1.0
    item = np.arange(20)
    found = within_slope(
        [0] * 20 + [1] * 20, np.append(before, after), np.append(item, item), np.append(item, item)
    )
    assert found is not None
    assert (round(found.value, 12), found.clusters, found.n) == (-0.2, 20, 40)


def test_a_changing_mix_does_not_move_it() -> None:
    """Group 0 is at 0.9 and group 1 at 0.5 for ever; only how many come of each changes: the pooled share falls."""
    x = np.repeat([0, 1], 100)
    group = np.array([0] * 80 + [1] * 20 + [0] * 20 + [1] * 80)
    y = np.where(group == 0, 0.9, 0.5)
    found = within_slope(x, y, group, np.arange(200))
    assert found is not None
    assert found.value == pytest.approx(0, abs=1e-12)


def test_one_position_or_few_clusters_say_nothing() -> None:
    assert within_slope([1] * 50, np.ones(50), np.zeros(50), np.arange(50)) is None
    assert (
        within_slope([0, 1] * 10, np.ones(20), np.repeat(np.arange(10), 2), np.repeat(np.arange(10), 2))
        is None
    )


def test_the_error_is_right_when_nothing_moves() -> None:
    """z beyond 1.96 in 5 % of 400 worlds; 400 x 0.05 = 20, standard deviation 4.4, so 7 to 33 is three of them."""
    beyond = 0
    for seed in range(400):
        found = within_slope(*(panel(seed, items=60)[at] for at in (0, 1, 2, 2)))
        assert found is not None
        beyond += abs(found.z) > 1.96
    assert 7 <= beyond <= 33


def test_a_mean_keeps_clusters_whole() -> None:
    """Ten answers a user told ten times over are no more than one a user: the interval must not shrink."""
    y = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 1.0])
    once = clustered_mean(y, np.arange(6), (0, 1))
    tenfold = clustered_mean(np.repeat(y, 10), np.repeat(np.arange(6), 10), (0, 1))
    assert once is not None
    assert tenfold is not None
    assert once[:3] == pytest.approx(tenfold[:3])
    # s = sqrt(6 x (4/6)(2/6) / 5) = 0.5164; s / sqrt(6) = 0.2108; t(5) = 2.5706: 0.6667 +- 0.5420, cut at 1
    assert (once.low, once.high) == pytest.approx((0.1247, 1.0), abs=1e-3)


def test_all_alike_is_not_certain() -> None:
    found = clustered_mean(np.ones(30), np.arange(30), (0, 1))
    assert found is not None
    assert found.low == pytest.approx(0.8865, abs=1e-3)  # Wilson: 30 / (30 + 3.8415)
    assert found.high == 1.0


def test_a_shuffled_trend_is_gone() -> None:
    """A clear slope, shuffled 1,000 times: z is standard normal, so 5 % lie beyond 1.645; three deviations are 2 points."""
    x, y, item = panel(2, slope=-0.05)
    real = within_slope(x, y, item, item)
    assert real is not None
    assert real.z < -5
    z = shuffled_z(x, y, item, 1_000, 7)
    assert abs(z.mean()) < 0.1
    assert 0.03 < (z > 1.645).mean() < 0.07
    assert shuffled_z(np.ones(20), np.ones(20), np.zeros(20), 3, 1).tolist() == [0, 0, 0]


def test_shuffling_within_groups_is_that_of_one_draw_after_the_other() -> None:
    """Groups of 1 to 5 rows, 45 draws: the plain loop over draws with the same seed, statistic by its definition."""
    group = np.repeat(np.arange(30), np.arange(30) % 5 + 1)
    noise = np.random.default_rng(2)
    x, y = noise.integers(0, 6, len(group)).astype(float), noise.normal(size=len(group))
    order = np.lexsort((y, x, group))
    x_in, y_in = (
        values[order] - np.array([values[group == one].mean() for one in group]) for values in (x, y)
    )
    random, plain = np.random.default_rng(9), []
    for _ in range(45):
        drawn = x_in[np.argsort(group + random.random(len(group)), kind="stable")]
        slope = (drawn * y_in).sum() / (x_in**2).sum()
        spread = np.sqrt(((drawn * (y_in - slope * drawn)) ** 2).sum()) / (x_in**2).sum()
        plain.append(slope / spread)
    np.testing.assert_allclose(shuffled_z(x, y, group, 45, 9), plain, rtol=1e-9)


@pytest.mark.parametrize("labels", [["b", "a", "b"], [7, 3, 7], [-1, 5, -1], [10**12, 4, 4], []])
def test_codes_are_ranks_of_the_labels(labels: list[object]) -> None:
    ranks = {label: rank for rank, label in enumerate(sorted(set(labels)))}  # type: ignore[type-var]
    assert codes(np.array(labels)).tolist() == [ranks[label] for label in labels]

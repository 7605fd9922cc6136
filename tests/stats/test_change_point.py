"""When a level began to move: planted steps and bends, and against trying everything by hand."""

from __future__ import annotations

import numpy as np
import pytest

from core.stats.change_point import began


def world(
    seed: int, shape: str, at: int, items: int = 800, fall: float = 0.06
) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    along = np.arange(13)
    moved = (along > at) * 1.0 if shape == "step" else np.maximum(along - at, 0) / (12 - at)
    ease = random.beta(7, 3, items)[:, None] - fall * moved[None, :]
    passed = (random.random((items, 13)) < np.clip(ease, 0, 1)).astype(float)
    return passed, np.ones_like(passed)


@pytest.mark.parametrize(("shape", "at"), [("step", 3), ("step", 8), ("bend", 0), ("bend", 6)])
def test_a_planted_movement_is_dated(shape: str, at: int) -> None:
    """In 60 worlds the interval covers the planted place 54 times (57 are expected), a step is within two places 48 times."""
    found = [began(*world(seed, shape, at)) for seed in range(60)]
    assert sum(one is not None and one.low <= at <= one.high for one in found) >= 54
    if shape == "step":
        assert sum(one is not None and abs(one.at - at) <= 2 for one in found) >= 48


def test_equals_least_squares_by_hand() -> None:
    sums, counts = world(3, "step", 5)
    means = sums.mean(axis=0)
    best, where = np.inf, None
    for at in range(12):
        # A planted step of six points is so much better than any bend that its handicap does not matter.
        for regressor in ((np.arange(13) > at) * 1.0, np.maximum(np.arange(13) - at, 0.0)):
            design = np.column_stack([np.ones(13), regressor])
            rest = means - design @ np.linalg.lstsq(design, means, rcond=None)[0]
            if (rest**2).sum() < best - 1e-12:
                best, where = (rest**2).sum(), at
    found = began(sums, counts)
    assert found is not None
    assert found.at == where
    assert began(sums, counts) == found


def test_two_positions_have_no_date() -> None:
    assert began(np.ones((5, 2)), np.ones((5, 2))) is None


def test_a_series_without_noise_or_with_one_group_has_none() -> None:
    assert began(np.ones((5, 6)), np.ones((5, 6))) is None
    assert began(np.array([[1.0, 2.0, 3.0, 1.0]]), np.ones((1, 4))) is None


def test_cells_that_were_not_seen_are_not_zeros() -> None:
    """A third of the cells missing at random: the place is still found."""
    sums, counts = world(5, "step", 6)
    seen = np.random.default_rng(1).random(sums.shape) < 0.67
    found = began(np.where(seen, sums, 0.0), np.where(seen, counts, 0.0))
    assert found is not None
    assert found.low <= 6 <= found.high

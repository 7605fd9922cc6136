"""The area within prompts against counting pairs, and why the pooled one hides the decay."""

from __future__ import annotations

import numpy as np
import pytest

from core.stats.discrimination import FEWEST_GROUPS, within_auroc


def counted(score: np.ndarray, right: np.ndarray, group: np.ndarray) -> tuple[float, int]:
    """Pair by pair, as the definition says."""
    wins, pairs = 0.0, 0
    for name in np.unique(group):
        here = group == name
        for good in score[here & right]:
            for bad in score[here & ~right]:
                wins += (good > bad) + 0.5 * (good == bad)
                pairs += 1
    return wins / pairs, pairs


def world(seed: int, prompts: int = 60, answers: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(prompts), answers)
    right = random.random(len(group)) < 0.5
    return np.round(random.normal(size=len(group)) + 0.8 * right, 1), right, group


@pytest.mark.parametrize("seed", range(5))
def test_equals_counting_pairs(seed: int) -> None:
    score, right, group = world(seed)
    found = within_auroc(score, right, group)
    assert found is not None
    assert (found.value, found.pairs) == pytest.approx(counted(score, right, group))
    assert found.pooled == pytest.approx(counted(score, right, np.zeros_like(group))[0])
    assert found.low < found.value < found.high


def test_a_score_that_only_knows_easy_prompts_looks_good_when_pooled() -> None:
    random = np.random.default_rng(7)
    group = np.repeat(np.arange(200), 6)
    ease = np.linspace(0.1, 0.9, 200)[group]
    right = random.random(len(group)) < ease
    found = within_auroc(4 * ease + random.normal(size=len(group)) * 0.3, right, group)
    assert found is not None
    assert found.value < 0.55
    assert found.pooled > 0.7


def test_the_interval_covers() -> None:
    """True area P(N(0.8, 1) > N(0, 1)) = Phi(0.8 / sqrt 2) = 0.7142; 95 % of 300: 285, three deviations 11."""
    truth = 0.7142
    covered = 0
    for seed in range(300):
        score, right, group = world(seed)
        found = within_auroc(
            score + np.random.default_rng(seed).uniform(-0.05, 0.05, len(score)), right, group
        )
        assert found is not None
        covered += found.low <= truth <= found.high
    assert 273 <= covered <= 297


def test_perfect_is_not_certain_and_few_prompts_are_too_few() -> None:
    group = np.repeat(np.arange(30), 2)
    right = np.tile([True, False], 30)
    found = within_auroc(right.astype(float), right, group)
    assert found is not None
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(1 - 3.7 / 30)
    few = group < FEWEST_GROUPS - 1
    assert within_auroc(right[few].astype(float), right[few], group[few]) is None
    assert within_auroc(np.ones(60), np.ones(60, dtype=bool), group) is None

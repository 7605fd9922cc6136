"""A judge narrows and never moves: coverage, the two ends, a useless judge."""

from __future__ import annotations

import numpy as np
import pytest

from core.stats.few_labels import powered_mean


def labels(
    seed: int, gold: int = 100, judged: int = 1_000, errs: float = 0.15
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True share 0.7; the judge says yes to 15 % of the wrong and no to 5 % of the right."""
    random = np.random.default_rng(seed)
    right = random.random(gold + judged) < 0.7
    flips = random.random(gold + judged) < np.where(right, 0.05, errs)
    judge = (right ^ flips).astype(float)
    return right[:gold].astype(float), judge[:gold], judge[gold:]


@pytest.mark.slow
def test_coverage_of_two_thousand_worlds_is_93_to_97_percent() -> None:
    covered = 0
    for seed in range(2_000):
        found = powered_mean(*labels(seed))
        assert found is not None
        covered += found.low <= 0.7 <= found.high
    print(f"PPI++ coverage: {covered / 2_000:.3f}")
    assert 0.93 <= covered / 2_000 <= 0.97


def test_coverage_of_three_hundred_worlds() -> None:
    """95 % of 300 is 285; four standard deviations are 15."""
    found = [powered_mean(*labels(seed)) for seed in range(300)]
    assert 270 <= sum(one is not None and one.low <= 0.7 <= one.high for one in found) <= 300


def test_a_good_judge_narrows_and_a_useless_one_is_not_heard() -> None:
    gold, on_gold, more = labels(1)
    helped = powered_mean(gold, on_gold, more)
    random = np.random.default_rng(2)
    useless = powered_mean(gold, random.permutation(on_gold), random.permutation(more))
    assert helped is not None
    assert useless is not None
    alone = 2 * 1.96 * gold.std(ddof=1) / 10
    assert helped.high - helped.low < 0.8 * alone
    assert useless.weight < 0.2
    assert useless.gold_mean == pytest.approx(gold.mean())


def test_a_biased_judge_does_not_move_the_answer() -> None:
    """The judge passes everything half of the time it should not: alone it says 0.85, corrected it says 0.7."""
    values = [powered_mean(*labels(seed, errs=0.5)) for seed in range(50)]
    known = [one for one in values if one is not None]
    assert np.mean([one.judge_mean for one in known]) == pytest.approx(0.7 * 0.95 + 0.3 * 0.5, abs=0.02)
    assert np.mean([one.value for one in known]) == pytest.approx(0.7, abs=0.02)


def test_too_few_gold_labels() -> None:
    assert powered_mean(np.ones(19), np.ones(19), np.ones(50)) is None
    with pytest.raises(ValueError, match="3 gold labels but 2"):
        powered_mean(np.ones(3), np.ones(2), np.ones(5))

"""Split conformal quantiles: published rank, nothing from after the origin, coverage by simulation."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from core.stats import conformal
from core.stats.conformal import Errors, band, conformal_quantile, forecasts_needed, known, per_day


def test_examples_in_docstrings() -> None:
    assert doctest.testmod(conformal).failed == 0


def test_how_many_forecasts_a_level_needs() -> None:
    # ceil((n + 1) level) <= n: n = 4, 9, 19.
    assert [forecasts_needed(level) for level in (0.8, 0.9, 0.95)] == [4, 9, 19]


def test_coverage_is_what_it_says() -> None:
    """n exchangeable scores cover the next with chance ceil((n + 1) level) / (n + 1): 17/20 = 0.85 at n = 19, level 0.85."""
    random = np.random.default_rng(1)
    scores = random.exponential(size=(20_000, 20))
    hits = [row[19] <= conformal_quantile(row[:19], 0.85) for row in scores]
    assert np.mean(hits) == pytest.approx(0.85, abs=0.01)


def test_only_errors_observed_at_the_origin_count() -> None:
    errors = Errors(np.array([0, 7, 14]), np.full((3, 14), 0.1))
    seen = known(errors, 14)
    # From day 0 all fourteen days lie before day 14; from day 7 the first seven; day 14 itself is the origin.
    assert (~np.isnan(seen.log_errors)).sum(axis=1).tolist() == [14, 7]


def test_a_later_error_changes_no_earlier_interval() -> None:
    origins = np.arange(0, 140, 7)
    logs = np.random.default_rng(2).normal(0, 0.1, (20, 14))
    later = logs.copy()
    later[np.arange(0, 140, 7)[:, None] + np.arange(14) >= 100] = 9.0
    assert band(Errors(origins, logs), 100, 0.8) == band(Errors(origins, later), 100, 0.8)


def test_too_few_forecasts_have_no_interval_and_say_how_many_are_needed() -> None:
    found = band(Errors(np.array([0, 7, 14]), np.full((3, 7), 0.1)), 28, 0.8)
    assert found.factor == (None,)
    assert found.why == ("week 1: 3 past forecasts have a known outcome, a 80% interval needs 4",)
    assert np.isnan(per_day(found, 7)).all()


def test_the_factor_is_the_exponent_of_the_quantile() -> None:
    logs = np.repeat(np.array([0.1, -0.2, 0.3, -0.4])[:, None], 7, axis=1)
    found = band(Errors(np.array([0, 7, 14, 21]), logs), 100, 0.8)
    # 28 errors, rank ceil(29 × 0.8) = 24: four times seven sorted gives 0.4 at ranks 22 to 28.
    assert found.factor[0] == pytest.approx(np.exp(0.4))

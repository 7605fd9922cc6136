"""Effects of calendar terms: planted ones found with intervals that cover, also when days resemble each other."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from core.stats.calendar_effects import newey_west, term_effects
from core.stats.calendar_fit import CalendarFits
from core.stats.calendar_terms import Place, calendar

FIRST = dt.date(2025, 1, 6)
BERLIN = Place("eu", "Europe/Berlin", "DE", "BE")


def fits(seed: int, persistence: float = 0.0, days: int = 300) -> CalendarFits:
    """Sundays 30 % below Mondays, holidays on weekdays 20 % below, noise of 5 %."""
    random = np.random.default_rng(seed)
    terms = calendar(BERLIN, FIRST, FIRST + dt.timedelta(days=days + 27))
    noise = random.normal(0, 0.05, days)
    for day in range(1, days):
        noise[day] += persistence * noise[day - 1]
    sunday, holiday = (terms.columns.index(name) for name in ("Sunday", "public holiday on a weekday"))
    logs = (
        np.log(1e6)
        + np.log(0.7) * terms.matrix[:days, sunday]
        + np.log(0.8) * terms.matrix[:days, holiday]
        + noise
    )
    return CalendarFits(terms, logs)


def test_planted_effects_are_found() -> None:
    found = {effect.term: effect for effect in term_effects(fits(1), 300, False, 28)}
    for term, planted in (("Sunday", -0.3), ("public holiday on a weekday", -0.2), ("Tuesday", 0.0)):
        assert found[term].low < planted < found[term].high, term
        assert found[term].effect_share == pytest.approx(planted, abs=0.03)
    assert found["trend over four weeks"].low < 0 < found["trend over four weeks"].high
    # 300 days from a Monday: 42 whole weeks and six days without a Sunday.
    assert (found["Sunday"].days_seen, found["Sunday"].days_ahead) == (42, 4)


def test_intervals_cover_with_and_without_persistence() -> None:
    for persistence in (0.0, 0.5):
        hits = [
            found.low <= -0.3 <= found.high
            for seed in range(120)
            for found in term_effects(fits(seed, persistence), 300, False, 28)
            if found.term == "Sunday"
        ]
        # 114 of 120 expected; 3 sigma of a binomial is 7.
        assert np.mean(hits) >= 0.88, persistence


def test_without_lags_it_is_whites_estimator() -> None:
    """Two observations have one lag; residuals chosen so that its product vanishes leave sum e² x x'."""
    design, residuals = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([0.0, 2.0, 0.0])
    bread = np.linalg.inv(design.T @ design)
    meat = 4.0 * np.outer(design[1], design[1])
    assert newey_west(design, residuals) == pytest.approx(bread @ meat @ bread * 3)

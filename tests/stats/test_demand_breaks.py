"""Proposals: planted runs found, quiet histories left alone, real ones recognised."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from core.stats.calendar_terms import Break, Place
from core.stats.daily_series import daily_series
from core.stats.demand_breaks import propose_breaks
from core.stats.quiet_histories import Run, _heaviest_runs, baseline, cumulative, masses, runs_of
from tests.stats.public_series import MADRID, WEEK, bicimad, series, story

PLACE = Place("eu", "Europe/Berlin")
END = dt.date(2026, 11, 22)


def quiet(days: int, persistence: float, seed: int) -> tuple[dt.date, np.ndarray]:
    """Weekdays, a rise of 25 %, noise of 10 % that lasts."""
    random = np.random.default_rng(seed)
    noise = random.normal(0, 0.1, days + 50)
    for day in range(1, days + 50):
        noise[day] += persistence * noise[day - 1]
    first = END - dt.timedelta(days=days - 1)
    at = np.arange(days)
    return first, 1e6 * WEEK[(first.weekday() + at) % 7] * (0.875 + 0.25 * at / days) * np.exp(noise[50:])


def test_page_sums_against_a_loop() -> None:
    scaled = np.random.default_rng(1).normal(0, 1, 200)
    path, level = [], 0.0
    for value in scaled:
        level = max(0.0, level + min(value, 2.5) - 0.5)
        path.append(level)
    assert cumulative(scaled) == pytest.approx(path)


def test_a_run_reaches_from_where_the_sum_leaves_zero_to_its_peak() -> None:
    scaled = np.array([0.0, -2.0, -2.0, 0.0, -3.5, 2.0, 2.0, 2.0, 2.0, 0.0])
    # Below: 1.5, 3.0, 2.5, 4.5 (capped 2.5 less 0.5), then falling: days 1 to 4. Above: days 5 to 8, 4 × 1.5 = 6.
    assert [(run.start, run.stop, run.mass) for run in runs_of(scaled)] == [(1, 5, 4.5), (5, 9, 6.0)]
    assert sorted(masses(-scaled[None]).tolist()) == [4.5]


def test_the_heaviest_runs_of_many_rows_are_those_of_each() -> None:
    """Against runs_of, row by row; a quiet row has none, and of two equal ones the first is taken."""
    random = np.random.default_rng(5)
    worlds = np.vstack([random.normal(0, 1, (60, 80)), np.zeros(80), np.tile([-2.0, 0.0, 0.0, 2.0], 20)])
    starts, stops = _heaviest_runs(worlds)
    for world, start, stop in zip(worlds, starts, stops, strict=True):
        heaviest = max(runs_of(world), key=lambda run: run.mass, default=Run(0, 0, 0.0))
        assert (start, stop) == (heaviest.start, heaviest.stop)
    assert (starts[60], stops[60]) == (0, 0)


@pytest.mark.parametrize("days", [90, 200, 300, 500])
def test_the_baseline_follows_growth_and_not_a_trough(days: int) -> None:
    # From 242 days on the regression has taken the trend off before, and what is left is curvature.
    growth = 2.0 if days < 242 else 0.5
    line = np.linspace(0.0, growth, days)
    low = line.copy()
    low[days - 24 : days - 3] -= 0.5
    assert np.abs(baseline(low[None])[0] - line).max() < 0.15


def test_too_few_days_and_a_flat_line_say_why() -> None:
    first, tokens = quiet(55, 0.0, 1)
    assert propose_breaks(series(first, tokens), PLACE).why == "55 days with tokens, 56 are needed"
    assert (
        propose_breaks(series(first, np.full(80, 5.0)), PLACE).why
        == "the days equal their expectation exactly"
    )


def test_the_answer_is_the_same_twice_and_names_its_seed() -> None:
    first, seen, _ = story(120, 3)
    found = propose_breaks(series(first, seen[:120]), PLACE)
    assert found == propose_breaks(series(first, seen[:120]), PLACE)
    assert (found.seed, found.days) == (20_260_101, 120)
    assert found.runs > len(found.proposals) == 1


def test_a_trough_that_goes_on_has_no_known_end() -> None:
    first, seen, _ = story(160, 4)
    (found,) = propose_breaks(series(first, seen[: 160 - 10]), PLACE).proposals
    assert found.ongoing


def test_an_accepted_break_is_not_proposed_again() -> None:
    first, seen, _ = story(160, 5)
    history = series(first, seen[:160])
    (found,) = propose_breaks(history, PLACE).proposals
    assert propose_breaks(history, PLACE, [Break("trough", found.start, found.end)]).proposals == ()


def test_a_noisy_small_region_still_shows_its_trough() -> None:
    """Noise of 25 % a day: 21 days of −40 % are 0.51 / 0.25 × √21 = 9 standard errors."""
    found = 0
    for seed in range(10):
        first, seen, _ = story(90, seed, noise=0.25)
        proposals = propose_breaks(series(first, seen[:90]), PLACE).proposals
        found += any(abs((one.start - END).days + 23) <= 5 and one.size_share < -0.25 for one in proposals)
    assert found >= 7


def test_placebo_histories_propose_nothing() -> None:
    """At most 5 % of quiet histories may; 40 of them: 5 or more would have a chance of 5 %."""
    alarms = [
        bool(propose_breaks(series(*quiet(days, persistence, seed)), PLACE).proposals)
        for days, persistence in ((90, 0.0), (200, 0.6))
        for seed in range(20)
    ]
    assert sum(alarms) <= 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("days", "persistence", "promised"),
    [(90, 0.0, 0.05), (90, 0.6, 0.11), (200, 0.6, 0.06), (400, 0.0, 0.05), (400, 0.6, 0.06)],
)
def test_false_alarms_stay_near_what_is_said(days: int, persistence: float, promised: float) -> None:
    """300 quiet histories against the rates the module states, with two standard errors; ninety persistent days miss 5 %."""
    alarms = [
        bool(propose_breaks(series(*quiet(days, persistence, seed)), PLACE).proposals)
        for seed in range(2000, 2300)
    ]
    assert np.mean(alarms) <= promised + 2 * np.sqrt(promised * (1 - promised) / 300)


def test_madrids_snow_storm_is_proposed() -> None:
    """Filomena, 7 to 10 January 2021: snow closed the city and the bicycles stood still for weeks."""
    days = bicimad()
    found = propose_breaks(
        daily_series(days.filter(days["day"] <= dt.date(2022, 6, 30)), MADRID.region), MADRID
    )
    assert any(
        one.start <= dt.date(2021, 1, 9) <= one.end and one.size_share < -0.4 for one in found.proposals
    )

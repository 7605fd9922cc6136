"""Chances of hitting a limit: exact where they can be counted, never from the mean alone, with intervals."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from core.stats.headroom import Headroom, Limit, headroom, hourly_shape, peak_factors

MONDAY = dt.date(2026, 1, 5)
NO_ERRORS = np.zeros((20, 28))


def hours(peak: float | None = None, days: int = 28, seed: int = 1) -> pl.DataFrame:
    """600 tokens an hour, all day; the busiest minute is `peak` times the mean, else drawn from 2 to 20."""
    random = np.random.default_rng(seed)
    rows = [
        (MONDAY + dt.timedelta(days=day), hour, 600.0, 10.0 * (peak or float(random.uniform(2, 20))))
        for day in range(days)
        for hour in range(24)
    ]
    return pl.DataFrame(rows, schema=["day", "hour", "total", "peak"], orient="row")


def made(
    rows: pl.DataFrame, per_minute: float, errors: np.ndarray = NO_ERRORS, limits: list[Limit] | None = None
) -> Headroom:
    shape = hourly_shape(rows.select("day", "hour", "total"))
    known = [Limit(MONDAY, per_minute)] if limits is None else limits
    return headroom(
        np.full(28, 24 * 600.0), MONDAY + dt.timedelta(days=28), errors, shape, peak_factors(rows), known
    )


def test_a_shape_is_shares_that_sum_to_one() -> None:
    rows = hours()
    shape = hourly_shape(rows.select("day", "hour", "total"))
    assert shape is not None
    assert shape.share == pytest.approx(np.full((7, 24), 1 / 24))
    assert shape.ratio == pytest.approx(np.ones(28 * 24))
    assert hourly_shape(rows.filter(pl.col("day").dt.weekday() != 3).select("day", "hour", "total")) is None


def test_peak_factors_are_peak_over_mean() -> None:
    assert peak_factors(hours(5.0)).factor == pytest.approx(np.full(28 * 24, 5.0))


def test_the_mean_path_alone_would_never_hit() -> None:
    """The mean minute carries 10 tokens and the limit is 110: eleven times the mean. Half of peaks (2 to 20) exceed it."""
    found = made(hours(), 110.0)
    chances = np.array([hour.chance for hour in found.hours])
    assert len(chances) == 7 * 24
    assert chances.mean() == pytest.approx(0.5, abs=0.03)
    for hour in found.hours:
        assert hour.low <= hour.chance <= hour.high
    assert found.weeks[0].chance > 0.99


def test_a_peak_that_always_reaches_always_hits_and_one_that_never_does_has_an_upper_bound() -> None:
    assert {hour.chance for hour in made(hours(5.0), 50.0).hours} == {1.0}
    never = made(hours(5.0), 51.0)
    assert {hour.chance for hour in never.hours} == {0.0}
    # Rule of three over the third of 672 hours with this load, or all where loads are one: 1 − 0.05^(1/672) = 0.0045.
    assert never.hours[0].high == pytest.approx(0.00445, abs=1e-4)


def test_an_uncertain_forecast_moves_the_chance() -> None:
    errors = np.repeat(np.array([-0.2, 0.2] * 10)[:, None], 28, axis=1)
    # Peaks of five times the mean reach 55 only when the forecast was too low: exp(0.2) × 50 = 61, exp(−0.2) × 50 = 41.
    assert {hour.chance for hour in made(hours(5.0), 55.0, errors).hours} == {0.5}


def test_a_limit_has_its_date() -> None:
    later = MONDAY + dt.timedelta(days=42)
    found = made(hours(5.0), 0.0, limits=[Limit(MONDAY, 40.0), Limit(later, 80.0)])
    assert [week.chance for week in found.weeks] == [1.0, 1.0, 0.0, 0.0]
    none_yet = made(hours(5.0), 0.0, limits=[Limit(later, 40.0)])
    assert [week.chance for week in none_yet.weeks] == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (lambda: made(hours(), 1.0, limits=[]), "no limit is given"),
        (lambda: made(hours(days=2), 1.0), "a weekday has no hourly tokens"),
        (lambda: made(hours(), 1.0, np.zeros((3, 28))), "3 past forecasts have a known outcome, 4 are needed"),
    ],
)  # fmt: skip
def test_too_little_says_what_is_missing(found, told: str) -> None:  # type: ignore[no-untyped-def]
    answer = found()
    assert answer.hours == ()
    assert told in answer.why


def test_the_same_seed_gives_the_same_chances() -> None:
    assert made(hours(), 110.0) == made(hours(), 110.0)


def test_intervals_of_chances_cover() -> None:
    """Peak factors are uniform on 2 to 20, so the chance of 11 is exactly 0.5; a mean over all hours of the week."""
    inside = 0
    for seed in range(40):
        found = made(hours(days=14, seed=seed), 110.0)
        chances = found.hours[30]
        inside += chances.low <= 0.5 <= chances.high
    assert inside >= 34

"""One region from days to forecast, on public series: who wins, what is honest, how often intervals hold."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from core.stats.backtest import backtest, covered, fits_by_knowledge, rolling_origins
from core.stats.calendar_terms import Break, Place
from core.stats.challengers import CALENDAR, REPORTED
from core.stats.conformal import Errors
from core.stats.daily_series import daily_series
from core.stats.demand_breaks import accept, propose_breaks
from core.stats.forecastable import _flat_wapes
from core.stats.region_forecast import forecast_region, window_share
from tests.stats.public_series import PUBLIC, frame, series, story

PLACE = Place("eu", "Europe/Berlin")


def test_burstgpt_is_not_forecastable() -> None:
    """61 days that nobody can forecast: the state says so and the trailing four weeks are shown."""
    load, place = PUBLIC["burstgpt1_daily"]
    found = forecast_region(load(), place)
    assert not found.state.holds
    assert found.state.reason.startswith("not forecastable at this grain: the best of 5 models errs by 54%")
    assert found.model == "trailing 4 weeks"
    assert found.expected == pytest.approx(found.trailing)


@pytest.mark.parametrize(("name", "wape"), [("bicimad_daily", 0.17), ("bike_sharing_hourly", 0.21)])
def test_public_series_are_forecast(name: str, wape: float) -> None:
    load, place = PUBLIC[name]
    found = forecast_region(load(), place)
    best = {score.model: score.wape for score in found.league.scores}
    assert found.state.holds
    assert best[found.model] is not None
    assert best[found.model] <= wape  # type: ignore[operator]
    assert best[found.model] <= min(one for one in best.values() if one) / 0.95  # type: ignore[operator]


def test_madrid_is_forecast_best_by_level_and_calendar() -> None:
    load, place = PUBLIC["bicimad_daily"]
    found = forecast_region(load(), place)
    best = {score.model: score.wape or 9.0 for score in found.league.scores}
    assert found.model == "calendar"
    assert best["calendar"] < 0.75 * best["seasonal naive"]


def test_thirty_days_of_noise_are_said_to_be_unchecked_and_have_no_interval() -> None:
    tokens = np.exp(np.random.default_rng(1).normal(10, 0.1, 30))
    found = forecast_region(frame(dt.date(2026, 1, 1), tokens), PLACE)
    assert found.state.holds
    assert found.state.reason.startswith("not checked: 30 observed days")
    assert np.isnan(found.low).all()


def test_wild_days_without_order_are_not_forecastable() -> None:
    tokens = np.exp(np.random.default_rng(2).normal(10, 1.5, 150))
    assert not forecast_region(frame(dt.date(2026, 1, 1), tokens), PLACE).state.holds


def test_the_story_from_end_to_end() -> None:
    """Without the break every model forecasts the trough; with it all of them and the calendar agree on normal days."""
    first, seen, normal = story(364, 1)
    days = frame(first, seen[:364])
    truth = normal[364:].sum()
    blind = forecast_region(days, PLACE)
    named = [accept(one, "trough") for one in propose_breaks(series(first, seen[:364]), PLACE).proposals]
    told = forecast_region(days, PLACE, named)
    assert told.trailing.sum() / truth - 1 == pytest.approx(-0.34, abs=0.03)
    assert blind.expected.sum() / truth - 1 < -0.25
    assert told.expected.sum() / truth - 1 == pytest.approx(0, abs=0.05)
    assert told.low[2].sum() < truth < told.high[2].sum()


def test_what_was_not_normal_in_the_window() -> None:
    """Last 28 days to 22 November 2026 in Berlin: 21 in the break; no public holiday, one day without traffic."""
    first, seen, _ = story(120, 1)
    seen[119] = 0.0
    found = window_share(series(first, seen[:120]), Place("eu", "Europe/Berlin", "DE", "BE"),
                         [Break("trough", dt.date(2026, 10, 30), dt.date(2026, 11, 19))])  # fmt: skip
    assert (found.days, found.observed, len(found.not_normal)) == (28, 28, 22)
    assert found.share == pytest.approx(22 / 28)
    assert found.not_normal[-1] == (dt.date(2026, 11, 22), "no traffic")


def test_a_horizon_is_whole_weeks() -> None:
    with pytest.raises(ValueError, match="must be whole weeks"):
        forecast_region(frame(dt.date(2026, 1, 1), np.ones(60)), PLACE, horizon_days=30)


def coverage(days: pl.DataFrame, place: Place) -> np.ndarray:
    """Share of days inside the 80, 90 and 95 % intervals, from all origins of the history that have one."""
    known = daily_series(days, place.region)
    origins = rolling_origins(known, 7, 10_000)
    made = backtest(known, fits_by_knowledge(known, place, (), 28), (CALENDAR,), origins)
    inside = covered(Errors(origins, made.errors[CALENDAR.name].log_errors))
    return np.array([np.nanmean(level) for level in inside])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["madrid to 2019", "madrid from 2018", "washington"])
def test_intervals_cover_on_public_series(name: str) -> None:
    """Within 4 points of 80, 90 and 95 %. Madrid in two parts: before COVID, and through it."""
    load, place = PUBLIC["bike_sharing_hourly" if name == "washington" else "bicimad_daily"]
    days = load()
    if name == "madrid to 2019":
        days = days.filter(pl.col("day") < dt.date(2020, 1, 1))
    if name == "madrid from 2018":
        days = days.filter(pl.col("day") >= dt.date(2018, 1, 1))
    assert coverage(days, place) == pytest.approx([0.80, 0.90, 0.95], abs=0.04)


@pytest.mark.slow
def test_the_90_percent_band_covers_planted_worlds() -> None:
    """40 worlds of a year with growth and noise that lasts: 85 to 95 % of the next 28 days inside."""
    inside = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        first, _, normal = story(364, seed)
        noise = random.normal(0, 0.05, len(normal))
        for day in range(1, len(noise)):
            noise[day] += 0.6 * noise[day - 1]
        tokens = normal * np.exp(noise)
        found = forecast_region(frame(first, tokens[:364]), PLACE)
        inside.append(np.mean((found.low[1] <= tokens[364:]) & (tokens[364:] <= found.high[1])))
    assert 0.85 <= np.mean(inside) <= 0.95


def test_the_reported_average_is_in_the_league_and_never_chosen() -> None:
    found = forecast_region(frame(dt.date(2026, 1, 1), np.full(120, 7.0)), PLACE)
    assert REPORTED.name in {score.model for score in found.league.scores}
    assert found.league.chosen not in (None, REPORTED.name)


@pytest.mark.parametrize("missing", [[], [3, 40, *range(50, 80)]])
def test_the_naive_errors_of_shuffled_histories_are_those_of_each(missing: list[int]) -> None:
    """One history at a time, day by day; a window of missing days only forecasts 0."""
    random = np.random.default_rng(3)
    histories = random.lognormal(size=(6, 120))
    histories[:, missing] = np.nan
    origins = np.array([30, 44, 79, 100])
    for history, found in zip(histories, _flat_wapes(histories, origins, 28), strict=True):
        misses, total = np.zeros(2), 0.0
        for origin in origins:
            known = [value for value in history[origin - 28 : origin] if not np.isnan(value)]
            levels = (np.mean(known), np.median(known)) if known else (0.0, 0.0)
            for actual in history[origin : origin + 28]:
                if not np.isnan(actual):
                    misses += np.abs(actual - np.array(levels))
                    total += actual
        assert found == pytest.approx(min(misses) / total)

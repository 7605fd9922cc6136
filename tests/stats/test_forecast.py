"""Level × calendar: fits against plain least squares, nothing from the future, trends only as far as earned."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from core.stats import forecast
from core.stats.calendar_fit import CalendarFits
from core.stats.calendar_terms import Break, Place, calendar
from core.stats.demand_breaks import accept, propose_breaks
from core.stats.forecast import SHARES, calendar_forecast, choose, expected_at, forecast_at, log_path
from tests.stats.public_series import WEEK, series, story

BERLIN = Place("eu", "Europe/Berlin", "DE", "BE")
FIRST = dt.date(2025, 1, 6)
"""A Monday."""


def fits_of(
    tokens: np.ndarray, ahead: int = 28, breaks: tuple[Break, ...] = (), first: dt.date = FIRST
) -> CalendarFits:
    terms = calendar(BERLIN, first, first + dt.timedelta(days=len(tokens) + ahead - 1), breaks)
    return CalendarFits(terms, series(first, tokens).logs())


def weekly(days: int, growth: float = 0.0, noise: float = 0.05, seed: int = 1) -> np.ndarray:
    at = np.arange(days)
    return 1e6 * WEEK[at % 7] * np.exp(growth * at + np.random.default_rng(seed).normal(0, noise, days))


@pytest.mark.parametrize("origin", [28, 100, 201, 300])
def test_a_fit_from_sums_is_the_least_squares_fit(origin: int) -> None:
    fits = fits_of(weekly(300))
    fitted = fits.at(origin, False)
    assert fitted is not None
    used = np.flatnonzero(fitted.used)
    design = np.column_stack([np.ones(origin), fits.calendar.matrix[:origin, used]])
    plain = design @ np.linalg.lstsq(design, fits.logs[:origin], rcond=None)[0]
    ours = fitted.intercept + fits.calendar.matrix[:origin] @ fitted.effects
    assert ours == pytest.approx(plain, abs=1e-6)


def test_kept_errors_are_the_errors_of_a_loop() -> None:
    """The choice of setting asks for the same past forecasts at every origin; the oracle makes each anew."""
    fits = fits_of(weekly(420, growth=0.001))
    origin, past = 420, list(range(420 - 7, 420 - 7 * 20, -7))
    ours = forecast._past_errors(fits, past, origin, False)
    for share, error in zip(SHARES, ours, strict=True):
        misses = []
        for start in past:
            fitted = fits.at(start, False)
            assert fitted is not None
            stop = min(start + 28, origin)
            misses += np.abs(fits.logs[start:stop] - log_path(fits, fitted, share, stop - start)).tolist()
        assert error == pytest.approx(np.mean(misses))


def test_nothing_of_the_future_is_used() -> None:
    tokens = weekly(300)
    other = tokens.copy()
    other[200:] *= 7
    kept, moved = (expected_at(fits_of(one), series(FIRST, one), 200, 28) for one in (tokens, other))
    assert kept is not None
    assert kept == pytest.approx(moved)


def test_weekdays_and_level_are_forecast() -> None:
    tokens = weekly(200, noise=0.02)
    made = calendar_forecast(series(FIRST, tokens), fits_of(tokens).calendar, 28)
    assert made is not None
    assert made.expected == pytest.approx(1e6 * WEEK[(200 + np.arange(28)) % 7], rel=0.04)
    # exp of noise with sd 0.02 has mean exp(0.0002); the mean of 150 days is known to 0.0016.
    assert made.smearing == pytest.approx(1.0002, abs=0.004)


def test_growth_is_carried_forward_when_past_forecasts_were_better_with_it() -> None:
    fits = fits_of(weekly(300, growth=0.003, noise=0.02))
    setting, why = choose(fits, 300)
    assert setting.trend_share == 1.0
    assert why.startswith("the whole trend carried forward")
    assert choose(fits_of(weekly(300, noise=0.05)), 300)[0].trend_share == 0.0


def test_an_explosive_trend_is_cut_at_an_eighth_of_the_history() -> None:
    """5 % a day over six weeks is ×2 a fortnight: unguarded, 91 days ahead would be exp(4.55) = 95 times as much."""
    tokens = weekly(42, growth=0.05, noise=0.01)
    made = calendar_forecast(series(FIRST, tokens), fits_of(tokens, 91).calendar, 91)
    assert made is not None
    last_week = tokens[-7:].mean()
    # At most 42 / 8 = 5.25 days of growth from the level of today: exp(0.26) = 1.3, and weekday noise.
    assert made.expected.max() < 1.3 * 1.5 * last_week


def test_four_weeks_are_the_least() -> None:
    short = weekly(27)
    assert calendar_forecast(series(FIRST, short), fits_of(short).calendar, 28) is None
    enough = weekly(28)
    assert calendar_forecast(series(FIRST, enough), fits_of(enough).calendar, 28) is not None


def test_a_closed_weekday_is_forecast_as_nothing() -> None:
    tokens = weekly(140)
    tokens[6::7] = 0.0
    made = calendar_forecast(series(FIRST, tokens), fits_of(tokens).calendar, 14)
    assert made is not None
    assert made.closed == {6}
    assert made.expected[[6, 13]].tolist() == [0.0, 0.0]
    assert (np.delete(made.expected, [6, 13]) > 0).all()


def test_a_term_ahead_that_never_happened_is_named() -> None:
    tokens = weekly(200)
    freeze = Break("launch", FIRST + dt.timedelta(days=205), FIRST + dt.timedelta(days=206))
    made = forecast_at(fits_of(tokens, 28, (freeze,)), series(FIRST, tokens), 200, 28)
    assert made is not None
    assert [unknown.term for unknown in made.unknown if "launch" in unknown.term] == ["break: launch"]
    assert "2 days ahead from 2025-07-30, none in the history" in made.unknown[-1].reason()


def test_a_stated_break_ahead_is_believed_and_a_past_one_of_its_name_is_repeated() -> None:
    tokens = weekly(250, noise=0.01)
    tokens[100:107] *= 0.5
    day = dt.timedelta(days=1)
    past = Break("freeze", FIRST + 100 * day, FIRST + 106 * day)
    again = Break("freeze", FIRST + 257 * day, FIRST + 263 * day)
    stated = Break("party", FIRST + 271 * day, FIRST + 277 * day, -0.25)
    made = forecast_at(fits_of(tokens, 28, (past, again, stated)), series(FIRST, tokens), 250, 28)
    plain = forecast_at(fits_of(tokens, 28, (past,)), series(FIRST, tokens), 250, 28)
    assert made is not None
    assert plain is not None
    change = made.typical / plain.typical
    assert change[7:14] == pytest.approx(0.5, abs=0.03)
    assert change[21:28] == pytest.approx(0.75, abs=0.01)
    assert np.delete(change, [*range(7, 14), *range(21, 28)]) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("seed", range(6))
def test_the_trough_is_found_and_accepting_it_mends_the_forecast(seed: int) -> None:
    """Three of the last four weeks are 40 % low: the average sees (7 + 21 × 0.6) / 28 = 70 % of normal, and growth of
    0.2 % a day over the 28 days from the middle of the window to the middle of the horizon takes another 5.4 %:
    0.70 × 0.946 = 66 %, a miss of 34 %.
    """
    first, seen, normal = story(200, seed)
    history = series(first, seen[:200])
    place = Place("eu", "Europe/Berlin", None)
    (found,) = propose_breaks(history, place).proposals
    assert abs((found.start - (first + dt.timedelta(days=176))).days) <= 1
    assert abs((found.end - (first + dt.timedelta(days=196))).days) <= 1
    assert found.low < -0.4 < found.high
    terms = calendar(place, first, history.last + dt.timedelta(days=28), (accept(found, "trough"),))
    made = calendar_forecast(history, terms, 28)
    assert made is not None
    truth = normal[200:].sum()
    assert seen[172:200].mean() * 28 / truth - 1 == pytest.approx(-0.34, abs=0.03)
    assert made.expected.sum() / truth - 1 == pytest.approx(0.0, abs=0.05)

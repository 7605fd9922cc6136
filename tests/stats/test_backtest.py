"""Rolling origins: no model sees the future, none is judged by what nobody could foresee, failures leave a row."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from core.stats.backtest import (
    backtest,
    fits_by_knowledge,
    judged,
    log_errors,
    rolling_origins,
    unforeseeable,
    wape_and_bias,
)
from core.stats.calendar_terms import Break, Place
from core.stats.challengers import QUICK, REPORTED, SLOW, History, Model, normal_tokens
from core.stats.daily_series import Series
from core.stats.region_forecast import forecast_region
from tests.stats.public_series import WASHINGTON, WEEK, bike_sharing, series

PLACE = Place("eu", "Europe/Berlin")
FIRST = dt.date(2025, 1, 6)
DAY = dt.timedelta(days=1)


def history_of(tokens: np.ndarray, breaks: tuple[Break, ...] = (), horizon_days: int = 28) -> History:
    known = series(FIRST, tokens)
    fits = fits_by_knowledge(known, PLACE, breaks, horizon_days)(known.day(len(tokens)))
    return History(known, fits, len(tokens), horizon_days)


def weekly(days: int, noise: float = 0.05, seed: int = 1) -> np.ndarray:
    return 1e6 * WEEK[np.arange(days) % 7] * np.exp(np.random.default_rng(seed).normal(0, noise, days))


def league(tokens: np.ndarray, models: tuple[Model, ...] = QUICK, breaks: tuple[Break, ...] = ()):  # type: ignore[no-untyped-def]
    known = series(FIRST, tokens)
    origins = rolling_origins(known)
    made = backtest(known, fits_by_knowledge(known, PLACE, breaks, 28), models, origins, breaks)
    return known, origins, judged(made, known, breaks, origins)


def test_wape_by_hand() -> None:
    # |8 − 10| + |25 − 20| = 7 over 30; bias (33 − 30) / 30. The missing day counts in neither.
    wape, bias, days = wape_and_bias(np.array([10.0, 20.0, np.nan]), np.array([8.0, 25.0, 5.0]))
    assert (wape, bias, days) == (pytest.approx(7 / 30), pytest.approx(0.1), 2)
    assert wape_and_bias(np.array([0.0]), np.array([1.0])) == (None, None, 1)


def test_log_errors_of_nothing() -> None:
    found = log_errors(np.array([0.0, 0.0, 2.0, np.e]), np.array([0.0, 1.0, 0.0, 1.0]))
    assert found.tolist() == [0.0, -np.inf, np.inf, 1.0]


def test_origins_have_four_weeks_before_and_a_week_after() -> None:
    origins = rolling_origins(series(FIRST, weekly(100)))
    assert origins.tolist() == list(range(30, 94, 7))
    assert rolling_origins(series(FIRST, weekly(34))).tolist() == []


def test_no_model_sees_the_future() -> None:
    tokens, other = weekly(120), weekly(120)
    other[93:] *= 5
    known, moved = (backtest(series(FIRST, one), fits_by_knowledge(series(FIRST, one), PLACE, (), 28), QUICK,
                             np.array([93]), ()) for one in (tokens, other))  # fmt: skip
    for model in QUICK:
        assert known.paths[model.name] == pytest.approx(moved.paths[model.name]), model.name


def test_naive_models_by_hand() -> None:
    tokens = np.arange(1.0, 57.0)
    history = history_of(tokens, horizon_days=7)
    paths = {model.name: model.path(history) for model in QUICK}
    assert paths["seasonal naive"].tolist() == [50, 51, 52, 53, 54, 55, 56]
    # The last 28 are 29 to 56 with mean 42.5; a weekday's last four, such as 29, 36, 43, 50, have mean 39.5.
    assert paths["trailing 4 weeks"].tolist() == [42.5] * 7
    assert paths["trailing 4 weeks by weekday"].tolist() == [39.5, 40.5, 41.5, 42.5, 43.5, 44.5, 45.5]


def test_every_model_is_told_of_accepted_breaks_but_the_reported_average() -> None:
    tokens = np.full(84, 100.0)
    tokens[60:81] = 60.0
    trough = Break("trough", FIRST + 60 * DAY, FIRST + 80 * DAY, known_from=FIRST + 81 * DAY)
    history = history_of(tokens, (trough,), 7)
    paths = {model.name: model.path(history) for model in QUICK}
    # As reported: (21 × 60 + 7 × 100) / 28 = 70.
    assert paths.pop(REPORTED.name).tolist() == [70.0] * 7
    for name, path in paths.items():
        assert path == pytest.approx([100.0] * 7), name
    normal = history_of(tokens, (trough._replace(effect_share=0.0),), 7)
    assert not np.isnan(normal_tokens(normal)).any()


def test_days_nobody_could_foresee_judge_no_model() -> None:
    known = Series(FIRST, np.ones(100))
    trough = Break("trough", FIRST + 60 * DAY, FIRST + 62 * DAY, known_from=FIRST + 63 * DAY)
    assert np.flatnonzero(unforeseeable(known, [trough], 58, 7)).tolist() == [2, 3, 4]
    # From the calendar, but the first of its name: its effect could not be known.
    first_time = trough._replace(known_from=None)
    assert np.flatnonzero(unforeseeable(known, [first_time], 58, 7)).tolist() == [2, 3, 4]
    again = Break("trough", FIRST + 10 * DAY, FIRST + 12 * DAY)
    assert not unforeseeable(known, [again, first_time], 58, 7).any()
    assert not unforeseeable(known, [first_time._replace(effect_share=-0.4)], 58, 7).any()


def test_a_model_that_fails_leaves_its_reason_and_is_not_chosen() -> None:
    def broken(history: History) -> np.ndarray:
        raise ValueError("no luck")

    _, origins, found = league(weekly(120), (*QUICK, Model("broken", broken)))
    score = next(score for score in found.scores if score.model == "broken")
    assert (score.failed, score.wape) == (len(origins), None)
    assert score.reason == f"{len(origins)} of {len(origins)} forecasts failed, first: ValueError: no luck"
    assert found.chosen not in (None, "broken")


def test_a_challenger_must_be_better_by_a_twentieth() -> None:
    tokens = weekly(200)

    def a_little_better(history: History) -> np.ndarray:
        now = history.origin
        truth = np.append(tokens, np.full(28, np.nan))[now : now + 28]
        return truth * 1.03

    _, _, found = league(tokens, (*QUICK, Model("oracle", a_little_better)))
    assert found.chosen == "oracle"
    assert REPORTED.name != league(np.full(120, 5.0))[2].chosen


@pytest.mark.parametrize("model", SLOW, ids=lambda model: model.name)
def test_slow_models_forecast_a_steady_week(model: Model) -> None:
    history = history_of(weekly(150, 0.03))
    if model.name == "Prophet":
        pytest.importorskip("prophet", reason="Prophet is optional: pip install prophet==1.5.0")
    assert model.path(history) == pytest.approx(1e6 * WEEK[(150 + np.arange(28)) % 7], rel=0.12)


@pytest.mark.slow
def test_prophet_forecasts_from_every_past_day_of_a_public_series() -> None:
    """Washington: 19.8 % of four weeks' trips, between the calendar's 21.1 % and ETS's 17.8 %."""
    pytest.importorskip("prophet", reason="Prophet is optional: pip install prophet==1.5.0")
    found = forecast_region(bike_sharing(), WASHINGTON, slow=[SLOW[-1]])
    (score,) = [score for score in found.league.scores if score.model == "Prophet"]
    assert (score.failed, score.origins) == (0, 22)
    assert score.wape == pytest.approx(0.198, abs=0.02)


def test_a_missing_prophet_says_what_to_install() -> None:
    try:
        import prophet  # noqa: F401
    except ImportError:
        with pytest.raises(ValueError, match=r"optional extra, pip install prophet==1\.5\.0"):
            SLOW[-1].path(history_of(weekly(60)))

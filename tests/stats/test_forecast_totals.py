"""Sums by draws: days and regions that err together stay together; money is exact at the price of its day."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pytest

from core.stats.conformal import Errors
from core.stats.forecast_totals import RegionPath, Step, draw_paths, price_on, spend, total, whole_errors

MONDAY = dt.date(2026, 1, 5)
NOW = 40 * 7


def path(region: str, logs: np.ndarray, tokens: float = 100.0) -> RegionPath:
    """40 weekly origins, the last of which ends where the present begins."""
    n, days = logs.shape
    origins = NOW - days - 7 * np.arange(n)[::-1]
    first = [MONDAY + dt.timedelta(days=int(origin)) for origin in origins]
    return RegionPath(region, np.full(days, tokens), Errors(origins, logs), tuple(first), NOW)


def level_errors(seed: int, days: int = 28, origins: int = 36, spread: float = 0.1) -> np.ndarray:
    """Each past forecast missed by one factor on all its days."""
    return np.repeat(np.random.default_rng(seed).normal(0, spread, origins)[:, None], days, axis=1)


def width(found: RegionPath | list[RegionPath]) -> float:
    made = total(found if isinstance(found, list) else [found], 28)
    low, high = made.intervals[1].low, made.intervals[1].high
    assert low is not None
    assert high is not None
    return float(np.log(high / low))


def test_errors_that_last_a_month_do_not_average_out() -> None:
    lasting = width(path("eu", level_errors(1)))
    daily = width(path("eu", np.random.default_rng(1).normal(0, 0.1, (36, 28))))
    # Rank ceil(37 × 0.95) = 36 of 36: the largest miss, on both sides. Independent days average to 0.1 / √28 = 0.019.
    assert lasting == pytest.approx(2 * np.abs(level_errors(1)).max())
    assert daily < lasting / 3


def test_regions_that_miss_together_stay_together_and_others_average() -> None:
    together = [path(name, level_errors(1)) for name in ("a", "b", "c", "d")]
    apart = [path(name, level_errors(seed)) for seed, name in enumerate("abcd")]
    assert width(together) == pytest.approx(width(together[0]), rel=0.01)
    assert width(apart) < 0.75 * width(together)


def test_too_few_past_forecasts_have_no_interval() -> None:
    made = total([path("eu", level_errors(1, origins=10))], 28)
    assert made.value == 2800.0
    assert made.intervals[0].low is not None
    assert made.intervals[1].low is None
    assert (
        made.intervals[1].why
        == "10 past forecasts reach 28 days ahead in every region, a 95% interval needs 19"
    )
    assert draw_paths([], 28) is None


def test_a_path_counts_from_a_quarter_of_its_days_on() -> None:
    logs = level_errors(1, origins=3)
    logs[0, 7:] = np.nan
    logs[1, 6:] = np.nan
    found = list(whole_errors(path("eu", logs), 28).values())
    assert len(found) == 2
    assert found[0].tolist() == logs[0, :1].tolist() * 28


def test_coverage_of_a_months_total() -> None:
    """36 exchangeable past misses and one to come: 95 % is rank 36 of 37, so 36/37 = 97 % are inside; 80 % is 30/37 = 81 %."""
    inside = np.zeros(2)
    for seed in range(300):
        errors = np.random.default_rng(seed).normal(0, 0.1, 37)
        made = total([path("eu", np.repeat(errors[:36, None], 28, axis=1))], 28, draws=400)
        truth = 2800.0 * np.exp(errors[36])
        inside += [one.low <= truth <= one.high for one in made.intervals]  # type: ignore[operator]
    assert inside / 300 == pytest.approx([30 / 37, 36 / 37], abs=0.06)


def test_prices_change_on_their_day() -> None:
    steps = [Step(dt.date(2026, 1, 1), Decimal("0.002")), Step(dt.date(2026, 1, 15), Decimal("0.001"))]
    assert [price_on(steps, dt.date(2026, 1, day)) for day in (1, 14, 15)] == [Decimal("0.002")] * 2 + [
        Decimal("0.001")
    ]
    assert price_on(steps, dt.date(2025, 12, 31)) is None
    made = spend([path("eu", level_errors(1))], {"eu": dt.date(2026, 1, 8)}, {"eu": steps}, 28)
    # Seven days of 100 at 0.002 and twenty-one at 0.001: 1.40 + 2.10.
    assert made.value == Decimal("3.500")
    assert made.unpriced == ()
    level, low, high, _ = made.intervals[1]
    assert level == 0.95
    assert low is not None
    assert high is not None
    assert low < made.value < high


def test_days_without_a_price_are_in_no_sum_and_counted() -> None:
    steps = [Step(dt.date(2026, 1, 10), Decimal("0.01"))]
    made = spend([path("eu", level_errors(1))], {"eu": dt.date(2026, 1, 8)}, {"eu": steps}, 28)
    assert made.unpriced == (("eu", dt.date(2026, 1, 8)), ("eu", dt.date(2026, 1, 9)))
    assert made.value == Decimal("26.00")

"""Halves of a sample, and the newest days that fit."""

from __future__ import annotations

import datetime as dt

from core.stats.daily_series import newest_that_fit
from core.stats.halves import Placebo, halves
from core.stats.quantiles import order_statistic

DAY = dt.date(2026, 3, 2)


def test_halves_keep_together_what_has_one_key_and_are_the_same_in_any_order() -> None:
    items = [(f"call {at % 200}", at) for at in range(600)]
    first, second = halves(items, lambda item: item[0])
    assert sorted(first + second) == sorted(items)
    assert {call for call, _ in first} & {call for call, _ in second} == set()
    assert sorted(halves(reversed(items), lambda item: item[0])[0]) == sorted(first)
    assert 70 < len({call for call, _ in first}) < 130  # 200 fair coins: 100, give or take 4 x 7


def test_a_placebo_fires_when_its_interval_leaves_zero_out() -> None:
    assert [Placebo(0.1, low, high).fired for low, high in ((0.01, 0.2), (-0.1, 0.2), (-0.3, -0.1), (0.0, 0.1))] == [
        True, False, True, False,
    ]  # fmt: skip


def test_the_newest_whole_days_that_fit() -> None:
    """From the newest: 5, then 5 + 4 = 9, then 9 + 3 = 12."""
    rows = [(DAY, 3), (DAY + dt.timedelta(1), 4), (DAY + dt.timedelta(2), 5)]
    firsts = [newest_that_fit(rows, most) for most in (12, 11, 9, 8, 1)]
    assert firsts == [None, *(DAY + dt.timedelta(days) for days in (1, 1, 2, 2))]
    assert (
        newest_that_fit([], 5) is newest_that_fit([(DAY, 9)], 5) is None
    )  # one day is read whatever it holds


def test_an_order_statistic_has_at_least_the_share_at_or_below_it() -> None:
    ordered = [1.0, 2.0, 3.0, 4.0]
    assert [order_statistic(ordered, share) for share in (0.0, 0.25, 0.26, 0.5, 1.0)] == [
        1.0,
        1.0,
        2.0,
        2.0,
        4.0,
    ]

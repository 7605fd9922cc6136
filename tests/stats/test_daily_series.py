"""Missing is not zero, and days are days somewhere."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from core.stats.daily_series import closed_weekdays, daily_series, local_days, whole_days
from tests.stats.public_series import frame, series

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def hour_of(text: str) -> int:
    """Whole hours since the epoch of a UTC time."""
    return int((dt.datetime.fromisoformat(text + "+00:00") - EPOCH).total_seconds() // 3600)


def hours(first: str, last: str) -> pl.DataFrame:
    """One token an hour, both ends included."""
    span = range(hour_of(first), hour_of(last) + 1)
    return pl.DataFrame({"hour": list(span), "tokens": [1] * len(span)})


def test_a_day_without_a_row_is_missing_and_a_zero_is_a_zero() -> None:
    rows = frame(dt.date(2026, 1, 1), np.array([5.0, 0.0, 7.0, 8.0])).filter(pl.col("tokens") != 7)
    found = daily_series(rows, "eu")
    np.testing.assert_array_equal(found.tokens, [5.0, 0.0, np.nan, 8.0])
    assert np.isnan(found.logs()[1:3]).all()


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (pl.DataFrame({"day": [dt.date(2026, 1, 1)]}), "lacks the columns"),
        (frame(dt.date(2026, 1, 1), np.array([1.0]), "us"), 'region "eu" has no day'),
        (pl.concat([frame(dt.date(2026, 1, 1), np.array([1.0]))] * 2), "2026-01-01 twice"),
        (frame(dt.date(2026, 1, 1), np.array([1.0, -2.0])), "2026-01-02: tokens is -2.0, must be a number >= 0"),
    ],
)  # fmt: skip
def test_a_bad_frame_names_the_row(rows: pl.DataFrame, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        daily_series(rows, "eu")


def test_local_days_of_clock_changes_have_23_and_25_hours() -> None:
    # Berlin 2026: summer time from 29 March 01:00 UTC, winter time from 25 October 01:00 UTC.
    spring = hours("2026-03-27T23:00", "2026-03-29T21:00")
    assert local_days(spring, "Europe/Berlin", int(spring["hour"][0]), int(spring["hour"][-1])).rows() == [
        (dt.date(2026, 3, 28), 24),
        (dt.date(2026, 3, 29), 23),
    ]
    autumn = hours("2026-10-24T22:00", "2026-10-25T22:00")
    assert local_days(autumn, "Europe/Berlin", int(autumn["hour"][0]), int(autumn["hour"][-1])).rows() == [
        (dt.date(2026, 10, 25), 25)
    ]


def test_days_that_are_not_wholly_covered_are_left_out() -> None:
    first, last = hour_of("2026-06-01T05:00"), hour_of("2026-06-03T03:00")
    # In New York (UTC−4 in June) 1 June begins at 04:00 UTC, an hour before the data, and 2 June ends at 03:59 UTC.
    assert whole_days(first, last, "America/New_York") == (dt.date(2026, 6, 2), dt.date(2026, 6, 2))
    assert whole_days(first, last - 1, "America/New_York") is None
    assert whole_days(first, last, "UTC") == (dt.date(2026, 6, 2), dt.date(2026, 6, 2))


def test_a_silent_hour_inside_the_covered_ones_is_no_hole() -> None:
    rows = hours("2026-06-01T00:00", "2026-06-02T23:00").filter(pl.col("hour") % 5 == 0)
    found = local_days(rows, "UTC", hour_of("2026-06-01T00:00"), hour_of("2026-06-02T23:00"))
    assert found["tokens"].sum() == rows.height
    assert found.height == 2


def test_a_weekday_that_is_mostly_zero_is_closed() -> None:
    tokens = np.ones(70)
    tokens[5::7] = 0.0  # 2026-01-01 is a Thursday, so every Tuesday
    assert closed_weekdays(series(dt.date(2026, 1, 1), tokens)) == {1}

"""Tokens per local day on an unbroken grid of days: a day without a row is missing, a day of 0 tokens is a zero.

The two are different facts. A missing day says nothing and is skipped; a zero day was seen and carried no traffic
(an outage, a freeze, a weekday on which the region is closed) and can have no logarithm.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

CLOSED_LOOK_BACK_WEEKS = 8
CLOSED_SHARE = 0.5
"""A weekday is closed when more than this share of its last eight days had 0 tokens."""


def newest_that_fit(rows: Iterable[tuple[dt.date, int]], most: int) -> dt.date | None:
    """The first of the newest whole days whose rows are at most `most` together, at least one; None where all fit."""
    total = 0
    for day, count in sorted(rows, reverse=True):
        total += count
        if total > most and total > count:
            return day + dt.timedelta(days=1)
    return None


class Series(NamedTuple):
    """Tokens of consecutive local days; NaN where the day is missing."""

    first: dt.date
    tokens: NDArray[np.float64]

    @property
    def last(self) -> dt.date:
        return self.first + dt.timedelta(days=len(self.tokens) - 1)

    def day(self, row: int) -> dt.date:
        return self.first + dt.timedelta(days=row)

    def until(self, row: int) -> Series:
        """The history a forecaster had before the day `row`."""
        return Series(self.first, self.tokens[:row])

    def logs(self) -> NDArray[np.float64]:
        """Natural logs; NaN on missing days and on zero days."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.tokens > 0, np.log(self.tokens), np.nan)


def daily_series(days: pl.DataFrame, region: str) -> Series:
    """The series of one region from a frame (day: Date, region: String, tokens: number or null).

    Raises ValueError for a missing column, no rows, a day given twice, or tokens below 0 or not finite.
    Leading and trailing missing days are cut: history starts and ends on a day that was seen.
    """
    if lacking := {"day", "region", "tokens"} - set(days.columns):
        raise ValueError(f"the frame of days lacks the columns {sorted(lacking)}; it has {days.columns}")
    rows = days.filter((pl.col("region") == region) & pl.col("tokens").is_not_null()).sort("day")
    if rows.is_empty():
        raise ValueError(f'region "{region}" has no day with tokens')
    if twice := rows.filter(pl.col("day").is_duplicated())["day"].to_list():
        raise ValueError(
            f'region "{region}" has {twice[0]} twice; sum kinds and models to one row a day first'
        )
    tokens = rows["tokens"].cast(pl.Float64).to_numpy()
    if not np.isfinite(tokens).all() or (tokens < 0).any():
        at = int(np.flatnonzero(~np.isfinite(tokens) | (tokens < 0))[0])
        raise ValueError(
            f'region "{region}", {rows["day"][at]}: tokens is {tokens[at]}, must be a number >= 0'
        )
    first: dt.date = rows["day"][0]
    position = (rows["day"] - first).dt.total_days().to_numpy()
    grid = np.full(int(position[-1]) + 1, np.nan)
    grid[position] = tokens
    return Series(first, grid)


def local_hours(hours: pl.DataFrame, time_zone: str) -> pl.DataFrame:
    """UTC hours (hour: whole hours since the epoch, ...) with their local `day` and `hour_of_day` added.

    A zone that is 30 or 45 minutes off UTC takes each hour on the day on which the hour starts.
    """
    utc = pl.from_epoch(pl.col("hour") * 3600, time_unit="s").dt.replace_time_zone("UTC")
    local = utc.dt.convert_time_zone(time_zone)
    return hours.with_columns(
        local.dt.date().alias("day"), local.dt.hour().cast(pl.Int64).alias("hour_of_day")
    )


def whole_days(first_hour: int, last_hour: int, time_zone: str) -> tuple[dt.date, dt.date] | None:
    """First and last local day that lie wholly in the UTC hours given (both included); None when none does.

    Days of 23 and 25 hours (clock changes) are whole.
    """
    zone = ZoneInfo(time_zone)
    begin = dt.datetime.fromtimestamp(first_hour * 3600, zone)
    end = dt.datetime.fromtimestamp((last_hour + 1) * 3600, zone)
    first = begin.date() + dt.timedelta(days=0 if begin.hour == 0 else 1)
    last = end.date() - dt.timedelta(days=1)
    return (first, last) if first <= last else None


def local_days(hours: pl.DataFrame, time_zone: str, first_hour: int, last_hour: int) -> pl.DataFrame:
    """UTC hours (hour, tokens) summed to whole local days (day, tokens) of the covered hours."""
    covered = whole_days(first_hour, last_hour, time_zone)
    by_day = local_hours(hours, time_zone).group_by("day").agg(pl.col("tokens").sum()).sort("day")
    return by_day.filter(pl.col("day").is_between(*covered)) if covered else by_day.clear()


def closed_weekdays(series: Series) -> frozenset[int]:
    """Weekdays (Monday = 0) on which the region takes no traffic: most of their last eight days were zeros."""
    closed = set()
    for weekday in range(7):
        start = (weekday - series.first.weekday()) % 7
        own = series.tokens[start::7]
        seen = own[np.isfinite(own)][-CLOSED_LOOK_BACK_WEEKS:]
        if len(seen) and np.mean(seen == 0) > CLOSED_SHARE:
            closed.add(weekday)
    return frozenset(closed)

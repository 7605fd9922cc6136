"""Tokens per local day on an unbroken grid of days: a day without a row is missing, a day of 0 tokens is a zero.

The two are different facts. A missing day says nothing and is skipped; a zero day was seen and carried no traffic
(an outage, a freeze, a weekday on which the region is closed) and can have no logarithm.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

CLOSED_LOOK_BACK_WEEKS = 8
CLOSED_SHARE = 0.5
"""A weekday is closed when more than this share of its last eight days had 0 tokens."""


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


class DayCount(NamedTuple):
    """What the days of a history are."""

    days: int
    missing: int
    zero: int


def day_count(series: Series) -> DayCount:
    missing = int(np.isnan(series.tokens).sum())
    return DayCount(len(series.tokens), missing, int((series.tokens == 0).sum()))


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


def local_days(hours: pl.DataFrame, time_zone: str) -> pl.DataFrame:
    """UTC hours (hour: Datetime, tokens) summed to the local days of a time zone: (day, tokens, hours).

    Naive hours are read as UTC. The first and last local day are given only when whole: the first must start with
    the hour of local midnight and the last must end with the hour before the next. Days of 23 and 25 hours (clock
    changes) are whole. A zone that is 30 minutes off UTC takes each hour on the day on which the hour starts.
    """
    utc = pl.col("hour").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    local = utc.dt.convert_time_zone(time_zone)
    rows = hours.select(local.alias("start"), "tokens").sort("start")
    if rows.is_empty():
        return pl.DataFrame(schema={"day": pl.Date, "tokens": hours.schema["tokens"], "hours": pl.UInt32})
    begins = rows["start"].dt.hour()[0] == 0
    ends = rows.select((pl.col("start").last() + pl.duration(hours=1)).dt.hour()).item() == 0
    by_day = (
        rows.group_by(pl.col("start").dt.date().alias("day"), maintain_order=True)
        .agg(pl.col("tokens").sum(), pl.len().alias("hours"))
        .sort("day")
    )
    start, stop = (0 if begins else 1), (by_day.height if ends else by_day.height - 1)
    return by_day.slice(start, max(stop - start, 0))


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

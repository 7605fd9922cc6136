"""Daily series for the forecast's tests: public ones from ../shared, skipped where absent, and a story that is made up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from core.stats.calendar_terms import Place
from core.stats.daily_series import Series, daily_series

HEADLINE = Path(__file__).parents[3] / "shared" / "datasets" / "headline"
WEEK = np.array([1.08, 1.12, 1.10, 1.09, 1.05, 0.80, 0.76])
MADRID = Place("bicimad", "Europe/Madrid", "ES", "MD")
WASHINGTON = Place("bike sharing", "America/New_York", "US", "DC")
NOWHERE = Place("burstgpt")


def _file(name: str) -> Path:
    path = HEADLINE / name
    if not path.exists():
        pytest.skip(f"needs ../shared/datasets/headline/{name}")
    return path


def bicimad() -> pl.DataFrame:
    """Trips a day in Madrid, 2014 to 2022, COVID included."""
    rows = pl.read_csv(_file("bicimad_daily.csv"), try_parse_dates=True)
    return rows.select(
        pl.col("date").alias("day"), pl.lit(MADRID.region).alias("region"), pl.col("users").alias("tokens")
    )


def bike_sharing() -> pl.DataFrame:
    """Trips a day in Washington, 2011 and 2012, summed from hours."""
    rows = pl.read_parquet(_file("bike_sharing_hourly.parquet"))
    day = pl.col("date_time").str.to_datetime().dt.date().alias("day")
    days = rows.group_by(day).agg(pl.col("users").sum().alias("tokens")).sort("day")
    return days.select("day", pl.lit(WASHINGTON.region).alias("region"), "tokens")


def burstgpt() -> pl.DataFrame:
    """Tokens a day of a campus's GPT service, 61 days without a date: any Monday will do."""
    rows = pl.read_csv(_file("burstgpt1_daily.csv"))
    day = (pl.lit(dt.date(2023, 1, 2)) + pl.duration(days=pl.col("day"))).alias("day")
    return rows.select(day, pl.lit(NOWHERE.region).alias("region"), pl.col("total_tokens").alias("tokens"))


PUBLIC: dict[str, tuple[Callable[[], pl.DataFrame], Place]] = {
    "bicimad_daily": (bicimad, MADRID),
    "bike_sharing_hourly": (bike_sharing, WASHINGTON),
    "burstgpt1_daily": (burstgpt, NOWHERE),
}


def frame(first: dt.date, tokens: np.ndarray, region: str = "eu") -> pl.DataFrame:
    """Consecutive days from `first`."""
    days = [first + dt.timedelta(days=i) for i in range(len(tokens))]
    return pl.DataFrame({"day": days, "region": region, "tokens": tokens})


def series(first: dt.date, tokens: np.ndarray) -> Series:
    return daily_series(frame(first, tokens), "eu")


def story(
    days: int, seed: int, growth: float = 0.002, noise: float = 0.05, end: dt.date = dt.date(2026, 11, 22)
) -> tuple[dt.date, np.ndarray, np.ndarray]:
    """First day, tokens with and without the trough, 28 days of the future included.

    Weekdays, growth of 0.2 % a day, noise of 5 %, and 40 % less over three of the last four weeks (days −24 to −4).
    """
    random = np.random.default_rng(seed)
    first = end - dt.timedelta(days=days - 1)
    at = np.arange(days + 28)
    weekday = (first.weekday() + at) % 7
    normal = 1e6 * WEEK[weekday] * np.exp(growth * at + random.normal(0, noise, len(at)))
    seen = normal.copy()
    seen[days - 24 : days - 3] *= 0.6
    return first, seen, normal

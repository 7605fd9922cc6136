"""Rate limits with their dates against the forecast: how likely each hour and week ahead is to hit one."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from core.audits.token_forecast_days import ALL
from core.stats.daily_series import local_hours
from core.stats.forecast_totals import RegionPath, whole_errors
from core.stats.headroom import HourChance, Limit, WeekChance, headroom, hourly_shape, peak_factors
from core.stats.resampling import SEED

AHEAD_DAYS = 28
"""Days ahead that are set against the limits."""
UNITS = {"tpm": "tokens a minute", "rpm": "requests a minute"}
_COLUMNS = {"tpm": ("tokens", "peak_tokens"), "rpm": ("requests", "peak_requests")}
NO_LIMIT = "change_events: no event of kind limit with tpm or rpm in its attributes"


class Target(NamedTuple):
    """What a limit covers: a region ("" = their sum), a model ("" = all), tokens or requests."""

    region: str
    model: str
    unit: str


class RegionAhead(NamedTuple):
    """What headroom needs of a region's forecast."""

    path: RegionPath
    first: dt.date
    zone: str
    recent_tokens: int
    """Of the last four weeks, in the unit of the path."""


class LimitView(NamedTuple):
    """One limit's chances; `why` says why there are none."""

    target: Target
    per_minute: float
    title: str
    hours: tuple[HourChance, ...]
    weeks: tuple[WeekChance, ...]
    peak_hours: int
    forecasts: int
    why: str


def limits(dated: pl.DataFrame) -> tuple[dict[Target, list[tuple[Limit, str]]], tuple[str, ...]]:
    """Limits by what they cover, oldest first, and a sentence for each event that cannot be used."""
    found: dict[Target, list[tuple[Limit, str]]] = {}
    problems = []
    for row in dated.filter(pl.col("kind") == "limit").sort("day", "event_id").iter_rows(named=True):
        used = False
        try:
            attributes = json.loads(row["attributes"] or "{}")
        except ValueError:
            attributes = {}
        for unit in UNITS:
            value = attributes.get(unit) if isinstance(attributes, dict) else None
            if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e15:
                target = Target(row["region"], row["model"], unit)
                found.setdefault(target, []).append((Limit(row["day"], float(value)), row["title"]))
                used = True
        if not used:
            problems.append(
                f'limit event {row["event_id"]} has neither "tpm" nor "rpm" above 0 in its attributes'
            )
    return found, tuple(problems)


def views(
    frames: dict[str, pl.DataFrame], ahead: Mapping[str, RegionAhead]
) -> tuple[tuple[LimitView, ...], tuple[str, ...]]:
    """Every limit, by region; `ahead` has the sum of all regions under its own name."""
    known, problems = limits(frames["limits_and_prices"])
    made = [
        _view(target, dated, frames["peaks"], ahead.get(target.region or ALL))
        for target, dated in sorted(known.items())
    ]
    return tuple(made), problems


def _view(
    target: Target, dated: list[tuple[Limit, str]], peaks: pl.DataFrame, ahead: RegionAhead | None
) -> LimitView:
    now = dated[-1]
    if ahead is not None:
        in_force = [pair for pair in dated if pair[0].valid_from <= ahead.first]
        now = in_force[-1] if in_force else dated[0]
    own = peaks.filter((pl.col("region") == target.region) & (pl.col("model") == target.model)).sort("hour")
    if ahead is None or own.is_empty():
        why = (
            "the region has no forecast"
            if ahead is None
            else "attempts: no traced call that the limit covers, so peaks inside an hour are not known"
        )
        return LimitView(target, now[0].per_minute, now[1], (), (), 0, 0, why)
    total, peak = _COLUMNS[target.unit]
    hours = local_hours(own, ahead.zone).select(
        "day", pl.col("hour_of_day").alias("hour"), pl.col(total).alias("total"), pl.col(peak).alias("peak")
    )
    # The clock's extra hour in autumn is two hours of one name: they add up in the shape, not in the peaks.
    shape = hourly_shape(hours.group_by("day", "hour").agg(pl.col("total").sum()).sort("day", "hour"))
    part = float(own[total].sum()) / max(ahead.recent_tokens, 1)
    errors = np.array(list(whole_errors(ahead.path, AHEAD_DAYS).values())).reshape(-1, AHEAD_DAYS)
    made = headroom(
        ahead.path.expected[:AHEAD_DAYS] * part, ahead.first, errors, shape, peak_factors(hours),
        [limit for limit, _ in dated], SEED,
    )  # fmt: skip
    return LimitView(
        target, now[0].per_minute, now[1], made.hours, made.weeks, made.peak_hours, made.forecasts, made.why
    )

"""What a token costs from which day on: recent calls' own average, and price changes that are dated.

The average is of the tokens of the last four weeks as they were mixed (models, input, output, cache), from the newest
price change in it on. A `price` event with {"factor": 0.8} in its attributes makes tokens of its region (or
of all) cost that many times as much from its day on; one with a model counts by the model's part of the money.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

import polars as pl

from core.audits.token_forecast_days import MONEY_DAYS, Spent
from core.stats.forecast_totals import RegionPath, Spend, Step, price_on, spend

HORIZONS = (28, 90)


class PriceEvent(NamedTuple):
    """A dated change of price; region empty = all regions, model empty = all models."""

    day: dt.date
    region: str
    model: str
    factor: Decimal
    title: str


class Prices(NamedTuple):
    """Price steps by region, the average behind them, and what could not be read."""

    steps: dict[str, tuple[Step, ...]]
    since: dict[str, dt.date]
    """First day of the average, by region."""
    events: tuple[PriceEvent, ...]
    problems: tuple[str, ...]


class Money(NamedTuple):
    """What the tokens cost."""

    spends: tuple[Spend, ...]
    """For 28 and 90 days."""
    prices: Prices
    ahead: tuple[float, ...]
    """Of each day of the horizon, at the price of its day."""
    by_day: tuple[tuple[dt.date, float], ...]
    """Of each UTC day behind."""


def price_events(dated: pl.DataFrame) -> tuple[tuple[PriceEvent, ...], tuple[str, ...]]:
    """Price changes by day, and a sentence for each event without a factor that can be used."""
    found, problems = [], []
    for row in dated.filter(pl.col("kind") == "price").sort("day", "event_id").iter_rows(named=True):
        try:
            factor = Decimal(str(json.loads(row["attributes"] or "{}")["factor"]))
            if not Decimal("0.001") <= factor <= 1000:
                raise ValueError
            found.append(PriceEvent(row["day"], row["region"], row["model"], factor, row["title"]))
        except (ValueError, KeyError, TypeError, InvalidOperation):
            problems.append(
                f'price event {row["event_id"]} has no usable "factor" in its attributes; write {{"factor": 0.8}}'
            )
    return tuple(found), tuple(problems)


def prices(spent: Sequence[Spent], dated: pl.DataFrame, last: dt.date) -> Prices:
    """Steps for every region with money in the four weeks up to `last`."""
    events, problems = price_events(dated)
    # How much of a region's money a model is cannot be told from days: such events are shown, not applied.
    problems += tuple(
        f'price event "{event.title}" is of one model and is not applied to the forecast'
        for event in events
        if event.model
    )
    whole = [event for event in events if not event.model]
    steps, since = {}, {}
    for region in sorted({one.region for one in spent}):
        own = [event for event in whole if event.region in ("", region)]
        window = last - dt.timedelta(days=MONEY_DAYS - 1)
        start = max([window, *(event.day for event in own if event.day <= last)])
        rows = [one for one in spent if one.region == region and start <= one.day <= last]
        tokens = sum(one.tokens for one in rows)
        if not tokens:
            continue
        price = sum((one.cost for one in rows), Decimal(0)) / tokens
        made = [Step(start, price)]
        for event in own:
            if event.day > last:
                price *= event.factor
                made.append(Step(event.day, price))
        steps[region], since[region] = tuple(made), start
    return Prices(steps, since, events, problems)


def money_of(
    rows: Sequence[Spent],
    dated: pl.DataFrame,
    last: dt.date,
    paths: Sequence[RegionPath],
    first: dt.date | None,
    horizon: int,
) -> Money | None:
    """What the forecast costs at the prices of its days; None without money or without a forecast."""
    known = prices(rows, dated, last)
    if first is None or not known.steps:
        return None
    by_day: dict[dt.date, float] = {}
    for row in rows:
        by_day[row.day] = by_day.get(row.day, 0.0) + float(row.cost)
    firsts = {path.region: first for path in paths}
    spends = tuple(spend(paths, firsts, known.steps, days) for days in HORIZONS)
    return Money(spends, known, _money_ahead(paths, first, known, horizon), tuple(sorted(by_day.items())))


def _money_ahead(
    paths: Sequence[RegionPath], first: dt.date, known: Prices, horizon: int
) -> tuple[float, ...]:
    found = []
    for step in range(horizon):
        day = first + dt.timedelta(days=step)
        rates = ((path.expected[step], price_on(known.steps.get(path.region, ()), day)) for path in paths)
        found.append(sum(float(tokens) * float(rate or 0) for tokens, rate in rates))
    return tuple(found)

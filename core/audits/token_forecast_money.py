"""What a token costs from which day on: the last four weeks' own average, and price changes that are dated.

The average is of the tokens of the last four weeks as they were mixed (models, input, output, cache), from the newest
change of all models' prices in it on. A `price` event with {"factor": 0.8} in its attributes makes tokens of its region (or
of all) cost that many times as much from its day on. Tokens are forecast by region and not by model, so an event of
one model changes that model's part of the region's money: exact while the mix of models stays.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from math import prod
from typing import NamedTuple

import polars as pl

from core.audits.token_forecast_days import RECENT_DAYS, Spent
from core.stats.forecast_totals import RegionPath, Spend, Step, price_on, spend

HORIZONS = (28, 90)


class PriceEvent(NamedTuple):
    """A dated change of price; region empty = all regions, model empty = all models."""

    day: dt.date
    region: str
    model: str
    factor: Decimal
    title: str

    def covers(self, model: str) -> bool:
        """Whether tokens of the model cost otherwise: a name covers its dated snapshots, as that of a limit does."""
        snapshot = model.removeprefix(f"{self.model}-")
        return self.model in ("", model) or (snapshot != model and snapshot[:1].isdecimal())


class Part(NamedTuple):
    """How much of a region's money a change ahead of one model's price is about."""

    region: str
    title: str
    share: float


class Prices(NamedTuple):
    """Price steps by region, the average behind them, and what could not be read."""

    steps: dict[str, tuple[Step, ...]]
    since: dict[str, dt.date]
    """First day of the average, by region."""
    parts: tuple[Part, ...]
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


def prices(by_model: Sequence[Spent], dated: pl.DataFrame, last: dt.date) -> Prices:
    """Steps for every region with money in the four weeks up to `last`."""
    events, problems = price_events(dated)
    window = last - dt.timedelta(days=RECENT_DAYS - 1)
    steps, since, parts = {}, {}, list[Part]()
    for region in sorted({one.region for one in by_model}):
        own = [event for event in events if event.region in ("", region)]
        start = max([window, *(event.day for event in own if event.day <= last and not event.model)])
        rows = [one for one in by_model if one.region == region and start <= one.day <= last]
        tokens = sum(one.tokens for one in rows)
        if not tokens:
            continue
        costs = _costs_now(rows, [event for event in own if start < event.day <= last])
        made = [Step(start, sum(costs.values(), Decimal(0)) / tokens)]
        for event in own:
            covered = sum((cost for model, cost in costs.items() if event.covers(model)), Decimal(0))
            if event.day <= last or not covered:
                continue
            if event.model:
                parts.append(Part(region, event.title, float(covered / sum(costs.values()))))
            costs = {m: cost * event.factor if event.covers(m) else cost for m, cost in costs.items()}
            made.append(Step(event.day, sum(costs.values(), Decimal(0)) / tokens))
        steps[region], since[region] = tuple(made), start
    idle = [
        f'price event "{event.title}" is of {event.model}, on which nothing was spent in the last four weeks: it changes nothing'
        for event in events
        if event.model and event.day >= window and by_model and not _spent_on(by_model, event)
    ]
    return Prices(steps, since, tuple(parts), events, (*problems, *idle))


def _spent_on(by_model: Sequence[Spent], event: PriceEvent) -> bool:
    return any(event.region in ("", one.region) and event.covers(one.model) for one in by_model)


def _costs_now(rows: Sequence[Spent], changes: Sequence[PriceEvent]) -> dict[str, Decimal]:
    """What each model's tokens of `rows` cost at its newest price; `changes` are those inside the days of the rows."""
    costs: dict[str, Decimal] = {}
    for model in sorted({one.model for one in rows}):
        own = [one for one in rows if one.model == model]
        changed = [event for event in changes if event.covers(model)]
        newest = max((event.day for event in changed), default=own[0].day)
        after = [one for one in own if one.day >= newest]
        cost = sum((one.cost for one in own), Decimal(0))
        if changed and after:
            price = sum((one.cost for one in after), Decimal(0)) / sum(one.tokens for one in after)
            cost = price * sum(one.tokens for one in own)
        elif changed:
            # Nothing was sent since, so only the event itself says what it would have cost.
            cost *= prod(event.factor for event in changed)
        costs[model] = cost
    return costs


def money_of(
    rows: Sequence[Spent],
    by_model: Sequence[Spent],
    dated: pl.DataFrame,
    last: dt.date,
    paths: Sequence[RegionPath],
    first: dt.date | None,
    horizon: int,
) -> Money | None:
    """What the forecast costs at the prices of its days; None without money or without a forecast.

    `rows`: of all days, by region; `by_model`: of the last four weeks, by region and model.
    """
    known = prices(by_model, dated, last)
    if not rows or first is None or not known.steps:
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

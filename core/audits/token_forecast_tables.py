"""Rows and facts of the forecast, to read and to download."""

from __future__ import annotations

import polars as pl

from core.amounts import count, interval, money, number, share
from core.audit import Fact
from core.audits.token_forecast_limits import UNITS
from core.audits.token_forecast_measure import HORIZONS, Forecast, Money, RegionView
from core.stats.forecast_totals import Total

MOST_ROWS = 500
NONE = "(no region)"


def facts(found: Forecast) -> list[Fact]:
    """Totals at both horizons, what is carried forward, money, throttled calls, what could not be used."""
    rows = [
        Fact("all regions", f"tokens of the next {days} days", count(round(total.value)), _both(total),
             total.n_forecasts, f"{total.draws} draws, seed {total.seed}")
        for days, total in zip(HORIZONS, found.totals, strict=False)
    ]  # fmt: skip
    rows += _money(found.money, found.currency) if found.money else []
    calls = found.rows_read.requests
    rows.append(
        Fact(found.rows_read.source, "hours read", count(found.rows_read.n_hours), "", calls, "n: calls")
    )
    if throttled := found.rows_read.throttled:
        rows.append(
            Fact("all regions", "throttled calls (429)", count(throttled), "", calls, "in all history")
        )
    for one in found.regions:
        note = f"{one.state}. {one.setting}"
        rows.append(Fact(one.region or NONE, "model", one.model, "", one.observed_days, note))
        rows += [Fact(one.region or NONE, "not known ahead", "", "", None, text) for text in one.unknown]
    rows += [Fact("change_events", "cannot be used", "", "", None, text) for text in found.problems]
    return rows


def _money(spent: Money, currency: str) -> list[Fact]:
    rows = []
    for days, spend in zip(HORIZONS, spent.spends, strict=True):
        known = [
            f"{level:.0%} {interval(low, high, currency)}"
            for level, low, high, _ in spend.intervals
            if low is not None
        ]
        note = f"{len(spend.unpriced)} region-days without a price" if spend.unpriced else ""
        bounds = ", ".join(known) or f"none: {spend.intervals[0][3]}"
        name = f"money of the next {days} days"
        rows.append(Fact("all regions", name, money(spend.value, currency), bounds, None, note))
    for region, since in sorted(spent.prices.since.items()):
        price = money(spent.prices.steps[region][0].price * 1_000_000, currency)
        note = f"average of calls since {since}"
        rows.append(Fact(region or NONE, "price of a million tokens", price, "", None, note))
    for part in spent.prices.parts:
        about = f"part of the money that {part.title} changes"
        note = "a price of one model: its part of the last four weeks' money, at the prices before the change"
        rows.append(Fact(part.region or NONE, about, share(part.share), "", None, note))
    return rows


def _both(total: Total) -> str:
    known = [
        f"{one.level:.0%} {interval(round(one.low), round(one.high), 'count')}"
        for one in total.intervals
        if one.low is not None and one.high is not None
    ]
    return ", ".join(known) or f"none: {total.intervals[0].why}"


def tables(found: Forecast) -> dict[str, pl.DataFrame]:
    """Rows to read, those that are not empty."""
    made: dict[str, list[dict[str, object]]] = {
        "Regions": [_region(one, found.horizon) for one in found.regions],
        "Backtest": _backtest(found),
        "Proposed breaks": proposals(found),
        "Breaks in force": [
            {"region": one.region, "start": one.named.start, "end": one.named.end, "name": one.named.name,
             "effect": "estimated" if one.named.effect_share is None else share(one.named.effect_share),
             "known from": one.named.known_from}
            for one in found.breaks
        ],
        "Headroom by week": _headroom(found),
        "Window": [
            {"region": one.region or NONE, "day": day, "not normal because of": why}
            for one in found.regions
            for day, why in one.window.not_normal
        ],
    }  # fmt: skip
    return {
        name: pl.DataFrame(rows[:MOST_ROWS], infer_schema_length=None) for name, rows in made.items() if rows
    }


def _region(one: RegionView, horizon: int) -> dict[str, object]:
    total = one.totals[HORIZONS.index(horizon)]
    return {
        "region": one.region or NONE,
        "time zone": one.zone,
        "state": "forecastable" if one.forecastable else "not forecastable at this grain",
        "model": one.model,
        "trailing average says": round(one.trailing * horizon),
        "forecast": round(total.value),
        "interval": _both(total),
        "gap": share(one.trailing * horizon / total.value - 1 if total.value else None),
        "window not normal": share(one.window.share),
        "n days": one.observed_days,
        "if proposals were accepted": None if one.if_accepted is None else round(one.if_accepted),
        "looked for breaks": one.looked,
    }


def _backtest(found: Forecast) -> list[dict[str, object]]:
    return [
        {
            "region": one.region or NONE,
            "model": score.model,
            "used": "yes" if score.chosen else "",
            "WAPE": share(score.wape),
            "95% interval": "none" if score.low is None else interval(score.low, score.high, "share"),
            "bias": share(score.bias),
            **{
                f"inside {level}%": share(covered)
                for level, covered in zip((80, 90, 95), score.coverage, strict=True)
            },
            "n forecasts": score.origins,
            "why not": score.reason,
        }
        for one in found.regions
        for score in one.league
    ]


def proposals(found: Forecast) -> list[dict[str, object]]:
    """Every proposal with its size, interval and q-value."""
    return [
        {
            "region": one.region or NONE,
            "start": proposal.start,
            "end": proposal.end,
            "days": proposal.days,
            "size": share(proposal.size_share),
            "95% interval": interval(proposal.low, proposal.high, "share"),
            "q value": round(proposal.q_value, 4),
            "still going on": "yes" if proposal.ongoing else "",
        }
        for one in found.regions
        for proposal in one.proposals
    ]


def _headroom(found: Forecast) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for view in found.limits:
        about = {
            "region": view.target.region or "all regions together",
            "model": view.target.model or "all",
            "limit": number(view.per_minute, UNITS[view.target.unit]),
        }
        if view.why:
            unknown = {"week ahead": None, "P(hit)": "unknown", "95% interval": view.why}
            rows.append(about | unknown | {"n peak hours": view.peak_hours})
        rows += [
            about
            | {
                "week ahead": week.week,
                "P(hit)": share(week.chance),
                "95% interval": interval(week.low, week.high, "share"),
                "n peak hours": view.peak_hours,
            }
            for week in view.weeks
        ]
    return rows

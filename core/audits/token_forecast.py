"""What will the next weeks take, and is the window I average over lying?

How: Tokens of each region are summed to days of its own time zone and forecast as level × calendar: weekday, public holidays,
bridge days, year-end and the breaks people have entered are least squares on all history; the level is the median of the last
28 days that are in no break of their own. Trend and yearly waves are carried forward as far as past forecasts were better with
them. Seasonal naive and trailing averages (with the full backtest ETS, STL + ETS, SARIMAX and Prophet too) forecast from the
same past days, and whichever errs least over four weeks is used. Intervals are what its past forecasts missed by; sums over
days and regions are joint draws of those. Money is the last four weeks' average price a token, changed from its day on by every
price event that is known: one of a single model changes that model's part of the money. Runs of days that the calendar does not
expect are proposed as breaks: the forecast takes them for normal until somebody accepts them.

Assumes: The future lives by the calendar as it stands; a break that nobody knows of yet is in no interval, and days in a break
that could not be foreseen judge no past forecast. The mix of models and kinds stays as in the last four weeks, so a model whose
price changes keeps its part of the tokens. Of quiet histories 2 to 6 in 100 propose a break all the same, of ninety days that
resemble each other closely up to 11 in 100. All tokens of a call count in the minute in which it began. A limit's chances need
traced calls for the peaks inside an hour. Nothing is forecast below four weeks of days, or when no model beats unordered days.

Source: calendar regression (Young 1965; Cleveland & Devlin 1982); rolling origins (Tashman 2000); split conformal intervals
(Vovk et al. 2005; Lei et al. 2018); proposals by cumulative sums and Benjamini-Hochberg; docs/decisions/016-forecast.md.
"""

from __future__ import annotations

import datetime as dt

import plotly.graph_objects as go
import polars as pl

from core.amounts import count, interval, money, share
from core.audit import (
    Ask,
    Choice,
    Fact,
    Finding,
    Need,
    Progress,
    Scope,
    Status,
    TooLittle,
    against_limit,
    limit_choice,
)  # fmt: skip
from core.audits import token_forecast_figures as pictures
from core.audits import token_forecast_league as league
from core.audits import token_forecast_sql as sql
from core.audits import token_forecast_tables as rows
from core.audits.token_forecast_days import EPOCH, RECENT_DAYS, chosen_hours, region_days, rows_read
from core.audits.token_forecast_measure import HORIZONS, Forecast, measured
from core.breaks import NO_REGION, Proposed
from core.stats.challengers import PROPHET
from core.stats.forecast_totals import Total
from core.stats.resampling import SEED

TITLE = "The forecast that learned a holiday"
SECTION = "Counts, money and capacity"
REPORTED = "what a trailing four-week average says of the next weeks"
SUPPORTED = "level × calendar, with intervals from past forecasts"
LIMIT = 0.10
"""A tenth of a month's tokens: more than a steady product's monthly noise, less than any capacity order."""
LIMIT_OF_GAP = "either side"
takes_long = league.takes_long
MADE = ("breaks",)
"""What people made that this audit reads: core.made looks it up."""

CHOICES = (
    Choice("horizon", "Days ahead", ("28", "90"), "28", "Both are in the tables; this one is judged and drawn."),
    Choice(
        "source", "Tokens from", ("traces", "bill"), "traces",
        "Of bills, usage reports come before cost lines, and two sources are never added.",
    ),
    Choice("kind", "Tokens counted", ("all", "input", "cached", "output"), "all", "Input is without cached tokens."),
    Choice(
        "backtest", "Backtest", ("quick", "full"), "quick",
        f"Full adds ETS, STL + ETS, SARIMAX and Prophet (pip install {PROPHET}): minutes instead of a second.",
    ),
    limit_choice("Limit on the gap", ("0.05", "0.10", "0.20", "0.30"), LIMIT, "Share the average may be off by."),
)  # fmt: skip

CAPTIONS = {
    "token_forecast_fan": "History and forecast with 80 and 95 % intervals; the ghost line is the trailing average. "
    "Shaded days are holidays or in a break.",
    "token_forecast_region": "The same for the region whose average is furthest off.",
    "token_forecast_gaps": "How far the trailing average is off in each region, with the interval of the forecast.",
    "token_forecast_backtest": "Mean miss of past forecasts over four weeks (WAPE), with its 95 % interval.",
    "token_forecast_weeks": "Miss of past forecasts by week ahead.",
    "token_forecast_terms": "What each term of the calendar does to a day, with its 95 % interval.",
    "token_forecast_headroom": "Chance of hitting the tightest limit, by hour and weekday over the next four weeks.",
    "token_forecast_budget": "Money a week at the price of its day; dotted lines are price changes, of which one of a "
    "single model counts by that model's part of the money.",
}

NEEDS = (
    Need("attempts.input_tokens", "tokens of each hour", "Send traces with token usage to /v1/traces."),
    Need("attempts.cloud_region", "days and holidays of each region", "Set cloud.region as a resource attribute.", False),
    Need("attempts.expected_usd", "money", "Report token usage of known models, or add price overrides.", False),
    Need("cost_lines.tokens", "tokens from a bill instead", "Give a usage report on the data page: docs/formats.md.", False),
    Need(
        "change_events.kind", "limits and price changes with their dates",
        'Give change events of kind limit ({"tpm": 400000, "rpm": 500}) or price ({"factor": 0.8}).', False,
    ),
)  # fmt: skip

SQL = {
    "traced": sql.TRACED, "traced_models": sql.TRACED_MODELS, "extent": sql.EXTENT, "billed": sql.BILLED,
    "billed_models": sql.BILLED_MODELS, "limits_and_prices": sql.LIMITS_AND_PRICES, "peaks": sql.PEAKS,
}  # fmt: skip


def load(ask: Ask, scope: Scope) -> dict[str, pl.DataFrame]:
    """One frame a question; of the two sources only the chosen one is more than empty."""
    parameters = scope.parameters() | {
        "kind": scope.choice("kind", "all"),
        "start": EPOCH,
        "recent_from": scope.end - dt.timedelta(days=RECENT_DAYS - 1),
    }
    nothing = parameters | {"end": EPOCH - dt.timedelta(days=1)}
    bill = scope.choice("source", "traces") == "bill"
    unused = {"traced", "traced_models"} if bill else {"billed", "billed_models"}
    return {name: ask(text, **(nothing if name in unused else parameters)) for name, text in SQL.items()}


def measure(frames: dict[str, pl.DataFrame], scope: Scope, progress: Progress | None = None) -> Forecast | TooLittle:  # fmt: skip
    """Forecast of every region and of their sum; too little only where no token was counted at all."""
    hours, source = chosen_hours(frames, scope)
    hours = hours.filter(pl.col("day") <= scope.end)
    if hours.is_empty() or not hours["tokens"].sum():
        at, what = (0, "attempts: no traced call with") if source == "traces" else (3, "cost_lines: no billed")  # fmt: skip
        return TooLittle(f"{what} tokens up to the end of the scope", NEEDS[at].how)
    days = region_days(hours, frames, scope)
    read = rows_read(hours, source, days)
    return measured(hours, days, frames, scope, read, scope.limit(LIMIT), SEED, progress)


def the_total(found: Forecast) -> Total | None:
    """The sum over the judged horizon."""
    return found.totals[HORIZONS.index(found.horizon)] if found.totals else None


def bounds(total: Total) -> tuple[float, float, str] | None:
    """The 95 % interval, else the 80 % one with its name."""
    for one, name in zip(reversed(total.intervals), ("95%", "80%"), strict=True):
        if one.low is not None and one.high is not None:
            return one.low, one.high, name
    return None


def gap(trailing: float, horizon: int, total: Total) -> tuple[float, float | None, float | None, str]:
    """(reported − supported) / supported with bounds: the reported number is exact, the forecast is not."""
    reported = trailing * horizon
    known = bounds(total)
    value = reported / total.value - 1 if total.value else 0.0
    if known is None or known[0] <= 0:
        return value, None, None, "95%"
    return value, reported / known[1] - 1, reported / known[0] - 1, known[2]


def status_of(low: float, high: float, limit: float) -> Status:
    """Judge the size of a signed gap by its whole interval."""
    nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return against_limit(nearest, max(abs(low), abs(high)), limit)


def judge(found: Forecast | TooLittle) -> Finding:
    """The trailing average against the forecast: the whole interval of the gap against the limit."""
    if isinstance(found, TooLittle):
        return _cannot(
            "unknown", "unknown", found.n, "Nothing can be forecast.", f"{found.missing}. {found.how}"
        )
    total = the_total(found)
    n = sum(one.observed_days for one in found.regions)
    if total is None or not total.value:
        days = max((n for _, n in found.short), default=0)
        return _cannot(
            "unknown", "unknown", days, "There are too few whole days for a forecast.",
            f"{days} whole days of tokens are known, 28 are needed. Keep sending, or widen the range.",
        )  # fmt: skip
    reported = f"{count(round(found.trailing * found.horizon))} tokens"
    supported = _supported(total)
    blind = [one for one in found.regions if not one.forecastable]
    if sum(one.totals[0].value for one in blind) > 0.5 * sum(one.totals[0].value for one in found.regions):
        return _cannot(reported, supported, n, sentence(found), f"{blind[0].region}: {blind[0].state}.")
    value, low, high, named = gap(found.trailing, found.horizon, total)
    if low is None or high is None:
        why = total.intervals[0].why or "past forecasts missed by too much for an interval"
        return _cannot(reported, supported, n, sentence(found), f"{why}. Keep sending: each week adds one.")
    status = status_of(low, high, found.limit)
    if status == "holds" and (past_limit(found) or pending(found)):
        status = "watch"
    return Finding(
        "token-forecast", status, reported, supported, value, low, high, "share", n, sentence(found), _not_known(found),
        named,
    )  # fmt: skip


def _cannot(reported: str, supported: str, n: int, text: str, missing: str) -> Finding:
    return Finding(
        "token-forecast", "cannot tell", reported, supported, None, None, None, "share", n, text, missing
    )


def _supported(total: Total) -> str:
    known = bounds(total)
    text = f"{count(round(total.value))} tokens"
    return (
        text if known is None else f"{text}, {known[2]} {count(round(known[0]))} to {count(round(known[1]))}"
    )


def past_limit(found: Forecast) -> list[str]:
    """Regions whose own interval lies wholly past the limit, each judged for itself."""
    named = []
    for one in found.regions:
        _, low, high, _ = gap(one.trailing, found.horizon, one.totals[HORIZONS.index(found.horizon)])
        if (
            one.forecastable
            and low is not None
            and high is not None
            and (status_of(low, high, found.limit) == "broken")
        ):
            named.append(one.region or "(no region)")
    return named


def pending(found: Forecast) -> int:
    """Proposals that touch the trailing window and that nobody has accepted or called normal."""
    return sum(
        proposal.end > one.history[-1][0] - dt.timedelta(days=28)
        for one in found.regions
        for proposal in one.proposals
    )


def sentence(found: Forecast) -> str:
    """What is ahead, what the average says instead, and how much of its window was not normal."""
    total = the_total(found)
    assert total is not None
    value, *_ = gap(found.trailing, found.horizon, total)
    cost = found.money.spends[HORIZONS.index(found.horizon)].value if found.money else None
    priced = f" ({money(cost, found.currency)})" if cost else ""
    off = sum(len(one.window.not_normal) for one in found.regions)
    days = sum(one.window.observed for one in found.regions)
    parts = [
        f"The next {found.horizon} days take {count(round(total.value))} tokens{priced}; the trailing four-week average "
        f"says {share(abs(value))} {'less' if value < 0 else 'more'}",
        f"{share(off / days if days else None)} of its region-days were not normal demand",
    ]
    if named := past_limit(found):
        parts.append(
            f"{len(named)} of {len(found.regions)} regions are past the limit ({', '.join(named[:3])})"
        )
    if waiting := pending(found):
        parts.append(f"{waiting} proposed break{'s wait' if waiting > 1 else ' waits'} for a yes or no")
    return "; ".join(parts) + "."


def _not_known(found: Forecast) -> str:
    parts = [f"{one.region or '(no region)'} is {one.state}" for one in found.regions if not one.forecastable]
    parts += [f"{region or '(no region)'} has {n} whole days, 28 are needed" for region, n in found.short]
    if found.money is None:
        parts.append("no money: no priced calls of all kinds in the last four weeks")
    if found.rows_read.without_usage:
        parts.append(
            f"{count(found.rows_read.without_usage)} of {count(found.rows_read.requests)} calls report no tokens"
        )
    parts += [text for one in found.regions for text in one.unknown][:2]
    parts += [*found.rows_read.notes, *found.problems[:2]]
    return ". ".join((text[:1].upper() + text[1:]).rstrip(".") for text in parts)


def figures(frames: dict[str, pl.DataFrame], found: Forecast) -> dict[str, go.Figure]:
    """Fan, gaps, backtest, terms, headroom and budget; keys name the exports."""
    return pictures.figures(found)


def facts(found: Forecast) -> list[Fact]:
    """Totals at both horizons, levels and trends, limits: every number that no figure shows."""
    return rows.facts(found)


def tables(found: Forecast) -> dict[str, pl.DataFrame]:
    """Regions, backtest, proposals, headroom by week, the calendar, as rows."""
    return rows.tables(found)


def proposed(found: Forecast | TooLittle) -> list[Proposed]:
    """What the page offers as rows of the break calendar."""
    if isinstance(found, TooLittle):
        return []
    return [
        Proposed(
            one.region or NO_REGION,
            proposal.start,
            proposal.end,
            f"{share(proposal.size_share)} {interval(proposal.low, proposal.high, 'share')}, {proposal.days} days, "
            f"q {proposal.q_value:.4f}{', still going on' if proposal.ongoing else ''}",
            proposal.ongoing,
        )
        for one in found.regions
        for proposal in one.proposals
    ]

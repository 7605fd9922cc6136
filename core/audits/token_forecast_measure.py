"""What the forecast says: every region by itself, their sum by draws, money, and what the trailing window hides."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from core import breaks as calendar_text
from core.audit import Progress, Scope
from core.audits import token_forecast_league as league
from core.audits import token_forecast_limits as limits
from core.audits.token_forecast_days import (
    ALL,
    RECENT_DAYS,
    RegionDays,
    RowsRead,
    of_all,
    spent,
    spent_by_model,
)
from core.audits.token_forecast_limits import LimitView, RegionAhead
from core.audits.token_forecast_money import HORIZONS, Money, money_of
from core.remembered import remembered
from core.stats.backtest import FitProgress
from core.stats.calendar_effects import TermEffect, term_effects
from core.stats.calendar_fit import MINIMUM_DAYS
from core.stats.calendar_terms import Break
from core.stats.challengers import SLOW
from core.stats.conformal import Errors
from core.stats.demand_breaks import Proposal, accept, propose_breaks
from core.stats.forecast_totals import LEVELS, RegionPath, Total, draw_paths, interval_of, total
from core.stats.region_forecast import RegionForecast, WindowShare, forecast_region, window_share

PATH_DAYS = 98
"""Fourteen weeks: ninety days from the first day that lies ahead of every region, which may end a day apart."""
DAY_DRAWS = 400
"""Joint draws behind the intervals of single days of the sum, which are only drawn; totals take more."""


class Quantiles(NamedTuple):
    """Expected tokens of a day ahead with 80 and 95 % intervals; None where too few past forecasts reach."""

    day: dt.date
    expected: float
    low_80: float | None
    high_80: float | None
    low_95: float | None
    high_95: float | None


class RegionView(NamedTuple):
    """One region as pages show it."""

    region: str
    zone: str
    forecastable: bool
    state: str
    """Why it is or is not, one sentence."""
    model: str
    setting: str
    """How much of trend and yearly waves is carried forward, and why."""
    history: tuple[tuple[dt.date, float | None], ...]
    ahead: tuple[Quantiles, ...]
    trailing: float
    """Tokens a day: the mean of the last 28 observed days."""
    totals: tuple[Total, ...]
    """For 28 and 90 days."""
    window: WindowShare
    off_days: tuple[tuple[dt.date, str], ...]
    """Days of history and ahead that are holidays or in a break, with why."""
    proposals: tuple[Proposal, ...]
    if_accepted: float | None
    """Total of the first horizon if the proposals were accepted; None without any."""
    looked: str
    """How many runs were tested, or why none."""
    unknown: tuple[str, ...]
    """Terms ahead that never happened in the history."""
    terms: tuple[TermEffect, ...]
    league: tuple[league.ModelScore, ...]
    weeks: tuple[league.WeekError, ...]

    @property
    def observed_days(self) -> int:
        """Days whose tokens are known: an unseen day of the history is none."""
        return sum(tokens is not None for _, tokens in self.history)


class Forecast(NamedTuple):
    """Everything the audit measured. Tokens are of the chosen kind."""

    rows_read: RowsRead
    regions: tuple[RegionView, ...]
    short: tuple[tuple[str, int], ...]
    """Regions with fewer whole days than a forecast needs, and how many they have."""
    by_day: tuple[tuple[str, dt.date, int], ...]
    """Tokens by region and UTC day as read: what is drawn when nothing can be forecast."""
    first: dt.date | None
    """First day ahead of every region."""
    ahead: tuple[Quantiles, ...]
    trailing: float
    totals: tuple[Total, ...]
    horizon: int
    limit: float
    currency: str
    money: Money | None
    """None without priced calls, or when only one kind of token is counted."""
    limits: tuple[LimitView, ...]
    problems: tuple[str, ...]
    revision: str
    breaks: tuple[calendar_text.RegionBreak, ...]
    seed: int


class _Made(NamedTuple):
    """A region's forecast and its days, while the regions are put together."""

    days: RegionDays
    forecast: RegionForecast
    breaks: tuple[Break, ...]


def measured(
    hours: pl.DataFrame, everything: list[RegionDays], frames: dict[str, pl.DataFrame], scope: Scope,
    read: RowsRead, limit: float, seed: int, progress: Progress | None = None,
) -> Forecast:  # fmt: skip
    """Forecast every region with four weeks of whole days, and add them up. `everything`: the days of `hours`."""
    named = calendar_text.parse(dict(scope.made).get("breaks", ""))
    horizon, slow = int(scope.choice("horizon", "28")), league.takes_long(scope)
    observed = [(one, int(one.days["tokens"].is_not_null().sum())) for one in everything]
    enough = [one for one, n in observed if n >= MINIMUM_DAYS and one.days["tokens"].sum()]
    parts = [league.part_of(progress, at, len(enough)) for at in range(len(enough))]
    own = [calendar_text.of_region(named, one.place.region) for one in enough]
    made = [_forecast(one, mine, slow, part) for one, mine, part in zip(enough, own, parts, strict=True)]
    able = {one.days.place.region for one in made}
    paths, first = common_paths(made)
    kind = scope.choice("kind", "all")
    rows = spent(hours, scope.currency, kind)
    money = money_of(
        rows, spent_by_model(frames, scope), frames["limits_and_prices"], scope.end, paths, first, horizon
    )
    chances, problems = limits.views(frames, _ahead(made, frames, scope, named)) if made else ((), ())
    by_day = hours.group_by("region", "day").agg(pl.col("tokens").sum()).sort("region", "day")
    return Forecast(
        read, tuple(_view(one, horizon, seed) for one in made),
        tuple((one.place.region, n) for one, n in observed if one.place.region not in able),
        tuple((region, day, int(tokens)) for region, day, tokens in by_day.iter_rows()),
        first, _sum_ahead(paths, first, horizon, seed), sum(float(one.forecast.trailing[0]) for one in made),
        tuple(total(paths, days, seed=seed) for days in HORIZONS) if paths else (), horizon, limit,
        scope.currency, money, chances, problems + (money.prices.problems if money else ()),
        scope.choice("breaks", "0"), named, seed,
    )  # fmt: skip


def _forecast(
    one: RegionDays, own: tuple[Break, ...], slow: bool, progress: FitProgress | None = None
) -> _Made:
    models = SLOW if slow else ()
    return _Made(one, forecast_region(one.days, one.place, own, PATH_DAYS, models, progress), own)


def common_paths(made: Sequence[_Made]) -> tuple[list[RegionPath], dt.date | None]:
    """Every region's path from the first day that lies ahead of all of them."""
    if not made:
        return [], None
    first = max(one.forecast.first for one in made)
    paths = []
    for one in made:
        path, skip = one.forecast.path, (first - one.forecast.first).days
        errors = Errors(path.errors.origins + skip, path.errors.log_errors[:, skip:])
        paths.append(path._replace(expected=path.expected[skip:], errors=errors, now=path.now + skip))
    return paths, first


def _sum_ahead(
    paths: list[RegionPath], first: dt.date | None, horizon: int, seed: int
) -> tuple[Quantiles, ...]:
    """The sum by day of the horizon; intervals from joint draws, as far as four weeks reach and else none."""
    if first is None or not paths:
        return ()
    expected = np.sum([path.expected[:horizon] for path in paths], axis=0)
    reach = next((days for days in (horizon, min(HORIZONS)) if draw_paths(paths, days, 1, seed)), 0)
    made = draw_paths(paths, reach, DAY_DRAWS, seed) if reach else None
    found = []
    for step, value in enumerate(expected.tolist()):
        bounds: list[float | None] = [None] * 4
        if made is not None and step < reach:
            sums = np.sum([tokens[:, step] for tokens in made.by_region.values()], axis=0)
            intervals = [interval_of(value, sums, level, made.n_forecasts, reach) for level in LEVELS]
            bounds = [bound for one in intervals for bound in (one.low, one.high)]
        found.append(Quantiles(first + dt.timedelta(days=step), value, *bounds))
    return tuple(found)


def _ahead(
    made: list[_Made],
    frames: dict[str, pl.DataFrame],
    scope: Scope,
    named: tuple[calendar_text.RegionBreak, ...],
) -> dict[str, RegionAhead]:
    """What limits need of each region's forecast, and of the sum where a limit is shared by all."""
    ahead = {one.days.place.region: _region_ahead(one, scope) for one in made}
    shared = any(not target.region for target in limits.limits(frames["limits_and_prices"])[0])
    if len(made) > 1 and shared:
        whole = of_all([one.days for one in made])
        if int(whole.days["tokens"].is_not_null().sum()) >= MINIMUM_DAYS:
            own = calendar_text.of_region(named, calendar_text.EVERY_REGION)
            ahead[ALL] = _region_ahead(_forecast(whole, own, False), scope)
    elif len(made) == 1:
        ahead[ALL] = ahead[made[0].days.place.region]
    return ahead


def _region_ahead(one: _Made, scope: Scope) -> RegionAhead:
    recent = one.days.days.filter(pl.col("day") > scope.end - dt.timedelta(days=RECENT_DAYS))
    return RegionAhead(
        one.forecast.path, one.forecast.first, one.days.place.time_zone, int(recent["tokens"].sum() or 0)
    )


@remembered
def _view(one: _Made, horizon: int, seed: int) -> RegionView:
    found, place = one.forecast, one.days.place
    search = propose_breaks(found.series, place, one.breaks, seed)
    proposals = tuple(p for p in search.proposals if not any(_covers(b, p) for b in one.breaks))
    fourier = found.calendar is not None and found.calendar.setting.fourier
    window = window_share(found.series, place, one.breaks, proposals)
    return RegionView(
        place.region, place.time_zone, found.state.holds, found.state.reason, found.model,
        found.calendar.why if found.calendar else "",
        tuple((found.series.day(i), None if np.isnan(t) else float(t)) for i, t in enumerate(found.series.tokens)),
        _region_quantiles(found), float(found.trailing[0]),
        tuple(total([found.path], days, seed=seed) for days in HORIZONS), window, _off_days(found, horizon),
        proposals, _if_accepted(one, proposals, horizon),
        search.why or f"{search.runs} runs of {search.days} days tested, "
        f"day-to-day autocorrelation {search.autocorrelation:.2f}, false discovery rate 5 %",
        _unknown(found, horizon),
        term_effects(found.fits, len(found.series.tokens), fourier, horizon),
        league.scores(found), league.week_errors(found),
    )  # fmt: skip


def _unknown(found: RegionForecast, horizon: int) -> tuple[str, ...]:
    """Terms ahead, inside the horizon, of which the history knows nothing."""
    if found.calendar is None:
        return ()
    last = found.first + dt.timedelta(days=horizon - 1)
    near = [
        unknown._replace(days=tuple(day for day in unknown.days if day <= last))
        for unknown in found.calendar.unknown
    ]
    return tuple(unknown.reason() for unknown in near if unknown.days)


def _covers(named: Break, proposal: Proposal) -> bool:
    """Whether half of the proposal's days are in a break that people have already spoken on."""
    overlap = (min(named.end, proposal.end) - max(named.start, proposal.start)).days + 1
    return 2 * overlap >= (proposal.end - proposal.start).days + 1


def _if_accepted(one: _Made, proposals: Sequence[Proposal], horizon: int) -> float | None:
    if not proposals:
        return None
    named = [accept(proposal, f"proposal {number}") for number, proposal in enumerate(proposals, 1)]
    made = forecast_region(one.days.days, one.days.place, (*one.breaks, *named), PATH_DAYS)
    return float(made.expected[:horizon].sum())


def _region_quantiles(found: RegionForecast) -> tuple[Quantiles, ...]:
    """Conformal intervals by horizon week: rows of `low` and `high` are 80, 90 and 95 %."""
    bounds = np.stack([found.low[0], found.high[0], found.low[2], found.high[2]])
    return tuple(
        Quantiles(
            found.first + dt.timedelta(days=i),
            float(found.expected[i]),
            *(None if np.isnan(bound) else float(bound) for bound in bounds[:, i]),
        )
        for i in range(max(HORIZONS))
    )


def _off_days(found: RegionForecast, horizon: int) -> tuple[tuple[dt.date, str], ...]:
    """Days whose row of the calendar has a special term: for the bands of the picture."""
    terms = found.fits.calendar
    special = [i for i, kind in enumerate(terms.kinds) if kind not in ("weekday", "trend", "yearly wave")]
    off = []
    for row in range(min(len(terms.matrix), len(found.series.tokens) + horizon)):
        names = [terms.columns[i] for i in special if terms.matrix[row, i]]
        if names:
            off.append((terms.day(row), names[0]))
    return tuple(off)

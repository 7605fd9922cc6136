"""Pictures of the forecast. Keys of `figures` are the names of the exports."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import plotly.graph_objects as go

from core.amounts import count
from core.audits.token_forecast_measure import HORIZONS, Forecast, Money, Quantiles, RegionView
from core.charts import Bar, Line, Mark, bars, lines
from core.charts.grid import GridCell, grid
from core.charts.palette import band, light, plain

DRAWN_HISTORY_DAYS = 120
MOST_BANDS = 60
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def figures(found: Forecast) -> dict[str, go.Figure]:
    """Every picture the data can carry; one that cannot be drawn is absent, never empty."""
    if not found.regions or not found.ahead:
        return {"token_forecast_fan": _read(found)}
    worst = max(found.regions, key=lambda one: (abs(_region_gap(one, found.horizon)), one.region))
    drawn = {"token_forecast_fan": _fan_of_all(found)}
    if len(found.regions) > 1:
        drawn["token_forecast_region"] = _fan_of(worst, found).update_xaxes(title=plain(worst.region, 36))
        drawn["token_forecast_gaps"] = _gaps(found)
    if scored := [score for score in worst.league if score.wape is not None]:
        drawn["token_forecast_backtest"] = bars(
            [
                Bar(
                    score.model,
                    score.wape or 0.0,
                    score.low,
                    score.high,
                    "accent" if score.chosen else "muted",
                )
                for score in scored
            ],
            "share",
        ).update_xaxes(title=plain(worst.region, 36))
    if worst.weeks:
        drawn["token_forecast_weeks"] = _weeks(worst)
    if worst.terms:
        drawn["token_forecast_terms"] = bars(
            [Bar(term.term, term.effect_share, term.low, term.high) for term in worst.terms], "share"
        ).update_xaxes(title=plain(worst.region, 36))
    if heat := _headroom(found):
        drawn["token_forecast_headroom"] = heat
    if found.money and found.first:
        drawn["token_forecast_budget"] = _budget(found, found.money, found.first)
    return drawn


def _region_gap(one: RegionView, horizon: int) -> float:
    total = one.totals[HORIZONS.index(horizon)].value
    return one.trailing * horizon / total - 1 if total else 0.0


def _read(found: Forecast) -> go.Figure:
    """Tokens by UTC day as read: nothing is forecast."""
    regions = list(dict.fromkeys(region for region, _, _ in found.by_day))[:6]
    roles = ("accent", "loss", "good", "other", "warn", "muted")
    drawn = []
    for region, role in zip(regions, roles, strict=False):
        rows = [(day, tokens) for name, day, tokens in found.by_day if name == region]
        drawn.append(
            Line(
                region or "(no region)",
                [day for day, _ in rows],
                [tokens for _, tokens in rows],
                colour_role=role,
            )
        )
    return lines(drawn, "tokens")


def _fan_of_all(found: Forecast) -> go.Figure:
    if len(found.regions) == 1:
        return _fan_of(found.regions[0], found)
    sums: dict[dt.date, float] = {}
    counted: dict[dt.date, int] = {}
    for one in found.regions:
        for day, tokens in one.history:
            if tokens is not None:
                sums[day] = sums.get(day, 0.0) + tokens
                counted[day] = counted.get(day, 0) + 1
    # A day that some region does not have yet would look like a fall.
    most = max(counted.values())
    history = [(day, sums[day] if counted[day] == most else None) for day in sorted(sums)]
    off = sorted({pair for one in found.regions for pair in one.off_days if _is_break(pair[1])})
    return _fan(history, found.ahead, found.trailing, off)


def _is_break(name: str) -> bool:
    """Whether a day is off by a break, which is drawn on the sum of regions too; a holiday of one of several is not."""
    return name.startswith(("break: ", "stated break: "))


def _fan_of(one: RegionView, found: Forecast) -> go.Figure:
    return _fan(one.history, one.ahead[: found.horizon], one.trailing, one.off_days)


def _fan(
    history: Sequence[tuple[dt.date, float | None]],
    ahead: Sequence[Quantiles],
    trailing: float,
    off: Sequence[tuple[dt.date, str]],
) -> go.Figure:
    shown = history[-DRAWN_HISTORY_DAYS:]
    days = [at.day for at in ahead]
    window = [day for day, _ in shown][-28:]
    drawn = [
        Line("observed", [day for day, _ in shown], [tokens for _, tokens in shown], colour_role="ink"),
        Line(
            "trailing four-week average", [*window, *days], [trailing] * (len(window) + len(days)),
            colour_role="muted",
        ),
    ]  # fmt: skip
    if any(at.low_95 is not None for at in ahead):
        drawn.append(
            Line(
                "forecast, 95 %", days, [at.expected for at in ahead], [at.low_95 for at in ahead],
                [at.high_95 for at in ahead],
            )
        )  # fmt: skip
    drawn.append(
        Line(
            "forecast, 80 %", days, [at.expected for at in ahead], [at.low_80 for at in ahead],
            [at.high_80 for at in ahead],
        )
    )  # fmt: skip
    figure = lines(drawn, "tokens")
    figure.update_traces(line_dash="dash", selector={"name": "trailing four-week average"})
    visible = {day for day, _ in shown} | set(days)
    _shade(figure, [pair for pair in off if pair[0] in visible])
    return figure


def _shade(figure: go.Figure, off: Sequence[tuple[dt.date, str]]) -> None:
    """Runs of days of one name as bands behind the lines, from the middle of the night before to the night after."""
    runs: list[tuple[dt.date, dt.date, str]] = []
    for day, name in sorted(off, key=lambda pair: (pair[1], pair[0])):
        if runs and runs[-1][2] == name and (day - runs[-1][1]).days == 1:
            runs[-1] = (runs[-1][0], day, name)
        else:
            runs.append((day, day, name))
    half = dt.timedelta(hours=12)
    for start, end, name in runs[-MOST_BANDS:]:
        role = "warn" if _is_break(name) else "other"
        left = dt.datetime.combine(start, dt.time()) - half
        right = dt.datetime.combine(end, dt.time()) + half
        figure.add_shape(
            type="rect", xref="x", yref="paper", x0=left.isoformat(), x1=right.isoformat(), y0=0, y1=1, layer="below",
            fillcolor=band(light(role)), line={"width": 0, "color": light(role)},
        )  # fmt: skip


def _gaps(found: Forecast) -> go.Figure:
    drawn = []
    for one in found.regions:
        total = one.totals[HORIZONS.index(found.horizon)]
        reported = one.trailing * found.horizon
        known = next((i for i in reversed(total.intervals) if i.low and i.high), None)
        value = _region_gap(one, found.horizon)
        drawn.append(
            Bar(
                one.region or "(no region)", value,
                reported / known.high - 1 if known and known.high else None,
                reported / known.low - 1 if known and known.low else None,
                "loss" if abs(value) > found.limit else "useful",
            )
        )  # fmt: skip
    return bars(drawn, "share")


def _weeks(one: RegionView) -> go.Figure:
    drawn = []
    for model, role in zip(
        dict.fromkeys(week.model for week in one.weeks), ("accent", "muted"), strict=False
    ):
        own = [week for week in one.weeks if week.model == model]
        known = all(week.low is not None for week in own)
        drawn.append(
            Line(
                model, [week.week for week in own], [week.wape for week in own],
                [week.low for week in own] if known else (), [week.high for week in own] if known else (), role,
            )
        )  # fmt: skip
    figure = lines(drawn, "share")
    figure.update_xaxes(title=plain(f"week ahead, {one.region}", 40), tickvals=[1, 2, 3, 4])
    return figure


def _headroom(found: Forecast) -> go.Figure | None:
    """The limit that is likeliest to be hit, as hours along and weekdays down."""
    able = [view for view in found.limits if view.hours]
    if not able:
        return None
    tight = max(able, key=lambda view: (max(hour.chance for hour in view.hours), view.target))
    cells = [
        GridCell(
            WEEKDAYS[hour.weekday], hour.hour, hour.chance,
            note=f"[{hour.low:.1%}, {hour.high:.1%}], n {hour.hours}",
        )
        for hour in sorted(tight.hours, key=lambda hour: (hour.weekday, hour.hour))
    ]  # fmt: skip
    named = " ".join((tight.target.region or "all regions", tight.target.model, tight.target.unit.upper()))
    figure = grid(cells, "share", top=max(0.1, *(hour.chance for hour in tight.hours)))
    return figure.update_xaxes(title=plain(f"hour of the day; {named}, {count(tight.per_minute)}"))


def _budget(found: Forecast, money: Money, first: dt.date) -> go.Figure:
    """Money by week, past and ahead; weeks count back from the first day ahead, so that the last one is whole."""
    past: dict[dt.date, float] = {}
    for day, cost in money.by_day:
        if day < first:
            start = first - dt.timedelta(days=7 * -(-(first - day).days // 7))
            past[start] = past.get(start, 0.0) + cost
    first_day = money.by_day[0][0]
    weeks = [(start, cost) for start, cost in sorted(past.items()) if start >= first_day]
    drawn = [Line("spent", [day for day, _ in weeks], [cost for _, cost in weeks], colour_role="ink")]
    for level in ("95", "80"):
        ahead = _weeks_ahead(found.ahead, money.ahead, level)
        if level == "80" or any(week[2] is not None for week in ahead):
            days, costs, lows, highs = zip(*ahead, strict=True)
            drawn.append(Line(f"forecast, {level} %", days, costs, lows, highs))
    marks = [Mark(event.day.isoformat(), event.title) for event in money.prices.events]
    return lines(drawn, found.currency, marks)


def _weeks_ahead(
    ahead: Sequence[Quantiles], money: Sequence[float], level: str
) -> list[tuple[dt.date, float, float | None, float | None]]:
    """Weeks of the horizon: money, low, high. Days of a week miss together, so bounds add up."""
    rows = []
    for start in range(0, len(ahead) - 6, 7):
        week, costs = ahead[start : start + 7], money[start : start + 7]
        rates = [cost / at.expected if at.expected else 0.0 for at, cost in zip(week, costs, strict=True)]
        low, high = (
            _priced([getattr(at, f"{side}_{level}") for at in week], rates) for side in ("low", "high")
        )
        rows.append((week[0].day, sum(costs), low, high))
    return rows


def _priced(bounds: Sequence[float | None], rates: Sequence[float]) -> float | None:
    known = [bound * rate for bound, rate in zip(bounds, rates, strict=True) if bound is not None]
    return sum(known) if len(known) == len(bounds) else None

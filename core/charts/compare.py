"""Two sides beside each other: a forest of differences with intervals, and two distributions laid over each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from core.amounts import interval, number
from core.charts.drawing import Drawing
from core.charts.palette import LEGEND_LENGTH, finish, light, plain, tick_names, ticks

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")
DASHES = ("solid", "dash", "dot", "dashdot")
ROLES = ("loss", "accent", "good", "other", "muted", "warn")
MOST_STEPS = 2_000
"""Of each line of an ecdf as drawn; its rows keep every value."""


class Effect(NamedTuple):
    """One difference with its interval; `group` names its row, `series` its colour and mark."""

    group: str
    series: str
    value: float
    low: float
    high: float
    note: str = ""


def forest(effects: Sequence[Effect], unit: str, limit: float | None = None) -> go.Figure:
    """Points with their intervals around zero, a row a group, the series of a group under each other.

    Values in `unit`; `limit` is drawn on both sides of zero. A series that stands alone needs no name: leave it empty.
    """
    groups = list(dict.fromkeys(one.group for one in effects))
    series = list(dict.fromkeys(one.series for one in effects))
    figure = Drawing()
    for at, name in enumerate(series):
        rows = [one for one in effects if one.series == name]
        shift = 0.0 if len(series) == 1 else 0.6 * (at / (len(series) - 1) - 0.5)
        colour = light("accent" if len(series) == 1 else ROLES[at % len(ROLES)])
        bars: dict[str, Any] = {
            "type": "data",
            "symmetric": False,
            "thickness": 1.6,
            "width": 4,
            "color": colour,
        }
        bars |= {
            "array": [one.high - one.value for one in rows],
            "arrayminus": [one.value - one.low for one in rows],
        }
        figure.add_scatter(
            x=[one.value for one in rows], y=[groups.index(one.group) + shift for one in rows], mode="markers",
            name=plain(name, LEGEND_LENGTH), error_x=bars, hovertemplate="%{customdata}<extra></extra>",
            marker={"symbol": SYMBOLS[at % len(SYMBOLS)], "size": 9, "color": colour},
            customdata=[plain(_told(one, unit), 120) for one in rows],
        )  # fmt: skip
    _zero_and_limits(figure, limit)
    figure.update_yaxes(
        tickvals=list(range(len(groups))), ticktext=tick_names(list(groups)), showgrid=False,
        range=[len(groups) - 0.5, -0.5], zeroline=False, tickfont={"color": light("ink")},
    )  # fmt: skip
    signed = {"tickformat": "+.0%"} if unit in ("points", "share") else {}
    figure.update_xaxes(zeroline=False, nticks=7, **(ticks(unit) | signed))
    figure.update_layout(showlegend=len(series) > 1)
    table = [(_name(one), one.value, one.low, one.high, one.note) for one in effects]
    columns = ("difference", "value", "low", "high", "note")
    return finish(figure, "forest", unit, columns, table, _height(len(groups), len(series)), limit=limit)


def _height(groups: int, series: int) -> int:
    legend = 18 * series if series > 2 else 0  # long names stand under each other
    return 90 + legend + groups * max(34, 16 * series)


def _name(one: Effect) -> str:
    return f"{one.series}, {one.group}" if one.series else one.group


def _told(one: Effect, unit: str) -> str:
    note = f", {one.note}" if one.note else ""
    return f"{_name(one)}: {number(one.value, unit)} {interval(one.low, one.high, unit)}{note}"


def _zero_and_limits(figure: Drawing, limit: float | None) -> None:
    line = {"color": light("ink"), "width": 1}
    figure.add_shape(type="line", x0=0, x1=0, yref="paper", y0=0, y1=1, line=line)
    for at in () if limit is None else (-limit, limit):
        dash = {"color": light("warn"), "width": 1.2, "dash": "dash"}
        figure.add_shape(type="line", x0=at, x1=at, yref="paper", y0=0, y1=1, line=dash)


def _drawn(values: Sequence[float]) -> Sequence[float]:
    """Every n-th step from the last backwards: more than MOST_STEPS cannot be told apart."""
    every = max(-(-len(values) // MOST_STEPS), 1)
    return values[(len(values) - 1) % every :: every]


def ecdf(sides: Sequence[tuple[str, Sequence[float]]], unit: str, of: str) -> go.Figure:
    """Share of values at or below each value, one stepped line a side; lines differ in dash as in colour."""
    figure = Drawing()
    rows: list[tuple[str, float, float]] = []
    for at, (name, values) in enumerate(sides):
        ordered = sorted(values)
        shares = [(place + 1) / len(ordered) for place in range(len(ordered))]
        colour = light(ROLES[at % len(ROLES)])
        figure.add_scatter(
            x=_drawn(ordered), y=_drawn(shares), name=plain(f"{name} (n {len(ordered):,})", LEGEND_LENGTH),
            mode="lines", line_shape="hv", line={"color": colour, "width": 2.4, "dash": DASHES[at % len(DASHES)]},
        )  # fmt: skip
        rows += [(name, value, share) for value, share in zip(ordered, shares, strict=True)]
    figure.update_yaxes(
        range=[0, 1.02], tickformat=".0%", title={"text": "at or below", "font": {"size": 11.5}}
    )
    figure.update_xaxes(title={"text": plain(of), "font": {"size": 11.5}}, **ticks(unit))
    figure.update_layout(showlegend=True)
    return finish(figure, "ecdf", unit, ("side", "value", "share"), rows, of=of)

"""Points on two logarithmic axes, and where one of them turns: cause along, effect up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from core.amounts import number
from core.charts.compare import ROLES, SYMBOLS
from core.charts.drawing import Drawing
from core.charts.palette import LEGEND_LENGTH, finish, light, plain


class Cloud(NamedTuple):
    """Points of one kind; values above zero."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def scatter(
    clouds: Sequence[Cloud], units: tuple[str, str], titles: tuple[str, str], turns: Sequence[float] = ()
) -> go.Figure:
    """Clouds on log-log axes in their units; a dashed line at each place along x where something `turns`.

    Logarithms are drawn on straight axes with ticks of their own: still pictures have no other axes.
    """
    figure = Drawing()
    rows: list[tuple[object, ...]] = []
    for at, cloud in enumerate(clouds):
        told = [
            plain(f"{cloud.name}: {number(y, units[1])} after {number(x, units[0])}", 90)
            for x, y in zip(cloud.x, cloud.y, strict=True)
        ]
        figure.add_scatter(
            x=_logs(cloud.x), y=_logs(cloud.y), mode="markers", name=plain(cloud.name, LEGEND_LENGTH), customdata=told,
            marker={"symbol": SYMBOLS[at % len(SYMBOLS)], "size": 5, "opacity": 0.55,
                    "color": light(("accent", *ROLES)[at % (len(ROLES) + 1)])},
            hovertemplate="%{customdata}<extra></extra>",
        )  # fmt: skip
        rows += [(cloud.name, x, y) for x, y in zip(cloud.x, cloud.y, strict=True)]
    dash = {"color": light("warn"), "width": 1.4, "dash": "dash"}
    for place in turns:
        at_x = math.log10(place)
        figure.add_shape(type="line", x0=at_x, x1=at_x, yref="paper", y0=0, y1=1, line=dash)
        figure.add_annotation(
            text=plain(number(place, units[0])), x=at_x, yref="paper", y=1, showarrow=False, xanchor="left",
            yanchor="top", xshift=4, font={"size": 11.5, "color": light("warn")},
        )  # fmt: skip
    for axis, unit, title, values in (
        ("xaxis", units[0], titles[0], [x for cloud in clouds for x in cloud.x]),
        ("yaxis", units[1], titles[1], [y for cloud in clouds for y in cloud.y]),
    ):
        named = {"text": plain(f"{title} ({unit})"), "font": {"size": 11.5}}
        figure.update_layout({axis: {"title": named, "zeroline": False, **_ticks(values)}})
    figure.update_layout(showlegend=len(clouds) > 1)
    columns = ("kind", f"{titles[0]} ({units[0]})", f"{titles[1]} ({units[1]})")
    return finish(figure, "scatter", units[1], columns, rows, 340, turns=list(turns))


def _logs(values: Sequence[float]) -> list[float]:
    return [math.log10(value) for value in values]


def _ticks(values: Sequence[float]) -> dict[str, object]:
    """A tick a decade, or at 1, 2 and 5 where the values span little."""
    if not values:
        return {}
    low, high = math.log10(min(values)), math.log10(max(values))
    steps = (1,) if high - low > 1.5 else (1, 2, 5)
    every = max(math.ceil((high - low) / 5), 1)
    decades = range(math.floor(low), math.ceil(high) + 1, every)
    places = [step * 10.0**decade for decade in decades for step in steps]
    shown = [place for place in places if low - 0.3 <= math.log10(place) <= high + 0.3]
    texts = [f"{place / 1000:g}k" if place >= 1000 else f"{place:g}" for place in shown]
    return {"tickvals": _logs(shown), "ticktext": texts, "range": [low - 0.15, high + 0.15]}

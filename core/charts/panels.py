"""Lines one above the other on one axis, each with its own scale: what moves apart is seen without two y axes."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from core.amounts import interval, number
from core.charts.drawing import Drawing
from core.charts.palette import band, finish, floats, light, plain, short_names, ticks

PANEL_HEIGHT = 190
MOST_TICKS = 5
MOST_MARKS = 3


class Panel(NamedTuple):
    """One line over names in order, with its interval; None leaves a hole."""

    name: str
    unit: str
    y: Sequence[float | None]
    low: Sequence[float | None]
    high: Sequence[float | None]
    colour_role: str = "accent"


def panels(
    drawn: Sequence[Panel],
    x: Sequence[str],
    shaded_from: int | None = None,
    shade_text: str = "",
    marks: Sequence[tuple[int, str]] = (),
) -> go.Figure:
    """Panels from top to bottom over the names `x`; from index `shaded_from` on the background is shaded.

    `marks`: changes, by index of the name they came at. A scale does not begin at zero: points are drawn with their
    intervals, and a few points of a share would not be seen.
    """
    figure = Drawing()
    rows: list[tuple[object, ...]] = []
    places = list(range(len(x)))
    names = [plain(name, 16) for name in short_names(x)]
    for place, panel in enumerate(drawn):
        _draw(figure, panel, x, f"y{place + 1}" if place else "y")
        _frame(figure, panel, place, len(drawn))
        rows += [
            (panel.name, name, value, low, high, panel.unit)
            for name, value, low, high in zip(
                x, floats(panel.y), floats(panel.low), floats(panel.high), strict=True
            )
            if value is not None
        ]
    if shaded_from is not None:
        _shade(figure, shaded_from, len(x), shade_text)
    _mark(figure, marks)
    figure.update_layout(hovermode="x unified")
    shown = places[:: -(-len(places) // MOST_TICKS)]
    figure.update_xaxes(
        showgrid=False, tickvals=shown, ticktext=[names[place] for place in shown], range=[-0.4, len(x) - 0.6], tickangle=0,
        anchor=f"y{len(drawn)}" if len(drawn) > 1 else "y",
    )  # fmt: skip
    columns = ("line", "at", "value", "low", "high", "unit")
    unit = drawn[0].unit if drawn else ""
    height, roles = 70 + PANEL_HEIGHT * len(drawn), {panel.name: panel.colour_role for panel in drawn}
    return finish(figure, "panels", unit, columns, rows, height, roles=roles)


def _frame(figure: Drawing, panel: Panel, place: int, count: int) -> None:
    """A panel's place, scale and name."""
    axis = "" if place == 0 else str(place + 1)
    top, bottom = 1 - place / count, 1 - (place + 1) / count
    scale = {"domain": [bottom + 0.05, top - 0.06], "nticks": 4, **ticks(panel.unit)}
    figure.update_layout({f"yaxis{axis}": scale})
    figure.add_annotation(
        text=f"<b>{plain(panel.name)}</b>", xref="paper", yref="paper", x=0, y=top, showarrow=False, xanchor="left",
        yanchor="top", font={"size": 12.5, "color": light("ink")},
    )  # fmt: skip


def _draw(figure: Drawing, panel: Panel, x: Sequence[str], axis: str) -> None:
    places = list(range(len(x)))
    y, low, high = floats(panel.y), floats(panel.low), floats(panel.high)
    colour = light(panel.colour_role)
    edges: dict[str, Any] = {
        "x": places,
        "mode": "lines",
        "hoverinfo": "skip",
        "showlegend": False,
        "yaxis": axis,
    }
    edges |= {"line": {"width": 0, "color": colour}, "connectgaps": True}
    figure.add_scatter(y=high, **edges)
    figure.add_scatter(y=low, fill="tonexty", fillcolor=band(colour), **edges)
    told = [
        ""
        if value is None
        else plain(f"{panel.name}, {at[:40]}: {number(value, panel.unit)} {interval(a, b, panel.unit)}", 120)
        for at, value, a, b in zip(x, y, low, high, strict=True)
    ]
    figure.add_scatter(
        x=places, y=y, mode="lines+markers", yaxis=axis, customdata=told, connectgaps=True, name=plain(panel.name),
        line={"color": colour, "width": 2.4}, marker={"size": 6}, hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip


def _shade(figure: Drawing, first: int, count: int, text: str) -> None:
    figure.add_shape(
        type="rect", xref="x", yref="paper", x0=first, x1=count - 0.6, y0=0, y1=1, layer="below",
        fillcolor=band(light("loss")), line={"width": 0, "color": light("loss")},
    )  # fmt: skip
    wrapped = "<br>".join(plain(part) for part in textwrap.wrap(text[:90], 26))
    figure.add_annotation(
        text=wrapped, x=first, yref="paper", y=0.5, showarrow=False, xanchor="left", yanchor="bottom", xshift=6, align="left",
        font={"size": 11.5, "color": light("label")},
    )  # fmt: skip


def _mark(figure: Drawing, marks: Sequence[tuple[int, str]]) -> None:
    """Dotted lines; labels at the foot, one a place, the last few alone, neighbours one above the other."""
    dot = {"color": light("label"), "width": 1, "dash": "dot"}
    titles: dict[int, list[str]] = {}
    for place, title in marks:
        titles.setdefault(place, []).append(title)
    for at, (place, same) in enumerate(sorted(titles.items())[-MOST_MARKS:]):
        figure.add_shape(type="line", xref="x", x0=place, x1=place, yref="paper", y0=0, y1=1, line=dot)
        more = f" +{len(same) - 1}" if len(same) > 1 else ""
        figure.add_annotation(
            text=plain(f"{same[0]}{more}", 24), x=place, yref="paper", y=0.06 + 0.05 * (at % 3), showarrow=False,
            xanchor="right", yanchor="bottom", xshift=-4, font={"size": 11.5, "color": light("label")},
        )  # fmt: skip

"""What a wait went to, on lying stacked bars: a bar a group of turns, parts in the order they are waited for, a limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from core.amounts import number
from core.charts.drawing import Drawing
from core.charts.palette import finish, light, plain, ticks

ROW_HEIGHT = 64
LEGEND_ROW = 19
"""In a narrow card names stand under each other."""
HATCHES = ("/", "\\", "x")
NARROWEST_LABEL = 0.12
"""Of the longest bar: a shorter part has no room for its number."""


class Piece(NamedTuple):
    """One part of one bar; `hatched` parts share a colour and differ in their hatching."""

    bar: str
    name: str
    value: float
    colour_role: str
    hatched: bool = False
    strength: float = 1.0
    """Opacity, 0 to 1: two parts of one role are told apart by it."""


def waits(pieces: Sequence[Piece], unit: str, limit: float | None = None) -> go.Figure:
    """Bars from top to bottom, pieces from left to right in the order they first come; a dashed line at the limit.

    A piece below zero is in the rows and not drawn: a length cannot show it.
    """
    bars = list(dict.fromkeys(one.bar for one in pieces))
    names = list(dict.fromkeys(one.name for one in pieces))
    shown = {(one.bar, one.name): one for one in pieces if one.value > 0}
    base = dict.fromkeys(bars, 0.0)
    longest = max(
        (sum(one.value for (bar, _), one in shown.items() if bar == at) for at in bars), default=1.0
    )
    figure = Drawing()
    for name in names:
        held = [shown[(bar, name)] for bar in bars if (bar, name) in shown]
        if not held:
            continue
        figure.add_bar(
            orientation="h", x=[one.value for one in held], y=[bars.index(one.bar) for one in held],
            base=[base[one.bar] for one in held], width=0.56, name=plain(name), marker=_marker(held[0], names, pieces),
            text=[number(one.value, unit) if one.value > NARROWEST_LABEL * longest and not one.hatched else ""
                  for one in held],
            textposition="inside", insidetextanchor="middle", textangle=0, textfont={"size": 11},
            customdata=[plain(f"{one.bar}, {name}: {number(one.value, unit)}", 90) for one in held],
            hovertemplate="%{customdata}<extra></extra>",
        )  # fmt: skip
        for one in held:
            base[one.bar] += one.value
    _axes(figure, bars, max(longest, limit or 0.0), unit, limit)
    rows = [(one.bar, one.name, one.value, "yes" if one.hatched else "no") for one in pieces]
    roles = {one.name: one.colour_role for one in pieces}
    columns = ("turns", "part", "value", "on a provider's dashboard")
    height = 70 + LEGEND_ROW * len(names) + ROW_HEIGHT * len(bars)
    return finish(figure, "waits", unit, columns, rows, height, roles=roles, limit=limit)


def _marker(piece: Piece, names: Sequence[str], pieces: Sequence[Piece]) -> dict[str, object]:
    hatched = [name for name in names if any(one.name == name and one.hatched for one in pieces)]
    shape = HATCHES[hatched.index(piece.name) % len(HATCHES)] if piece.hatched else ""
    pattern = {"shape": shape, "fillmode": "overlay", "fgcolor": light("paper"), "size": 6, "solidity": 0.3}
    line = {"color": light("paper"), "width": 1}
    return {"color": light(piece.colour_role), "opacity": piece.strength, "pattern": pattern, "line": line}


def _axes(figure: Drawing, bars: Sequence[str], top: float, unit: str, limit: float | None) -> None:
    figure.update_xaxes(range=[0, top * 1.06], nticks=5, tickangle=0, **ticks(unit))
    figure.update_yaxes(
        tickvals=list(range(len(bars))), ticktext=[plain(bar, 28) for bar in bars], range=[len(bars) - 0.5, -0.6],
        showgrid=False, zeroline=False, tickfont={"color": light("ink")},
    )  # fmt: skip
    if limit is not None:
        dash = {"color": light("warn"), "width": 1.6, "dash": "dash"}
        figure.add_shape(type="line", x0=limit, x1=limit, yref="paper", y0=0, y1=1, line=dash)
        figure.add_annotation(
            text=f"limit {plain(number(limit, unit))}", x=limit, y=-0.5, showarrow=False, xanchor="right",
            yanchor="top", xshift=-4, font={"size": 11.5, "color": light("warn")},
        )  # fmt: skip
    figure.update_layout(showlegend=True)

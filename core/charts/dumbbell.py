"""Two values a row, before and after, with their intervals: which of many moved, and whether it matters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from core.amounts import interval, number
from core.charts.drawing import Drawing
from core.charts.palette import finish, light, plain, tick_names, ticks

ROW_HEIGHT = 40
SIDE_SHIFT = 0.16
"""How far the two sides of a row stand from its middle, in rows."""


class Estimate(NamedTuple):
    """A value and its interval."""

    value: float
    low: float
    high: float


class Pair(NamedTuple):
    """One row; either side may be unknown."""

    label: str
    before: Estimate | None
    after: Estimate | None


def dumbbell(rows: Sequence[Pair], unit: str, before: str, after: str) -> go.Figure:
    """Rows from top to bottom, values in `unit`: hollow markers for `before`, filled ones for `after`, a line at zero.

    `before` and `after` name the sides. One value a row is a forest (core/charts/compare.py).
    """
    figure = Drawing()
    sides = (
        (before, -SIDE_SHIFT, "muted", "circle-open", [row.before for row in rows]),
        (after, SIDE_SHIFT, "accent", "circle", [row.after for row in rows]),
    )
    for name, shift, role, symbol, values in sides:
        _draw(figure, name, [(place + shift, one) for place, one in enumerate(values)], unit, role, symbol)
    figure.update_xaxes(zeroline=True, nticks=6, **ticks(unit))
    dot = {"color": light("label"), "width": 1, "dash": "dot"}
    figure.add_shape(type="line", x0=0, x1=0, yref="paper", y0=0, y1=1, line=dot)
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=tick_names([row.label for row in rows]), range=[len(rows) - 0.5, -0.5],
        showgrid=False, tickfont={"color": light("ink")},
    )  # fmt: skip
    figure.update_layout(showlegend=True)
    told = [(row.label, *_cells(row.before), *_cells(row.after)) for row in rows]
    columns = ("row", *(f"{side}{end}" for side in (before, after) for end in ("", " low", " high")))
    return finish(figure, "dumbbell", unit, columns, told, 80 + ROW_HEIGHT * len(rows))


def _draw(
    figure: Drawing,
    name: str,
    placed: Sequence[tuple[float, Estimate | None]],
    unit: str,
    role: str,
    symbol: str,
) -> None:
    known = [(place, one) for place, one in placed if one is not None]
    bars: dict[str, Any] = {
        "type": "data", "symmetric": False, "color": light(role), "thickness": 1.6, "width": 4,
        "array": [one.high - one.value for _, one in known], "arrayminus": [one.value - one.low for _, one in known],
    }  # fmt: skip
    figure.add_scatter(
        x=[one.value for _, one in known], y=[place for place, _ in known], mode="markers", name=plain(name, 32),
        marker={"symbol": symbol, "size": 10, "color": light(role), "line": {"width": 2, "color": light(role)}},
        error_x=bars, hovertemplate="%{customdata}<extra></extra>",
        customdata=[plain(f"{name}: {number(one.value, unit)} {interval(one.low, one.high, unit)}", 90) for _, one in known],
    )  # fmt: skip


def _cells(one: Estimate | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if one is None else (one.value, one.low, one.high)

"""Stacked bars step by step, one panel above another on the same scale: what a step's time went to, in two cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from core.amounts import number
from core.charts.drawing import Drawing
from core.charts.palette import fill, finish, light, plain, ticks

PANEL_HEIGHT = 170


class Part(NamedTuple):
    """One piece of one bar. Panels, steps and pieces are drawn in the order they first come."""

    panel: str
    step: str
    name: str
    value: float
    colour_role: str


def stacks(parts: Sequence[Part], unit: str) -> go.Figure:
    """Panels from top to bottom, a bar a step, pieces from zero up; values of at least zero, in `unit`."""
    panels = list(dict.fromkeys(part.panel for part in parts))
    steps = list(
        dict.fromkeys(part.step for part in sorted(parts, key=lambda one: (len(one.step), one.step)))
    )
    names = list(dict.fromkeys(part.name for part in parts))
    at = {(part.panel, part.step, part.name): part for part in parts}
    figure = Drawing()
    base = {(panel, step): 0.0 for panel in panels for step in steps}
    for place, panel in enumerate(panels):
        axis = "" if place == 0 else str(place + 1)
        for name in names:
            held = [at[(panel, step, name)] for step in steps if (panel, step, name) in at]
            if not held:
                continue
            figure.add_bar(
                x=[steps.index(part.step) for part in held], y=[part.value for part in held],
                base=[base[(panel, part.step)] for part in held], marker=fill(held[0].colour_role), width=0.72,
                name=plain(name), legendgroup=str(names.index(name)), showlegend=place == 0, yaxis=f"y{axis}",
                customdata=[plain(f"{panel}, step {part.step}, {name}: {number(part.value, unit)}", 90) for part in held],
                hovertemplate="%{customdata}<extra></extra>",
            )  # fmt: skip
            for part in held:
                base[(panel, part.step)] += part.value
    _axes(figure, panels, steps, max(base.values(), default=1.0), unit)
    rows = [part[:4] for part in parts]
    roles = {part.name: part.colour_role for part in parts}
    return finish(
        figure,
        "stacks",
        unit,
        ("panel", "step", "part", "value"),
        rows,
        80 + PANEL_HEIGHT * len(panels),
        roles=roles,
    )


def _axes(figure: Drawing, panels: Sequence[str], steps: Sequence[str], top: float, unit: str) -> None:
    """One scale for all panels, or they could not be compared."""
    for place, panel in enumerate(panels):
        axis = "" if place == 0 else str(place + 1)
        upper, lower = 1 - place / len(panels), 1 - (place + 1) / len(panels)
        scale = {"domain": [lower + 0.02, upper - 0.14], "range": [0, top * 1.05], "nticks": 4, **ticks(unit)}
        figure.update_layout({f"yaxis{axis}": scale})
        figure.add_annotation(
            text=f"<b>{plain(panel)}</b>", xref="paper", yref="paper", x=0, y=upper, showarrow=False, xanchor="left",
            yanchor="top", font={"size": 12.5, "color": light("ink")},
        )  # fmt: skip
    figure.update_layout(showlegend=True)
    figure.update_xaxes(
        showgrid=False, tickvals=list(range(len(steps))), ticktext=[plain(step, 16) for step in steps],
        anchor=f"y{len(panels)}" if len(panels) > 1 else "y",
    )  # fmt: skip

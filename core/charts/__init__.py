"""The chart forms of Trueup, as pure functions from numbers to Plotly figures.

Here: bridges, lines, bars, shares. A module each: `compare` (forest, ecdf), `dumbbell`, `grid`, `panels`, `run` (spans,
flows), `timeline`, `waits`. Every form ends in `palette.finish`, which gives it the house's look and leaves the drawn numbers in
`layout.meta`; core/export writes files from those. `palette` also has the colour roles and `themed` for dark pages,
`marks` the change events and ticks of a horizontal axis, `drawing` what a form draws into. A new form needs a branch in
`core.export.native.draw`, or its slide is a table of its rows.

Intervals are drawn where they are given. Value axes start at zero; panels do not, and forests and dumbbells draw zero
as a line. Labels are escaped (`plain`): Plotly reads some HTML in text, and names come from telemetry. Loss is a colour
and a pattern.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import plotly.graph_objects as go

from core.amounts import Number, interval, number, share
from core.charts.drawing import Drawing
from core.charts.marks import Mark, draw_marks, ticks_along
from core.charts.palette import (
    COLOURS,
    At,
    band,
    fill,
    finish,
    floats,
    light,
    literal,
    noted,
    plain,
    role_bars,
    themed,
    tick_names,
    ticks,
)
from core.charts.run import Flow, SpanRow, sankey, span_waterfall

__all__ = [
    "COLOURS", "Bar", "Flow", "Line", "Mark", "SpanRow", "Step", "bars", "lines", "noted", "plain", "sankey",
    "span_waterfall", "stacked_share", "step_cumulative", "themed", "waterfall",
]  # fmt: skip

STANDING_STEPS = 5


class Step(NamedTuple):
    """One bar of a bridge. `value` is the level of a total and the signed change of any other kind."""

    label: str
    value: Number
    kind: Literal["total", "plus", "minus", "rest"]
    role: str = ""
    """Colour role; empty takes the kind's own: useful for total and plus, loss for minus, muted for the rest."""


class Line(NamedTuple):
    """One line; `low` and `high` draw its band and may be empty."""

    name: str
    x: Sequence[At]
    y: Sequence[Number | None]
    low: Sequence[Number | None] = ()
    high: Sequence[Number | None] = ()
    colour_role: str = "accent"


class Bar(NamedTuple):
    """One bar with its interval; `colour_role` as in palette.COLOURS."""

    label: str
    value: Number
    low: Number | None = None
    high: Number | None = None
    colour_role: str = "accent"


def waterfall(steps: Sequence[Step], unit: str) -> go.Figure:
    """A bridge. Up to five steps stand; more lie down, so that their labels stay readable.

    A bar of zero is drawn as a line: a rest of nothing is seen to be nothing.
    """
    standing = len(steps) <= STANDING_STEPS
    bases, lengths, tops = _levels(steps)
    ends = [max(base, base + length) for base, length in zip(bases, lengths, strict=True)]
    roles = [step.role or {"minus": "loss", "rest": "muted"}.get(step.kind, "useful") for step in steps]
    labels = [_wrapped(step.label) if standing else plain(step.label) for step in steps]
    places = list(range(len(steps)))
    texts = [("" if standing else " ") + _step_text(step, unit) for step in steps]
    along, across = ("x", "y") if standing else ("y", "x")
    drawn = role_bars(
        roles, {"base": bases, along: places, across: lengths},
        orientation="v" if standing else "h", width=0.74, hoverinfo="skip",
    )  # fmt: skip
    text = dict(
        type="scatter", mode="text", text=texts, textposition="top center" if standing else "middle right", cliponaxis=False,
        textfont={"size": 12.5, "color": light("ink")}, customdata=[plain(step.label) for step in steps],
        hovertemplate="%{customdata}: %{text}<extra></extra>", **{along: places, across: ends},
    )  # fmt: skip
    figure = Drawing([_connector(tops, along, across), *drawn, text])
    names = {"tickvals": places, "ticktext": labels, "showgrid": False, "zeroline": False, "tickangle": 0}
    names |= {"tickfont": {"size": 12, "color": light("ink")}, "range": [-0.5, len(steps) - 0.5]}
    values = {"range": _range(bases, tops, 0.1 if standing else 0.5), "visible": False}
    if not standing:
        names["range"] = [len(steps) - 0.5, -0.5]
    figure.update_layout({f"{along}axis": names, f"{across}axis": values})
    rows = [(step.label, float(step.value), step.kind) for step in steps]
    height = 310 if standing else 48 + 34 * len(steps)
    return finish(figure, "waterfall", unit, ("step", "value", "kind"), rows, height, roles=roles)


def _levels(steps: Sequence[Step]) -> tuple[list[float], list[float], list[float]]:
    """Base, length and resulting level of each bar."""
    bases, lengths, tops, level = [], [], [], 0.0
    for step in steps:
        change = float(step.value)
        bases.append(0.0 if step.kind == "total" else level)
        lengths.append(change)
        level = change if step.kind == "total" else level + change
        tops.append(level)
    return bases, lengths, tops


def _step_text(step: Step, unit: str) -> str:
    text = plain(number(step.value, unit))
    return f"+{text}" if step.kind != "total" and step.value > 0 else text


def _wrapped(label: str) -> str:
    return "<br>".join(plain(part) for part in textwrap.wrap(" ".join(label.split())[:60], 11)) or " "


def _connector(tops: Sequence[float], along: str, across: str) -> dict[str, Any]:
    places: list[float | None] = []
    levels: list[float | None] = []
    for place, top in enumerate(tops[:-1]):
        places += [place + 0.37, place + 0.63, None]
        levels += [top, top, None]
    line = {"color": light("label"), "width": 1, "dash": "dot"}
    return {
        "type": "scatter",
        "mode": "lines",
        "line": line,
        "hoverinfo": "skip",
        along: places,
        across: levels,
    }


def _range(bases: Sequence[float], ends: Sequence[float], room: float) -> list[float]:
    lowest, highest = min([0.0, *bases, *ends]), max([0.0, *bases, *ends])
    size = (highest - lowest) or 1.0
    return [lowest - (0.06 * size if lowest < 0 else 0.0), highest + room * size]


def lines(
    drawn: Sequence[Line], unit: str, marks: Sequence[Mark] = (), limit: float | None = None
) -> go.Figure:
    """Lines with their bands, a dashed line at the limit, a dotted one at each change event."""
    figure = Drawing()
    rows: list[tuple[object, ...]] = []
    for line in drawn:
        x, y, low, high = [*map(literal, line.x)], floats(line.y), floats(line.low), floats(line.high)
        colour = light(line.colour_role)
        if low and high:
            edges: dict[str, Any] = {"x": x, "mode": "lines", "hoverinfo": "skip", "showlegend": False}
            edges["line"] = {"width": 0, "color": colour}
            figure.add_scatter(y=high, **edges)
            figure.add_scatter(y=low, fill="tonexty", fillcolor=band(colour), **edges)
        blank: list[float | None] = [None] * len(x)
        lows, highs = low or blank, high or blank
        texts = [plain(_with_interval(*at, unit)) for at in zip(y, lows, highs, strict=True)]
        figure.add_scatter(
            x=x, y=y, name=plain(line.name), mode="lines+markers" if len(x) < 3 else "lines", customdata=texts,
            line={"color": colour, "width": 2.4}, hovertemplate="%{customdata}",
        )  # fmt: skip
        rows += [(line.name, *point) for point in zip(line.x, y, lows, highs, strict=True)]
    if limit is not None:
        _draw_limit(figure, limit, unit)
    draw_marks(figure, marks, [x for line in drawn for x in line.x])
    figure.update_layout(hovermode="x unified", showlegend=len(drawn) > 1)
    figure.update_yaxes(rangemode="tozero", nticks=5, **ticks(unit))
    figure.update_xaxes(showgrid=False, **ticks_along([x for line in drawn for x in line.x]))
    told: dict[str, Any] = {"limit": limit, "marks": [[str(mark.at), mark.title] for mark in marks]}
    told["roles"] = {line.name: line.colour_role for line in drawn}
    return finish(figure, "lines", unit, ("line", "at", "value", "low", "high"), rows, **told)


def _with_interval(value: float | None, low: float | None, high: float | None, unit: str) -> str:
    text = number(value, unit)
    return text if low is None or high is None else f"{text} {interval(low, high, unit)}"


def _draw_limit(figure: Drawing, limit: float, unit: str) -> None:
    dash = {"color": light("warn"), "width": 1.2, "dash": "dash"}
    figure.add_shape(type="line", xref="paper", x0=0, x1=1, yref="y", y0=limit, y1=limit, line=dash)
    figure.add_annotation(
        text=plain(f"limit {number(limit, unit)}"), xref="paper", x=1, y=limit, showarrow=False,
        xanchor="right", yanchor="bottom", font={"color": light("warn"), "size": 11.5},
    )  # fmt: skip


def step_cumulative(
    name: str,
    x: Sequence[At],
    y: Sequence[Number],
    unit: str,
    threshold: Sequence[Number] | None = None,
    marks: Sequence[Mark] = (),
) -> go.Figure:
    """A running sum as steps with its alarm threshold: a drift leaves the threshold, noise returns to zero."""
    drawn = [Line(name, x, y, colour_role="loss")]
    if threshold is not None:
        drawn.append(Line("alarm threshold", x, threshold, colour_role="label"))
    figure = lines(drawn, unit, marks)
    return figure.update_traces(line_shape="hv")


def bars(drawn: Sequence[Bar], unit: str, limit: float | None = None) -> go.Figure:
    """Lying bars, one a category, with intervals as whiskers and the value at the end."""
    places = list(range(len(drawn)))
    values = [float(bar.value) for bar in drawn]
    highs = [float(value if bar.high is None else bar.high) for bar, value in zip(drawn, values, strict=True)]
    lows = [float(value if bar.low is None else bar.low) for bar, value in zip(drawn, values, strict=True)]
    whiskers = {
        "type": "data", "symmetric": False, "color": light("label"), "thickness": 1.4, "width": 4,
        "array": [high - value for high, value in zip(highs, values, strict=True)],
        "arrayminus": [value - low for low, value in zip(lows, values, strict=True)],
    }  # fmt: skip
    texts = [plain(number(bar.value, unit)) for bar in drawn]
    hover = [plain(_with_interval(*at, unit)) for at in zip(values, lows, highs, strict=True)]
    arrays: dict[str, list[Any]] = {"x": values, "y": places, "customdata": hover}
    roles = [bar.colour_role for bar in drawn]
    shared = {"orientation": "h", "width": 0.62, "hovertemplate": "%{customdata}<extra></extra>"}
    figure = Drawing(role_bars(roles, arrays, **shared))
    unseen = {"opacity": 0, "size": 1}
    figure.add_scatter(x=values, y=places, mode="markers", marker=unseen, error_x=whiskers, hoverinfo="skip")
    left = [value < 0 for value in values]
    figure.add_scatter(
        x=[low if at else high for at, low, high in zip(left, lows, highs, strict=True)], y=places, mode="text",
        text=[f"{text} " if at else f" {text}" for at, text in zip(left, texts, strict=True)],
        textposition=["middle left" if at else "middle right" for at in left],
        cliponaxis=False, textfont={"color": light("ink")}, hoverinfo="skip",
    )  # fmt: skip
    figure.update_yaxes(
        tickvals=places, ticktext=tick_names([bar.label for bar in drawn]), range=[len(drawn) - 0.5, -0.5], showgrid=False,
        tickfont={"color": light("ink")},
    )  # fmt: skip
    figure.update_xaxes(range=_beside(lows, highs, texts), nticks=5, **ticks(unit))
    if limit is not None:
        dash = {"color": light("warn"), "width": 1.2, "dash": "dash"}
        figure.add_shape(type="line", yref="paper", y0=0, y1=1, x0=limit, x1=limit, line=dash)
    rows = [(bar.label, float(bar.value), *floats([bar.low, bar.high])) for bar in drawn]
    told: dict[str, Any] = {"limit": limit, "roles": {bar.label: bar.colour_role for bar in drawn}}
    return finish(figure, "bars", unit, ("bar", "value", "low", "high"), rows, 70 + 34 * len(drawn), **told)


def _beside(lows: Sequence[float], highs: Sequence[float], texts: Sequence[str]) -> list[float]:
    """A range with room for the values beside the bars, on a phone too."""
    room = 0.06 * max((len(text) for text in texts), default=0)
    first, last = _range([], [*lows, *highs], room)
    return [first - room * (last - first) if min(lows, default=0) < 0 else first, last]


def stacked_share(parts: Sequence[Bar], unit: str) -> go.Figure:
    """One bar cut into parts of a whole: what is known how well. Parts keep the order given."""
    whole = sum(float(part.value) for part in parts)
    figure = Drawing()
    rows = []
    for part in parts:
        part_share = float(part.value) / whole if whole else 0.0
        text = f"{number(part.value, unit)} ({share(part_share)})"
        figure.add_bar(
            x=[part_share], y=[""], orientation="h", name=plain(f"{part.label} {share(part_share)}"), width=0.6,
            marker=fill(part.colour_role), customdata=[plain(f"{part.label}: {text}", 90)],
            hovertemplate="%{customdata}<extra></extra>",
        )  # fmt: skip
        rows.append((part.label, float(part.value), part_share))
    figure.update_layout(showlegend=True)
    figure.update_xaxes(range=[0, 1], tickformat=".0%", tickvals=[0, 0.25, 0.5, 0.75, 1])
    figure.update_yaxes(visible=False)
    roles = {part.label: part.colour_role for part in parts}
    return finish(
        figure, "stacked_share", unit, ("part", "value", "share"), rows, 110 + 22 * len(parts), roles=roles
    )

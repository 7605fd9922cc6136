"""A figure as a still picture, without a browser: the traces, axes and marks that core.charts draws.

Plotly's own way to a picture starts a browser per image, and its script is 5 MB that a page must be allowed to run. This
reads the figure itself, so a form of core.charts that is made of bars, lines, points, text and cells needs nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import plotly.graph_objects as go

from core.charts import Bar, bars
from core.charts.palette import light
from core.export import drawn_table
from core.export.scales import Scale, as_number, plain_text, scale_of, text_lines, ticks_of
from core.export.shapes import CHARACTER_PX, TEXT_PX, Label, Path, Picture, Rectangle, Shape
from core.export.still_traces import axis_values, draw_trace, extra_numbers, ink_of, legend_of, stacked

WIDTH_PX = 760.0
LINE_PX = 15.0
MOST_LABEL_PX = 290.0


class Frame(NamedTuple):
    """The plotting area."""

    left: float
    top: float
    right: float
    bottom: float


def still(figure: go.Figure, width: float = WIDTH_PX) -> Picture:
    """The figure in light colours."""
    if drawn_table(figure).form == "sankey":
        figure = _flows_as_bars(figure)
    layout: dict[str, Any] = figure.layout.to_plotly_json()
    traces = stacked([trace.to_plotly_json() for trace in figure.data], layout)
    height = float(layout.get("height") or 310)
    legend, legend_rows = _legend(traces, layout, width)
    y_names = sorted({trace.get("yaxis", "y") for trace in traces} | {"y"})
    frame = _frame(traces, layout, width, height, legend_rows, y_names)
    x_axis = layout.get("xaxis", {})
    values, also = axis_values(traces, "x"), extra_numbers(traces, "x")
    x = scale_of(values, x_axis, frame.left, frame.right, also)
    shapes: list[Shape] = list(legend)
    scales: dict[str, Scale] = {}
    for name in y_names:
        own = [trace for trace in traces if trace.get("yaxis", "y") == name]
        axis = layout.get("yaxis" + name[1:], {})
        low, high = axis.get("domain") or (0.0, 1.0)
        tall = frame.bottom - frame.top
        place = (frame.bottom - low * tall, frame.bottom - high * tall)
        scales[name] = scale_of(axis_values(own, "y"), axis, *place, extra_numbers(own, "y"))
        shapes += _y_axis(scales[name], axis, frame)
    shapes += _x_axis(x, x_axis, frame)
    shapes += _marks(layout, "below", x, scales, frame)
    for at, trace in enumerate(traces):
        before = traces[at - 1] if at else None
        shapes += draw_trace(trace, before, x, scales[trace.get("yaxis", "y")])
    shapes += _marks(layout, "above", x, scales, frame)
    shapes += _annotations(layout, x, scales, frame)
    return Picture(width, height, shapes)


def _flows_as_bars(figure: go.Figure) -> go.Figure:
    table = drawn_table(figure)
    return bars([Bar(f"{source} → {target}", value) for source, target, value in table.rows], table.unit)


def _legend(traces: list[dict[str, Any]], layout: dict[str, Any], width: float) -> tuple[list[Shape], int]:
    named = [trace for trace in traces if trace.get("name") and trace.get("showlegend") is not False]
    if not layout.get("showlegend") or not named:
        return [], 0
    shapes: list[Shape] = []
    at, row = 8.0, 0
    for trace in named:
        text = plain_text(trace["name"])
        wide = 30 + len(text) * CHARACTER_PX
        if at + wide > width and at > 8:
            at, row = 8.0, row + 1
        y = 14 + row * 18
        shapes += legend_of(trace, at, y - 4)
        shapes.append(Label(at + 20, y, text, light("ink")))
        at += wide + 10
    return shapes, row + 1


def _frame(
    traces: list[dict[str, Any]],
    layout: dict[str, Any],
    width: float,
    height: float,
    legend_rows: int,
    y_names: list[str],
) -> Frame:
    wide = 0.0
    for name in y_names:
        axis = layout.get("yaxis" + name[1:], {})
        if axis.get("visible") is False:
            continue
        own = [trace for trace in traces if trace.get("yaxis", "y") == name]
        scale = scale_of(axis_values(own, "y"), axis, 100, 0, extra_numbers(own, "y"))
        texts = [line for _, text in ticks_of(scale, axis, 99) for line in text_lines(text)]
        wide = max([wide, *(len(text) * CHARACTER_PX for text in texts)])
    x_axis = layout.get("xaxis", {})
    lines = max([1, *(len(text_lines(text)) for text in x_axis.get("ticktext") or ())])
    bottom = 8.0 if x_axis.get("visible") is False else 10 + LINE_PX * lines
    bottom += LINE_PX if (x_axis.get("title") or {}).get("text") else 0
    right = 76.0 if any(trace["type"] == "heatmap" for trace in traces) else 24.0
    return Frame(min(wide, MOST_LABEL_PX) + 14, 20.0 + 18 * legend_rows, width - right, height - bottom)


def _y_axis(scale: Scale, axis: dict[str, Any], frame: Frame) -> Iterator[Shape]:
    if axis.get("visible") is False:
        return
    most = 5 if scale.kind == "number" else 99
    colour, room = ink_of(axis), int(MOST_LABEL_PX / CHARACTER_PX)
    for place, text in ticks_of(scale, axis, most):
        if axis.get("showgrid") is not False:
            yield Path([(frame.left, place), (frame.right, place)], light("grid"))
        for at, line in enumerate(lines := text_lines(text)):
            shown = line if len(line) <= room else f"{line[: room - 1]}…"
            y = place + 4 + (at - (len(lines) - 1) / 2) * LINE_PX
            yield Label(frame.left - 6, y, shown, colour, "end")


def _x_axis(scale: Scale, axis: dict[str, Any], frame: Frame) -> Iterator[Shape]:
    if axis.get("visible") is False:
        return
    end = frame.left
    for place, text in ticks_of(scale, axis, 7):
        lines = text_lines(text)
        if axis.get("showgrid") is not False:
            yield Path([(place, frame.top), (place, frame.bottom)], light("grid"))
        half = max(map(len, lines)) * CHARACTER_PX / 2
        if place - half < end - 30 or not frame.left - 1 <= place <= frame.right + 1:
            continue
        end = place + half + 30
        for at, line in enumerate(lines):
            inside = min(place, frame.right + 20 - half) if half < 150 else place
            yield Label(inside, frame.bottom + LINE_PX * (at + 1), line, ink_of(axis), "middle")
    yield Path([(frame.left, frame.bottom), (frame.right, frame.bottom)], light("grid"))
    if title := plain_text((axis.get("title") or {}).get("text")):
        yield Label(
            (frame.left + frame.right) / 2, frame.bottom + 2 * LINE_PX, title, light("label"), "middle"
        )


def _place(value: object, reference: str, scale: Scale | None, low: float, high: float) -> float | None:
    if reference == "paper" or scale is None:
        share = as_number(value)
        return None if share is None else low + share * (high - low)
    return scale.at(value)


def _marks(
    layout: dict[str, Any], layer: str, x: Scale, scales: dict[str, Scale], frame: Frame
) -> Iterator[Shape]:
    for mark in layout.get("shapes") or ():
        if (mark.get("layer") or "above") != layer:
            continue
        y = scales.get(mark.get("yref") or "y")
        across = [
            _place(mark.get(key), mark.get("xref") or "x", x, frame.left, frame.right) for key in ("x0", "x1")
        ]
        down = [
            _place(mark.get(key), mark.get("yref") or "y", y, frame.bottom, frame.top) for key in ("y0", "y1")
        ]
        if None in across or None in down:
            continue
        (x0, x1), (y0, y1) = ([float(at or 0) for at in pair] for pair in (across, down))
        line = mark.get("line") or {}
        if mark.get("type") == "rect":
            yield Rectangle(min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0), light("loss"), "", 0.12)
        elif frame.left - 1 <= min(x0, x1) and max(x0, x1) <= frame.right + 1:
            dash = {"dash": "6 4", "dot": "2 3"}.get(line.get("dash") or "", "")
            yield Path(
                [(x0, y0), (x1, y1)], line.get("color") or light("label"), line.get("width") or 1.0, dash
            )


def _annotations(layout: dict[str, Any], x: Scale, scales: dict[str, Scale], frame: Frame) -> Iterator[Shape]:
    for told in layout.get("annotations") or ():
        across = _place(told.get("x"), told.get("xref") or "x", x, frame.left, frame.right)
        y_scale = scales.get(told.get("yref") or "y")
        down = _place(told.get("y"), told.get("yref") or "y", y_scale, frame.bottom, frame.top)
        text = plain_text(told.get("text"))
        if across is None or down is None or not text or not frame.left - 1 <= across <= frame.right + 1:
            continue
        wide = len(text) * CHARACTER_PX
        side = {"left": "start", "right": "end"}.get(told.get("xanchor") or "", "middle")
        at = across + (told.get("xshift") or 0)
        if side == "end" and at - wide < 0:  # it would leave the picture on the left
            side, at = "start", across + 4
        baseline = down + {"top": TEXT_PX, "bottom": -4.0}.get(told.get("yanchor") or "", 4.0)
        font = told.get("font") or {}
        anchor: Any = side
        yield Label(
            at, baseline, text, font.get("color") or light("label"), anchor, 11.5, "<b>" in told["text"]
        )

"""Traces of a still picture: bars, lines with bands and whiskers, points, text and cells, as plain shapes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

from core.charts.palette import light
from core.export.scales import Scale, as_number, plain_text
from core.export.shapes import Anchor, Dot, Label, Path, Point, Rectangle, Shape

Trace = dict[str, Any]
_DASHES = {"dash": "6 4", "dot": "2 3", "dashdot": "6 3 2 3"}
_RGBA = re.compile(r"rgba?\((\d+),\s*(\d+),\s*(\d+)(?:,\s*([\d.]+))?\)")
HATCH_PX = 7.0


def solid(colour: object, otherwise: str = "accent") -> tuple[str, float]:
    """A colour as #RRGGBB and its opacity."""
    text = str(colour or light(otherwise))
    if match := _RGBA.fullmatch(text):
        red, green, blue = (int(match[at]) for at in (1, 2, 3))
        return f"#{red:02X}{green:02X}{blue:02X}", float(match[4] or 1)
    return (text, 1.0) if re.fullmatch("#[0-9A-Fa-f]{6}", text) else (light(otherwise), 1.0)


def ink_of(axis: dict[str, Any]) -> str:
    """The colour of an axis' texts."""
    return solid((axis.get("tickfont") or {}).get("color"), "label")[0]


def stacked(traces: list[Trace], layout: dict[str, Any]) -> list[Trace]:
    """Bars of a stack get the base that plotly.js would give them."""
    if layout.get("barmode") != "stack":
        return traces
    tops: dict[object, float] = {}
    for trace in traces:
        if trace["type"] != "bar":
            continue
        along, across = ("y", "x") if trace.get("orientation") == "h" else ("x", "y")
        trace["base"] = [tops.get(place, 0.0) for place in trace[along]]
        for place, value in zip(trace[along], trace[across], strict=True):
            tops[place] = tops.get(place, 0.0) + value
    return traces


def axis_values(traces: list[Trace], axis: str) -> list[object]:
    """Every value that an axis must place."""
    return [value for trace in traces for value in _listed(trace.get(axis))]


def extra_numbers(traces: list[Trace], axis: str) -> list[float]:
    """Numbers beyond the values: bases and ends of bars, ends of whiskers."""
    found: list[float] = []
    for trace in traces:
        values = [as_number(value) for value in _listed(trace.get(axis))]
        lengthwise = (trace.get("orientation") == "h") == (axis == "x")
        if trace["type"] == "bar" and lengthwise:
            found += [0.0]
            for base, value in zip(_bases(trace), values, strict=True):
                found += [base, base + (value or 0.0)]
        elif trace["type"] == "bar":
            found += [at + by for at in values if at is not None for by in (-0.5, 0.5)]
        for up, down, value in zip(*_errors(trace, axis, len(values)), values, strict=True):
            found += [] if value is None else [value + up, value - down]
    return found


def _listed(values: Any) -> list[Any]:
    return [] if values is None else list(values)


def _bases(trace: Trace) -> list[float]:
    base, count = trace.get("base"), len(_listed(trace["x"]))
    return [float(at) for at in base] if isinstance(base, list | tuple) else [float(base or 0)] * count


def _errors(trace: Trace, axis: str, count: int) -> tuple[list[float], list[float]]:
    bars = trace.get(f"error_{axis}") or {}
    up, down = _listed(bars.get("array")), _listed(bars.get("arrayminus"))
    return ([float(at or 0) for at in up] or [0.0] * count), (
        [float(at or 0) for at in down or up] or [0.0] * count
    )


def draw_trace(trace: Trace, before: Trace | None, x: Scale, y: Scale) -> Iterator[Shape]:
    """The shapes of one trace; a filled one reaches back to the trace before it."""
    if trace["type"] == "bar":
        yield from _bars(trace, x, y)
    elif trace["type"] == "scatter":
        yield from _scatter(trace, before, x, y)
    elif trace["type"] == "heatmap":
        yield from _cells(trace, x, y)


def _bars(trace: Trace, x: Scale, y: Scale) -> Iterator[Shape]:
    lying = trace.get("orientation") == "h"
    along, across = (y, x) if lying else (x, y)
    marker = trace.get("marker") or {}
    colour, _ = solid(marker.get("color"), "useful")
    pattern = (marker.get("pattern") or {}).get("shape") or ""
    places, lengths = (trace["y"], trace["x"]) if lying else (trace["x"], trace["y"])
    half = float(trace.get("width") or 0.8) / 2
    for place, length, base in zip(places, lengths, _bases(trace), strict=True):
        number, end = along.number(place), base + float(length or 0)
        if number is None:
            continue
        a, b = (float(along.at(at) or 0.0) for at in (number - half, number + half)) if along.kind != "name" else (
            _beside(along, place, -half), _beside(along, place, half)
        )  # fmt: skip
        c, d = float(across.at(base) or 0.0), float(across.at(end) or 0.0)
        (left, right), (top, bottom) = (
            (sorted((c, d)), sorted((a, b))) if lying else (sorted((a, b)), sorted((c, d)))
        )
        box = Rectangle(left, top, max(right - left, 1.0), max(bottom - top, 1.0), colour, colour)
        yield box
        yield from _hatch(box, pattern)


def _beside(scale: Scale, name: object, by: float) -> float:
    one = (scale.end - scale.start) / ((scale.last - scale.first) or 1.0)
    return float(scale.at(name) or 0.0) + by * one


def _hatch(box: Rectangle, pattern: str) -> Iterator[Shape]:
    """White lines over a bar, so that a print without colours tells it from the rest."""
    for lean in {"/": (1,), "\\": (-1,), "x": (1, -1)}.get(pattern, ()):
        at = -box.height
        while at < box.width:
            low, high = max(at, 0.0), min(at + box.height, box.width)
            if high > low:
                up, down = box.y + box.height - (low - at), box.y + box.height - (high - at)
                ends = [(box.x + low, up), (box.x + high, down)]
                if lean < 0:
                    ends = [(px, 2 * box.y + box.height - py) for px, py in ends]
                yield Path(ends, light("paper"), 1.0, opacity=0.8)
            at += HATCH_PX


def _scatter(trace: Trace, before: Trace | None, x: Scale, y: Scale) -> Iterator[Shape]:
    points = _points(trace, x, y)
    line, marker = trace.get("line") or {}, trace.get("marker") or {}
    mode = str(trace.get("mode") or "lines")
    if str(trace.get("fill") or "") == "tonexty" and before is not None:
        colour, opacity = solid(trace.get("fillcolor"))
        edge = [at for at in points if at] + [at for at in reversed(_points(before, x, y)) if at]
        yield Path(edge, "", 0, "", colour, min(opacity, 0.3))
    colour = solid(line.get("color") or marker.get("color"))[0]
    width = 2.0 if line.get("width") is None else float(line["width"])
    if "lines" in mode and width > 0:
        steps = trace.get("line", {}).get("shape") == "hv" or trace.get("line_shape") == "hv"
        for piece in _pieces(points, bool(trace.get("connectgaps"))):
            dash = _DASHES.get(line.get("dash") or "", "")
            yield Path(_stepped(piece) if steps else piece, colour, width, dash)
    yield from _whiskers(trace, points, x, y)
    if "markers" in mode and trace.get("opacity", 1) and marker.get("opacity", 1):
        yield from _dots(marker, points, colour)
    if "text" in mode:
        yield from _texts(trace, points)


def _points(trace: Trace, x: Scale, y: Scale) -> list[Point | None]:
    found: list[Point | None] = []
    for across, down in zip(_listed(trace.get("x")), _listed(trace.get("y")), strict=False):
        a, b = x.at(across), y.at(down)
        found.append(None if a is None or b is None else (a, b))
    return found


def _pieces(points: list[Point | None], connected: bool) -> Iterator[list[Point]]:
    piece: list[Point] = []
    for at in [*points, None]:
        if at is not None:
            piece.append(at)
        elif not connected and piece:
            yield piece
            piece = []
    if piece:
        yield piece


def _stepped(points: list[Point]) -> list[Point]:
    found = points[:1]
    for (_, y0), (x1, y1) in itertools.pairwise(points):
        found += [(x1, y0), (x1, y1)]
    return found


def _whiskers(trace: Trace, points: list[Point | None], x: Scale, y: Scale) -> Iterator[Shape]:
    for axis, scale in (("x", x), ("y", y)):
        bars = trace.get(f"error_{axis}")
        if not bars:
            continue
        colour = solid(bars.get("color"), "label")[0]
        values = [as_number(value) for value in _listed(trace[axis])]
        for place, value, up, down in zip(points, values, *_errors(trace, axis, len(values)), strict=True):
            if place is None or value is None:
                continue
            low, high = (float(scale.at(at) or 0.0) for at in (value - down, value + up))
            ends = [(low, place[1]), (high, place[1])] if axis == "x" else [(place[0], low), (place[0], high)]
            yield Path(ends, colour, 1.4)


def _dots(marker: dict[str, Any], points: list[Point | None], otherwise: str) -> Iterator[Shape]:
    colours, sizes = marker.get("color"), marker.get("size")
    hollow = "open" in str(marker.get("symbol") or "")
    for at, place in enumerate(points):
        if place is None:
            continue
        own = colours[at] if isinstance(colours, list | tuple) else colours
        size = sizes[at] if isinstance(sizes, list | tuple) else sizes
        colour = solid(own)[0] if own else otherwise
        yield Dot(*place, float(size or 6) / 2, "" if hollow else colour, colour)


def _texts(trace: Trace, points: list[Point | None]) -> Iterator[Shape]:
    where = str(trace.get("textposition") or "middle center")
    side: Anchor = "start" if "right" in where else "end" if "left" in where else "middle"
    down = -5.0 if where.startswith("top") else 13.0 if where.startswith("bottom") else 4.0
    colour = solid((trace.get("textfont") or {}).get("color"), "ink")[0]
    for place, text in zip(points, _listed(trace.get("text")), strict=False):
        if place is not None and text:
            yield Label(
                place[0] + (3 if side == "start" else 0),
                place[1] + down,
                plain_text(text).strip(),
                colour,
                side,
            )


def _cells(trace: Trace, x: Scale, y: Scale) -> Iterator[Shape]:
    columns, names = _listed(trace.get("x")), _listed(trace.get("y"))
    places = [x.at(at) for at in columns]
    known = [at for at in places if at is not None]
    wide = min((b - a for a, b in itertools.pairwise(known)), default=abs(x.end - x.start))
    tall = abs(y.end - y.start) / max(len(names), 1)
    low, high = float(trace.get("zmin") or 0), float(trace.get("zmax") or 1)
    stops = [(float(at), solid(colour)[0]) for at, colour in trace["colorscale"]]
    for name, row in zip(names, trace["z"], strict=True):
        centre = y.at(name)
        for place, value in zip(places, row, strict=True):
            if value is None or place is None or centre is None:
                continue
            colour = _between(stops, (float(value) - low) / ((high - low) or 1))
            yield Rectangle(place - wide / 2, centre - tall / 2 + 1, max(wide - 1, 0.5), tall - 2, colour)
    right = max(x.start, x.end)
    for step in range(10):
        y_px = max(y.start, y.end) - (step + 1) * abs(y.end - y.start) / 10
        yield Rectangle(right + 14, y_px, 10, abs(y.end - y.start) / 10, _between(stops, (step + 0.5) / 10))
    share = (trace.get("colorbar") or {}).get("tickformat") == ".0%"
    for value, at in ((low, max(y.start, y.end)), (high, min(y.start, y.end) + 8)):
        yield Label(right + 28, at, f"{value:.0%}" if share else f"{value:.4g}", light("label"))


def _between(stops: list[tuple[float, str]], share: float) -> str:
    share = min(max(share, 0.0), 1.0)
    for (low, one), (high, other) in itertools.pairwise(stops):
        if share <= high:
            part = (share - low) / ((high - low) or 1)
            mixed = [
                round(int(one[at : at + 2], 16) * (1 - part) + int(other[at : at + 2], 16) * part)
                for at in (1, 3, 5)
            ]
            return "#{:02X}{:02X}{:02X}".format(*mixed)
    return stops[-1][1]


def legend_of(trace: Trace, x: float, y: float) -> list[Shape]:
    """The key of a trace: a swatch or a piece of line."""
    if trace["type"] == "bar":
        box = Rectangle(x, y - 5, 14, 10, solid((trace.get("marker") or {}).get("color"), "useful")[0])
        return [box, *_hatch(box, ((trace.get("marker") or {}).get("pattern") or {}).get("shape") or "")]
    line, marker = trace.get("line") or {}, trace.get("marker") or {}
    colour = solid(line.get("color") or marker.get("color"))[0]
    if "lines" in str(trace.get("mode") or "lines"):
        return [Path([(x, y), (x + 14, y)], colour, 2.4, _DASHES.get(line.get("dash") or "", ""))]
    hollow = "open" in str(marker.get("symbol") or "")
    return [Dot(x + 7, y, 4.5, "" if hollow else colour, colour)]

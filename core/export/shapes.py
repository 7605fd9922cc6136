"""A picture as a list of plain shapes, and its two ways out: SVG text, and a drawing inside a PDF.

Coordinates are in px from the top left corner. SVG is written with presentation attributes only: it needs no style sheet
and no script, so a page that holds it can forbid both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any, Literal, NamedTuple

Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float]
TEXT_PX = 12.0
CHARACTER_PX = 6.3
"""Mean width of a character at 12 px: only for room, so an estimate does."""


class Rectangle(NamedTuple):
    """A rectangle; no fill with an empty one."""

    x: float
    y: float
    width: float
    height: float
    fill: str = ""
    stroke: str = ""
    opacity: float = 1.0


class Path(NamedTuple):
    """Straight pieces; a fill makes it an area."""

    points: Sequence[Point]
    stroke: str = ""
    width: float = 1.0
    dash: str = ""
    """As in SVG: '4 3'."""
    fill: str = ""
    opacity: float = 1.0


class Dot(NamedTuple):
    """A circle; hollow without a fill."""

    x: float
    y: float
    radius: float
    fill: str
    stroke: str


class Label(NamedTuple):
    """One line of text; y is its baseline."""

    x: float
    y: float
    text: str
    colour: str
    anchor: Anchor = "start"
    size: float = TEXT_PX
    bold: bool = False


Shape = Rectangle | Path | Dot | Label


class Picture(NamedTuple):
    """What is drawn, from back to front."""

    width: float
    height: float
    shapes: Sequence[Shape]


def svg(picture: Picture, told: str) -> str:
    """The picture as one <svg>; `told` says in words what it shows."""
    drawn = "".join(_svg_shape(shape) for shape in picture.shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(picture.width)} {_n(picture.height)}" role="img" '
        f'aria-label="{escape(told)}">{drawn}</svg>'
    )


def _svg_shape(shape: Shape) -> str:
    if isinstance(shape, Rectangle):
        place = f'x="{_n(shape.x)}" y="{_n(shape.y)}" width="{_n(shape.width)}" height="{_n(shape.height)}" '
        return f"<rect {place}{_paint(shape.fill, shape.stroke, shape.opacity)}/>"
    if isinstance(shape, Path):
        points = " ".join(f"{_n(x)},{_n(y)}" for x, y in shape.points)
        kind = "polygon" if shape.fill else "polyline"
        dash = f' stroke-dasharray="{escape(shape.dash)}"' if shape.dash else ""
        paint = _paint(shape.fill, shape.stroke, shape.opacity)
        return f'<{kind} points="{points}" {paint} stroke-width="{_n(shape.width)}"{dash}/>'
    if isinstance(shape, Dot):
        paint = _paint(shape.fill, shape.stroke, 1.0)
        return (
            f'<circle cx="{_n(shape.x)}" cy="{_n(shape.y)}" r="{_n(shape.radius)}" {paint} stroke-width="2"/>'
        )
    weight = ' font-weight="bold"' if shape.bold else ""
    return (
        f'<text x="{_n(shape.x)}" y="{_n(shape.y)}" fill="{escape(shape.colour)}" text-anchor="{shape.anchor}" '
        f'font-size="{_n(shape.size)}"{weight}>{escape(shape.text)}</text>'
    )


def _paint(fill: str, stroke: str, opacity: float) -> str:
    seen = f' opacity="{opacity:.2f}"' if opacity < 1 else ""
    return f'fill="{escape(fill) or "none"}" stroke="{escape(stroke) or "none"}"{seen}'


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if math.isfinite(value) else "0"


def drawing(picture: Picture, width: float, font: str, bold: str) -> Any:
    """The picture as a reportlab Drawing of a width in points; fonts by their registered names."""
    from reportlab.graphics.shapes import Drawing, Group

    scale = width / picture.width
    group = Group(*(_pdf_shape(shape, picture.height, font, bold) for shape in picture.shapes))
    group.scale(scale, scale)
    return Drawing(width, picture.height * scale, group)


def _pdf_shape(shape: Shape, height: float, font: str, bold: str) -> Any:
    from reportlab.graphics import shapes as pdf

    if isinstance(shape, Rectangle):
        look = _pdf_paint(shape.fill, shape.stroke, shape.opacity)
        return pdf.Rect(shape.x, height - shape.y - shape.height, shape.width, shape.height, **look)
    if isinstance(shape, Path):
        points = [at for x, y in shape.points for at in (x, height - y)]
        look = _pdf_paint(shape.fill, shape.stroke, shape.opacity) | {"strokeWidth": shape.width}
        look["strokeDashArray"] = [float(part) for part in shape.dash.split()] or None
        if shape.fill:
            return pdf.Polygon(points, **look)
        return pdf.PolyLine(
            points, **{key: value for key, value in look.items() if not key.startswith("fill")}
        )
    if isinstance(shape, Dot):
        look = _pdf_paint(shape.fill, shape.stroke, 1.0) | {"strokeWidth": 2}
        return pdf.Circle(shape.x, height - shape.y, shape.radius, **look)
    return pdf.String(
        shape.x, height - shape.y, shape.text, textAnchor=shape.anchor, fontSize=shape.size,
        fontName=bold if shape.bold else font, fillColor=_pdf_colour(shape.colour),
    )  # fmt: skip


def _pdf_paint(fill: str, stroke: str, opacity: float) -> dict[str, Any]:
    return {
        "fillColor": _pdf_colour(fill), "strokeColor": _pdf_colour(stroke), "fillOpacity": opacity, "strokeOpacity": opacity,
    }  # fmt: skip


def _pdf_colour(colour: str) -> Any:
    from reportlab.lib.colors import HexColor

    return HexColor(colour) if colour else None

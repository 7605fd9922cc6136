"""Points with intervals (forest, dumbbell) and distributions as XY scatter charts, with names as labels of points.

An XY chart has no names on its axes, so series without markers stand at its edges and carry them. Intervals are lines
with gaps, not error bars: LibreOffice draws none along x whose ends differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from pptx.enum.chart import XL_CHART_TYPE, XL_LABEL_POSITION, XL_MARKER_STYLE
from pptx.enum.dml import MSO_LINE_DASH_STYLE
from pptx.util import Pt

from core.amounts import interval, number
from core.charts.compare import ROLES
from core.charts.dumbbell import SIDE_SHIFT
from core.export import Table
from core.export.chart_data import XyNumbers, hide_from_legend, place_plot, safe_name
from core.export.native import axis_format, chart, chart_format, legend, round_step, scale
from core.export.slide import SlideDeck, rgb
from core.export.template import Box

MOST_ROWS = 22
MOST_POINTS = 400
"""Of one side of a distribution on a slide: finer steps than that cannot be seen."""
_BESIDE = ("names", "numbers")
"""Series that are not seen: their points carry the texts at the left and the right edge."""

Estimate = tuple[float, float, float]
"""Value, low end, high end."""


class _Side(NamedTuple):
    """One side of every row: its series' name and colour, how far above the row's middle, its estimates row by row."""

    name: str
    role: str
    shift: float
    estimates: Sequence[Estimate | None]


def forest(deck: SlideDeck, slide: Any, table: Table, box: Box, alt: str) -> None:
    """A row a difference, its value and interval in its name, lines at zero and at the limits."""
    rows = table.rows[:MOST_ROWS]
    side = _Side("difference", "accent", 0.0, [_estimate(row[1:4]) for row in rows])
    limit = table.also.get("limit")
    ends = () if limit is None else (-float(limit), float(limit))
    _rows(deck, slide, [_cut(row[0]) for row in rows], [side], table.unit, ends, box, alt)


def dumbbell(deck: SlideDeck, slide: Any, table: Table, box: Box, alt: str) -> None:
    """A row a pair: before and after, each with its interval."""
    rows = table.rows[:MOST_ROWS]
    sides = [
        _Side(table.columns[1], "muted", SIDE_SHIFT, [_estimate(row[1:4]) for row in rows]),
        _Side(table.columns[4], "accent", -SIDE_SHIFT, [_estimate(row[4:7]) for row in rows]),
    ]
    _rows(deck, slide, [_cut(row[0]) for row in rows], sides, table.unit, (), box, alt)


def _cut(name: object, length: int = 34) -> str:
    return safe_name(name, length)


def _estimate(cells: Sequence[Any]) -> Estimate | None:
    value, low, high = cells
    return None if value is None else (value, value if low is None else low, value if high is None else high)


def _rows(
    deck: SlideDeck, slide: Any, names: Sequence[str], sides: Sequence[_Side], unit: str, limits: Sequence[float],
    box: Box, alt: str,
) -> None:  # fmt: skip
    paired = len(sides) > 1
    told = [values_text([side.estimates[place] for side in sides], unit) for place in range(len(names))]
    sides = [side for side in sides if any(side.estimates)]  # a series without points would shift the legend
    ends = [0.0, *limits, *(end for side in sides for one in side.estimates if one for end in one[1:])]
    step = round_step((max(ends) - min(ends)) or 1.0)
    edges = step * math.floor(min(ends) / step - 0.02), step * math.ceil(max(ends) / step + 0.02)
    top = len(names) + 0.5
    numbers = _row_numbers(names, sides, unit, limits, edges, top)
    drawn = chart(deck, slide, XL_CHART_TYPE.XY_SCATTER, numbers, unit, box, alt)
    shown = list(drawn.plots[0].series)
    for at, side in enumerate(sides):
        _plain_line(shown[at], side.role)
        _marker(shown[len(sides) + at], side.role)
    beside = shown[2 * len(sides) :]
    _write_beside(deck, beside[0], names, XL_LABEL_POSITION.LEFT)
    _write_beside(deck, beside[1], told, XL_LABEL_POSITION.RIGHT)
    for series in beside[2:]:
        _plain_line(series, "label" if series.name == "zero" else "warn", series.name != "zero")
    # python-pptx calls the x axis of an XY chart its category axis
    across, up = drawn.category_axis, drawn.value_axis
    scale(across, *edges)
    form = axis_format(unit, max(abs(edge) for edge in edges))
    across.tick_labels.number_format, across.tick_labels.number_format_is_linked = form, False
    across.has_major_gridlines = True
    across.major_gridlines.format.line.color.rgb = rgb("useful")
    up.minimum_scale, up.maximum_scale, up.visible = 0.5, top, False
    up.has_major_gridlines = False
    place_plot(drawn, 0.25, 0.1 if paired else 0.02, 0.45, 0.8 if paired else 0.88)
    if paired:
        legend(deck, drawn)
        hide_from_legend(drawn, *range(len(sides)), *range(2 * len(sides), len(shown)))


def values_text(estimates: Sequence[Estimate | None], unit: str) -> str:
    """The numbers of a row, each with its interval, an arrow from before to after."""
    told = [
        "unknown"
        if one is None
        else f"{number(one[0], unit)} {interval(one[1], one[2], unit)}".replace(f" {unit}", "")
        for one in estimates
    ]
    return told[0] if len(told) == 1 else " → ".join(text.partition(" [")[0] for text in told)


def _row_numbers(
    names: Sequence[str], sides: Sequence[_Side], unit: str, limits: Sequence[float],
    edges: tuple[float, float], top: float,
) -> XyNumbers:  # fmt: skip
    numbers = XyNumbers(chart_format(unit))
    rows = [
        [(len(names) - place + side.shift, one) for place, one in enumerate(side.estimates)] for side in sides
    ]
    for side, placed in zip(sides, rows, strict=True):
        series = numbers.add_series(safe_name(f"{side.name}: interval"))
        for height, one in placed:
            if one is not None:
                series.add_data_point(one[1], height)
                series.add_data_point(one[2], height)
                series.add_data_point(one[2], None)  # the line ends here
    for side, placed in zip(sides, rows, strict=True):
        series = numbers.add_series(safe_name(side.name))
        for height, one in placed:
            if one is not None:
                series.add_data_point(one[0], height)
    for name, edge in zip(_BESIDE, edges, strict=True):
        series = numbers.add_series(name)
        for place in range(len(names)):
            series.add_data_point(edge, len(names) - place)
    for name, at_x in (("zero", 0.0), *((f"limit {number(limit, unit)}", limit) for limit in limits)):
        series = numbers.add_series(safe_name(name))
        for height in (0.5, top):
            series.add_data_point(at_x, height)
    return numbers


def _marker(series: Any, role: str) -> None:
    series.format.line.fill.background()
    series.marker.style = XL_MARKER_STYLE.DIAMOND if role == "muted" else XL_MARKER_STYLE.CIRCLE
    series.marker.size = 9
    series.marker.format.fill.solid()
    series.marker.format.fill.fore_color.rgb = rgb(role)
    series.marker.format.line.color.rgb = rgb(role)


def _write_beside(deck: SlideDeck, series: Any, texts: Sequence[str], side: Any) -> None:
    series.format.line.fill.background()
    series.marker.style = XL_MARKER_STYLE.NONE
    size = 12 if len(texts) <= 14 else 10
    for place, text in enumerate(texts):
        label = series.points[place].data_label
        label.text_frame.text = safe_name(text, 60)
        label.text_frame.word_wrap = False
        label.position = side
        run = label.text_frame.paragraphs[0].runs[0]
        run.font.size = Pt(size)
        deck.look(run, "ink")


def _plain_line(series: Any, role: str, dashed: bool = False) -> None:
    series.smooth = False
    series.marker.style = XL_MARKER_STYLE.NONE
    series.format.line.color.rgb, series.format.line.width = rgb(role), Pt(1.75)
    if dashed:
        series.format.line.dash_style = MSO_LINE_DASH_STYLE.DASH


def ecdf(deck: SlideDeck, slide: Any, table: Table, box: Box, alt: str) -> None:
    """Share of values at or below each value, one stepped line a side; of many values every n-th is drawn."""
    numbers = XyNumbers("0%")
    sides = list(dict.fromkeys(str(row[0]) for row in table.rows))
    for name in sides:
        points = [(float(row[1]), float(row[2])) for row in table.rows if row[0] == name]
        series = numbers.add_series(safe_name(f"{name} (n {len(points):,})"))
        before = 0.0
        for value, share in thinned(points):
            series.add_data_point(value, before)
            series.add_data_point(value, share)
            before = share
    drawn = chart(deck, slide, XL_CHART_TYPE.XY_SCATTER_LINES_NO_MARKERS, numbers, "share", box, alt)
    dashes = (None, MSO_LINE_DASH_STYLE.DASH, MSO_LINE_DASH_STYLE.ROUND_DOT)
    for at, series in enumerate(drawn.plots[0].series):
        series.smooth = False
        series.format.line.color.rgb, series.format.line.width = rgb(ROLES[at % len(ROLES)]), Pt(2.25)
        if dashes[at % len(dashes)] is not None:
            series.format.line.dash_style = dashes[at % len(dashes)]
    drawn.value_axis.minimum_scale, drawn.value_axis.maximum_scale = 0, 1
    drawn.value_axis.tick_labels.number_format = "0%"
    values = [float(row[1]) for row in table.rows]
    scale(drawn.category_axis, min(values), max(values))
    across = drawn.category_axis
    form = axis_format(table.unit, max(map(abs, values)))
    across.tick_labels.number_format, across.tick_labels.number_format_is_linked = form, False
    if table.also.get("of"):
        across.has_title = True
        across.axis_title.text_frame.text = safe_name(table.also["of"])
        across.axis_title.text_frame.paragraphs[0].runs[0].font.size = Pt(12)
        across.axis_title.text_frame.paragraphs[0].runs[0].font.bold = False
    legend(deck, drawn)


def thinned(points: Sequence[tuple[float, float]], most: int = MOST_POINTS) -> list[tuple[float, float]]:
    """At most `most` points, first and last among them, evenly by rank.

    >>> thinned([(1.0, 0.25), (2.0, 0.5), (3.0, 0.75), (4.0, 1.0)], 2)
    [(1.0, 0.25), (4.0, 1.0)]
    """
    if len(points) <= most:
        return list(points)
    return [points[round(at * (len(points) - 1) / (most - 1))] for at in range(most)]

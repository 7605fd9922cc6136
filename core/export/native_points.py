"""Points with intervals (forest, dumbbell) and distributions as XY scatter charts, with names as labels of points.

An XY chart has no names on its axes, so a series without markers stands at the left edge and carries them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pptx.enum.chart import XL_CHART_TYPE, XL_LABEL_POSITION, XL_MARKER_STYLE
from pptx.enum.dml import MSO_LINE_DASH_STYLE
from pptx.util import Pt

from core.amounts import interval, number
from core.charts.palette import light
from core.export import Table
from core.export.chart_data import XyNumbers, draw_errors, errors_of, hide_from_legend, place_plot, safe_name
from core.export.native import chart, legend, number_format
from core.export.slide import Page, rgb
from core.export.template import Box

MOST_ROWS = 22
MOST_POINTS = 400
"""Of one side of a distribution on a slide: finer steps than that cannot be seen."""
_ROLES = ("loss", "accent", "good", "other", "muted", "warn")
_NAMES = "rows"

Estimate = tuple[float, float, float]


class _Side(NamedTuple):
    name: str
    role: str
    shift: float
    estimates: Sequence[Estimate | None]


def forest(page: Page, slide: Any, table: Table, box: Box, alt: str) -> None:
    """A row a difference, its value and interval in its name, lines at zero and at the limits."""
    rows = table.rows[:MOST_ROWS]
    names = [f"{_cut(row[0])}  {number(row[1], table.unit)} {interval(row[2], row[3], table.unit)}" for row in rows]
    side = _Side("difference", "accent", 0.0, [_estimate(row[1:4]) for row in rows])
    limit = table.also.get("limit")
    ends = () if limit is None else (-float(limit), float(limit))
    _rows(page, slide, names, [side], table.unit, ends, box, alt)


def dumbbell(page: Page, slide: Any, table: Table, box: Box, alt: str) -> None:
    """A row a pair: before and after, each with its interval."""
    rows = table.rows[:MOST_ROWS]
    sides = [_Side(table.columns[1], "muted", 0.16, [_estimate(row[1:4]) for row in rows])]
    if len(table.columns) > 4:
        sides.append(_Side(table.columns[4], "accent", -0.16, [_estimate(row[4:7]) for row in rows]))
    else:
        sides = [sides[0]._replace(shift=0.0, role="accent")]
    _rows(page, slide, [_cut(row[0], 44) for row in rows], sides, table.unit, (), box, alt)


def _cut(name: object, length: int = 34) -> str:
    return safe_name(name, length)


def _estimate(cells: Sequence[Any]) -> Estimate | None:
    value, low, high = cells
    return None if value is None else (value, value if low is None else low, value if high is None else high)


def _rows(
    page: Page, slide: Any, names: Sequence[str], sides: Sequence[_Side], unit: str, limits: Sequence[float],
    box: Box, alt: str,
) -> None:  # fmt: skip
    ends = [end for side in sides for one in side.estimates if one for end in one[1:]]
    lowest, highest = min([0.0, *ends, *limits]), max([0.0, *ends, *limits])
    room = 0.05 * ((highest - lowest) or 1.0)
    edge, top = lowest - room, len(names) + 0.5
    numbers = _row_numbers(names, sides, unit, limits, edge, top)
    drawn = chart(page, slide, XL_CHART_TYPE.XY_SCATTER, numbers, unit, box, alt)
    shown = list(drawn.plots[0].series)
    for at, side in enumerate(sides):
        _marker(shown[at], side.role, hollow=len(sides) > 1 and at == 0)
        draw_errors(shown[at], numbers, at, light(side.role)[1:], "x")
    _name_rows(page, shown[len(sides)], names)
    for series in shown[len(sides) + 1 :]:
        _upright(series)
    # python-pptx calls the x axis of an XY chart its category axis
    across, up = drawn.category_axis, drawn.value_axis
    across.minimum_scale, across.maximum_scale = edge, highest + room
    across.tick_labels.number_format, across.tick_labels.number_format_is_linked = number_format(unit), False
    across.has_major_gridlines = True
    across.major_gridlines.format.line.color.rgb = rgb("useful")
    up.minimum_scale, up.maximum_scale, up.visible = 0.5, top, False
    up.has_major_gridlines = False
    place_plot(drawn, 0.4, 0.1 if len(sides) > 1 else 0.02, 0.57, 0.78 if len(sides) > 1 else 0.86)
    if len(sides) > 1:
        legend(page, drawn)
        hide_from_legend(drawn, *range(len(sides), len(shown)))


def _row_numbers(
    names: Sequence[str], sides: Sequence[_Side], unit: str, limits: Sequence[float], edge: float, top: float
) -> XyNumbers:
    numbers = XyNumbers(number_format(unit))
    for at, side in enumerate(sides):
        series = numbers.add_series(safe_name(side.name))
        known = [(place, one) for place, one in enumerate(side.estimates) if one is not None]
        for place, one in known:
            series.add_data_point(one[0], len(names) - place + side.shift)
        columns = [[one[column] for _, one in known] for column in range(3)]
        numbers.errors[at] = errors_of(*columns)
    series = numbers.add_series(_NAMES)
    for place in range(len(names)):
        series.add_data_point(edge, len(names) - place)
    for name, at_x in (("zero", 0.0), *((f"limit {number(limit, unit)}", limit) for limit in limits)):
        series = numbers.add_series(safe_name(name))
        for height in (0.5, top):
            series.add_data_point(at_x, height)
    return numbers


def _marker(series: Any, role: str, hollow: bool) -> None:
    series.format.line.fill.background()
    series.marker.style, series.marker.size = XL_MARKER_STYLE.CIRCLE, 9
    series.marker.format.fill.solid()
    series.marker.format.fill.fore_color.rgb = rgb("paper" if hollow else role)
    series.marker.format.line.color.rgb = rgb(role)


def _name_rows(page: Page, series: Any, names: Sequence[str]) -> None:
    series.format.line.fill.background()
    series.marker.style = XL_MARKER_STYLE.NONE
    size = 12 if len(names) <= 14 else 10
    for place, name in enumerate(names):
        label = series.points[place].data_label
        label.text_frame.text = safe_name(name, 90)
        label.position = XL_LABEL_POSITION.LEFT
        run = label.text_frame.paragraphs[0].runs[0]
        run.font.size = Pt(size)
        page.look(run, "ink")


def _upright(series: Any) -> None:
    limit = series.name != "zero"
    series.marker.style = XL_MARKER_STYLE.NONE
    series.format.line.color.rgb, series.format.line.width = rgb("warn" if limit else "label"), Pt(1.25)
    if limit:
        series.format.line.dash_style = MSO_LINE_DASH_STYLE.DASH


def ecdf(page: Page, slide: Any, table: Table, box: Box, alt: str) -> None:
    """Share of values at or below each value, one stepped line a side; of many values every so manieth is drawn."""
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
    drawn = chart(page, slide, XL_CHART_TYPE.XY_SCATTER_LINES_NO_MARKERS, numbers, "share", box, alt)
    dashes = (None, MSO_LINE_DASH_STYLE.DASH, MSO_LINE_DASH_STYLE.ROUND_DOT)
    for at, series in enumerate(drawn.plots[0].series):
        series.smooth = False
        series.format.line.color.rgb, series.format.line.width = rgb(_ROLES[at % len(_ROLES)]), Pt(2.25)
        if dashes[at % len(dashes)] is not None:
            series.format.line.dash_style = dashes[at % len(dashes)]
    drawn.value_axis.minimum_scale, drawn.value_axis.maximum_scale = 0, 1
    drawn.value_axis.tick_labels.number_format = "0%"
    across = drawn.category_axis
    across.tick_labels.number_format, across.tick_labels.number_format_is_linked = number_format(table.unit), False
    if table.also.get("of"):
        across.has_title = True
        across.axis_title.text_frame.text = safe_name(table.also["of"])
        across.axis_title.text_frame.paragraphs[0].runs[0].font.size = Pt(12)
        across.axis_title.text_frame.paragraphs[0].runs[0].font.bold = False
    legend(page, drawn)


def thinned(points: Sequence[tuple[float, float]], most: int = MOST_POINTS) -> list[tuple[float, float]]:
    """At most `most` points, first and last among them, evenly by rank.

    >>> thinned([(1.0, 0.25), (2.0, 0.5), (3.0, 0.75), (4.0, 1.0)], 2)
    [(1.0, 0.25), (4.0, 1.0)]
    """
    if len(points) <= most:
        return list(points)
    return [points[round(at * (len(points) - 1) / (most - 1))] for at in range(most)]

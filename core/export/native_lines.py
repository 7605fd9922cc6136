"""Lines with their bands as native charts: over days, over names, over numbers, and one above the other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

from pptx.enum.chart import XL_CHART_TYPE, XL_MARKER_STYLE, XL_TICK_LABEL_POSITION
from pptx.enum.dml import MSO_LINE_DASH_STYLE
from pptx.util import Emu, Pt

from core.amounts import number
from core.charts.palette import light
from core.export import Table
from core.export.chart_data import (
    CategoryNumbers,
    XyNumbers,
    draw_errors,
    errors_of,
    hide_from_legend,
    make_band,
    name_every,
    safe_name,
)
from core.export.native import DAY, chart, chart_format, in_order, legend, scale
from core.export.slide import SlideDeck, rgb
from core.export.template import Box

_ROLES = ("accent", "loss", "good", "other", "muted", "warn")
_WIDEST_STRIP = 9.0
"""Points: a wider strip of an interval no longer reads as one of a band."""
_MARKERS_UP_TO = 20
_LAST_PANEL = 0.35
"""How much higher the last panel is: it has the names of all."""
_DASHES = (None, MSO_LINE_DASH_STYLE.DASH, MSO_LINE_DASH_STYLE.ROUND_DOT, MSO_LINE_DASH_STYLE.DASH_DOT)

Cell = float | None


class _Line(NamedTuple):
    name: str
    role: str
    values: list[Cell]
    lows: list[Cell]
    highs: list[Cell]

    def has_band(self) -> bool:
        return any(low is not None for low in self.lows)


def lines(deck: SlideDeck, slide: Any, table: Table, box: Box, alt: str, from_zero: bool = True) -> Any:
    """Lines over days or names. One band is a stacked area over a base that is not seen; several would stack on each
    other, so they are see-through strips around each point. Over numbers the lines are XY scatter.
    """
    places = in_order(dict.fromkeys(row[1] for row in table.rows))
    drawn_lines = _lines_of(table, places)
    if all(isinstance(place, int | float) for place in places):
        return _over_numbers(deck, slide, table, drawn_lines, places, box, alt)
    days = _days(places)
    banded = [line for line in drawn_lines if line.has_band()]
    band = banded[0] if len(banded) == 1 and len(places) > 1 else None  # an area of one point is nothing
    numbers = _numbers(table, drawn_lines, [*days] or [safe_name(place) for place in places], band)
    first = 0 if band is None else 2
    drawn = chart(deck, slide, XL_CHART_TYPE.LINE, numbers, table.unit, box, alt)
    series = list(drawn.plots[0].series)[first:]
    for at, (one, line) in enumerate(zip(series, drawn_lines, strict=False)):
        _style(one, line.role, at, len(places))
    if len(series) > len(drawn_lines):
        _dashed(series[-1])
    strip = min(_WIDEST_STRIP, max(1.0, 0.8 * Emu(box.width).pt * 0.92 / max(1, len(places))))
    for at in numbers.errors:
        draw_errors(series[at - first], numbers, at, light(drawn_lines[at - first].role)[1:], "y", strip)
    if band is not None:
        make_band(drawn, light(band.role)[1:])
    _axes(drawn, table, from_zero)
    _names(drawn, places, days, box)
    if len(numbers) > 1:
        legend(deck, drawn)
        hide_from_legend(drawn, *([] if band is None else [0]))
    return drawn


def _numbers(
    table: Table, drawn_lines: Sequence[_Line], names: Sequence[Any], band: _Line | None
) -> CategoryNumbers:
    """The band first, so that it lies behind; then the lines; then the limit."""
    numbers = CategoryNumbers(chart_format(table.unit))
    for name in names:
        numbers.add_category(name)
    if band is not None:
        base, widths = band_of(band.values, band.lows, band.highs)
        numbers.add_series(safe_name(f"{band.name}: low"), base)
        numbers.add_series(safe_name(f"{band.name}: interval"), widths)
    for line in drawn_lines:
        if line.has_band() and band is None:
            numbers.errors[len(numbers)] = errors_of(line.values, line.lows, line.highs)
        numbers.add_series(safe_name(line.name), line.values)
    limit = table.also.get("limit")
    if limit is not None:
        numbers.add_series(f"limit {number(limit, table.unit)}", [float(limit)] * len(names))
    return numbers


def _axes(drawn: Any, table: Table, from_zero: bool) -> None:
    limit = table.also.get("limit")
    ends = [cell for row in table.rows for cell in row[2:5] if isinstance(cell, int | float)]
    ends += [] if limit is None else [float(limit)]
    if ends:
        lowest, highest = min(ends), max(ends)
        scale(drawn.value_axis, min(0.0, lowest) if from_zero else lowest, highest, table.unit)


def _names(drawn: Any, places: Sequence[Any], days: Sequence[dt.date], box: Box) -> None:
    """As many names as stand level beside each other."""
    if not days:
        longest = max(len(str(place)) for place in places)
        room = max(1, int(0.92 * Emu(box.width).pt / (7.0 * longest)))
        name_every(drawn, -(-len(places) // room), False)
        return
    labels, span = drawn.category_axis.tick_labels, (days[-1] - days[0]).days
    labels.number_format = "mmm yyyy" if span > 200 else "d mmm"
    labels.number_format_is_linked = False
    name_every(drawn, next(step for step in (1, 2, 7, 14, 28, 91, 365, 3650) if span <= 16 * step), True)


def _lines_of(table: Table, places: Sequence[Any]) -> list[_Line]:
    roles = table.also.get("roles") or {}
    found = []
    for at, name in enumerate(dict.fromkeys(str(row[0]) for row in table.rows)):
        points = {row[1]: row[2:5] for row in table.rows if row[0] == name}
        cells = [points.get(place, (None, None, None)) for place in places]
        values, lows, highs = ([cell[column] for cell in cells] for column in range(3))
        found.append(_Line(name, roles.get(name, _ROLES[at % len(_ROLES)]), values, lows, highs))
    return found


def _days(places: Sequence[Any]) -> list[dt.date]:
    """The places as days, for an axis with room for missing ones; none if any is no day, or there is only one."""
    if len(places) < 2 or not all(isinstance(place, str) and DAY.fullmatch(place) for place in places):
        return []
    return [dt.date.fromisoformat(place) for place in places]


def band_of(
    values: Sequence[Cell], lows: Sequence[Cell], highs: Sequence[Cell]
) -> tuple[list[float], list[float]]:
    """Base and width of a stacked area. An area takes an empty cell for zero, so where there is no interval it has no
    width and its base is the value, or the middle of the nearest interval.

    >>> band_of([1.0, 2.0], [None, 1.5], [None, 3.0])
    ([1.0, 1.5], [0.0, 1.5])
    """
    known = [
        at
        for at, (low, high) in enumerate(zip(lows, highs, strict=True))
        if low is not None and high is not None
    ]
    base, widths = [], []
    for at, (low, high) in enumerate(zip(lows, highs, strict=True)):
        if low is not None and high is not None:
            base.append(low)
            widths.append(high - low)
            continue
        nearest = min(known, key=lambda other: abs(other - at))
        value = values[at]
        base.append(value if value is not None else (lows[nearest] + highs[nearest]) / 2)  # type: ignore[operator]
        widths.append(0.0)
    return base, widths


def _style(series: Any, role: str, at: int, points: int, dash_from: int = 1) -> None:
    series.smooth = False
    series.format.line.color.rgb, series.format.line.width = rgb(role), Pt(2.25)
    dash = _DASHES[at % len(_DASHES)] if at >= dash_from else None
    if dash is not None:
        series.format.line.dash_style = dash
    if points <= _MARKERS_UP_TO:
        series.marker.style, series.marker.size = XL_MARKER_STYLE.CIRCLE, 6
        series.marker.format.fill.solid()
        series.marker.format.fill.fore_color.rgb = rgb(role)
        series.marker.format.line.color.rgb = rgb(role)
    else:
        series.marker.style = XL_MARKER_STYLE.NONE


def _dashed(series: Any, role: str = "warn") -> None:
    series.smooth = False
    series.marker.style = XL_MARKER_STYLE.NONE
    series.format.line.color.rgb, series.format.line.width = rgb(role), Pt(1.25)
    series.format.line.dash_style = MSO_LINE_DASH_STYLE.DASH


def _over_numbers(
    deck: SlideDeck, slide: Any, table: Table, drawn_lines: list[_Line], places: list[Any], box: Box, alt: str
) -> Any:
    numbers = XyNumbers(chart_format(table.unit))
    for at, line in enumerate(drawn_lines):
        known = [place for place, value in enumerate(line.values) if value is not None]
        series = numbers.add_series(safe_name(line.name))
        for place in known:
            series.add_data_point(float(places[place]), line.values[place])
        if line.has_band():
            cells = [[column[place] for place in known] for column in (line.values, line.lows, line.highs)]
            numbers.errors[at] = errors_of(*cells)
    limit = table.also.get("limit")
    if limit is not None:
        series = numbers.add_series(f"limit {number(limit, table.unit)}")
        for place in (places[0], places[-1]):
            series.add_data_point(float(place), float(limit))
    drawn = chart(deck, slide, XL_CHART_TYPE.XY_SCATTER_LINES, numbers, table.unit, box, alt)
    shown = list(drawn.plots[0].series)
    for at, (one, line) in enumerate(zip(shown, drawn_lines, strict=False)):
        _style(one, line.role, at, len(places))
        if at in numbers.errors:
            draw_errors(one, numbers, at, light(line.role)[1:], "y")
    if limit is not None:
        _dashed(shown[-1])
    _axes(drawn, table, True)
    scale(drawn.category_axis, float(places[0]), float(places[-1]))
    if all(float(place).is_integer() for place in places):
        drawn.category_axis.major_unit = max(1.0, drawn.category_axis.major_unit)
    if len(shown) > 1:
        legend(deck, drawn)
    return drawn


def panels(deck: SlideDeck, slide: Any, table: Table, box: Box, alt: str) -> None:
    """One chart a line, one above the other, because their scales differ; their axes need not begin at zero."""
    names = list(dict.fromkeys(str(row[0]) for row in table.rows))
    unit_height = box.height / (len(names) + _LAST_PANEL)
    for place, name in enumerate(names):
        rows = tuple(row[:5] for row in table.rows if row[0] == name)
        unit = next(row[5] for row in table.rows if row[0] == name)
        one = Table("lines", unit, table.columns[:5], rows, {"roles": table.also.get("roles")})
        told = alt if place == 0 else f"{name}, as above"
        last = place == len(names) - 1
        top, height = box.top + int(place * unit_height), int(unit_height * (1 + _LAST_PANEL * last))
        drawn = lines(deck, slide, one, box._replace(top=top, height=height), told, from_zero=False)
        if not last:
            drawn.category_axis.tick_label_position = XL_TICK_LABEL_POSITION.NONE

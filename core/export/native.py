"""A figure's drawn table as a native chart or table on a slide: whoever opens the deck can edit the numbers.

python-pptx and LibreOffice do not know PowerPoint's own waterfall, so a bridge is stacked bars over a base that is not
seen. Forms without any native chart (a flow diagram, a run) become a table of their rows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pptx.enum.chart import (
    XL_CHART_TYPE,
    XL_LABEL_POSITION,
    XL_LEGEND_POSITION,
    XL_TICK_LABEL_POSITION,
)
from pptx.oxml.ns import qn
from pptx.util import Pt

from core.amounts import interval, is_currency, money_sign, number
from core.charts.palette import light
from core.export import Table
from core.export.chart_data import CategoryNumbers, XyNumbers, draw_errors, errors_of, safe_name
from core.export.slide import SlideDeck, paint, rgb
from core.export.template import Box

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
"""A day as a drawn table holds it."""
_KINDS = {"plus": "useful", "minus": "loss", "rest": "muted", "total": "accent"}
MOST_BARS = 30
"""Names of more bars than that cannot be read on a slide."""


def chart_format(unit: str) -> str:
    """Excel's format of a unit's numbers, as the cells behind a chart have them."""
    if is_currency(unit):
        return f'"{money_sign(unit)}"#,##0.00##'
    if unit in ("share", "points"):
        return "0.0%"
    return "#,##0" if unit in ("count", "tokens", "attempts", "requests") else "General"


def chart(deck: SlideDeck, slide: Any, kind: Any, numbers: Any, unit: str, box: Box, alt: str = "") -> Any:
    """A chart in the house's look: no frame, thin grid, names low, no legend yet."""
    frame = slide.shapes.add_chart(kind, *box, numbers)
    frame._element.nvGraphicFramePr.cNvPr.set("descr", safe_name(alt, 900))
    drawn = frame.chart
    drawn.has_title, drawn.has_legend = False, False
    deck.chart_font(drawn, 12)
    values, names = drawn.value_axis, drawn.category_axis
    values.has_major_gridlines = True
    values.major_gridlines.format.line.color.rgb = rgb("useful")
    values.major_gridlines.format.line.width = Pt(0.5)
    values.format.line.fill.background()
    values.tick_labels.number_format = axis_format(unit, _largest(numbers))
    values.tick_labels.number_format_is_linked = False
    names.format.line.color.rgb = rgb("muted")
    names.has_major_gridlines = False
    names.tick_label_position = XL_TICK_LABEL_POSITION.LOW
    return drawn


def axis_format(unit: str, largest: float) -> str:
    """Excel's format of an axis: as many decimals as its numbers need, millions shortened.

    Without conditions such as [>=1000000]: LibreOffice drops the sign of what is below zero in such a format.
    """
    millions = '0.0,,"M"'
    if not is_currency(unit):
        return millions if largest >= 1e6 and unit not in ("share", "points") else chart_format(unit)
    places = (
        millions if largest >= 1e6 else "#,##0" if largest >= 20 else "0.00" if largest >= 0.2 else "0.0000"
    )
    return f'"{money_sign(unit)}"{places}'


def _largest(numbers: Any) -> float:
    """The largest size among the values of a chart."""
    columns = [one.y_values if isinstance(numbers, XyNumbers) else one.values for one in numbers]
    return max((abs(value) for column in columns for value in column if value is not None), default=0.0)


def scale(axis: Any, lowest: float, highest: float, unit: str = "") -> None:
    """Ends and ticks at round numbers. Left alone, programs leave intervals out of account and cut them off."""
    step = round_step((highest - lowest) or abs(highest) or 1.0)
    top = step * math.ceil(highest / step - 1e-9)
    axis.minimum_scale = step * math.floor(lowest / step + 1e-9)
    axis.maximum_scale = min(top, 1.0) if unit == "share" and highest <= 1 else top
    axis.major_unit = step


def round_step(size: float, ticks: int = 6) -> float:
    """A step of 1, 2 or 5 times a power of ten that cuts `size` in about `ticks`.

    >>> round_step(0.7), round_step(13), round_step(1_000_000)
    (0.1, 2.0, 200000.0)
    """
    rough = size / ticks
    power = 10.0 ** math.floor(math.log10(rough))
    return float(f"{power * next((one for one in (1, 2, 5) if one * power >= 0.8 * rough), 10):.6g}")


def legend(deck: SlideDeck, drawn: Any) -> None:
    """Names of the series above the chart."""
    drawn.has_legend = True
    drawn.legend.position, drawn.legend.include_in_layout = XL_LEGEND_POSITION.TOP, False
    drawn.legend.font.size = Pt(12)


def in_order(places: Iterable[Any]) -> list[Any]:
    """Numbers and days in their order; names, such as checkpoints, as they were drawn."""
    found = list(places)
    dated = all(not isinstance(place, str) or DAY.match(place) for place in found)
    return sorted(found) if dated else found


def bridge(deck: SlideDeck, slide: Any, table: Table, box: Box, alt: str) -> None:
    """A base that is not seen and one series a kind. A bar across zero is drawn in two parts, because stacked bars
    pile what is positive above zero and what is negative below it.
    """
    names, bases, level = [], [], 0.0
    kinds: dict[str, list[float | None]] = {}
    rows = [(str(label), float(value), str(kind)) for label, value, kind in table.rows]
    for at, (label, change, kind) in enumerate(rows):
        before = 0.0 if kind == "total" else level
        level = before + change
        low, high = min(before, level), max(before, level)
        bases.append(low if low > 0 else high if high < 0 else 0.0)
        for name, length in ((kind, high - max(low, 0.0)), (f"{kind} below zero", min(high, 0.0) - low)):
            if length > 0 or (name == kind and high >= 0):
                sign = -1 if name != kind else 1
                kinds.setdefault(name, [None] * len(rows))[at] = sign * max(length, 0.0)
        names.append(f"{label}  {number(change, table.unit)}")
    numbers = _categories(names, table.unit)
    numbers.add_series("base", bases)
    order = [name for kind in _KINDS for name in (kind, f"{kind} below zero") if name in kinds]
    for name in order:
        numbers.add_series(name, kinds[name])
    lying = len(names) > 6
    kind_of = XL_CHART_TYPE.BAR_STACKED if lying else XL_CHART_TYPE.COLUMN_STACKED
    drawn = chart(deck, slide, kind_of, numbers, table.unit, box, alt)
    if min(bases, default=0) >= 0 and not any(name.endswith("below zero") for name in order):
        drawn.value_axis.minimum_scale = 0
    if lying:
        _from_top(drawn)
    drawn.plots[0].gap_width, drawn.plots[0].overlap = 45, 100
    base, *shown = drawn.plots[0].series
    base.format.fill.background()
    own = list(table.also.get("roles") or [])
    for name, series in zip(order, shown, strict=True):
        paint(series.format, _KINDS[name.partition(" ")[0]])
        for at, role in enumerate(own):
            if kinds[name][at] is not None and role != _KINDS[name.partition(" ")[0]]:
                paint(series.points[at].format, role)


def bars(deck: SlideDeck, slide: Any, table: Table, box: Box, alt: str) -> None:
    """Lying bars, the value and its interval in the name, the interval as whiskers too."""
    rows = table.rows[:MOST_BARS]
    names = [
        f"{label}  {number(value, table.unit)}"
        + (f" {interval(low, high, table.unit)}" if low is not None else "")
        for label, value, low, high in rows
    ]
    numbers = _categories(names, table.unit)
    values, lows, highs = ([row[column] for row in rows] for column in (1, 2, 3))
    numbers.add_series("value", values)
    if any(low is not None for low in lows):
        numbers.errors[0] = errors_of(values, lows, highs)
    drawn = chart(deck, slide, XL_CHART_TYPE.BAR_CLUSTERED, numbers, table.unit, box, alt)
    _from_top(drawn)
    drawn.plots[0].gap_width = 45
    series = drawn.plots[0].series[0]
    paint(series.format, "accent")
    roles = table.also.get("roles") or {}
    for at, row in enumerate(rows):
        if roles.get(row[0], "accent") != "accent":
            paint(series.points[at].format, roles[row[0]])
    if numbers.errors:
        draw_errors(series, numbers, 0, light("ink")[1:])
        ends = [end for end in (0.0, *values, *lows, *highs) if end is not None]
        scale(drawn.value_axis, min(ends), max(ends), table.unit)


def _from_top(drawn: Any) -> None:
    """The first name at the top, the values' axis at the bottom all the same."""
    drawn.category_axis.reverse_order = True
    drawn.value_axis._element.find(qn("c:crosses")).set("val", "max")


def parts(deck: SlideDeck, slide: Any, table: Table, box: Box, alt: str) -> None:
    """One bar cut into shares of a whole."""
    numbers = _categories([""], "share")
    for label, value, part_share in table.rows:
        numbers.add_series(safe_name(f"{label}  {number(value, table.unit)}"), [part_share])
    drawn = chart(
        deck,
        slide,
        XL_CHART_TYPE.BAR_STACKED_100,
        numbers,
        "share",
        box._replace(height=box.height // 2),
        alt,
    )
    drawn.category_axis.visible = False
    drawn.plots[0].gap_width = 40
    roles = table.also.get("roles") or {}
    spare = ("good", "accent", "useful", "muted", "warn", "loss")
    for at, (series, row) in enumerate(zip(drawn.plots[0].series, table.rows, strict=True)):
        role = roles.get(row[0], spare[at % len(spare)])
        paint(series.format, role)
        if row[2] >= 0.04:  # a narrower part has no room for its label
            labels = series.data_labels
            labels.show_value, labels.position = True, XL_LABEL_POSITION.CENTER
            labels.font.size, labels.font.bold = Pt(14), True
            labels.font.color.rgb = rgb("ink" if role in ("useful", "muted") else "paper")
            labels.number_format, labels.number_format_is_linked = "0%", False
    legend(deck, drawn)


def _categories(names: Sequence[str], unit: str) -> Any:
    numbers = CategoryNumbers(chart_format(unit))
    numbers.categories = [safe_name(name, 110) for name in names]
    return numbers


Draw = Callable[[SlideDeck, Any, Table, Box, str], object]


def draw(deck: SlideDeck, slide: Any, table: Table, box: Box, alt: str) -> None:
    """What a figure drew, natively; without rows a sentence that there is nothing."""
    from core.export import native_lines, native_points, native_stacks, native_tables

    forms: dict[str, Draw] = {
        "waterfall": bridge, "bars": bars, "stacked_share": parts, "lines": native_lines.lines,
        "panels": native_lines.panels, "forest": native_points.forest, "dumbbell": native_points.dumbbell,
        "ecdf": native_points.ecdf, "grid": native_tables.grid, "stacks": native_stacks.stacks,
        "offsets": native_stacks.histogram, "waits": native_stacks.waits,
    }  # fmt: skip
    if not table.rows:
        deck.text(slide, "There is nothing to draw in this scope.", box, 16, "label")
        return
    forms.get(table.form, native_tables.rows)(deck, slide, table, box, alt)

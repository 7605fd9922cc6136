"""One figure as a slide: native, editable charts under the finding's sentence.

The title is the sentence, the foot is scope, data version and link. A bridge is stacked bars over an
invisible base, because python-pptx and LibreOffice do not know PowerPoint's own waterfall type.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

import plotly.graph_objects as go
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import XL_CHART_TYPE, XL_LABEL_POSITION, XL_LEGEND_POSITION, XL_TICK_LABEL_POSITION
from pptx.util import Inches, Pt

from core.amounts import interval, is_currency, money_sign, number
from core.charts.palette import light
from core.export import Source, Table, drawn_table

NATIVE_FORMS = ("waterfall", "lines", "panels", "bars", "stacked_share")
"""Forms with an editable chart; the others go into a deck as the picture the browser exports."""

_FONT = "Inter"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _number_format(unit: str) -> str:
    if is_currency(unit):
        return f'"{money_sign(unit)}"#,##0.00##'
    return {"share": "0.0%", "points": "0.0%", "count": "#,##0"}.get(unit, "General")


def _colour(role: str) -> Any:
    colour: Any = RGBColor
    return colour(*bytes.fromhex(light(role)[1:]))


def figure_pptx(figure: go.Figure, source: Source) -> bytes:
    """A 16:9 deck of one slide; raises ValueError for a form that has no native chart."""
    table = drawn_table(figure)
    if table.form not in NATIVE_FORMS:
        raise ValueError(f"a {table.form} has no editable chart; export it as PNG or SVG from its menu")
    deck = Presentation()
    deck.slide_width, deck.slide_height = Inches(13.333), Inches(7.5)
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    _text(slide, source.title, top=0.4, height=1.0, size=24, role="ink", bold=True)
    _text(slide, source.figure, top=1.4, height=0.4, size=14, role="label")
    foot = " · ".join(part for part in (table.note, source.scope, source.as_of, source.link) if part)
    _text(slide, foot, top=7.0, height=0.35, size=10, role="label")
    draw = {
        "waterfall": _bridge, "lines": _lines, "panels": _panels, "bars": _bars, "stacked_share": _parts,
    }[table.form]  # fmt: skip
    draw(slide, table)
    out = io.BytesIO()
    deck.save(out)
    return out.getvalue()


def _text(
    slide: Any, text: str, *, top: float, height: float, size: int, role: str, bold: bool = False
) -> None:
    frame = slide.shapes.add_textbox(Inches(0.6), Inches(top), Inches(12.1), Inches(height)).text_frame
    frame.word_wrap = True
    run = frame.paragraphs[0].add_run()
    run.text = "".join(character for character in text if character.isprintable())
    run.font.size, run.font.bold, run.font.name = Pt(size), bold, _FONT
    run.font.color.rgb = _colour(role)


def _chart(slide: Any, kind: Any, numbers: Any, unit: str, top: float = 1.9, height: float = 5.0) -> Any:
    """`top` and `height` in inches."""
    box = Inches(0.6), Inches(top), Inches(12.1), Inches(height)
    chart = slide.shapes.add_chart(kind, *box, numbers).chart
    chart.has_title, chart.has_legend = False, False
    chart.font.size, chart.font.name, chart.font.color.rgb = Pt(12), _FONT, _colour("label")
    values, names = chart.value_axis, chart.category_axis
    values.major_gridlines.format.line.color.rgb = _colour("grid")
    values.format.line.fill.background()
    values.tick_labels.number_format = _number_format(unit)
    values.tick_labels.number_format_is_linked = False
    names.format.line.color.rgb = _colour("grid")
    names.has_major_gridlines = False
    names.tick_label_position = XL_TICK_LABEL_POSITION.LOW
    return chart


def _numbers(names: Sequence[str], unit: str) -> Any:
    new: Any = CategoryChartData
    numbers = new(number_format=_number_format(unit))
    numbers.categories = [_cell(name) for name in names]
    return numbers


def _cell(text: str) -> str:
    """Category names land in the chart's workbook: same guard as export.safe_cell, without its apostrophe."""
    shown = "".join(character for character in text if character.isprintable())[:80]
    return f"\N{ZERO WIDTH SPACE}{shown}" if shown.lstrip().startswith(("=", "+", "-", "@")) else shown


def _fill(series: Any, role: str) -> None:
    series.format.fill.solid()
    series.format.fill.fore_color.rgb = _colour(role)


def _bridge(slide: Any, table: Table) -> None:
    """Base, then one series a kind; below zero a bar has no base, because stacked bars cannot float there."""
    names, bases, level = [], [], 0.0
    kinds: dict[str, list[float | None]] = {"total": [], "plus": [], "minus": [], "rest": []}
    for label, value, kind in table.rows:
        change = float(value)
        after = change if kind == "total" else level + change
        bases.append(0.0 if kind == "total" else max(0.0, min(level, after)))
        for name, heights in kinds.items():
            heights.append(abs(change) if name == kind else None)
        names.append(f"{label}  {number(change, table.unit)}")
        level = after
    numbers = _numbers(names, table.unit)
    numbers.add_series("base", bases)
    for name, heights in kinds.items():
        numbers.add_series(name, heights)
    lying = len(names) > 6
    kind = XL_CHART_TYPE.BAR_STACKED if lying else XL_CHART_TYPE.COLUMN_STACKED
    chart = _chart(slide, kind, numbers, table.unit)
    chart.value_axis.minimum_scale = 0
    chart.category_axis.reverse_order = lying
    chart.plots[0].gap_width, chart.plots[0].overlap = 45, 100
    base, *shown = chart.plots[0].series
    base.format.fill.background()
    for series, role in zip(shown, ("useful", "accent", "loss", "muted"), strict=True):
        _fill(series, role)


def _lines(slide: Any, table: Table, top: float = 1.9, height: float = 5.0) -> None:
    """Each line with its interval's edges as thin lines of the same colour."""
    names = list(dict.fromkeys(str(row[0]) for row in table.rows))
    places = _in_order(dict.fromkeys(row[1] for row in table.rows))
    numbers = _numbers([str(place) for place in places], table.unit)
    widths: list[tuple[str, float]] = []
    for name, role in zip(
        names, ("accent", "loss", "good", "other", "muted", "warn") * len(names), strict=False
    ):
        points = {row[1]: row[2:] for row in table.rows if row[0] == name}
        for column, (label, width) in enumerate((("", 2.5), (" low", 0.75), (" high", 0.75))):
            heights = [points[place][column] if place in points else None for place in places]
            if any(height is not None for height in heights):
                numbers.add_series(_cell(name + label), heights)
                widths.append((role, width))
    chart = _chart(slide, XL_CHART_TYPE.LINE, numbers, table.unit, top, height)
    for series, (role, width) in zip(chart.plots[0].series, widths, strict=True):
        series.smooth = False
        series.format.line.color.rgb, series.format.line.width = _colour(role), Pt(width)
    _legend(chart)


def _in_order(places: Iterable[Any]) -> list[Any]:
    """Numbers and days in their order; names, such as checkpoints, as they were drawn."""
    found = list(places)
    dated = all(not isinstance(place, str) or _DAY.match(place) for place in found)
    return sorted(found) if dated else found


def _panels(slide: Any, table: Table) -> None:
    """One line chart a line, one above the other, because their scales differ."""
    names = list(dict.fromkeys(str(row[0]) for row in table.rows))
    for place, name in enumerate(names):
        rows = tuple(row[:5] for row in table.rows if row[0] == name)
        unit = next(row[5] for row in table.rows if row[0] == name)
        height = 5.0 / len(names)
        _lines(slide, Table("lines", unit, table.columns[:5], rows), 1.9 + place * height, height)


def _bars(slide: Any, table: Table) -> None:
    names = [
        f"{label}  {number(value, table.unit)}"
        + (f" {interval(low, high, table.unit)}" if low is not None else "")
        for label, value, low, high in table.rows
    ]
    numbers = _numbers(names, table.unit)
    numbers.add_series("value", [row[1] for row in table.rows])
    chart = _chart(slide, XL_CHART_TYPE.BAR_CLUSTERED, numbers, table.unit)
    chart.category_axis.reverse_order = True
    chart.plots[0].gap_width = 45
    _fill(chart.plots[0].series[0], "accent")


def _parts(slide: Any, table: Table) -> None:
    numbers = _numbers([""], "share")
    for label, _, part_share in table.rows:
        numbers.add_series(_cell(str(label)), [part_share])
    chart = _chart(slide, XL_CHART_TYPE.BAR_STACKED_100, numbers, "share")
    for series, role in zip(
        chart.plots[0].series, ("good", "accent", "useful", "muted", "warn", "loss"), strict=False
    ):
        _fill(series, role)
        series.data_labels.show_value = True
        series.data_labels.position = XL_LABEL_POSITION.CENTER
    _legend(chart)


def _legend(chart: Any) -> None:
    chart.has_legend = True
    chart.legend.position, chart.legend.include_in_layout = XL_LEGEND_POSITION.TOP, False
    chart.legend.font.size = Pt(12)

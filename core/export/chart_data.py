"""The numbers behind a native chart and the parts of a chart that python-pptx has no name for.

A chart carries a workbook that opens on "Edit data". It is written here, because python-pptx would write a name that
starts with = as a formula, and because intervals stand in it beside their series: error bars refer to those cells.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from pptx.chart.data import CategoryChartData, XyChartData
from pptx.chart.xlsx import CategoryWorkbookWriter, XyWorkbookWriter
from pptx.oxml import parse_xml
from pptx.oxml.ns import nsdecls, qn
from pptx.util import Pt

from core.export.cells import open_book, starts_formula

BAND_OPACITY = 0.22
LONGEST_NAME = 80


def safe_name(text: object, length: int = LONGEST_NAME) -> str:
    """A name as a chart and its workbook may hold it: one printable line, never the beginning of a formula.

    >>> safe_name("=1+1") == "\\N{ZERO WIDTH SPACE}=1+1", safe_name("a\\nb")
    (True, 'a b')
    """
    line = " ".join(str(text).split())
    shown = "".join(character for character in line if character.isprintable())
    shown = shown if len(shown) <= length else shown[: length - 1] + "…"
    return f"\N{ZERO WIDTH SPACE}{shown}" if starts_formula(shown) else shown


class Errors(NamedTuple):
    """How far a series' intervals reach below and above its values; None where there is none."""

    minus: tuple[float | None, ...]
    plus: tuple[float | None, ...]


def errors_of(
    values: Sequence[float | None], lows: Sequence[float | None], highs: Sequence[float | None]
) -> Errors:
    """Interval ends as distances from the values.

    >>> errors_of([2.0, None], [1.5, None], [4.0, 1.0])
    Errors(minus=(0.5, None), plus=(2.0, None))
    """
    minus = [None if v is None or low is None else v - low for v, low in zip(values, lows, strict=True)]
    plus = [None if v is None or high is None else high - v for v, high in zip(values, highs, strict=True)]
    return Errors(tuple(minus), tuple(plus))


class CategoryNumbers(CategoryChartData):
    """Series over categories; `errors` by the series' place."""

    def __init__(self, number_format: str) -> None:
        super().__init__(number_format=number_format)
        self.errors: dict[int, Errors] = {}

    @property
    def _workbook_writer(self) -> Any:
        return _CategoryBook(self)

    def error_refs(self, place: int) -> tuple[str, str]:
        """Where the workbook has the distances of a series: below, above."""
        first = self.categories.depth + len(self) + 2 * list(self.errors).index(place) + 1
        bottom = len(self.errors[place].minus) + 1
        letters = [CategoryWorkbookWriter._column_reference(column) for column in (first, first + 1)]
        return (
            f"Sheet1!${letters[0]}$2:${letters[0]}${bottom}",
            f"Sheet1!${letters[1]}$2:${letters[1]}${bottom}",
        )


class XyNumbers(XyChartData):
    """Series of points; `errors` by the series' place, along x or y as the chart draws them."""

    def __init__(self, number_format: str) -> None:
        super().__init__(number_format=number_format)
        self.errors: dict[int, Errors] = {}

    @property
    def _workbook_writer(self) -> Any:
        return _XyBook(self)

    def error_refs(self, place: int) -> tuple[str, str]:
        """Where the workbook has the distances of a series: below, above."""
        top = _XyBook(self).series_table_row_offset(self[place]) + 2
        bottom = top + len(self[place]) - 1
        return f"Sheet1!$C${top}:$C${bottom}", f"Sheet1!$D${top}:$D${bottom}"


@contextmanager
def _open_sheet(out: io.BytesIO) -> Iterator[tuple[Any, Any]]:
    with open_book(out) as book:
        yield book, book.add_worksheet()


class _CategoryBook(CategoryWorkbookWriter):
    def _open_worksheet(self, xlsx_file: io.BytesIO) -> Any:
        return _open_sheet(xlsx_file)

    def _populate_worksheet(self, workbook: Any, worksheet: Any) -> None:
        super()._populate_worksheet(workbook, worksheet)
        column = self._chart_data.categories.depth + len(self._chart_data)
        for place, errors in self._chart_data.errors.items():
            for name, distances in (("below", errors.minus), ("above", errors.plus)):
                worksheet.write(0, column, f"{self._chart_data[place].name}: interval {name}")
                worksheet.write_column(1, column, distances)
                column += 1


class _XyBook(XyWorkbookWriter):
    def _open_worksheet(self, xlsx_file: io.BytesIO) -> Any:
        return _open_sheet(xlsx_file)

    def _populate_worksheet(self, workbook: Any, worksheet: Any) -> None:
        super()._populate_worksheet(workbook, worksheet)
        for place, errors in self._chart_data.errors.items():
            row = self.series_table_row_offset(self._chart_data[place])
            for column, (name, distances) in enumerate(
                (("below", errors.minus), ("above", errors.plus)), start=2
            ):
                worksheet.write(row, column, f"interval {name}")
                worksheet.write_column(row + 1, column, distances)


def draw_errors(
    series: Any,
    numbers: CategoryNumbers | XyNumbers,
    place: int,
    colour: str,
    along: str = "",
    width: float = 0.0,
) -> None:
    """Error bars on a drawn series. `along` x or y where both could be meant; `width` in points draws a see-through
    strip without caps, which reads as a band where many stand beside each other.
    """
    errors, refs = numbers.errors[place], numbers.error_refs(place)
    strip = f'<a:alpha val="{int(BAND_OPACITY * 100_000)}"/>' if width else ""
    line_width = int(Pt(width or 1.5))
    parts = "".join(
        f"<c:{side}><c:numRef><c:f>{escape(ref)}</c:f>{_cache(distances)}</c:numRef></c:{side}>"
        for side, ref, distances in (("plus", refs[1], errors.plus), ("minus", refs[0], errors.minus))
    )
    way = f'<c:errDir val="{along}"/>' if along else ""
    bars = parse_xml(
        f'<c:errBars {nsdecls("c", "a")}>{way}<c:errBarType val="both"/><c:errValType val="cust"/>'
        f'<c:noEndCap val="{1 if width else 0}"/>{parts}'
        f'<c:spPr><a:ln w="{line_width}" cap="flat"><a:solidFill><a:srgbClr val="{colour}">{strip}</a:srgbClr>'
        f'</a:solidFill><a:miter lim="800000"/></a:ln></c:spPr></c:errBars>'
    )
    element = series._element
    before = next(
        element.find(qn(name)) for name in ("c:cat", "c:xVal", "c:val") if element.find(qn(name)) is not None
    )
    before.addprevious(bars)


def _cache(distances: Sequence[float | None]) -> str:
    points = "".join(
        f'<c:pt idx="{at}"><c:v>{distance!r}</c:v></c:pt>'
        for at, distance in enumerate(distances)
        if distance is not None
    )
    return f'<c:numCache><c:formatCode>General</c:formatCode><c:ptCount val="{len(distances)}"/>{points}</c:numCache>'


def make_band(chart: Any, colour: str) -> None:
    """The first two series of a line chart become a stacked area: a base that is not seen, and the band on it."""
    plot_area = chart._chartSpace.chart.plotArea
    line_chart = plot_area.find(qn("c:lineChart"))
    area = parse_xml(
        f'<c:areaChart {nsdecls("c")}><c:grouping val="stacked"/><c:varyColors val="0"/></c:areaChart>'
    )
    fills = ("<a:noFill/>", f'<a:solidFill><a:srgbClr val="{colour}"><a:alpha val="{int(BAND_OPACITY * 1e5)}"/>'
             "</a:srgbClr></a:solidFill>")  # fmt: skip
    for series, fill in zip(line_chart.findall(qn("c:ser"))[:2], fills, strict=True):
        for name in ("c:marker", "c:smooth", "c:spPr"):
            for found in series.findall(qn(name)):
                series.remove(found)
        shape = parse_xml(f"<c:spPr {nsdecls('c', 'a')}>{fill}<a:ln><a:noFill/></a:ln></c:spPr>")
        series.find(qn("c:tx")).addnext(shape)
        area.append(series)
    for axis in line_chart.findall(qn("c:axId")):
        area.append(copy.deepcopy(axis))
    line_chart.addprevious(area)
    for crossing in plot_area.iter(qn("c:crossBetween")):
        crossing.set("val", "midCat")  # an area begins on the axis; the lines must begin there too


def hide_from_legend(chart: Any, *places: int) -> None:
    """Series that only hold others up are not named."""
    legend = chart._chartSpace.chart.find(qn("c:legend"))
    position = legend.find(qn("c:legendPos"))
    for place in reversed(places):
        entry = f'<c:legendEntry {nsdecls("c")}><c:idx val="{place}"/><c:delete val="1"/></c:legendEntry>'
        position.addnext(parse_xml(entry))


def name_every(chart: Any, every: int, days: bool) -> None:
    """Name every n-th category, so that names stand level; `days`: of a date axis, every n days."""
    plot_area = chart._chartSpace.chart.plotArea
    axis = plot_area.find(qn("c:dateAx" if days else "c:catAx"))
    after = [axis.find(qn(name)) for name in ("c:baseTimeUnit", "c:lblOffset")]
    last = next(found for found in after if found is not None)
    if days:
        last.addnext(parse_xml(f'<c:majorTimeUnit {nsdecls("c")} val="days"/>'))
        last.addnext(parse_xml(f'<c:majorUnit {nsdecls("c")} val="{every}"/>'))
    else:
        last.addnext(parse_xml(f'<c:tickLblSkip {nsdecls("c")} val="{every}"/>'))


def place_plot(chart: Any, left: float, top: float, width: float, height: float) -> None:
    """Where the axes stand within the chart, as shares of it: names of rows need room that no axis leaves."""
    plot_area = chart._chartSpace.chart.plotArea
    for found in plot_area.findall(qn("c:layout")):
        plot_area.remove(found)
    sides = "".join(
        f'<c:{name} val="{value}"/>' for name, value in (("x", left), ("y", top), ("w", width), ("h", height))
    )
    layout = (
        f'<c:layout {nsdecls("c")}><c:manualLayout><c:layoutTarget val="inner"/><c:xMode val="edge"/>'
        f'<c:yMode val="edge"/>{sides}</c:manualLayout></c:layout>'
    )
    plot_area.insert(0, parse_xml(layout))

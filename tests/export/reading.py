"""Reads exported files as their XML says, without the code that wrote them."""

from __future__ import annotations

import io
import zipfile
from typing import Any
from xml.etree import ElementTree

from pptx import Presentation

C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def slides(content: bytes) -> list[Any]:
    return list(Presentation(io.BytesIO(content)).slides)


def charts(slide: Any) -> list[Any]:
    return [shape.chart for shape in slide.shapes if shape.has_chart]


def texts(slide: Any) -> list[str]:
    return [shape.text_frame.text for shape in slide.shapes if shape.has_text_frame]


def tables(slide: Any) -> list[list[list[str]]]:
    found = [shape.table for shape in slide.shapes if shape.has_table]
    return [[[cell.text_frame.text for cell in row.cells] for row in table.rows] for table in found]


def series(chart: Any) -> dict[str, dict[str, list[float | None]]]:
    """By series: its numbers by part of the XML: val, xVal, yVal, plus, minus."""
    root = ElementTree.fromstring(chart.part.blob)
    found = {}
    for one in root.iter(f"{C}ser"):
        name = one.findtext(f"{C}tx/{C}strRef/{C}strCache/{C}pt/{C}v") or ""
        kinds = ("val", "xVal", "yVal", "plus", "minus")
        parts = {kind: part for kind in kinds for part in one.iter(f"{C}{kind}")}
        found[name] = {kind: _numbers(part) for kind, part in parts.items()}
    return found


def refs(chart: Any) -> dict[str, str]:
    """By cell range of the chart's workbook: the numbers the chart has cached of it."""
    root = ElementTree.fromstring(chart.part.blob)
    return {one.findtext(f"{C}f") or "": _numbers(one) for one in root.iter(f"{C}numRef")}  # type: ignore[misc]


def _numbers(part: ElementTree.Element) -> list[float | None]:
    count = int(part.find(f".//{C}ptCount").get("val"))  # type: ignore[union-attr, arg-type]
    points = {
        int(point.get("idx") or 0): float(point.findtext(f"{C}v") or "nan") for point in part.iter(f"{C}pt")
    }
    return [points.get(at) for at in range(count)]


def categories(chart: Any) -> list[str]:
    root = ElementTree.fromstring(chart.part.blob)
    first = next(root.iter(f"{C}cat"))
    return [point.findtext(f"{C}v") or "" for point in first.iter(f"{C}pt")]


def workbook(content: bytes) -> dict[str, dict[str, str | float]]:
    """By sheet: its cells by address. A formula anywhere fails."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        strings = []
        if "xl/sharedStrings.xml" in book.namelist():
            items = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
            strings = ["".join(part.text or "" for part in item.iter(f"{S}t")) for item in items]
        names = [
            one.get("name") or ""
            for one in ElementTree.fromstring(book.read("xl/workbook.xml")).iter(f"{S}sheet")
        ]
        found = {}
        for at, name in enumerate(names, start=1):
            root = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{at}.xml"))
            assert root.find(f".//{S}f") is None, f"{name} has a formula"
            found[name] = {cell.get("r") or "": _cell(cell, strings) for cell in root.iter(f"{S}c")}
    return found


def _cell(cell: ElementTree.Element, strings: list[str]) -> str | float:
    value = cell.findtext(f"{S}v") or ""
    return strings[int(value)] if cell.get("t") == "s" else float(value) if value else ""


def cells_of(sheet: dict[str, str | float], ref: str) -> list[float | None]:
    """The numbers of a range of one column, such as Sheet1!$B$2:$B$9."""
    first, _, last = ref.partition("!")[2].replace("$", "").partition(":")
    letters = first.rstrip("0123456789")
    top, bottom = int(first[len(letters) :]), int((last or first)[len(letters) :])
    cells = [sheet.get(f"{letters}{row}") for row in range(top, bottom + 1)]
    return [None if cell in (None, "") else float(cell) for cell in cells]  # type: ignore[arg-type]


def told(content: bytes) -> str:
    """A deck as text: what a golden file compares."""
    lines = []
    for at, slide in enumerate(slides(content), start=1):
        lines.append(f"== slide {at}")
        lines += [f"text: {text}" for text in texts(slide)]
        for chart in charts(slide):
            lines.append(f"chart: {chart.chart_type.name}")
            for name, parts in series(chart).items():
                lines += [f"  {name} {kind}: {_rounded(numbers)}" for kind, numbers in parts.items()]
            if next(ElementTree.fromstring(chart.part.blob).iter(f"{C}cat"), None) is not None:
                lines.append(f"  names: {categories(chart)}")
        for table in tables(slide):
            lines += [f"  row: {' | '.join(row)}" for row in table]
        if slide.has_notes_slide:
            lines.append(f"notes: {slide.notes_slide.notes_text_frame.text}")
    return "\n".join(lines) + "\n"


def told_book(content: bytes) -> str:
    """A workbook as text."""
    lines = []
    for name, sheet in workbook(content).items():
        lines.append(f"== sheet {name}")
        lines += [
            f"{address}: {_rounded([cell])[0] if isinstance(cell, float) else cell}"
            for address, cell in sheet.items()
        ]
    return "\n".join(lines) + "\n"


def _rounded(numbers: list[float | None]) -> list[float | None]:
    return [None if one is None else float(f"{one:.9g}") for one in numbers]

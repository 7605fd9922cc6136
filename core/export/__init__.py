"""A figure's numbers as files people take elsewhere: CSV and XLSX here, PPTX in core/export/deck.py.

PNG and SVG come from the chart's own button in the browser. Text from telemetry is neutralised: a spreadsheet
runs a cell that starts with = + - @, so such text gets an apostrophe. Nothing here reads a clock: the same figure
gives the same file.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go
import xlsxwriter

from core.amounts import is_currency, money_sign, number

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
_WRITTEN_ON = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


class Source(NamedTuple):
    """Where an exported figure came from: printed at its foot."""

    title: str
    """The finding's sentence."""
    figure: str
    """What this figure shows."""
    scope: str
    as_of: str
    link: str


class Table(NamedTuple):
    """What a figure drew."""

    form: str
    unit: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    also: Mapping[str, Any] = {}
    """What is drawn beside the rows: limit, marks, roles, top, of."""
    note: str = ""
    """What every export of it must say: that its numbers are of demo data."""


def drawn_table(figure: go.Figure) -> Table:
    """The table a chart form left in the figure; a figure made by hand gives its traces' x and y."""
    meta = figure.layout.meta
    if isinstance(meta, dict) and "rows" in meta:
        rows = tuple(tuple(row) for row in meta["rows"])
        own = (*Table._fields, "also")
        also = {name: meta[name] for name in meta if name not in own}
        return Table(meta["form"], meta["unit"], tuple(meta["columns"]), rows, also, meta.get("note", ""))
    points = [
        (trace.name or "", x, y)
        for trace in figure.data
        for x, y in zip(_list(getattr(trace, "x", None)), _list(getattr(trace, "y", None)), strict=False)
    ]
    return Table("points", "", ("trace", "x", "y"), tuple(points))


def _list(values: Iterable[object] | None) -> list[object]:
    return [] if values is None else list(values)


def safe_cell(cell: object) -> object:
    """A cell no spreadsheet takes for a formula; numbers are left alone.

    >>> safe_cell("=HYPERLINK(1)"), safe_cell(-3.5), safe_cell("gpt-4"), safe_cell(" @x")
    ("'=HYPERLINK(1)", -3.5, 'gpt-4', "' @x")
    """
    if isinstance(cell, str) and cell.lstrip(" ").startswith(FORMULA_STARTS):
        return f"'{cell}"
    return cell


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[object]], note: str = "") -> bytes:
    """UTF-8 CSV with a byte order mark, so that spreadsheets read names in any script; null is empty.

    A note stands alone in a first row before the header: a file that must not be taken for measurements may not
    be read by machine without a decision.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    if note:
        writer.writerow([safe_cell(note)])
    writer.writerow([safe_cell(column) for column in columns])
    writer.writerows([["" if cell is None else safe_cell(cell) for cell in row] for row in rows])
    return text.getvalue().encode("utf-8-sig")


def figure_csv(figure: go.Figure) -> bytes:
    """The figure's numbers as CSV."""
    table = drawn_table(figure)
    return csv_bytes(table.columns, table.rows, table.note)


def figure_xlsx(figure: go.Figure, source: Source) -> bytes:
    """A workbook: sheet `data` with the figure's numbers, sheet `source` with what they stand for."""
    table, out = drawn_table(figure), io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(out, options) as book:
        book.set_properties({"title": source.title[:255], "created": _WRITTEN_ON})
        bold = book.add_format({"bold": True})
        number = book.add_format({"num_format": _number_format(table.unit)})
        sheet = book.add_worksheet("data")
        for column, name in enumerate(table.columns):
            sheet.write_string(0, column, name, bold)
        for row, cells in enumerate(table.rows, start=1):
            for column, cell in enumerate(cells):
                _write(sheet, row, column, cell, number)
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, 0, 32)
        notes = book.add_worksheet("source")
        notes.set_column(1, 1, 100)
        told = [("note", table.note)] if table.note else []
        told += [*source._asdict().items(), ("unit", table.unit)]
        for row, (name, text) in enumerate(told):
            notes.write_string(row, 0, name, bold)
            notes.write_string(row, 1, str(safe_cell(text)))
    return out.getvalue()


def _write(
    sheet: xlsxwriter.worksheet.Worksheet,
    row: int,
    column: int,
    cell: object,
    number: xlsxwriter.format.Format | None,
) -> None:
    if isinstance(cell, bool):
        sheet.write_boolean(row, column, cell)
    elif isinstance(cell, int | float) and math.isfinite(cell):
        sheet.write_number(row, column, cell, number)
    elif cell is not None:
        sheet.write_string(row, column, str(safe_cell(cell)))


def _number_format(unit: str) -> str:
    if is_currency(unit):
        return f'"{money_sign(unit)}"#,##0.00####'
    return {"share": "0.00%", "points": "0.00%", "count": "#,##0.##"}.get(unit, "General")


def alt_text(title: str, figure: go.Figure) -> str:
    """The figure in words, for those who do not see it: its title and what it drew, shortened."""
    table = drawn_table(figure)
    if table.form in ("lines", "panels"):
        first_last: dict[str, list[str]] = {}
        for name, at, value, *rest in table.rows:
            unit = rest[2] if table.form == "panels" else table.unit
            first_last.setdefault(str(name), []).append(f"{number(value, unit)} on {at}")
        told = [f"{name} from {values[0]} to {values[-1]}" for name, values in first_last.items()]
    elif table.form == "span_waterfall":
        told = [f"{len(table.rows)} spans"]
    elif table.form == "grid":
        known = [row for row in table.rows if row[2] is not None]
        worst = sorted(known, key=lambda row: -row[2])[:5]
        told = [f"{row[0]} on {row[1]} {number(row[2], table.unit)}" for row in worst]
    elif table.form == "ecdf":
        sides: dict[str, list[float]] = {}
        for name, value, _ in table.rows:
            sides.setdefault(str(name), []).append(value)
        told = [
            f"median of {name} {number(values[len(values) // 2], table.unit)}"
            for name, values in sides.items()
        ]
    elif table.form == "timeline":
        told = [f"{lane} {what} on {at}" for lane, at, what in table.rows]
    elif table.form == "sankey":
        told = [f"{source} to {target} {number(value, table.unit)}" for source, target, value in table.rows]
    else:
        told = [f"{row[0]} {number(row[1], table.unit)}" for row in table.rows if len(row) > 1]
    return f"{title}: " + "; ".join(told[:12])

"""Cells of every workbook: text no spreadsheet runs, numbers in the format of their unit, files that hold no time of day."""

from __future__ import annotations

import datetime as dt
import io
import math
import re
import unicodedata
from typing import TYPE_CHECKING

import xlsxwriter

from core.amounts import is_currency, money_sign

if TYPE_CHECKING:
    from core.export import Table

FORMULA_STARTS = ("=", "+", "-", "@")
MOST_ROWS = 1_048_575
"""Of a sheet, under its header: Excel's own limit."""
_BREAK = re.compile(r"([;\t\r\n])")
_WRITTEN_ON = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_OPTIONS = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}


def starts_formula(text: str) -> bool:
    """Whether a spreadsheet may take the text for a formula, or for one behind a line or cell break.

    Spaces of any script and what cannot be seen do not count, because programs drop them; wide and small forms of
    the signs do, because Excel reads the wide ones where Japanese is typed.

    >>> [starts_formula(text) for text in ("=1", "\N{IDEOGRAPHIC SPACE}@x", "\N{FULLWIDTH EQUALS SIGN}1", "\t1", "a=1")]
    [True, True, True, True, False]
    """
    first = next((at for at in text if at.isprintable() and not at.isspace()), "")
    return text[:1] in ("\t", "\r", "\n") or unicodedata.normalize("NFKC", first).startswith(FORMULA_STARTS)


def safe_cell(cell: object) -> object:
    """A cell no spreadsheet takes for a formula; numbers are left alone.

    >>> safe_cell("=HYPERLINK(1)"), safe_cell(-3.5), safe_cell("gpt-4"), safe_cell(" @x")
    ("'=HYPERLINK(1)", -3.5, 'gpt-4', "' @x")
    """
    return f"'{cell}" if isinstance(cell, str) and starts_formula(cell) else cell


def csv_cell(cell: object) -> object:
    """A cell of a CSV: safe also where a spreadsheet parts cells at semicolons, as Excel does in much of Europe.

    There quotes around a cell do not hold it together, so what follows a break inside of it is a cell of its own.

    >>> csv_cell("a;=1+1"), csv_cell("a;b"), csv_cell("=1")
    ("a;'=1+1", 'a;b', "'=1")
    """
    if not isinstance(cell, str):
        return cell
    parts = _BREAK.split(cell)
    return safe_cell("".join(part if at % 2 else str(safe_cell(part)) for at, part in enumerate(parts)))


def open_book(out: io.BytesIO, title: str = "") -> xlsxwriter.Workbook:
    """A workbook that is written to `out` when it is closed; the same cells give the same bytes."""
    book = xlsxwriter.Workbook(out, _OPTIONS)
    book.set_properties({"title": title[:255], "created": _WRITTEN_ON})
    return book


def cell_format(unit: str) -> str:
    """Excel's format of a unit's numbers in a sheet; "General" for what has none."""
    if is_currency(unit):
        return f'"{money_sign(unit)}"#,##0.00####'
    return {"share": "0.00%", "points": "0.00%", "count": "#,##0.##"}.get(unit, "General")


def write_cell(
    sheet: xlsxwriter.worksheet.Worksheet,
    row: int,
    column: int,
    cell: object,
    number: xlsxwriter.format.Format | None = None,
) -> None:
    """Write a cell by its kind; None and what is not finite leave it empty or as text. `number` formats numbers only."""
    if isinstance(cell, bool):
        sheet.write_boolean(row, column, cell)
    elif isinstance(cell, int | float) and math.isfinite(cell):
        sheet.write_number(row, column, cell, number)
    elif cell is not None:
        sheet.write_string(row, column, str(safe_cell(cell)))


def write_rows(book: xlsxwriter.Workbook, sheet: xlsxwriter.worksheet.Worksheet, table: Table) -> None:
    """A table's rows under the header, each number in the format of its own unit; at most MOST_ROWS."""
    formats: dict[str, xlsxwriter.format.Format] = {}
    for at, row in enumerate(table.rows[:MOST_ROWS], start=1):
        for column, (name, cell) in enumerate(zip(table.columns, row, strict=True)):
            unit = table.unit_of(name, row)
            if unit not in formats:
                formats[unit] = book.add_format({"num_format": cell_format(unit)})
            write_cell(sheet, at, column, cell, formats[unit])

"""A deck as a workbook: one sheet a slide with the numbers that are drawn, and a first sheet that lists them."""

from __future__ import annotations

import io
import re
from typing import Any

from core.export import Table, drawn_table
from core.export.cells import MOST_ROWS, open_book, safe_cell, write_cell, write_rows
from core.export.content import Board, Content, Shown
from core.export.deck import gap_text
from core.export.slide import DEMO

_LISTED = ("sheet", "title", "figure", "audit", "unit", "rows", "scope", "data version", "link", "notes")
_BOARD = ("audit", "status", "reported", "supported", "gap", "low", "high", "unit", "n", "in words")


def deck_xlsx(content: Content) -> bytes:
    """The workbook of a deck. No cell is a formula."""
    out = io.BytesIO()
    with open_book(out, content.name) as book:
        bold = book.add_format({"bold": True})
        first = book.add_worksheet("slides")
        rows: list[tuple[Any, ...]] = []
        for at, board in enumerate(content.boards, start=1):
            name = "board" if len(content.boards) == 1 else f"board {at}"
            rows.append(_listed(name, board.source, "every audit", "", len(board.rows), ""))
            _board_sheet(book.add_worksheet(name), board, bold)
        for at, shown in enumerate(content.shown, start=1):
            name = sheet_name(at, shown.source.figure)
            table = _table_of(shown)
            rows.append(_listed(name, shown.source, shown.audit, table.unit, len(table.rows), shown.notes))
            sheet = book.add_worksheet(name)
            write_rows(book, sheet, table)
            _frame_sheet(sheet, shown, table, bold)
        _list_sheet(first, content, rows, bold)
    return out.getvalue()


def sheet_name(at: int, figure: str) -> str:
    """A sheet's name: its slide's number and figure, without what Excel forbids, at most 31 characters.

    >>> sheet_name(3, "Cost a/b [x]: how to read it")
    '3 Cost a b x'
    """
    words = " ".join(re.sub(r"[\[\]*?/\\']", " ", figure.partition(":")[0]).split())
    printable = "".join(character for character in words if character.isprintable())
    return f"{at} {printable}"[:31].strip()


def _table_of(shown: Shown) -> Table:
    return (
        drawn_table(shown.figure)
        if shown.figure is not None
        else Table("", "", ("missing",), ((shown.missing,),))
    )


def _listed(name: str, source: Any, audit: str, unit: str, rows: int, notes: str) -> tuple[Any, ...]:
    return (
        name,
        source.title,
        source.figure,
        audit,
        unit,
        rows,
        source.scope,
        source.as_of,
        source.link,
        notes,
    )


def _list_sheet(sheet: Any, content: Content, rows: list[tuple[Any, ...]], bold: Any) -> None:
    top = 0
    if content.demo:
        sheet.write_string(0, 0, DEMO, bold)
        top = 1
    for column, name in enumerate(_LISTED):
        sheet.write_string(top, column, name, bold)
    for row, cells in enumerate(rows, start=top + 1):
        for column, cell in enumerate(cells):
            write_cell(sheet, row, column, cell)
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 2, 60)
    sheet.freeze_panes(top + 1, 0)


def _board_sheet(sheet: Any, board: Board, bold: Any) -> None:
    for column, name in enumerate(_BOARD):
        sheet.write_string(0, column, name, bold)
    for row, one in enumerate(board.rows, start=1):
        finding = one.finding
        if finding is None:
            cells: tuple[Any, ...] = (one.title, "not asked yet")
        else:
            cells = (
                one.title, finding.status, finding.reported, finding.supported, finding.gap, finding.low, finding.high,
                finding.unit, finding.n, gap_text(finding),
            )  # fmt: skip
        for column, cell in enumerate(cells):
            write_cell(sheet, row, column, cell)
    sheet.set_column(0, 0, 44)
    sheet.freeze_panes(1, 0)


def _frame_sheet(sheet: Any, shown: Shown, table: Table, bold: Any) -> None:
    """Header with units over a figure's rows, the slide's title beside them."""
    for column, name in enumerate(table.columns):
        sheet.write_string(0, column, str(safe_cell(_headed(name, table))), bold)
    more = len(table.rows) - MOST_ROWS
    sheet.write_string(0, len(table.columns) + 1, str(safe_cell(shown.source.title)))
    if more > 0:
        sheet.write_string(
            1, len(table.columns) + 1, f"{more:,} more rows have no room on a sheet; see the CSV."
        )
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, 0, 32)


def _headed(name: str, table: Table) -> str:
    """A column's name with its unit; panels carry a unit a row."""
    unit = table.unit_of(name)
    return f"{name} ({unit})" if unit else name

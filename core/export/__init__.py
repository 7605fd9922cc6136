"""A figure's numbers as files people take elsewhere. Nothing here reads a clock: the same figure gives the same file.

Every chart form leaves what it drew in `layout.meta` (core/charts/palette.py, `finish`); `drawn_table` reads it, and
every format is written from that table. Start there. Then, by format:

- CSV, and XLSX of one figure: here; `cells` has what all workbooks share, such as text that no spreadsheet runs.
- PPTX: `deck` (one figure, or a whole deck) → `slide` (titles, foot, colours; `template`: a company's own) → `native`,
  `native_lines`, `native_points`, `native_stacks`, `native_tables` (forms as editable chart or table) → `chart_data`.
- XLSX of a deck: `workbook`. What decks are made of, before either format: `content`.
- HTML and PDF of a review: `review_html`, `review_pdf`; their pictures are drawn without a browser: `still` (the figure
  as shapes, with `scales` for its axes and `still_traces` for its traces) → `shapes` (SVG text, or a PDF drawing).

PNG and SVG of a figure on a page come from the chart's own button in the browser.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from core.export.cells import csv_cell, open_book, safe_cell, write_rows
from core.export.told import told_of


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

    def unit_of(self, column: str, row: Sequence[object] = ()) -> str:
        """The unit of a column's numbers; empty for names, places on an axis and what says its unit itself.

        Panels carry a unit a row: theirs is the row's, and empty without one.
        """
        if column == "share":
            return "share"
        if self.form != "dumbbell" and column not in ("value", "low", "high"):
            return ""
        if self.form == "dumbbell" and column == "row":
            return ""
        if "unit" in self.columns:
            return str(row[self.columns.index("unit")]) if row else ""
        return self.unit


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


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[object]], note: str = "") -> bytes:
    """UTF-8 CSV with a byte order mark, so that spreadsheets read names in any script; null is empty.

    A note stands alone in a first row before the header: a file that must not be taken for measurements may not
    be read by machine without a decision.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    if note:
        writer.writerow([csv_cell(note)])
    writer.writerow([csv_cell(column) for column in columns])
    writer.writerows([["" if cell is None else csv_cell(cell) for cell in row] for row in rows])
    return text.getvalue().encode("utf-8-sig")


def figure_csv(figure: go.Figure) -> bytes:
    """The figure's numbers as CSV."""
    table = drawn_table(figure)
    return csv_bytes(table.columns, table.rows, table.note)


def figure_xlsx(figure: go.Figure, source: Source) -> bytes:
    """A workbook: sheet `data` with the figure's numbers, sheet `source` with what they stand for."""
    table, out = drawn_table(figure), io.BytesIO()
    with open_book(out, source.title) as book:
        bold = book.add_format({"bold": True})
        sheet = book.add_worksheet("data")
        for column, name in enumerate(table.columns):
            sheet.write_string(0, column, str(safe_cell(name)), bold)
        write_rows(book, sheet, table)
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


def alt_text(title: str, figure: go.Figure) -> str:
    """The figure in words, for those who do not see it: its title and what it drew, shortened."""
    table = drawn_table(figure)
    return f"{title}: " + "; ".join(told_of(table.form, table.unit, table.rows)[:12])

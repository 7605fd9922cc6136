"""Tables on slides: rows as they are, and a heat map as shaded cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pptx.dml.color import RGBColor
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.oxml.ns import qn
from pptx.util import Emu, Inches, Pt

from core.amounts import number
from core.charts.palette import light
from core.export import Table
from core.export.chart_data import safe_name
from core.export.slide import SlideDeck, rgb
from core.export.template import Box

MOST_ROWS = 15
MOST_COLUMNS = 62
"""Of a heat map: about two months; a narrower cell is no longer seen."""
_NO_STYLE = "{2D5ABB26-0587-4C30-8999-92F81FD0307C}"
_TEXT_FROM = Inches(0.34)
"""A cell as wide as this has room for its number."""


def add_table(
    deck: SlideDeck, slide: Any, header: Sequence[str], body: Sequence[Sequence[str]], box: Box,
    size: float = 12, shares: Sequence[float] = (), row_height: float = 0.32,
) -> Any:  # fmt: skip
    """A plain native table, its header in bold; `shares` divide its width, else the longest texts do."""
    count = len(body) + 1
    frame = slide.shapes.add_table(count, len(header), *box._replace(height=count * Inches(row_height)))
    table = frame.table
    table._tbl.tblPr.find(qn("a:tableStyleId")).text = _NO_STYLE
    table.horz_banding = False
    longest = [max(3, *(len(row[at]) for row in (header, *body))) for at in range(len(header))]
    parts = list(shares) or [min(one, 60) ** 0.8 for one in longest]
    for column, part in zip(table.columns, parts, strict=True):
        column.width = int(box.width * part / sum(parts))
    for row in table.rows:
        row.height = Inches(row_height)
    for at, texts in enumerate((header, *body)):
        for place, text in enumerate(texts):
            write(deck, table.cell(at, place), text, size, "label" if at == 0 else "ink", bold=at == 0)
    return table


def write(deck: SlideDeck, cell: Any, text: str, size: float, role: str, bold: bool = False) -> None:
    """A cell's text, with narrow margins and no fill."""
    cell.margin_left = cell.margin_right = Inches(0.05)
    cell.margin_top = cell.margin_bottom = Inches(0.02)
    cell.fill.background()
    frame = cell.text_frame
    frame.word_wrap = True
    run = frame.paragraphs[0].add_run()
    run.text, run.font.size, run.font.bold = safe_name(text, 400), Pt(size), bold
    deck.look(run, role)


def rows(deck: SlideDeck, slide: Any, table: Table, box: Box, alt: str) -> None:
    """The rows of a form that has no native chart; a last line counts what the slide has no room for."""
    shown = table.rows[:MOST_ROWS]
    body = [
        [_cell_text(cell, _unit(table, name, row)) for cell, name in zip(row, table.columns, strict=True)]
        for row in shown
    ]
    drawn = add_table(deck, slide, [name.replace("_", " ") for name in table.columns], body, box)
    drawn._graphic_frame._element.nvGraphicFramePr.cNvPr.set("descr", safe_name(alt, 900))
    more_rows(deck, slide, len(table.rows) - len(shown), box)


def more_rows(deck: SlideDeck, slide: Any, more: int, box: Box) -> None:
    """What is not on the slide is said."""
    if more > 0:
        at = box._replace(top=box.top + box.height - Inches(0.3), height=Inches(0.3))
        deck.text(slide, f"{more:,} more rows are in the workbook.", at, 11, "label")


def _unit(table: Table, column: str, row: Sequence[object]) -> str:
    """As in the workbook; a column whose name ends in a unit has that one."""
    ending = column.rpartition("_")[2]
    return table.unit_of(column, row) or (ending if ending in ("ms", "s") else "")


def _cell_text(cell: Any, unit: str) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int | float):
        return number(cell, unit)
    return str(cell)


def grid(deck: SlideDeck, slide: Any, table: Table, box: Box, alt: str) -> None:
    """A heat map: a row a name, a column a day. A cross is not final, a circle is too little to tell, empty is no row."""
    names = list(dict.fromkeys(str(row[0]) for row in table.rows))
    every_day = sorted({row[1] for row in table.rows})
    days = every_day[-MOST_COLUMNS:]
    cells = {(str(row[0]), row[1]): row for row in table.rows}
    known = [row[2] for row in table.rows if row[2] is not None]
    top = table.also.get("top") or max(known, default=1.0) or 1.0
    shown = names[:MOST_ROWS]
    name_width = min(int(0.2 * box.width), Inches(0.1) + Emu(int(Pt(6.2))) * max(len(name) for name in shown))
    width = (box.width - name_width) // len(days)
    height = min(Inches(0.7), (box.height - Inches(0.9)) // (len(shown) + 1))
    frame = slide.shapes.add_table(
        len(shown) + 1, len(days) + 1, *box._replace(height=height * (len(shown) + 1))
    )
    frame._element.nvGraphicFramePr.cNvPr.set("descr", safe_name(alt, 900))
    drawn = frame.table
    drawn._tbl.tblPr.find(qn("a:tableStyleId")).text = _NO_STYLE
    for at, column in enumerate(drawn.columns):
        column.width = width if at else name_width
    for row in drawn.rows:
        row.height = height
    write(deck, drawn.cell(0, 0), "", 9, "label")
    _heads(deck, drawn, days)
    for line, name in enumerate(shown, start=1):
        write(deck, drawn.cell(line, 0), safe_name(name, 30), 11, "ink")
        drawn.cell(line, 0).vertical_anchor = MSO_ANCHOR.MIDDLE
        for at, day in enumerate(days, start=1):
            _shade(deck, drawn.cell(line, at), cells.get((name, day)), top, table.unit, width)
    _explain(deck, slide, table, box, frame, (len(every_day) - len(days), len(names) - len(shown)))


def _heads(deck: SlideDeck, drawn: Any, days: Sequence[Any]) -> None:
    """Days by number and month; where they are many, one name a week over its cells."""
    every = 1 if len(days) <= 16 else 7
    for at in range(1, len(days) + 1, every):
        text = str(days[at - 1])
        cell = drawn.cell(0, at)
        if every > 1 and at < len(days):
            cell.merge(drawn.cell(0, min(at + every - 1, len(days))))
        write(deck, cell, f"{text[8:10]}.{text[5:7]}." if len(text) == 10 else text, 9, "label")
        cell.margin_left = cell.margin_right = 0


def _shade(deck: SlideDeck, cell: Any, row: Any, top: float, unit: str, width: int) -> None:
    value = None if row is None else row[2]
    state = "" if row is None else str(row[3])
    text = {"open": "×", "unknown": "○"}.get(state, "")
    if value is not None and width >= _TEXT_FROM:
        text = _short(value, unit) + text
    write(deck, cell, text, 9, "ink")
    cell.margin_left = cell.margin_right = 0
    cell.text_frame.word_wrap = False
    cell.vertical_anchor, cell.text_frame.paragraphs[0].alignment = MSO_ANCHOR.MIDDLE, PP_ALIGN.CENTER
    if value is None or not math.isfinite(value):
        return
    red, green, blue = colour_at(max(0.0, min(1.0, value / top)))
    cell.fill.solid()
    cell.fill.fore_color.rgb = RGBColor(red, green, blue)
    bright = 0.299 * red + 0.587 * green + 0.114 * blue > 140
    for run in cell.text_frame.paragraphs[0].runs:
        run.font.color.rgb = rgb("ink" if bright else "paper")


def _short(value: float, unit: str) -> str:
    if unit in ("share", "points"):
        return f"{100 * value:.0f}%"
    size = abs(value)
    if size >= 999_500:
        return f"{value / 1e6:.1f}M"
    return f"{value:.1f}" if size < 10 else f"{value:.0f}" if size < 1000 else f"{value / 1000:.0f}k"


def colour_at(place: float) -> tuple[int, int, int]:
    """The page's colour scale: light at 0, loss in the middle, dark at 1."""
    stops = [bytes.fromhex(light(role)[1:]) for role in ("useful", "loss", "warn")]
    first, within = (0, place * 2) if place < 0.5 else (1, place * 2 - 1)
    mixed = [round(a + (b - a) * within) for a, b in zip(stops[first], stops[first + 1], strict=True)]
    return mixed[0], mixed[1], mixed[2]


def _explain(
    deck: SlideDeck, slide: Any, table: Table, box: Box, frame: Any, left_out: tuple[int, int]
) -> None:
    known = [row[2] for row in table.rows if row[2] is not None]
    told = ["A row a name, a column a day; darker is more."]
    if known:
        told.append(f"From {number(min(known), table.unit)} to {number(max(known), table.unit)}.")
    states = {str(row[3]) for row in table.rows}
    told += ["× may still change."] if "open" in states else []
    told += ["○ too little to tell."] if "unknown" in states else []
    told += [f"The oldest {left_out[0]} columns are in the workbook."] if left_out[0] else []
    told += [f"{left_out[1]} more rows are in the workbook."] if left_out[1] else []
    top = int(frame.top) + sum(int(row.height) for row in frame.table.rows) + Inches(0.1)
    deck.text(slide, " ".join(told), box._replace(top=top, height=Inches(0.3)), 11, "label")

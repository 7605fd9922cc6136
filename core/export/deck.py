"""Figures as slides: one figure alone, or a deck with its summary, its figures and how they were made.

Titles are sentences; the foot is scope, data version and link. Every slide of demo data says so.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import plotly.graph_objects as go
from pptx.util import Emu, Inches

from core.amounts import count, interval, is_currency, number
from core.audit import Finding
from core.export import Source, alt_text, drawn_table
from core.export.content import Board, BoardRow, Content, Method, Shown
from core.export.native import draw
from core.export.native_tables import add_table, write
from core.export.slide import SlideDeck, rgb

STATUS_ROLES = {"holds": "good", "watch": "warn", "broken": "loss", "cannot tell": "label"}
_BOARD_COLUMNS = ("Audit", "Status", "Reported", "Supported", "Gap, with its interval", "n")
_BOARD_SHARES = (3.0, 1.1, 2.4, 2.4, 2.8, 0.9)
_ROWS_A_SLIDE = 10
_METHOD_SIZE = 11
MOST_MARKS = 4


def figure_pptx(figure: go.Figure, source: Source, demo: bool = False) -> bytes:
    """A 16:9 deck of one slide."""
    deck = SlideDeck(demo=demo, note=drawn_table(figure).note)
    _figure_slide(deck, Shown(source, "", figure, ""))
    return deck.saved()


def deck_pptx(content: Content, template: bytes | None = None) -> bytes:
    """Summary, one slide a figure, appendix; raises BadTemplate for a template that cannot carry slides."""
    deck = SlideDeck(template, content.demo)
    deck.presentation.core_properties.title = content.name
    for board in content.boards:
        _board_slides(deck, board)
    for shown in content.shown:
        _figure_slide(deck, shown)
    for method in content.methods:
        _method_slides(deck, method)
    return deck.saved()


def _figure_slide(deck: SlideDeck, shown: Shown) -> None:
    table = drawn_table(shown.figure) if shown.figure is not None else None
    marks = (table.also.get("marks") or []) if table else []
    more = unit_text(table.unit if table else "") + marks_text(marks)
    caption = f"{shown.source.figure.removesuffix('.')}.{more}" if more else shown.source.figure
    slide, place = deck.slide(shown.source.title, caption, shown.source, shown.notes)
    if shown.figure is None or table is None:
        deck.text(slide, f"This figure cannot be drawn. {shown.missing}", place, 16, "ink")
        return
    draw(deck, slide, table, place, alt_text(shown.source.figure, shown.figure))


def unit_text(unit: str) -> str:
    """What the axis counts, where its numbers do not say so themselves."""
    plain = not unit or unit in ("count", "share", "points") or is_currency(unit)
    return "" if plain else f" In {unit}."


def marks_text(marks: Sequence[Sequence[str]]) -> str:
    """Change events in words: a native chart has no place for them on its axis.

    >>> marks_text([["2026-03-02", "release"]])
    ' Changes: 2026-03-02 release.'
    """
    if not marks:
        return ""
    told = "; ".join(f"{at} {title[:60]}" for at, title in marks[:MOST_MARKS])
    more = f"; {len(marks) - MOST_MARKS} more" if len(marks) > MOST_MARKS else ""
    return f" Changes: {told}{more}."


def _board_slides(deck: SlideDeck, board: Board) -> None:
    pages = [board.rows[at : at + _ROWS_A_SLIDE] for at in range(0, len(board.rows), _ROWS_A_SLIDE)] or [()]
    for at, rows in enumerate(pages):
        of = f" ({at + 1} of {len(pages)})" if len(pages) > 1 else ""
        slide, place = deck.slide(board.source.title + of, board.source.figure, board.source)
        body = [board_cells(row) for row in rows]
        height = min(0.6, Emu(place.height).inches / (len(body) + 1))
        size = 13 if len(body) <= 6 and place.width > Inches(11) else 11 if place.width > Inches(11) else 9
        table = add_table(deck, slide, _BOARD_COLUMNS, body, place, size, _BOARD_SHARES, height)
        for line, row in enumerate(rows, start=1):
            status = row.finding.status if row.finding else "cannot tell"
            cell = table.cell(line, 1)
            cell.text_frame.clear()
            write(deck, cell, body[line - 1][1], size, "ink", bold=True)
            cell.text_frame.paragraphs[0].runs[0].font.color.rgb = rgb(STATUS_ROLES[status])


def board_cells(row: BoardRow) -> list[str]:
    """An audit's row of the summary: what is not known is said, never a zero."""
    finding = row.finding
    if finding is None:
        return [row.title, "not asked yet", "", "", "", ""]
    note = f" ({row.note})" if row.note else ""
    return [
        row.title + note, finding.status, finding.reported, finding.supported, gap_text(finding), count(finding.n)
    ]  # fmt: skip


def gap_text(finding: Finding) -> str:
    """The gap with its interval, or what is missing."""
    if finding.gap is None:
        return f"missing: {finding.missing[:90]}" if finding.missing else "unknown"
    known = finding.low is not None and finding.high is not None
    bounds = (
        f"{finding.bounds} {interval(finding.low, finding.high, finding.unit)}" if known else "no interval"
    )
    return f"{number(finding.gap, finding.unit)}, {bounds}"


def _method_slides(deck: SlideDeck, method: Method) -> None:
    """As many slides as the text needs at a size that can be read."""
    room = deck.place()
    in_line = int(Emu(room.width).pt / (0.57 * _METHOD_SIZE))
    pages = paged(method.text, in_line, int(Emu(room.height).pt / (1.22 * _METHOD_SIZE)))
    for at, told in enumerate(pages):
        of = f" ({at + 1} of {len(pages)})" if len(pages) > 1 else ""
        slide, place = deck.slide(method.source.title + of, method.source.figure, method.source)
        deck.text(slide, told, place, _METHOD_SIZE, "ink")


def paged(text: str, in_line: int, lines: int) -> list[str]:
    """A text as pages of so many lines; a paragraph's own line ends are of the editor, so they go.

    >>> paged("one two\\nthree\\n\\nfour", 9, 2)
    ['one two three', 'four']
    """
    pages: list[str] = [""]
    used = 0
    for paragraph in text.split("\n\n"):
        wrapped = textwrap.wrap(" ".join(paragraph.split()), in_line) or [""]
        while wrapped:
            if used >= lines:
                pages.append("")
                used = 0
            taken, wrapped = wrapped[: lines - used], wrapped[lines - used :]
            pages[-1] += ("\n\n" if pages[-1] else "") + " ".join(taken)
            used += len(taken) + 1
    return pages

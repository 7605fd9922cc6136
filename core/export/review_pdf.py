"""A review as PDF, made in this process from the same document as the HTML.

reportlab, because it is pure Python, brings a font and draws vectors: WeasyPrint needs Pango on the machine, and a browser
is what a server has not. Every text is escaped before it becomes a paragraph, whose own tags are reportlab's.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from core import markdown
from core.export.review_html import AS_TOLD_TODAY, DEMO
from core.export.shapes import Label, Picture, drawing
from core.export.still import still
from core.review_document import (
    Document,
    Drawn,
    Section,
    change_text,
    figure_rows,
    scope_line,
    table_rows,
    verdict_rows,
)
from core.reviews import Note

MOST_ROWS = 25
MOST_CELL_CHARACTERS = 240
MOST_COLUMNS = 9
"""More do not fit a page's width: they are named, and the HTML has them."""
_FONT_FOLDERS = ("/usr/share/fonts/truetype/dejavu", "/usr/share/fonts/dejavu", "/usr/share/fonts/TTF")
_REPLACED = {"→": "->", "□": "?", "⟶": "->", "Δ": "delta", "\t": "    ", "\N{NO-BREAK SPACE}": " "}


@functools.cache
def fonts() -> tuple[str, str, Callable[[str], str]]:
    """Names of the plain and the bold font, and a function that leaves only what they can draw.

    DejaVu where the machine has it (Latin, Greek, Cyrillic, Arabic), else reportlab's own Vera (Latin). A character that
    neither has is written as its code point, so that no name is lost.
    """
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    folder = next((Path(one) for one in _FONT_FOLDERS if (Path(one) / "DejaVuSans-Bold.ttf").is_file()), None)
    plain, bold = (
        (str(folder / "DejaVuSans.ttf"), str(folder / "DejaVuSans-Bold.ttf"))
        if folder
        else ("Vera.ttf", "VeraBd.ttf")
    )
    known: set[int] = set()
    for name, file in (("Trueup", plain), ("TrueupBold", bold)):
        font = TTFont(name, file)
        pdfmetrics.registerFont(font)
        known = set(font.face.charToGlyph) if not known else known & set(font.face.charToGlyph)
    pdfmetrics.registerFontFamily("Trueup", "Trueup", "TrueupBold", "Trueup", "TrueupBold")

    def drawable(text: str) -> str:
        return "".join(
            one if ord(one) in known or one == "\n" else _REPLACED.get(one) or f"[U+{ord(one):04X}]"
            for one in text
        )

    return "Trueup", "TrueupBold", drawable


class _Page:
    """Styles, and the pieces of a page made with them."""

    def __init__(self, demo: bool) -> None:
        from reportlab.lib.colors import HexColor
        from reportlab.lib.styles import ParagraphStyle

        self.font, self.bold, self.drawable = fonts()
        self.demo = demo
        ink, grey = HexColor("#0F172A"), HexColor("#55627A")

        def style(
            size: float, lead: float, colour: Any = ink, bold: bool = False, **more: Any
        ) -> ParagraphStyle:
            name = self.bold if bold else self.font
            return ParagraphStyle(
                f"s{size}{bold}", None, fontName=name, fontSize=size, leading=lead, textColor=colour, **more
            )

        self.styles = {
            "title": style(18, 23, bold=True, spaceAfter=4),
            "head": style(13, 17, bold=True, spaceBefore=4, spaceAfter=2),
            "sub": style(10.5, 14, bold=True, spaceBefore=8, spaceAfter=1),
            "text": style(9.5, 13, spaceAfter=3),
            "small": style(8, 11, grey, spaceAfter=2),
            "cell": style(7.5, 9.5),
            "demo": style(
                11,
                15,
                HexColor("#FFFFFF"),
                True,
                backColor=HexColor("#5B21B6"),
                borderPadding=5,
                spaceAfter=10,
            ),
        }

    def words(self, text: str, style: str = "text") -> Any:
        return self.marked(escape(self.drawable(text), quote=False), style)

    def marked(self, xml: str, style: str = "text", bullet: str | None = None) -> Any:
        """A paragraph of text that is escaped already."""
        from reportlab.platypus import Paragraph

        return Paragraph(xml, self.styles[style], bulletText=bullet)

    def link(self, target: str) -> Any:
        shown = escape(self.drawable(target))
        if not target.startswith(("http://", "https://")):
            return self.marked(shown, "small")
        return self.marked(f'<a href="{shown}" color="#1D4ED8">{shown}</a>', "small")

    def code(self, text: str) -> Any:
        from reportlab.lib.styles import ParagraphStyle
        from reportlab.platypus import Preformatted

        look = ParagraphStyle("code", None, fontName=self.font, fontSize=7, leading=9, spaceAfter=4)
        # Preformatted takes its text as it is: nothing in it is read as a tag.
        return Preformatted(self.drawable(text), look, maxLineLength=120, newLineChars="")


def review_pdf(made: Document) -> bytes:
    """The whole file; the same document gives the same bytes."""
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    page, out = _Page(made.demo), io.BytesIO()
    prefix = "[Demo data] " if made.demo else ""
    template = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=42, rightMargin=42, topMargin=48, bottomMargin=44, invariant=1,
        title=prefix + made.review.name, author=made.review.author, lang="en",
    )  # fmt: skip
    width = template.width - 12
    story = [page.words(DEMO, "demo")] if made.demo else []
    story += [
        page.words(made.review.name, "title"),
        page.words(
            f"Incident review by {made.review.author}, begun {made.review.at:%Y-%m-%d %H:%M} UTC. This copy was made "
            f"{made.made_at:%Y-%m-%d %H:%M} UTC; “now” is import {made.as_of}.",
            "small",
        ),
        page.link(made.link),
        *_notes(page, made.notes),
    ]
    for section in made.sections:
        story += _section(page, section, made, width)

    def furniture(canvas: Any, _template: Any) -> None:
        _furniture(page, canvas, made, A4)

    template.build(story, onFirstPage=furniture, onLaterPages=furniture)
    return out.getvalue()


def _furniture(page: _Page, canvas: Any, made: Document, size: tuple[float, float]) -> None:
    """Foot of every page; demo data are also named across it and at its head."""
    from reportlab.lib.colors import HexColor

    canvas.saveState()
    canvas.setFont(page.font, 7.5)
    canvas.setFillColor(HexColor("#55627A"))
    canvas.drawString(42, 26, page.drawable(made.review.name)[:100])
    canvas.drawRightString(size[0] - 42, 26, f"page {canvas.getPageNumber()}")
    if made.demo:
        canvas.setFillColor(HexColor("#5B21B6"))
        canvas.setFont(page.bold, 9)
        canvas.drawRightString(size[0] - 42, size[1] - 32, DEMO)
        canvas.setFillAlpha(0.08)
        canvas.setFont(page.bold, 90)
        canvas.translate(size[0] / 2, size[1] / 2)
        canvas.rotate(52)
        canvas.drawCentredString(0, -30, "DEMO DATA")
    canvas.restoreState()


def _section(page: _Page, section: Section, made: Document, width: float) -> list[Any]:
    from reportlab.platypus import HRFlowable, Spacer

    saved, then, now = section.saved, section.saved.finding, section.compared.now
    story = [
        Spacer(1, 12), HRFlowable(width="100%", color="#E2E8F0"), page.words(saved.name, "head"),
        page.words(f"{section.title}. {section.question}", "small"),
        page.words(f"{scope_line(saved)}. Saved {saved.at:%Y-%m-%d %H:%M} UTC by {saved.author}.", "small"),
        page.link(section.link), page.words(f"{then.status}: {then.sentence}"),
        *([page.words(f"Missing: {then.missing}")] if then.missing else []),
        _table(page, ("", "then", "now"), verdict_rows(section), width),
        *([page.words(f"Now: {now.sentence}")] if now is not None and now.sentence != then.sentence else []),
        page.words(change_text(section, made.as_of)),
    ]  # fmt: skip
    if section.compared.past_changes:
        told = "; ".join(f"{one.what}: {one.then} → {one.now}" for one in section.compared.past_changes)
        story.append(page.words(f"{section.compared.moved} {told}. {AS_TOLD_TODAY}"))
    story += _notes(page, section.notes)
    for drawn in section.figures:
        story += _figure(page, drawn, width)
    for title, rows in section.tables.items():
        story += _listing(page, title, *table_rows(rows), width)
    if section.method:
        story += [page.words("Method", "sub"), page.code(section.method)]
    return story


def _figure(page: _Page, drawn: Drawn, width: float) -> list[Any]:
    from reportlab.platypus import KeepTogether

    picture = still(drawn.figure)
    texts = [
        shape._replace(text=page.drawable(shape.text)) if isinstance(shape, Label) else shape
        for shape in picture.shapes
    ]
    wide = min(width, 640 * picture.width / picture.height)  # the tallest still fits a page under its title
    made = drawing(Picture(picture.width, picture.height, texts), wide, page.font, page.bold)
    head = [page.words(drawn.title, "sub"), *([page.words(drawn.caption, "small")] if drawn.caption else [])]
    return [KeepTogether([*head, made]), *_listing(page, "", *figure_rows(drawn.figure), width)]


def _listing(
    page: _Page, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], width: float
) -> list[Any]:
    told = [page.words(title, "sub")] if title else []
    left = [f"the first {MOST_ROWS} of {len(rows):,} rows"] if len(rows) > MOST_ROWS else []
    left += [f"without {', '.join(columns[MOST_COLUMNS:])}"] if len(columns) > MOST_COLUMNS else []
    kept = [row[:MOST_COLUMNS] for row in rows[:MOST_ROWS]]
    shown = [_table(page, columns[:MOST_COLUMNS], kept, width)] if rows and columns else []
    note = [page.words(f"Shown: {'; '.join(left)}. The HTML copy and the page's CSV have more.", "small")]
    return [*told, *shown, *(note if left else [])]


def _table(page: _Page, columns: Sequence[str], rows: Sequence[Sequence[str]], width: float) -> Any:
    from reportlab.platypus import Table, TableStyle

    cells = [[page.words(_cut(cell), "cell") for cell in row] for row in (columns, *rows)]
    weights = [max(9, min(40, max(len(row[at]) for row in (columns, *rows)))) for at in range(len(columns))]
    made = Table(cells, colWidths=[width * weight / sum(weights) for weight in weights], repeatRows=1)
    made.setStyle(
        TableStyle(
            [
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, "#E2E8F0"), ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 3), ("RIGHTPADDING", (0, 0), (-1, -1), 3),
                ("TOPPADDING", (0, 0), (-1, -1), 1.5), ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
                ("BACKGROUND", (0, 0), (-1, 0), "#F5F7FA"),
            ]
        )
    )  # fmt: skip
    return made


def _cut(cell: str) -> str:
    """A row must fit a page."""
    return cell if len(cell) <= MOST_CELL_CHARACTERS else f"{cell[: MOST_CELL_CHARACTERS - 1]}…"


def _notes(page: _Page, notes: Sequence[Note]) -> list[Any]:
    story: list[Any] = []
    for note in notes:
        story.append(page.words(f"{note.author}, {note.at:%Y-%m-%d %H:%M} UTC", "small"))
        for block in markdown.blocks(note.text):
            if block.kind == "code":
                story.append(page.code("\n".join(line[0].text for line in block.lines)))
                continue
            for at, line in enumerate(block.lines, 1):
                lead = {"bullets": "•  ", "numbers": f"{at}.  "}.get(block.kind, "")
                story.append(page.marked(lead + "".join(_inline(page, one) for one in line)))
    return story


def _inline(page: _Page, span: markdown.Span) -> str:
    text = escape(page.drawable(span.text))
    if span.style == "link":
        target = escape(span.target)
        link = f'<a href="{target}" color="#1D4ED8">{text}</a>'
        return link if span.text == span.target else f"{link} ({target})"
    tag = {"bold": "b", "italic": "i"}.get(span.style)
    return f"<{tag}>{text}</{tag}>" if tag else text

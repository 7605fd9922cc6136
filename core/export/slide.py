"""One slide: its title, caption, foot, demo mark and notes, on the house's own page or on a corporate template's."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from pptx import Presentation
from pptx.dml.color import RGBColor
from pptx.enum.dml import MSO_PATTERN, MSO_THEME_COLOR
from pptx.enum.shapes import MSO_SHAPE
from pptx.enum.text import MSO_ANCHOR, MSO_AUTO_SIZE, PP_ALIGN
from pptx.util import Emu, Inches, Pt

from core.charts.palette import PATTERNS, light
from core.export import Source
from core.export.template import Box, Template, open_template

DEMO = "DEMO DATA"
_FONT = "Inter"
_WIDE, _HIGH = Inches(13.333), Inches(7.5)
_CHARACTER = 0.56
"""Width of an average character in font sizes, a little more than Inter's, so that text rather fits than not."""
_LINE = 1.22
_WRITTEN_ON = (2000, 1, 1, 0, 0, 0)


class SlideDeck:
    """A presentation in the making: makes its slides, and knows the look of everything that stands on them."""

    def __init__(self, template: bytes | None = None, demo: bool = False, note: str = "") -> None:
        self.template: Template | None = open_template(template) if template else None
        presentation: Any = self.template.presentation if self.template else Presentation()
        self.presentation = presentation
        self.demo = demo or bool(note)
        self.note = note or DEMO
        if self.template is None:
            self.presentation.slide_width, self.presentation.slide_height = _WIDE, _HIGH
        self.width, self.height = self.presentation.slide_width, self.presentation.slide_height

    def slide(self, title: str, caption: str, foot: Source, notes: str = "") -> tuple[Any, Box]:
        """A new slide, and the place that is left for what it shows."""
        layout = self.template.layout if self.template else self.presentation.slide_layouts[5]
        slide = self.presentation.slides.add_slide(layout)
        for empty in [one for one in slide.placeholders if one.placeholder_format.idx != 0]:
            empty._element.getparent().remove(empty._element)  # else the editor shows "Click to add text"
        place = self._title(slide, title)
        if caption:
            place = self._caption(slide, caption, place)
        self._foot(slide, foot, place)
        if self.demo:
            self._mark(slide)
        if notes.strip():
            slide.notes_slide.notes_text_frame.text = printable(notes, lines=True)
        return slide, place

    def place(self) -> Box:
        """What is free under the title and above the foot."""
        return (
            self.template.place
            if self.template
            else Box(Inches(0.6), Inches(1.45), Inches(12.1), Inches(5.45))
        )

    def _title(self, slide: Any, text: str) -> Box:
        shape = slide.shapes.title
        place = self.place()
        if self.template is None:
            shape.left, shape.top = Inches(0.6), Inches(0.38)
            shape.width, shape.height = Inches(12.1), Inches(1.0)
            shape.text_frame.vertical_anchor = MSO_ANCHOR.TOP
            shape.text_frame.margin_left = 0
        frame = shape.text_frame
        frame.word_wrap, frame.auto_size = True, MSO_AUTO_SIZE.NONE
        frame.text = printable(text)
        paragraph = frame.paragraphs[0]
        room = int(0.93 * shape.width), int(0.85 * shape.height)  # bold is wider, and frames have margins
        size = fitting_size(text, *room, 24)
        for run in paragraph.runs:
            run.font.size = Pt(size)
            if self.template is None:
                run.font.bold, run.font.name = True, _FONT
                run.font.color.rgb = rgb("ink")
        if self.template is None:
            paragraph.alignment = PP_ALIGN.LEFT
        return place

    def _caption(self, slide: Any, text: str, place: Box) -> Box:
        size, height = 12, Inches(0.3)
        if len(text) * size * _CHARACTER > Emu(place.width).pt:
            size, height = 11, Inches(0.48)
        self.text(slide, text, place._replace(height=height), size, "label")
        return place._replace(top=place.top + height, height=place.height - height)

    def _foot(self, slide: Any, source: Source, place: Box) -> None:
        """Scope, data version and link. Long links break over lines, and the type shrinks before they are cut."""
        top = place.top + place.height + Inches(0.06)
        end = self.template.bottom if self.template else self.height - Inches(0.08)
        box = Box(place.left, top, place.width, end - top)
        before = f"{self.note} · " if self.demo else ""
        told = f"{before}{source.scope} · {source.as_of} · "
        size = fitting_size(told + source.link, box.width, box.height, 10, least=7)
        frame = self.text(slide, told, box, size, "label")
        run = frame.paragraphs[0].add_run()
        run.text, run.font.size = printable(source.link), Pt(size)
        if source.link.startswith(("http://", "https://")):
            run.hyperlink.address = source.link
        self.look(run, "label")

    def _mark(self, slide: Any) -> None:
        width, height = Inches(1.5), Inches(0.3)
        left = self.width - width - Inches(0.25)
        shape = slide.shapes.add_shape(MSO_SHAPE.RECTANGLE, left, Inches(0.08), width, height)
        shape.fill.solid()
        shape.fill.fore_color.rgb = rgb("other")
        shape.line.fill.background()
        shape.name = DEMO
        frame = shape.text_frame
        frame.text = DEMO
        run = frame.paragraphs[0].runs[0]
        run.font.size, run.font.bold, run.font.color.rgb = Pt(13), True, rgb("paper")
        frame.paragraphs[0].alignment = PP_ALIGN.CENTER

    def text(self, slide: Any, text: str, box: Box, size: float, role: str, bold: bool = False) -> Any:
        """A text box, one paragraph a line; returns its frame."""
        frame = slide.shapes.add_textbox(*box).text_frame
        frame.word_wrap = True
        frame.margin_left = frame.margin_right = 0
        frame.margin_top = frame.margin_bottom = Inches(0.02)
        for at, line in enumerate(text.split("\n")):
            paragraph = frame.paragraphs[0] if at == 0 else frame.add_paragraph()
            run = paragraph.add_run()
            run.text, run.font.size, run.font.bold = printable(line), Pt(size), bold
            self.look(run, role)
        return frame

    def look(self, run: Any, role: str) -> None:
        """The house's font and colours; a template has its own, and its paper may be dark."""
        if self.template is None:
            run.font.name = _FONT
            run.font.color.rgb = rgb(role)
        else:
            run.font.color.theme_color = MSO_THEME_COLOR.TEXT_1

    def chart_font(self, chart: Any, size: float) -> None:
        """The font of a chart's axes and legend; +mn-lt is the theme's body font."""
        chart.font.size = Pt(size)
        chart.font.name = "+mn-lt" if self.template else _FONT
        if self.template is None:
            chart.font.color.rgb = rgb("label")
        else:
            chart.font.color.theme_color = MSO_THEME_COLOR.TEXT_1

    def saved(self) -> bytes:
        """The file. The same slides give the same bytes: a ZIP would hold the time of day."""
        out, fixed = io.BytesIO(), io.BytesIO()
        self.presentation.save(out)
        with zipfile.ZipFile(out) as parts, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as written:
            for part in parts.infolist():
                written.writestr(
                    zipfile.ZipInfo(part.filename, _WRITTEN_ON), parts.read(part), zipfile.ZIP_DEFLATED
                )
        return fixed.getvalue()


def rgb(role: str) -> Any:
    """A role's light colour."""
    return RGBColor.from_string(light(role)[1:])


def paint(format_: Any, role: str) -> None:
    """Fill bars with a role's colour, and its pattern, which a black-and-white print still shows."""
    if role in PATTERNS:
        format_.fill.patterned()
        format_.fill.pattern = {
            "loss": MSO_PATTERN.WIDE_UPWARD_DIAGONAL, "muted": MSO_PATTERN.DIAGONAL_CROSS,
            "warn": MSO_PATTERN.WIDE_DOWNWARD_DIAGONAL, "other": MSO_PATTERN.PERCENT_20,
        }[role]  # fmt: skip
        format_.fill.fore_color.rgb, format_.fill.back_color.rgb = rgb("paper"), rgb(role)
    else:
        format_.fill.solid()
        format_.fill.fore_color.rgb = rgb(role)
    format_.line.color.rgb = rgb(role)


def printable(text: str, lines: bool = False) -> str:
    """What a slide can hold: no control characters, which XML refuses; with `lines` line ends stay."""
    return "".join(
        character for character in text if character.isprintable() or (lines and character == "\n")
    )


def fitting_size(text: str, width: int, height: int, largest: int, least: int = 11) -> int:
    """The largest font size, pt, at which a text probably fits a place given in EMU."""
    for size in range(largest, least, -1):
        in_line = max(1, int(Emu(width).pt / (_CHARACTER * size)))
        lines = -(-len(text) // in_line) + (1 if len(text) > in_line else 0) * 0.3
        if lines * _LINE * size <= Emu(height).pt:
            return size
    return least

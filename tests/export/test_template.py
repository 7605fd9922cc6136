"""A corporate template is used when it can carry slides; anything else is refused with a reason."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pptx import Presentation
from pptx.util import Inches

from core.charts import Bar, bars
from core.export import Source
from core.export import template as templates
from core.export.content import Board, BoardRow, Content, Method, Shown
from core.export.deck import deck_pptx
from core.export.template import BadTemplate, open_template, told
from tests.export.reading import charts, slides, texts

SOURCE = Source("A finding.", "A figure", "2026-03-01 to 2026-03-28", "as of import 7", "http://x/?as_of=7")


def corporate(keep: tuple[int, ...] = tuple(range(11)), wide: bool = True) -> bytes:
    """A template with a sample slide, a font of its own and some of the usual layouts."""
    deck: Any = Presentation()
    if wide:
        deck.slide_width = Inches(13.333)
    deck.slides.add_slide(deck.slide_layouts[0]).shapes.title.text = "A sample that must not be shown"
    layouts = deck.slide_layouts
    for at in reversed(range(len(layouts))):
        if at not in keep and at != 0:
            layouts.remove(layouts[at])
    if 0 not in keep:
        deck.part.drop_rel(deck.slides._sldIdLst[0].rId)
        deck.slides._sldIdLst.remove(deck.slides._sldIdLst[0])
        layouts.remove(layouts[0])
    out = io.BytesIO()
    deck.save(out)
    return out.getvalue()


def content(demo: bool = False) -> Content:
    shown = Shown(SOURCE, "retry_ledger", bars([Bar("a", 1, 0, 2)], "count"), "Say this.")
    board = Board(SOURCE._replace(title="1 of 1 audits asked"), (BoardRow("The retry", None),))
    return Content("Budget", (board,), (shown,), (Method(SOURCE, "How.\n\nn = 3"),), demo)


def test_slides_use_the_templates_layout_and_no_font_of_ours() -> None:
    made = slides(deck_pptx(content(), corporate()))
    assert len(made) == 3  # the sample is gone
    assert {slide.slide_layout.name for slide in made} == {"Title Only"}
    assert made[1].shapes.title.text_frame.text == "A finding."
    runs = [
        run
        for shape in made[1].shapes
        if shape.has_text_frame
        for paragraph in shape.text_frame.paragraphs
        for run in paragraph.runs
    ]
    assert {run.font.name for run in runs} == {None}
    (chart,) = charts(made[1])
    assert chart.font.name == "+mn-lt"
    assert made[1].notes_slide.notes_text_frame.text == "Say this."


def test_samples_leave_no_part_in_the_file() -> None:
    with zipfile.ZipFile(io.BytesIO(deck_pptx(content(), corporate()))) as parts:
        assert sum(name.startswith("ppt/slides/slide") for name in parts.namelist()) == 3
        assert not any(b"must not be shown" in parts.read(name) for name in parts.namelist())


@pytest.mark.parametrize("wide", [True, False])
def test_everything_stays_on_the_page(wide: bool) -> None:
    made = slides(deck_pptx(content(demo=True), corporate(wide=wide)))
    width = Inches(13.333) if wide else Inches(10)
    for slide in made:
        assert "DEMO DATA" in texts(slide)
        for shape in slide.shapes:
            assert shape.left >= 0
            assert shape.left + shape.width <= width
            assert shape.top >= 0
            assert shape.top + shape.height <= Inches(7.5)


def test_without_title_only_the_emptiest_layout_with_a_title_is_taken() -> None:
    assert "'Title and Content'" in told(corporate(keep=(0, 1)))


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        (b"", "is damaged or is no .pptx"),
        (b"not a zip at all", "is damaged or is no .pptx"),
        (corporate()[:20_000], "is damaged or is no .pptx"),
        (corporate(keep=(6,)), "No layout of the file has a title"),
    ],
)
def test_a_file_that_cannot_carry_slides_is_refused(damaged: bytes, why: str) -> None:
    with pytest.raises(BadTemplate, match=why):
        open_template(damaged)


def rezipped(change: dict[str, bytes | None], packed: int = zipfile.ZIP_STORED) -> bytes:
    """The corporate template with parts replaced, added or left out."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(corporate())) as parts, zipfile.ZipFile(out, "w", packed) as written:
        for name in parts.namelist():
            if change.get(name, b"") is not None:
                written.writestr(name, change.get(name) or parts.read(name))
        for name in change.keys() - set(parts.namelist()):
            written.writestr(name, change[name] or b"")
    return out.getvalue()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"ppt/vbaProject.bin": b"x"}, "holds macros"),
        ({"ppt/presentation.xml": None}, "holds no presentation"),
        ({"ppt/presentation.xml": b"<p:broken"}, "does not open as a presentation"),
        ({"ppt/slideMasters/slideMaster1.xml": b"<a/>"}, "does not open as a presentation"),
    ],
)
def test_a_presentation_that_is_broken_inside_is_refused(change: dict[str, bytes | None], why: str) -> None:
    with pytest.raises(BadTemplate, match=why):
        open_template(rezipped(change))


def test_a_flipped_byte_is_found() -> None:
    whole = bytearray(corporate())
    place = whole.index(b"ppt/slideMasters/slideMaster1.xml") + 400  # inside that part's compressed bytes
    whole[place] ^= 0xFF
    with pytest.raises(BadTemplate, match="damaged"):
        open_template(bytes(whole))


def test_size_is_looked_at_before_anything_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "MOST_MIB", 0)
    with pytest.raises(BadTemplate, match="more than 0 MiB"):
        open_template(corporate())
    monkeypatch.undo()
    monkeypatch.setattr(templates, "_MOST_UNPACKED", 1000)
    with pytest.raises(BadTemplate, match="unpacks to more than"):
        open_template(corporate())


def test_a_word_file_is_no_template(tmp_path: Path) -> None:
    book = tmp_path / "a.zip"
    with zipfile.ZipFile(book, "w") as parts:
        parts.writestr("word/document.xml", "<w/>")
    with pytest.raises(BadTemplate, match="holds no presentation"):
        open_template(book.read_bytes())

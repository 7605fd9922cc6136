"""A corporate template: checked before it is kept, and where its slides have room.

A .pptx is a ZIP of XML, so sizes are looked at before anything is unpacked. Its own slides, which templates often hold
as samples, are dropped; masters, layouts, theme and pictures stay.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any, NamedTuple

from pptx import Presentation
from pptx.enum.shapes import PP_PLACEHOLDER
from pptx.util import Inches

MOST_MIB = 20
_MOST_UNPACKED = 400 * 1024 * 1024
_MOST_XML = 16 * 1024 * 1024
"""Of parts that are parsed: each byte takes up to twenty in memory. Masters and samples of real templates have a few MiB."""
_MOST_PARTS = 5_000
_EBCDIC = b"\x4c\x6f\xa7\x94"
"""<?xm in the one encoding of XML whose < is another byte."""
_SMALL = (PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.SLIDE_NUMBER)
_TITLES = (PP_PLACEHOLDER.TITLE, PP_PLACEHOLDER.CENTER_TITLE)
_LEAST_SHARE = 0.4
"""Of the slide's height: with less under the title no chart can be read."""


class BadTemplate(ValueError):
    """A file that cannot carry slides; the message says why and what to do."""


class Box(NamedTuple):
    """A place on a slide, in EMU."""

    left: int
    top: int
    width: int
    height: int

    def row(self, at: int, count: int) -> Box:
        """One of `count` equal rows."""
        return self._replace(top=self.top + at * self.height // count, height=self.height // count)


class Template(NamedTuple):
    """An opened template."""

    presentation: Any
    layout: Any
    place: Box
    """For what a slide shows: under the title, above the foot."""
    bottom: int
    """Where the foot must end, EMU."""


def open_template(content: bytes) -> Template:
    """Open a template without its slides; raises BadTemplate."""
    _check_zip(content)
    try:
        presentation: Any = Presentation(io.BytesIO(content))
        template = _template(presentation)
        _drop_slides(presentation)
        _check_links(presentation)
    except BadTemplate:
        raise
    except Exception as error:  # python-pptx raises whatever the damaged part made it stumble over
        raise BadTemplate(
            f"The file does not open as a presentation ({type(error).__name__}). Save it again as .pptx in PowerPoint."
        ) from error
    return template


def _template(presentation: Any) -> Template:
    layouts = [layout for master in presentation.slide_masters for layout in master.slide_layouts]
    titled = [layout for layout in layouts if _title(layout) is not None]
    if not titled:
        raise BadTemplate(
            "No layout of the file has a title. Add a layout such as 'Title Only' in the slide master and save it again."
        )
    found = [(layout, *_room(layout, presentation)) for layout in titled]
    roomy = [one for one in found if one[1].height >= _LEAST_SHARE * presentation.slide_height]
    if not roomy:
        raise BadTemplate(
            "No layout of the file leaves two fifths of the slide free under its title. Add one such as 'Title Only'."
        )
    layout, place, bottom = min(roomy, key=lambda one: _crowd(one[0]))
    return Template(presentation, layout, place, bottom)


def told(content: bytes) -> str:
    """Which layout slides will use, for the page; raises BadTemplate."""
    template = open_template(content)
    width, height = (
        side / Inches(1) for side in (template.presentation.slide_width, template.presentation.slide_height)
    )
    return f"Slides use its layout {template.layout.name[:60]!r}, {width:.1f} × {height:.1f} in."


def _check_zip(content: bytes) -> None:
    if len(content) > MOST_MIB * 1024 * 1024:
        raise BadTemplate(
            f"The file has more than {MOST_MIB} MiB. Remove sample slides and pictures from it."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            listed = parts.infolist()
            names = {part.filename for part in listed}
            if len(listed) > _MOST_PARTS or sum(part.file_size for part in listed) > _MOST_UNPACKED:
                raise BadTemplate(
                    "The file unpacks to more than 400 MiB or 5,000 parts. Remove pictures and videos."
                )
            if sum(part.file_size for part in listed if _is_xml(parts, part)) > _MOST_XML:
                raise BadTemplate(
                    "The file holds more than 16 MiB of text and shapes. Remove sample slides from it."
                )
            broken = parts.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise BadTemplate(
            "The file is damaged or is no .pptx file. Save it again as .pptx in PowerPoint."
        ) from error
    if broken:
        raise BadTemplate(f"The file is damaged: its part {broken[:60]!r} cannot be read. Save it again.")
    if any(name.lower().endswith("vbaproject.bin") for name in names):
        raise BadTemplate("The file holds macros. Save it as .pptx without macros.")
    if "ppt/presentation.xml" not in names:
        raise BadTemplate("The file holds no presentation. Choose a .pptx file.")


def _is_xml(parts: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    """By its first bytes: a part's name says nothing of how python-pptx opens it."""
    with parts.open(part) as stream:
        return stream.read(64).translate(None, b"\0\xff\xfe\xef\xbb\xbf \t\r\n").startswith((b"<", _EBCDIC))


def _check_links(presentation: Any) -> None:
    """Refuse what would be fetched when a deck is opened, and tell its reader's address; links to click are none."""
    for link in presentation.part.package.iter_rels():
        if link.is_external and not link.reltype.endswith("/hyperlink"):
            raise BadTemplate(
                f"The file's master links to a {link.reltype.rpartition('/')[2][:30]} elsewhere. Embed it and save again."
            )


def _title(layout: Any) -> Any:
    return next((one for one in layout.placeholders if one.placeholder_format.type in _TITLES), None)


def _crowd(layout: Any) -> tuple[int, int]:
    """How many places a layout has beside title and foot; a centred title is a cover's."""
    others = [one for one in layout.placeholders if one.placeholder_format.type not in (*_SMALL, *_TITLES)]
    return len(others), _title(layout).placeholder_format.type == PP_PLACEHOLDER.CENTER_TITLE


def _room(layout: Any, presentation: Any) -> tuple[Box, int]:
    """What is free under the title, and where the foot must end. Placeholders inherit places from the master."""
    title = _title(layout)
    feet = [int(one.top) for one in layout.placeholders if one.placeholder_format.type in _SMALL and one.top]
    bottom = min(
        [top for top in feet if top > 0.7 * presentation.slide_height],
        default=int(0.94 * presentation.slide_height),
    )
    left, width = int(title.left or 0), int(title.width or 0)
    if width < presentation.slide_width // 2:
        left, width = int(0.05 * presentation.slide_width), int(0.9 * presentation.slide_width)
    top = int(title.top or 0) + int(title.height or 0) + Inches(0.05)
    foot = Inches(0.4)
    return Box(left, top, width, max(0, bottom - foot - top)), bottom


def _drop_slides(presentation: Any) -> None:
    listed = presentation.slides._sldIdLst
    for one in list(listed):
        presentation.part.drop_rel(one.rId)
        listed.remove(one)

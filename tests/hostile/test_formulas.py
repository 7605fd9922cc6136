"""No file that is taken away holds a formula of anybody's: CSV, XLSX, PPTX with its workbooks, and what a browser copies."""

from __future__ import annotations

import csv
import io
import tomllib
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from core.charts import Bar, bars
from core.export import Source, csv_bytes, figure_xlsx
from core.export.content import Board, BoardRow, Content, Method, Shown
from core.export.deck import deck_pptx, figure_pptx
from core.export.workbook import deck_xlsx
from tests.chart_forms import FORMS, figure_of

ROOT = Path(__file__).parents[2]
BEFORE = (
    "",
    " ",
    "\t",
    "\r",
    "\n",
    "\x00",
    "\xa0",
    "\u2003",
    "\u3000",
    "\ufeff",
    "\u200b",
    "\u2060",
    "\u202e",
    "\x0b",
    "\x85",
    "a;",
    "a;\u3000",
    "x\n",
)
SIGNS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "﹦", "﹢", "﹣", "﹫")
PAYLOADS = tuple(f"{before}{sign}cmd|' /C calc'!A0" for before in BEFORE for sign in SIGNS)
LINKS = ("=1+1", "{=1+1}", "\u3000＝1+1", "@SUM(1)", "http://evil.example", "external:x", "=HYPERLINK(1)")


def runs(cell: str) -> bool:
    """Whether a spreadsheet that is as lenient as any may run the cell: written apart from core/export/cells.py."""
    seen = [
        character for character in cell
        if unicodedata.category(character) not in ("Zs", "Zl", "Zp", "Cc", "Cf")
    ]  # fmt: skip
    return bool(seen) and unicodedata.normalize("NFKC", seen[0]) in "=+-@"


def cells_anywhere(text: str) -> Iterator[str]:
    """Every cell of a CSV for a reader that parts at commas, at semicolons or at tabs."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    for delimiter in ",;\t":
        for row in csv.reader(io.StringIO(lines), delimiter=delimiter):
            yield from row


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_csv_runs_whatever_parts_its_cells(payload: str) -> None:
    text = csv_bytes([payload, "b"], [[payload, f'{payload}"q'], ["plain", -3.5]], payload).decode(
        "utf-8-sig"
    )
    ran = [cell for cell in cells_anywhere(text) if runs(cell) and cell != "-3.5"]
    assert ran == []
    assert "-3.5" in text


def test_text_that_is_no_formula_is_left_as_it_is() -> None:
    rows = [["a-b", "x = y", "eu; us", "1+1", "gpt-4o", "−3 %", "a\nb"]]
    assert list(csv.reader(io.StringIO(csv_bytes(["a"], rows).decode("utf-8-sig"))))[1] == rows[0]


def parts_of(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Every part of an Office file and of the workbooks inside it."""
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        for name in parts.namelist():
            blob = parts.read(name)
            yield name, blob
            if name.endswith(".xlsx"):
                yield from parts_of(blob)


def assert_no_formula(content: bytes) -> None:
    for name, blob in parts_of(content):
        if "worksheets/sheet" in name:
            assert b"<f" not in blob.replace(b"<foo", b""), name
        if name.endswith(".rels"):
            assert b"cmd" not in blob, name
        assert "externalLink" not in name
        assert "vbaProject" not in name


def source(text: str) -> Source:
    return Source(text, text, text, text, "http://x/?as_of=7")


@pytest.mark.parametrize("form", FORMS)
def test_no_workbook_of_a_figure_runs(form: str) -> None:
    payload = LINKS[[*FORMS].index(form) % len(LINKS)]
    figure = figure_of(form, payload)
    assert_no_formula(figure_pptx(figure, source(payload)))
    book = figure_xlsx(figure, source(payload))
    assert_no_formula(book)
    (texts,) = (blob for name, blob in parts_of(book) if name.endswith("sharedStrings.xml"))
    assert not [one.text for one in ElementTree.fromstring(texts).iter() if runs(one.text or "")]


@pytest.mark.parametrize("payload", ["=1+1", "＋1"])
def test_no_deck_runs(payload: str) -> None:
    shown = Shown(source(payload), "retry_ledger", bars([Bar(payload, 1, 0, 2)], "count"), payload)
    board = Board(source(payload), (BoardRow(payload, None),))
    made: Any = Content(payload, (board,), (shown,), (Method(source(payload), payload),), False)
    for content in (deck_xlsx(made), deck_pptx(made)):
        assert_no_formula(content)


def test_tables_of_a_page_can_be_copied_by_our_own_download_only() -> None:
    """Streamlit's download and clipboard write cells as they came; the setting switches both off."""
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert settings["client"]["disableDataExport"] is True

"""A deck of a small fixed world: its numbers are the page's, its text is in a golden file, LibreOffice draws it."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import board, deck_content, decks, view
from core.audit import Scope
from core.audits import retry_ledger
from core.decks import Deck, Slide
from core.export import drawn_table
from core.export.content import Board, Content
from core.export.deck import deck_pptx, paged
from core.export.workbook import deck_xlsx, sheet_name
from core.ledger.store import Store
from core.state import State
from tests.audits.retry_world import DAY, send, worked_scenario
from tests.export.reading import series, told, told_book, workbook
from tests.export.reading import slides as read_slides

GOLDEN = Path(__file__).parent / "golden"
WEEK = Scope(DAY, DAY + dt.timedelta(days=6), as_of=1)
ORIGIN = "http://trueup.example:8501"
HOSTILE = '=HYPERLINK("http://evil")'


@pytest.fixture(scope="module")
def ledger() -> Iterator[Store]:
    """The worked retry scenario at data version 1, with its board kept."""
    opened = Store.open(":memory:")
    send(opened, **worked_scenario())
    opened._version = opened.latest_import()  # the scenario's rows are derived ones already
    board.BoardWorker(opened).compute(deck_content.board_scope(WEEK, State()))
    yield opened
    opened.close()


def deck_of(*shown: Slide) -> Deck:
    return Deck(1, "Budget", 1, "", shown)


def worked() -> Deck:
    """Two figures and one that the audit does not draw."""
    bridge = Slide(
        "retry_ledger", "retry_money_bridge", WEEK, "Retries cost money.", "Say this first.\nThen that."
    )
    rate = Slide("retry_ledger", "retry_error_rate_by_grain", WEEK, HOSTILE, "=1+1")
    return deck_of(bridge, rate, bridge._replace(figure="no_such_figure"))


@pytest.fixture(scope="module")
def content(ledger: Store) -> Content:
    return deck_content.content(ledger.ask, worked(), ORIGIN, State())


def plain(content: Content) -> Content:
    """The deck with one audit on its summary and a short method: new audits do not change the golden files."""
    (summary,) = content.boards
    kept = tuple(row for row in summary.rows if row.title == retry_ledger.TITLE)
    source = summary.source._replace(title="1 audit asked", figure="By chance.")
    methods = tuple(method._replace(text="How.\n\nn = 3") for method in content.methods)
    return content._replace(boards=(Board(source, kept),), methods=methods)


def check_golden(name: str, text: str) -> None:
    """To write the golden files anew, delete them and run the test."""
    path = GOLDEN / name
    if not path.is_file():
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{path.name} was missing and has been written: read it, then commit it")
    assert text == path.read_text(encoding="utf-8")


def test_the_slides_are_the_golden_ones(content: Content) -> None:
    check_golden("deck.txt", told(deck_pptx(plain(content))))


def test_the_workbook_is_the_golden_one(content: Content) -> None:
    check_golden("workbook.txt", told_book(deck_xlsx(plain(content))))


def test_numbers_are_those_of_the_page(ledger: Store, content: Content) -> None:
    figure = view.answer(retry_ledger, ledger.ask, WEEK).figures["retry_error_rate_by_grain"]
    shown = read_slides(deck_pptx(content))
    boards = sum("audits asked" in slide.shapes.title.text_frame.text for slide in shown)
    (chart,) = [shape.chart for shape in shown[boards + 1].shapes if shape.has_chart]
    assert series(chart)["value"]["val"] == [row[1] for row in drawn_table(figure).rows]


def test_later_data_does_not_move_a_slide(ledger: Store, content: Content) -> None:
    send(ledger, runs=[])  # another import
    again = deck_content.content(ledger.ask, worked(), ORIGIN, State())
    assert told(deck_pptx(again)) == told(deck_pptx(content))


def test_progress_is_told_before_each_slide(ledger: Store) -> None:
    heard: list[tuple[int, int]] = []
    deck_content.content(ledger.ask, worked(), ORIGIN, State(), lambda done, of: heard.append((done, of)))
    many = len(worked().slides)
    assert heard == [(done, many) for done in range(many)]


def test_what_cannot_be_drawn_says_why(ledger: Store) -> None:
    nothing = WEEK._replace(start=dt.date(2020, 1, 1), end=dt.date(2020, 1, 2))
    shown = deck_content.content(
        ledger.ask,
        deck_of(
            Slide("retry_ledger", "retry_money_bridge", nothing, "t"),
            Slide("gone", "retry_money_bridge", WEEK, "t"),
            Slide("retry_ledger", "gone", WEEK, "t"),
        ),
        ORIGIN,
        State(),
    ).shown
    assert shown[0].missing.startswith("Missing: ")
    assert shown[1].missing == "There is no audit gone any more."
    assert shown[2].missing == "The audit draws no such figure in this scope."


def test_a_break_calendar_that_is_gone_is_told(ledger: Store) -> None:
    slide = Slide("token_forecast", "token_forecast_fan", WEEK._replace(choices=(("breaks", "4"),)), "t")
    (shown,) = deck_content.content(ledger.ask, deck_of(slide), ORIGIN, State()).shown
    assert "Break calendar 4 is gone; this is 0." in shown.source.figure


def test_a_board_nobody_asked_for_says_so(ledger: Store) -> None:
    other = deck_content.board(ledger.ask, WEEK._replace(regions=("moon",)), ORIGIN)
    assert other.source.title == "No audit has been asked yet"
    assert {row.finding for row in other.rows} == {None}


def test_an_empty_deck_has_no_slides(ledger: Store) -> None:
    empty = deck_content.content(ledger.ask, deck_of(), ORIGIN, State())
    assert read_slides(deck_pptx(empty)) == []
    assert list(workbook(deck_xlsx(empty))) == ["slides"]


def test_sheets_have_names_that_excel_takes() -> None:
    assert sheet_name(12, "Retry money bridge: from what converted to what") == "12 Retry money bridge"
    assert len(sheet_name(100, "a" * 200)) == 31
    assert not set(sheet_name(1, "a[b]c:d*e?f/g\\h'i")) & set("[]:*?/\\'")


def test_a_long_method_goes_on_on_the_next_slide() -> None:
    text = "\n\n".join(["word " * 100] * 5)
    pages = paged(text, 50, 12)
    assert len(pages) > 3
    assert " ".join(" ".join(pages).split()) == " ".join(text.split())
    assert all(len(page) <= 12 * 50 + 24 for page in pages)


def test_libreoffice_draws_every_slide(content: Content, tmp_path: Path) -> None:
    soffice, pdftotext = shutil.which("soffice"), shutil.which("pdftotext")
    if soffice is None or pdftotext is None:
        pytest.skip("no LibreOffice here: apt-get install libreoffice-impress poppler-utils")
    deck = tmp_path / "deck.pptx"
    deck.write_bytes(deck_pptx(content._replace(demo=True)))
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    command = [soffice, "--headless", profile, "--convert-to", "pdf", "--outdir", str(tmp_path), str(deck)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    done = subprocess.run(
        [pdftotext, "-layout", str(tmp_path / "deck.pdf"), "-"], check=True, capture_output=True
    )
    pages = done.stdout.decode().split("\f")[:-1]
    assert len(pages) == len(read_slides(deck.read_bytes()))
    for page in pages:
        assert page.count("DEMO DATA") == 2  # the mark and the foot
        assert "as of import 1" in page
    assert "converting attempt" in pages[1]  # a name on the chart's axis


def test_a_deck_kept_in_a_database_is_the_one_that_was_made(
    ledger: Store, content: Content, tmp_path: Path
) -> None:
    state = State(path=tmp_path / "state.sqlite")
    for slide in worked().slides:
        decks.add("Budget", slide, state)
    kept = decks.read(decks.ids_by_name(state)["Budget"], state)
    assert told(deck_pptx(deck_content.content(ledger.ask, kept, ORIGIN, state))) == told(deck_pptx(content))
    state.close()

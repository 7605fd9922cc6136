"""A review's copies: whole, without scripts or network, hostile names as text, demo data unmistakable."""

from __future__ import annotations

import datetime as dt
import doctest
import importlib.util
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from xml.etree import ElementTree

import pytest

from core.audit import Scope
from core.audits import every_audit
from core.charts import Bar, Line, Mark, Step, bars, lines, stacked_share, waterfall
from core.charts.grid import GridCell, grid
from core.charts.palette import plain
from core.charts.timeline import Happening, Stretch, timeline
from core.export import scales
from core.export.review_html import DEMO, policy, review_html
from core.export.review_pdf import _Page, _section, fonts, review_pdf
from core.export.shapes import Label, Picture, Rectangle, svg
from core.export.shapes import Path as Pieces
from core.export.still import still
from core.ledger.store import Store
from core.review_document import Document, document
from core.reviews import Note
from core.state import State
from core.view import answer, name_of
from tests.audits.retry_world import DAY, charge, send, worked_scenario
from tests.review_world import HOSTILE, made_review
from tests.test_markdown import Seen

WEEK = Scope(DAY, DAY + dt.timedelta(days=6))
MADE_AT = dt.datetime(2026, 3, 9, 12, tzinfo=dt.UTC)
DAYS = [dt.date(2026, 3, day) for day in range(1, 29)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Document]:
    """The document of the review, now at import 2."""
    state = State(path=tmp_path_factory.mktemp("state") / "state.sqlite")
    store = Store.open(":memory:")
    review = made_review(state, store)
    yield document(state, store.ask, review, 2, "http://localhost:8501", MADE_AT)
    store.close()
    state.close()


@pytest.mark.parametrize("module", [scales])
def test_examples_in_docstrings(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def read(page: str) -> Seen:
    parser = Seen()
    parser.feed(page)
    parser.close()
    return parser


def test_the_page_runs_nothing_and_loads_nothing(made: Document) -> None:
    page = review_html(made)
    seen = read(page)
    tags = {tag for tag, _ in seen.tags}
    assert not tags & {
        "script",
        "img",
        "iframe",
        "link",
        "object",
        "embed",
        "form",
        "input",
        "base",
        "video",
        "foreignobject",
    }
    for tag, attributes in seen.tags:
        assert not [
            name for name in attributes if name.startswith("on") or name in ("src", "style", "srcset")
        ], tag
        if "href" in attributes:
            assert re.match("https?://", attributes["href"] or "")
    assert "url(" not in page.partition("<style>")[2].partition("</style>")[0]
    told = [
        attributes
        for tag, attributes in seen.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert [one["content"] for one in told] == [policy(page)]
    assert policy(page).startswith("default-src 'none'; style-src 'sha256-")


def test_the_page_holds_then_now_notes_figures_method_and_links(made: Document) -> None:
    page = review_html(made)
    text = read(page).text
    assert HOSTILE in text
    assert "rows (n): 20 → 40" in text
    assert "Nothing changed" in text or "Changed since, as of import 2" in text
    assert "it (https://a.example/x)" in text
    assert "http://localhost:8501/retry_ledger?from=2026-03-02&to=2026-03-08&as_of=1" in text
    assert "How: " in text
    assert "select" in text
    assert page.count("<svg") == sum(len(one.figures) for one in made.sections) > 5
    assert DEMO not in text
    for drawn in re.findall(r"<svg.*?</svg>", page):
        ElementTree.fromstring(drawn)


def test_demo_data_cannot_be_missed(made: Document) -> None:
    page = review_html(made._replace(demo=True))
    assert DEMO in read(page).text
    assert "<title>[Demo data] " in page
    assert page.count("Demo data</span>") == len(made.sections)
    assert len(review_pdf(made._replace(demo=True))) > len(review_pdf(made)) + 200


def test_the_pdf_is_one_and_the_same_bytes_twice(made: Document) -> None:
    content = review_pdf(made)
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    assert content == review_pdf(made)
    assert len(re.findall(rb"/Type /Page\b", content)) >= 4
    links = set(re.findall(rb"/URI \((.*?)\)", content))
    assert b"https://a.example/x" in links
    assert not [link for link in links if not link.startswith((b"http://", b"https://"))]
    assert b"/JavaScript" not in content
    assert b"/Launch" not in content


def test_the_pdf_says_what_the_html_says_of_now(made: Document) -> None:
    page = _Page(made.demo)
    told = [
        part.text for one in made.sections for part in _section(page, one, made, 400) if hasattr(part, "text")
    ]
    html = read(review_html(made)).text
    sentences = [one.compared.now.sentence for one in made.sections if one.compared.now is not None]
    changed = [text for text in sentences if f"Now: {text}" in html]
    assert changed
    for text in changed:
        assert escape(f"Now: {page.drawable(text)}", quote=False) in told


def test_a_name_in_any_script_is_not_lost_in_the_pdf() -> None:
    *_, drawable = fonts()
    assert drawable("Ana − 3 ≤ x") == "Ana − 3 ≤ x"
    assert drawable("\N{CJK UNIFIED IDEOGRAPH-8868}") == "[U+8868]"


def test_every_figure_of_every_audit_is_drawn_inside_its_picture(filled: Store) -> None:
    drawn = 0
    for audit in every_audit():
        for name, figure in answer(audit, filled.ask, WEEK).figures.items():
            picture = still(figure)
            assert len(picture.shapes) > 3, name
            ElementTree.fromstring(svg(picture, name))
            for shape in picture.shapes:
                if isinstance(shape, Rectangle):
                    assert -2 <= shape.x <= shape.x + shape.width <= picture.width + 2, (name, shape)
                    assert -2 <= shape.y <= shape.y + shape.height <= picture.height + 2, (name, shape)
            drawn += 1
    assert drawn > 10


@pytest.fixture(scope="module")
def filled() -> Iterator[Store]:
    """The worked scenario, and what `fill(store)` of an audit's own tests adds."""
    store = Store.open(":memory:")
    send(store, **worked_scenario(), cost_lines=[charge("k", "0.05", requests=5)])
    for audit in every_audit():
        own = f"tests.audits.test_{name_of(audit)}"
        fill = getattr(importlib.import_module(own), "fill", None) if importlib.util.find_spec(own) else None
        if fill is not None:
            fill(store)
    yield store
    store.close()


def boxes(picture: Picture) -> list[Rectangle]:
    return [shape for shape in picture.shapes if isinstance(shape, Rectangle)]


def labels(picture: Picture) -> list[str]:
    return [shape.text for shape in picture.shapes if isinstance(shape, Label)]


def test_bars_are_as_long_as_their_values() -> None:
    """30, 10 and 0: three times as long as the second, the third a hair."""
    picture = still(bars([Bar("a", 30), Bar("b", 10), Bar("c", 0)], "count"))
    long, short, none = boxes(picture)
    assert long.width == pytest.approx(3 * short.width)
    assert none.width == 1
    assert long.x == short.x == pytest.approx(none.x)
    assert {"30", "10", "0", "a", "b", "c"} <= set(labels(picture))


def test_a_bridge_closes_in_the_picture() -> None:
    """4 = 1 + 3: the second bar begins where the first ends, and the total is as high as both."""
    picture = still(
        waterfall([Step("a", 1, "plus"), Step("b", 3, "plus", "loss"), Step("c", 4, "total")], "count")
    )
    by_fill: dict[str, list[Rectangle]] = {}
    for box in boxes(picture):
        by_fill.setdefault(box.fill, []).append(box)
    (first, total), (second,) = by_fill.values()
    assert first.y == pytest.approx(second.y + second.height)
    assert total.height == pytest.approx(first.height + second.height)
    assert [
        shape for shape in picture.shapes if isinstance(shape, Pieces) and shape.opacity == 0.8
    ]  # hatched loss


def test_parts_of_a_whole_fill_the_axis() -> None:
    picture = still(stacked_share([Bar("x", 3), Bar("y", 1)], "count"))
    parts = [box for box in boxes(picture) if box.height > 20]
    assert parts[0].width == pytest.approx(3 * parts[1].width)
    assert parts[0].x + parts[0].width == pytest.approx(parts[1].x)


def test_a_line_is_where_its_values_are_and_stops_at_a_hole() -> None:
    values = [0.0, 10.0, None, *([5.0] * 25)]
    picture = still(lines([Line("l", DAYS, values)], "count", [Mark(DAYS[5], "change")], limit=20))
    drawn = [shape for shape in picture.shapes if isinstance(shape, Pieces) and shape.width == 2.4]
    assert [len(piece.points) for piece in drawn] == [2, 25]
    (x0, y0), (x1, y1) = drawn[0].points
    (x3, y3), *_ = drawn[1].points
    assert y0 - y1 == pytest.approx(2 * (y0 - y3))
    assert x3 - x0 == pytest.approx(3 * (x1 - x0))
    assert {"change", "limit 20"} <= set(labels(picture))
    assert any(text.endswith("Mar") for text in labels(picture))


def test_a_grid_has_a_cell_for_each_known_value() -> None:
    cells = [GridCell(name, day, None if day.day == 2 else 1.0) for name in ("a", "b") for day in DAYS[:5]]
    picture = still(grid(cells, "share"))
    assert len(boxes(picture)) == 2 * 4 + 10  # ten steps of the colour scale


def test_hostile_names_are_text_in_a_picture() -> None:
    picture = still(bars([Bar(HOSTILE, 1)], "count"))
    assert plain(HOSTILE) not in labels(picture)
    assert any(text.startswith("<script>") for text in labels(picture))
    drawn = svg(picture, HOSTILE)
    assert "<script" not in drawn
    assert "<img" not in drawn


def test_a_timeline_is_drawn_too() -> None:
    start = dt.datetime(2026, 3, 1)  # noqa: DTZ001
    end = start + dt.timedelta(days=3)
    figure = timeline(["a"], [Stretch("a", start, end, "holds")], [Happening("a", end, "x", "broken", 0)])
    assert [shape for shape in still(figure).shapes if isinstance(shape, Pieces) and shape.width == 5]


def test_files_are_named_in_the_folder_they_are_saved_in(made: Document, tmp_path: Path) -> None:
    path = tmp_path / "review.html"
    path.write_bytes(review_html(made).encode())
    assert 30_000 < path.stat().st_size < 3_000_000


@pytest.mark.parametrize(
    "text",
    [
        "x" * 20_000,
        "```\n" + "y" * 15_000 + "\n```",
        "\n".join("- <b>" + "&" * 50 for _ in range(300)),
        "<para><img src='file:///etc/passwd'/></para> <font color='[__import__(\"os\")]'>a</font> </b>",
        "".join(map(chr, range(1, 3000))),
    ],
)
def test_any_note_fits_both_copies(made: Document, text: str) -> None:
    note = Note(text[:80], MADE_AT, text)
    hostile = made._replace(notes=[note], sections=[made.sections[0]._replace(notes=[note], figures=())])
    content = review_pdf(hostile)
    assert content.startswith(b"%PDF-")
    assert b"/Image" not in content.replace(b"/ImageB", b"").replace(b"/ImageC", b"").replace(b"/ImageI", b"")
    tags = {tag for tag, _ in read(review_html(hostile)).tags}
    assert not tags & {"img", "font", "para", "script"}

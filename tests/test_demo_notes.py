"""Demo data says so in every export, real data in none; the stories' addresses are ones the pages read."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import plotly.graph_objects as go
import pytest
from pptx import Presentation

from core import demo, links, view
from core.audits import every_audit
from core.charts import Bar, bars, noted
from core.export import Source, figure_csv, figure_xlsx
from core.export.deck import figure_pptx
from data.demo.plan import END_DAY, plan_for

ROOT = Path(__file__).resolve().parents[1]
SOURCE = Source("It broke.", "Bars", "2026-01-01 to 2026-01-28", "as of import 3", "http://host/x?as_of=3")


def figure(note: str) -> go.Figure:
    return noted(bars([Bar("a", 1.0), Bar("b", 2.0)], "count"), note)


def texts_of(workbook: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(workbook)) as book:
        return book.read("xl/sharedStrings.xml").decode()


def slide_texts(deck: bytes) -> str:
    (slide,) = Presentation(io.BytesIO(deck)).slides
    return "\n".join(shape.text_frame.text for shape in slide.shapes if shape.has_text_frame)


@pytest.mark.parametrize("note", [demo.WHOLLY, demo.PARTLY])
def test_every_export_of_a_marked_figure_says_so(note: str) -> None:
    marked = figure(note)
    assert marked.layout.title.text == note
    assert figure_csv(marked).decode("utf-8-sig").splitlines()[:2] == [note, "bar,value,low,high"]
    assert note in texts_of(figure_xlsx(marked, SOURCE))
    *told, corner = slide_texts(figure_pptx(marked, SOURCE)).splitlines()
    assert told[-1].startswith(f"{note} · 2026-01-01")
    assert corner == "DEMO DATA"


def test_an_unmarked_figure_says_nothing_of_it() -> None:
    plain = figure("")
    assert plain.layout.title.text is None
    assert figure_csv(plain).decode("utf-8-sig").startswith("bar,value,low,high")
    assert "Demo" not in texts_of(figure_xlsx(plain, SOURCE))
    assert slide_texts(figure_pptx(plain, SOURCE)).splitlines()[-1].startswith("2026-01-01")


def test_marking_twice_is_marking_once() -> None:
    once, twice = figure(demo.WHOLLY), noted(figure(demo.WHOLLY), demo.WHOLLY)
    assert once.to_json() == twice.to_json()


@pytest.mark.parametrize("story", demo.STORIES, ids=lambda story: story.page)
def test_a_story_opens_a_page_with_values_it_takes(story: demo.Story) -> None:
    """Its days lie in the demo's ninety, its audit and choices exist: a bad value would fall back to the default."""
    audit = next(one for one in every_audit() if view.name_of(one) == story.page)
    query = dict(parse_qsl(urlsplit(story.address).query))
    start, end = (dt.date.fromisoformat(query.pop(key)) for key in (links.FROM, links.TO))
    assert END_DAY - dt.timedelta(days=89) <= start < end <= END_DAY
    choices = {one.key(story.page): one.options for one in view.choices_of(audit)}
    for key, value in query.items():
        assert key in (links.REGION, links.SERVICE) or value in choices[key]


def test_the_stories_name_the_days_that_are_planted() -> None:
    plan, first = plan_for(90, quiet=False), END_DAY - dt.timedelta(days=89)

    def day(number: int) -> str:
        return f"{(first + dt.timedelta(days=number)):%-d %B}"

    storm, trough, hidden = demo.STORIES[0], demo.STORIES[2], demo.STORIES[4]
    assert f"from {day(plan.storm_days[0]).split()[0]} to {day(plan.storm_days[-1])}" in storm.look_at
    assert f"{day(plan.trough_days[0])} to {day(plan.trough_days[-1])}" in trough.look_at
    assert day(plan.hidden_from_day) in hidden.look_at
    assert day(plan.untraced_from_day) in hidden.look_at


def test_the_document_has_every_story() -> None:
    text = (ROOT / "docs" / "demo.md").read_text(encoding="utf-8")
    for story in demo.STORIES:
        assert f"| {story.title} | `{story.address}` | {story.look_at} |" in text

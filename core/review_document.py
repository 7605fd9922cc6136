"""A review as one document: what HTML and PDF write, gathered once. Asks the audits; reads no clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import plotly.graph_objects as go
import polars as pl

from core import links, reviews, then_now, view
from core.audit import Ask, Finding, Scope
from core.coverage import SUMMARY
from core.export import drawn_table
from core.findings import found_by
from core.reviews import Note, Review, SavedView
from core.state import State
from core.then_now import ThenNow


class Drawn(NamedTuple):
    """One figure."""

    title: str
    caption: str
    figure: go.Figure


class Section(NamedTuple):
    """One saved view."""

    saved: SavedView
    title: str
    """The audit's title."""
    question: str
    link: str
    compared: ThenNow
    notes: Sequence[Note]
    figures: Sequence[Drawn]
    """Of the view's own data version, asked again."""
    tables: dict[str, pl.DataFrame]
    method: str
    sql: dict[str, str]


class Document(NamedTuple):
    """A review, whole."""

    review: Review
    made_at: dt.datetime
    as_of: int
    """The data version that `now` means."""
    demo: bool
    link: str
    notes: Sequence[Note]
    sections: Sequence[Section]


def document(
    state: State, ask: Ask, review: Review, version: int, origin: str, made_at: dt.datetime
) -> Document:
    """Everything a review shows, with figures and method; `origin` is the app's own address, for links."""
    sections = [_section(state, ask, saved, version, origin) for saved in reviews.views_of(state, review)]
    demo = bool(ask(SUMMARY)["demo_imports"][0]) or any(one.saved.demo for one in sections)
    link = f"{origin}/reviews?review={review.review_id}"
    own = reviews.notes(state, "review", review.review_id)
    return Document(review, made_at, version, demo, link, own, sections)


def link_of(saved: SavedView, origin: str) -> str:
    """The link that opens a view's page as it was saved."""
    return links.share_link(f"{origin}/{saved.audit}", saved.scope, saved.audit)


def _section(state: State, ask: Ask, saved: SavedView, version: int, origin: str) -> Section:
    answers: dict[Scope, view.Answer] = {}

    def found(audit: ModuleType, scope: Scope) -> Finding:
        if scope not in answers:  # a view of the newest version is asked once, not twice
            answers[scope] = _answer(audit, ask, scope)
        return answers[scope].finding._replace(audit=saved.audit)

    compared = then_now.compared(saved, found, version, ask)
    notes, audit = reviews.notes(state, "view", saved.view_id), then_now.audit_of(saved)
    link = link_of(saved, origin)
    if audit is None or compared.now is None:
        return Section(saved, saved.audit, "", link, compared, notes, (), {}, "", {})
    answer = answers[then_now.resolved(audit, saved.scope)]
    figures = [
        Drawn(view.titled(name), view.caption_of(audit, name), figure)
        for name, figure in answer.figures.items()
    ]
    known = answer.measure is not None
    return Section(
        saved, audit.TITLE, view.question_of(audit), link, compared, notes, figures,
        view.tables_of(audit, answer.measure) if known else {},
        view.method_text(audit, answer.measure, answer.finding), view.sql_texts(audit),
    )  # fmt: skip


def _answer(audit: ModuleType, ask: Ask, scope: Scope) -> view.Answer:
    """An audit that fails is told of by its finding; the document then has no figures of it."""
    try:
        return view.answer(audit, ask, scope)
    except Exception:  # found_by logs it and says what failed
        return view.Answer(None, found_by(audit, ask, scope), {})


def figure_rows(figure: go.Figure) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """A figure's numbers as text: columns and rows."""
    table = drawn_table(figure)
    return table.columns, [tuple(map(cell_text, row)) for row in table.rows]


def table_rows(rows: pl.DataFrame) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """A frame as text: columns and rows."""
    return tuple(rows.columns), [tuple(map(cell_text, row)) for row in rows.rows()]


def cell_text(cell: object) -> str:
    """A cell ready to print; numbers keep six digits.

    >>> cell_text(None), cell_text(0.123456789), cell_text(12345.0), cell_text("x")
    ('', '0.123457', '12,345', 'x')
    """
    if cell is None:
        return ""
    if isinstance(cell, float):
        return (
            f"{cell:,.0f}"
            if cell == int(cell) and abs(cell) < 1e15
            else f"{cell:,.6g}"
            if cell == cell
            else ""
        )
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def scope_line(saved: SavedView) -> str:
    """Days, filters, settings and data version in one line."""
    chosen = "".join(f", {name} {value}" for name, value in saved.scope.choices)
    return f"{links.scope_text(saved.scope)}{chosen}; as of import {saved.scope.as_of}"


def verdict_rows(section: Section) -> list[tuple[str, str, str]]:
    """What, then, now: the head of a section."""
    then, now = section.saved.finding, section.compared.now
    pairs = [
        ("Status", *(one.status if one else "" for one in (then, now))),
        ("Reported", *(one.reported if one else "" for one in (then, now))),
        ("Supported", *(one.supported if one else "" for one in (then, now))),
        ("Gap", *(then_now.gap_text(one) if one else "" for one in (then, now))),
        ("Rows (n)", *(f"{one.n:,}" if one else "" for one in (then, now))),
    ]
    return [(str(what), str(before), str(after)) for what, before, after in pairs]


def change_text(section: Section, as_of: int) -> str:
    """What changed since, in one sentence."""
    if section.compared.now is None:
        return section.compared.moved
    if not section.compared.changes:
        return f"Nothing changed: asked again as of import {as_of}, the audit says what it said then."
    told = "; ".join(f"{one.what}: {one.then} → {one.now}" for one in section.compared.changes)
    return f"Changed since, as of import {as_of}: {told}."

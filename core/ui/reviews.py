"""The reviews page: lists of saved views with then and now, their notes, order, copies to take away and shared links."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType
from typing import Any

import polars as pl
import streamlit as st

from core import markdown, reviews, shared, then_now, ui, view
from core.audit import Finding, Scope
from core.coverage import DELETED_BEFORE
from core.downloads import Download
from core.export.review_html import review_html
from core.export.review_pdf import review_pdf
from core.findings import found_by
from core.ledger.current import get_store
from core.review_document import Document, document, link_of, scope_line
from core.reviews import BadText, Note, Review, SavedView
from core.state import StateProblem, get_state
from core.then_now import ThenNow
from core.ui.sharing import NOTE_HELP, author_input

REVIEW = "review"
"""The parameter that names the review that is open."""


def reviews_page() -> None:
    """The list of reviews, the one that is open, and every saved view."""
    try:
        listed, saved = reviews.reviews(get_state()), reviews.saved_views(get_state())
        chosen = _chosen(listed)
        if chosen is not None:
            _review(chosen, saved)
        elif listed:
            st.text("Choose a review, or begin one.")
        _saved(saved)
    except StateProblem as problem:
        ui.note("Not available", str(problem))


def _chosen(listed: Sequence[Review]) -> Review | None:
    """The review the address names, else the newest; the picker and the form that begins one."""
    by_id = {one.review_id: one for one in listed}
    asked = st.query_params.get(REVIEW, "")
    told = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 0
    if asked and told not in by_id:
        ui.note("Link", "There is no review of that number here. Showing the newest.")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        picked = told
        if by_id:
            numbers = [*by_id]
            picked = st.selectbox(
                "Review", numbers, numbers.index(told) if told in by_id else 0,
                lambda number: f"{by_id[number].name} ({number})", width=420,
            )  # fmt: skip
        with st.popover("New review"), st.form("new_review", border=False):
            name = st.text_input("Name", max_chars=reviews.NAME_LENGTH)
            author = author_input("review")
            if st.form_submit_button("Begin it", type="primary"):
                _begin(name, author)
    if by_id and picked:
        st.query_params[REVIEW] = str(picked)
    return by_id.get(picked)


def _begin(name: str, author: str) -> None:
    made = _tried(lambda: reviews.make_review(get_state(), name, author))
    if made:
        st.query_params[REVIEW] = str(made)
        st.rerun()


def _tried(work: Callable[[], Any]) -> Any:
    """What the work gives; None when it was refused, which is told."""
    try:
        return work()
    except (BadText, StateProblem) as problem:
        ui.note("Not saved", str(problem))
        return None


def _review(review: Review, saved: Sequence[SavedView]) -> None:
    state = get_state()
    version = ui.scope().as_of
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            with st.container(gap=None, width="content"):
                st.text(review.name)
                st.caption(f"Begun {review.at:%Y-%m-%d %H:%M} UTC; now is import {version}.")
            with st.container(horizontal=True, width="content", gap="small"):
                _add(review, saved)
                _take_away(review, version)
                _links(review, version)
        _notes(reviews.notes(state, "review", review.review_id))
        _note_form("review", review.review_id)
    listed = reviews.views_of(state, review)
    if not listed:
        st.text(
            "No view is in this review yet. Save one in the Share menu of an audit's page, then add it here."
        )
    for at, one in enumerate(listed):
        _view(review, one, at, version)


def _add(review: Review, saved: Sequence[SavedView]) -> None:
    free = {one.view_id: one for one in saved if one.view_id not in review.views}
    with st.popover("Add a view", disabled=not free), st.form("add_view", border=False):
        wanted = st.selectbox(
            "Saved view", [*free], format_func=lambda number: f"{free[number].name} ({number})"
        )
        if st.form_submit_button("Add", type="primary") and wanted is not None:
            _reorder(review, [*review.views, wanted])


def _reorder(review: Review, views: Sequence[int]) -> None:
    if _tried(lambda: reviews.order_views(get_state(), review, views)):
        st.rerun()


def _view(review: Review, saved: SavedView, at: int, version: int) -> None:
    then, audit = saved.finding, then_now.audit_of(saved)
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
                st.badge(then.status, color=view.STATUS_COLOURS.get(then.status, "gray"))
                if saved.demo:
                    st.badge("Demo data", color="violet")
                st.text(f"{at + 1}. {saved.name}")
            _order_buttons(review, saved, at)
        st.text(f"{audit.TITLE if audit else saved.audit}: {scope_line(saved)}. Saved {_when(saved)}.")
        st.text(then.sentence)
        compared = _compared(saved, version)
        ui.table(_then_now_rows(then, compared), f"Then and now of view {saved.view_id}")
        if compared.now is not None and compared.now.sentence != then.sentence:
            st.text(f"Now: {compared.now.sentence}")
        st.text(_change(compared, version))
        if compared.past_changes:
            told = "; ".join(f"{one.what}: {one.then} → {one.now}" for one in compared.past_changes)
            ui.note("The past moved", f"{compared.moved} {told}.")
        if audit is not None:
            st.link_button("Open as it was", link_of(saved, view.origin_of(st.context.url)), type="tertiary")
        _notes(reviews.notes(get_state(), "view", saved.view_id))
        _note_form("view", saved.view_id)


def _order_buttons(review: Review, saved: SavedView, at: int) -> None:
    views = [*review.views]
    moves = (("Up", at - 1, at == 0), ("Down", at + 1, at == len(views) - 1))
    with st.container(horizontal=True, width="content", gap="small"):
        for label, to, impossible in moves:
            if st.button(label, key=f"{label}_{saved.view_id}", type="tertiary", disabled=impossible):
                views[at], views[to] = views[to], views[at]
                _reorder(review, views)
        if st.button(
            "Take out", key=f"out_{saved.view_id}", type="tertiary", help="The saved view itself stays."
        ):
            _reorder(review, [one for one in views if one != saved.view_id])


def _compared(saved: SavedView, version: int) -> ThenNow:
    gone = ui.ask(DELETED_BEFORE).item()

    def found(audit: ModuleType, scope: Scope) -> Finding:
        return _found(audit.__name__, scope, str(gone), id(get_store()))

    return then_now.compared(saved, found, version, ui.ask)


@st.cache_data(max_entries=300, show_spinner="Asking the audit of then and of now")
def _found(audit_name: str, scope: Scope, deleted: str, store: int) -> Finding:
    """A finding is a function of scope and version until retention deletes rows: kept across imports."""
    return found_by(importlib.import_module(audit_name), get_store().ask, scope)


def _then_now_rows(then: Finding, compared: ThenNow) -> pl.DataFrame:
    rows = [
        (name, *(_cell(finding, name) for finding in (then, compared.now)))
        for name in ("status", "reported", "supported", "gap", "rows (n)")
    ]
    return pl.DataFrame(rows, schema=["what", "then", "now"], orient="row")


def _cell(finding: Finding | None, name: str) -> str:
    if finding is None:
        return "not to be had"
    told = {"gap": then_now.gap_text(finding), "rows (n)": f"{finding.n:,}"}
    return told[name] if name in told else str(getattr(finding, name))


def _change(compared: ThenNow, version: int) -> str:
    if compared.now is None:
        return compared.moved
    told = "; ".join(f"{one.what}: {one.then} → {one.now}" for one in compared.changes)
    return f"Changed since, as of import {version}: {told}." if told else "Nothing changed since."


def _notes(notes: Sequence[Note]) -> None:
    for one in notes:
        with st.container(border=True, gap=None):
            st.text(f"{one.author}, {one.at:%Y-%m-%d %H:%M} UTC")
            st.html(markdown.html(one.text))


def _note_form(about: str, number: int) -> None:
    with (
        st.popover("Add a note", type="tertiary"),
        st.form(f"note_{about}_{number}", border=False, clear_on_submit=True),
    ):
        author = author_input(f"{about}_{number}")
        text = st.text_area("Note", help=NOTE_HELP, max_chars=reviews.NOTE_LENGTH)
        st.caption("A note cannot be changed later; add another one.")
        if st.form_submit_button("Add the note", type="primary") and _tried(
            lambda: reviews.add_note(get_state(), about, number, author, text)
        ):
            st.rerun()


def _document(review: Review, version: int, origin: str) -> Document:
    made_at = dt.datetime.now(dt.UTC)
    return document(get_state(), get_store().ask, review, version, origin, made_at)


def _file(review: Review, version: int, origin: str, form: str) -> bytes:
    made = _document(review, version, origin)
    return review_html(made).encode() if form == "html" else review_pdf(made)


def _take_away(review: Review, version: int) -> None:
    origin = view.origin_of(st.context.url)
    with st.popover("Export", disabled=not review.views):
        for form in ("html", "pdf"):
            name = f"trueup_review_{review.review_id}_v{version}.{form}"
            ui.download(
                Download(form.upper(), name, partial(_file, review, version, origin, form)), f"review_{form}"
            )
        st.caption("Each file asks the audits anew: allow some seconds a view. Both need no network.")


def _links(review: Review, version: int) -> None:
    with st.popover("Links"):
        st.caption("A link shows this review as it is now, read only, to everyone who has it, until it ends.")
        days = st.selectbox(
            "Ends after", shared.LIFETIMES_DAYS, 1, lambda number: f"{number} days", key="link_days"
        )
        if st.button("Make a link", type="primary", disabled=not review.views):
            with st.spinner("Asking the audits"):
                page = review_html(_document(review, version, view.origin_of(st.context.url))).encode()
            token = _tried(lambda: shared.make_link(get_state(), review.review_id, page, days))
            if token:
                st.caption("Copy it now: it is shown once and kept nowhere.")
                st.code(
                    f"{view.origin_of(st.context.url)}{shared.ADDRESS}{token}", language=None, wrap_lines=True
                )
        for one in shared.links_of(get_state(), review.review_id):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.text(
                    f"{one.link_id}: made {one.made_at:%Y-%m-%d %H:%M}, ends {one.expires_at:%Y-%m-%d %H:%M} UTC"
                )
                st.badge(one.standing, color="green" if one.standing == "open" else "gray")
                if one.standing == "open" and st.button(
                    "Revoke", key=f"revoke_{one.link_id}", type="tertiary"
                ):
                    shared.revoke(get_state(), one.link_id)
                    st.rerun()


def _saved(saved: Sequence[SavedView]) -> None:
    rows = [
        (
            one.view_id,
            one.name,
            one.finding.status,
            one.audit,
            one.scope.start,
            one.scope.end,
            one.scope.as_of,
            _when(one),
        )
        for one in saved
    ]
    schema = ["view", "name", "status", "audit", "first day", "last day", "as of import", "saved"]
    none = "No view was saved yet. The Share menu of every audit's page has the form Save view."
    ui.listing("Saved views", pl.DataFrame(rows, schema=schema, orient="row"), "saved_views", none)


def _when(saved: SavedView) -> str:
    return f"{saved.at:%Y-%m-%d %H:%M} UTC by {saved.author}"

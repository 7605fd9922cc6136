"""The reviews page: lists of saved views with then and now, their notes and order."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import ModuleType

import polars as pl
import streamlit as st

from core import markdown, reviews, then_now, ui, view
from core.audit import Finding, Scope
from core.coverage import DELETED_BEFORE
from core.findings import found_by
from core.ledger.current import get_store
from core.links import AS_OF
from core.review_document import link_of, scope_line
from core.reviews import Note, Review, SavedView
from core.state import StateProblem, get_state
from core.then_now import ThenNow
from core.ui import access
from core.ui.review_copies import outside_links, take_away, tried
from core.ui.sharing import NOTE_HELP, author_input

REVIEW, _NOW = "review", "review_now"
"""The parameter that names the open review; the data version kept for the session."""


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
        if access.allowed("editor", "New review"):
            _new_review()
    if by_id and picked:
        st.query_params[REVIEW] = str(picked)
    return by_id.get(picked)


def _new_review() -> None:
    with st.popover("New review"), st.form("new_review", border=False):
        name = st.text_input("Name", max_chars=reviews.NAME_LENGTH)
        author = author_input("review")
        if st.form_submit_button("Begin it", type="primary"):
            _begin(name, author)


def _begin(name: str, author: str) -> None:
    made = tried(lambda: reviews.make_review(get_state(), name, author))
    if made:
        access.did("review begun", f"{made} {name}")
        st.query_params[REVIEW] = str(made)
        st.rerun()


def _review(review: Review, saved: Sequence[SavedView]) -> None:
    state, version = get_state(), _now()
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            with st.container(gap=None, width="content"):
                st.text(review.name)
                st.caption(f"Begun {review.at:%Y-%m-%d %H:%M} UTC; now is import {version}.")
            with st.container(horizontal=True, width="content", gap="small"):
                if access.allowed("editor", "Change the review, make links"):
                    _add(review, saved)
                    outside_links(review, version)
                take_away(review, version)
        _notes(reviews.notes(state, "review", review.review_id))
        _note_form("review", review.review_id)
    listed = reviews.views_of(state, review)
    if not listed:
        st.text(
            "No view is in this review yet. Save one in the Share menu of an audit's page, then add it here."
        )
    for at, one in enumerate(listed):
        _view(review, one, at, version)


def _now() -> int:
    """The data version that `now` means: the newest when the session came, until it asks again.

    Asking audits takes seconds, and live ingest makes a version a second.
    """
    newest = ui.scope().as_of
    held = st.session_state.get(_NOW, newest)
    if held > newest or AS_OF in st.query_params:
        held = newest
    if held != newest:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.text(f"Newer data have come: now is import {held}, the newest is {newest}.")
            if st.button("Ask again"):
                held = newest
    st.session_state[_NOW] = held
    return int(held)


def _add(review: Review, saved: Sequence[SavedView]) -> None:
    free = {one.view_id: one for one in saved if one.view_id not in review.views}
    with st.popover("Add a view", disabled=not free), st.form("add_view", border=False):
        wanted = st.selectbox(
            "Saved view", [*free], format_func=lambda number: f"{free[number].name} ({number})"
        )
        if st.form_submit_button("Add", type="primary") and wanted is not None:
            _reorder(review, [*review.views, wanted])


def _reorder(review: Review, views: Sequence[int]) -> None:
    if access.may("editor") and tried(lambda: reviews.order_views(get_state(), review, views)):
        access.did("review rearranged", f"{review.review_id} {review.name}")
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
            if access.may("editor"):
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
    if not access.allowed("editor", "Add a note"):
        return
    with (
        st.popover("Add a note", type="tertiary"),
        st.form(f"note_{about}_{number}", border=False, clear_on_submit=True),
    ):
        author = author_input(f"{about}_{number}")
        text = st.text_area("Note", help=NOTE_HELP, max_chars=reviews.NOTE_LENGTH)
        st.caption("A note cannot be changed later; add another one.")
        if st.form_submit_button("Add the note", type="primary") and tried(
            lambda: reviews.add_note(get_state(), about, number, author, text)
        ):
            access.did("note added", f"{about} {number}")
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

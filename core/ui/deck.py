"""The deck page: which deck, its slides as a table people edit, its template, its files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import polars as pl
import streamlit as st

from core import board, deck_content, decks, downloads, findings, links, ui, view
from core.audit_log import Entry, record
from core.audits import every_audit
from core.decks import Deck
from core.downloads import Download
from core.export.template import MOST_MIB, BadTemplate, told
from core.ledger.current import get_store
from core.markdown import literal
from core.state import StateProblem, get_state
from core.ui import access

CHOSEN = "deck"
_TOLD, _NEW, _OTHER, _SAVED, _MAKING = "deck_told", "deck_new", "deck_other", "deck_saved", "deck_making"
LOOK_AGAIN_S = 0.5
"""Between looks at how far a file is."""
_EMPTY = "There is no deck yet. Open an audit and click Add to deck on a figure, or make an empty deck."


def chosen() -> Deck | None:
    """The deck in the address, with the ways to make, rename and delete one; None when there is none."""
    try:
        names = decks.ids_by_name()
    except StateProblem as problem:
        ui.note("Decks", str(problem))
        return None
    if complaint := st.session_state.pop(_TOLD, ""):
        ui.note("Not done", complaint)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        name = (
            st.selectbox("Deck", list(names), key=CHOSEN, bind="query-params", width=320) if names else None
        )
        if access.allowed("editor", "Change decks"):
            _naming(names, name)
    if name is None:
        st.text(_EMPTY)
        return None
    try:
        return decks.read(names[name])
    except StateProblem as problem:
        ui.note("Decks", str(problem))
        return None


def _naming(names: Mapping[str, int], name: str | None) -> None:
    with st.popover("New deck"):
        st.text_input("Its name", key=_NEW, max_chars=decks.LONGEST_NAME)
        st.button("Make it", on_click=_create, type="primary")
    if name is not None:
        with st.popover("Rename"):
            st.text_input("Other name", name, key=f"{_OTHER}_{names[name]}", max_chars=decks.LONGEST_NAME)
            st.button("Rename it", on_click=_rename, args=(names[name],), type="primary")
        with st.popover("Delete"):
            st.text("Its slides go with it. Nobody can bring them back.")
            st.button("Delete the deck", on_click=_delete, args=(names[name],), type="primary")


def _create() -> None:
    if not access.may("editor"):
        return
    name = " ".join(str(st.session_state.get(_NEW) or "").split())
    try:
        decks.create(name)
        access.did("deck made", name)
        st.session_state[CHOSEN] = name
        st.session_state[_NEW] = ""
    except StateProblem as problem:
        st.session_state[_TOLD] = str(problem)


def _rename(number: int) -> None:
    if not access.may("editor"):
        return
    name = " ".join(str(st.session_state.get(f"{_OTHER}_{number}") or "").split())
    try:
        decks.rename(number, name)
        access.did("deck renamed", f"{number} {name}")
        st.session_state[CHOSEN] = name
    except StateProblem as problem:
        st.session_state[_TOLD] = str(problem)


def _delete(number: int) -> None:
    if not access.may("editor"):
        return
    try:
        decks.remove(number)
        access.did("deck deleted", str(number))
        st.session_state.pop(CHOSEN, None)
    except StateProblem as problem:
        st.session_state[_TOLD] = str(problem)


def slides_table(deck: Deck) -> None:
    """Order, titles and notes, edited in place and saved together."""
    if not deck.slides:
        st.text("This deck has no slides. Open an audit and click Add to deck on a figure.")
        return
    with st.container(border=True, gap="small"):
        st.markdown("**Slides**")
        st.caption(
            "Each slide is asked anew at its own data version, so its numbers are those of the page it came from."
        )
        key = f"deck_{deck.deck_id}_{deck.edition}_{len(deck.slides)}"
        edited = st.data_editor(
            _rows(deck), key=key, hide_index=True,
            disabled=["figure", "scope", "page"], column_config=_forms(), alt="Slides of the deck",
        )  # fmt: skip
        if changed := len(st.session_state[key]["edited_rows"]):
            st.text(f"Edited and not saved yet: {changed} of {len(deck.slides)} slides.")
        if access.allowed("editor", "Save the slides") and st.button("Save the slides", type="primary"):
            try:
                decks.edit(deck, edited.rows(named=True))
                access.did("slides saved", deck.name)
            except StateProblem as problem:
                ui.note("Not saved", str(problem))
            else:
                st.session_state[_SAVED] = (deck.deck_id, f"Saved: edition {deck.edition + 1} of this deck.")
                st.rerun()
        saved = st.session_state.pop(_SAVED, (0, ""))
        if saved[0] == deck.deck_id:
            st.text(saved[1])


def _rows(deck: Deck) -> pl.DataFrame:
    origin = view.origin_of(st.context.url)
    rows = [
        {
            "order": float(at), "title": one.title, "notes": one.notes, "remove": False,
            "figure": view.titled(one.figure),
            "scope": f"{links.scope_text(one.scope)}, as of import {one.scope.as_of}",
            "page": links.share_link(f"{origin}/{one.audit}", one.scope, one.audit),
        }
        for at, one in enumerate(deck.slides, start=1)
    ]  # fmt: skip
    return pl.DataFrame(rows)


def _forms() -> dict[str, Any]:
    form = st.column_config
    return {
        "order": form.NumberColumn(width=70, help="1.5 puts a slide between the first and the second."),
        "title": form.TextColumn(width=420, max_chars=decks.LONGEST_TITLE),
        "notes": form.TextColumn(width=220, max_chars=decks.LONGEST_NOTES),
        "page": form.LinkColumn(width=70, display_text="Open"),
        "remove": form.CheckboxColumn(width=80),
    }


def template(deck: Deck) -> None:
    """A corporate template: checked before it is kept."""
    if not access.allowed("editor", "Change the template"):
        return
    named = literal(deck.template_name) or "Trueup's own pages"
    with st.expander(f"Template: {named}"):
        st.caption(
            "A .pptx with your company's master: slides use its fonts, its paper and a layout with a title."
        )
        file = st.file_uploader("Template", "pptx", key=f"template_{deck.deck_id}", max_upload_size=MOST_MIB)
        try:
            if file is not None:
                st.text(told(file.getvalue()))
                if st.button("Use this template", type="primary"):
                    decks.set_template(deck.deck_id, file.name, file.getvalue())
                    access.did("template set", f"{deck.name}: {file.name}")
                    st.rerun()
            if deck.template_name and st.button("Use Trueup's own pages"):
                decks.set_template(deck.deck_id, "", None)
                access.did("template removed", deck.name)
                st.rerun()
        except (BadTemplate, StateProblem) as problem:
            ui.note("Refused", str(problem))


def exports(deck: Deck) -> None:
    """The deck's files, and how much of its summary is known."""
    store, scopes = get_store(), dict.fromkeys(deck_content.board_scope(one.scope) for one in deck.slides)
    making: _Making = st.session_state.setdefault(_MAKING, _Making())
    missing = 0
    for scope in scopes:
        known = findings.kept(store.ask, scope)
        missing += (lacking := sum(view.name_of(audit) not in known for audit in every_audit()))
        if lacking and (worker := board.running()) is not None:
            worker.want(scope)
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
        for file in downloads.deck_downloads(store.ask, deck, view.origin_of(st.context.url), making.tell):
            ui.download(file._replace(make=partial(_exported, file, access.signed())), f"deck_{file.label}")
        st.caption("Slides with charts that can be edited; the workbook has the same numbers.")
    st.fragment(_progress, run_every=LOOK_AGAIN_S)(making)
    if missing:
        st.text(
            f"The summary lacks {missing} findings; they are being asked for. Open this page again to see."
        )


class _Making:
    """How far a session's file is: the web server's thread writes it, the page looks at it."""

    def __init__(self) -> None:
        self.done, self.of = 0, 0

    def tell(self, done: int, of: int) -> None:
        self.done, self.of = done, of


def _progress(making: _Making) -> None:
    if making.of:
        st.progress(making.done / making.of, f"Asking slide {making.done + 1} of {making.of} anew.")


def _exported(file: Download, who: str) -> bytes:
    """Made on the click, outside the page's run: who it is was asked before."""
    made = file.make()
    record(get_state(), Entry(who, "deck exported", file.name))
    return made

"""The Share popover of every page: the link, and on an audit's page the form that saves the view."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import streamlit as st

from core import reviews, ui, view
from core.audit import Scope
from core.coverage import SUMMARY
from core.reviews import BadText
from core.state import StateProblem, get_state
from core.then_now import method_digest
from core.ui import access

AUTHOR = "author_name"
"""In session state, so that a name is typed once."""


def share(slot: Any, within: Scope, audit: ModuleType | None = None, trace: str | None = None) -> None:
    """The popover with the link that shows these numbers again, whatever arrives later, and with Save view."""
    with slot.popover("Share"):
        st.caption("Opens this view with the same period, filters, settings and data version.")
        st.code(ui.link(within, audit, trace), language=None, wrap_lines=True)
        if audit is not None and within.as_of and access.allowed("editor", "Save view"):
            _save_form(within, audit)


def _save_form(within: Scope, audit: ModuleType) -> None:
    with st.form(f"save_view_{view.name_of(audit)}", border=False):
        st.caption("Or keep it, with what it says now, for an incident review.")
        name = st.text_input(
            "Name", f"{audit.TITLE}, {within.start} to {within.end}", max_chars=reviews.NAME_LENGTH
        )
        author = author_input("view")
        note = st.text_area("Note", help=NOTE_HELP, max_chars=reviews.NOTE_LENGTH, height=80)
        if not st.form_submit_button("Save view", type="primary"):
            return
    finding = ui.answer(audit, within).finding._replace(audit=view.name_of(audit))
    demo = bool(ui.ask(SUMMARY)["demo_imports"][0])
    try:
        digest = method_digest(audit)
        reviews.save_view(get_state(), name, author, within, finding, digest, demo, note)
        access.did("view saved", f"{name} ({finding.audit})")
        st.success("Saved. It can be put into a review on the page Reviews.")
    except (BadText, StateProblem) as problem:
        st.error("Not saved.")
        st.text(str(problem))


NOTE_HELP = "Some Markdown: bold, italics, code, lists and http(s) links. No pictures, no HTML."


def author_input(key: str) -> str:
    """Whose note or view it is: who is signed in, else a name people type, remembered and trusted for nothing."""
    if access.signing_in():
        name = access.person().name
        st.text(f"Signed: {name}")
        return name
    name = st.text_input(
        "Your name", st.session_state.get(AUTHOR, ""), key=f"{AUTHOR}_{key}", max_chars=reviews.AUTHOR_LENGTH
    )
    if name:
        st.session_state[AUTHOR] = name
    return str(name)

"""What people give on the data page: files, and change events they type."""

from __future__ import annotations

import streamlit as st

from core import downloads, ui, uploads
from core.ingest.options import ReadOptions
from core.ingest.own_tables.change_events import FIELDS, KINDS
from core.ledger.current import get_store
from core.ui import access


def _options() -> ReadOptions:
    return ReadOptions(access.settings().capture_content)


def add_files() -> None:
    """Many files at once, read in on the click; what became of each."""
    with st.container(border=True):
        st.markdown("**Add files**")
        st.caption("Traces, bills, outcomes, many at once: the format is read from the content.")
        if access.allowed("editor", "Add files"):
            files = st.file_uploader("Files", accept_multiple_files=True, label_visibility="collapsed")
            if files and st.button("Read them in", type="primary"):
                given, tell = [(file, file.name) for file in files], st.progress(0.0).progress
                reports = uploads.take_all(get_store(), given, _options(), tell)
                st.session_state["upload_reports"] = reports
                for report in reports:
                    access.did("file uploaded", report.sentence)
        for report in st.session_state.get("upload_reports", ()):
            st.text(report.sentence)
        with st.popover("Templates", type="tertiary"):
            for template in downloads.templates():
                ui.download(template, template.name)


def add_change() -> None:
    """A form for one change event."""
    if not access.allowed("editor", "Add a change"):
        return
    with st.form("change"), st.grid(3, min_column_width=200, gap="small"):
        typed = {"kind": st.selectbox("A change, its kind", KINDS)}
        typed |= {column: st.text_input(label, key=f"change_{column}") for column, label in FIELDS.items()}
        if st.form_submit_button("Add this change"):
            told = uploads.add_change(get_store(), typed, _options())
            st.session_state["change_told"] = told
            access.did("change added", told)
    st.text(st.session_state.get("change_told", ""))

"""Add files, what each table holds, what was changed, what was repeated or repaired, and how to send more."""

import streamlit as st

from core import coverage, downloads, pulls, traffic, ui, uploads
from core.ingest.options import ReadOptions
from core.ingest.own_tables.change_events import FIELDS, KINDS
from core.ledger.change_rows import NEWEST
from core.ledger.current import get_store
from core.settings import read_settings
from core.ui.first_steps import empty_button, how_to_send

ui.header("Data", "Add files, see what the ledger holds, and how to send more.")
empty_button()
options = ReadOptions(read_settings().capture_content)
with st.container(border=True):
    st.markdown("**Add files**")
    st.caption("Traces, bills, outcomes, many at once: the format is read from the content.")
    files = st.file_uploader("Files", accept_multiple_files=True, label_visibility="collapsed")
    if files and st.button("Read them in", type="primary"):
        given, tell = [(file, file.name) for file in files], st.progress(0.0).progress
        st.session_state["upload_reports"] = uploads.take_all(get_store(), given, options, tell)
    for report in st.session_state.get("upload_reports", ()):
        st.text(report.sentence)
    with st.popover("Templates", type="tertiary"):
        for template in downloads.templates():
            ui.download(template, template.name)

with st.form("change"), st.grid(3, min_column_width=200, gap="small"):
    typed = {"kind": st.selectbox("A change, its kind", KINDS)}
    typed |= {column: st.text_input(label, key=f"change_{column}") for column, label in FIELDS.items()}
    if st.form_submit_button("Add this change"):
        st.session_state["change_told"] = uploads.add_change(get_store(), typed, options)
st.text(st.session_state.get("change_told", ""))
ui.listing("Newest changes", ui.ask(NEWEST, as_of=ui.scope().as_of), "changes", "No change is known.")
ui.listing("Calls by model", traffic.traffic(ui.ask, ui.scope().as_of), "calls_by_model", "No call has come.")
for listed in (*coverage.listings(ui.ask), pulls.listing(ui.ask, read_settings())):
    ui.listing(*listed)
with st.expander("How to send data", expanded=not ui.scope().as_of):
    how_to_send()

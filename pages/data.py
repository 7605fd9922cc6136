"""What came in: upload, imports, what each table holds, what was refused, repeated or repaired, how to send more."""

import streamlit as st

from core import coverage, ui, uploads, view
from core.ingest.options import ReadOptions
from core.ledger.current import get_store
from core.recipes import recipes
from core.settings import read_settings

ui.header("Data", "What came in, what was refused and why, and how to send more.")

with st.container(border=True):
    st.markdown("**Add files**")
    st.caption("Trace files, FOCUS and vendor bills, gateway logs. The format is read from the content.")
    files = st.file_uploader("Files", accept_multiple_files=True, label_visibility="collapsed")
    if files and st.button("Read them in", type="primary"):
        progress, reports, options = st.progress(0.0), [], ReadOptions(read_settings().capture_content)
        for place, file in enumerate(files):
            reports.append(uploads.take(get_store(), file, file.name, options))
            progress.progress((place + 1) / len(files))
        uploads.finish(get_store())
        st.session_state["upload_reports"] = reports
    for report in st.session_state.get("upload_reports", ()):
        st.text(report.sentence)

tables = (
    ("Imports", coverage.IMPORTS, "imports", "Nothing has been imported yet."),
    ("Refused rows", coverage.QUARANTINE, "quarantine", "No row has been refused."),
    ("Repeated rows", coverage.DUPLICATES, "duplicates", "No row has come twice."),
    ("Repairs", coverage.REPAIRS, "repairs", "No row has been repaired."),
)
for title, question, name, none in tables:
    ui.listing(title, ui.ask(question), name, none)
ui.listing("Tables", coverage.table_counts(ui.ask), "tables", "The ledger has no tables.")

with st.expander("How to send data", expanded=not ui.scope().as_of):
    for recipe in recipes(view.origin_of(st.context.url)):
        st.caption(recipe.title)
        st.code(recipe.text, language=recipe.language, wrap_lines=True)

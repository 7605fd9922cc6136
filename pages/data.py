"""Add files, what each table holds, what was repeated or repaired, and how to send more."""

import streamlit as st

from core import coverage, pulls, ui, uploads, view
from core.ingest.options import ReadOptions
from core.ledger.current import get_store
from core.recipes import recipes
from core.settings import read_settings

ui.header("Data", "Add files, see what the ledger holds, and how to send more.")

with st.container(border=True):
    st.markdown("**Add files**")
    st.caption(
        "Traces, bills, gateway logs, many at once: the format is read from the content. Then see Imports."
    )
    files = st.file_uploader("Files", accept_multiple_files=True, label_visibility="collapsed")
    if files and st.button("Read them in", type="primary"):
        options, given = ReadOptions(read_settings().capture_content), [(file, file.name) for file in files]
        st.session_state["upload_reports"] = uploads.take_all(
            get_store(), given, options, st.progress(0.0).progress
        )
    for report in st.session_state.get("upload_reports", ()):
        st.text(report.sentence)

tables = (
    ("Repeated rows", coverage.DUPLICATES, "duplicates", "No row has come twice."),
    ("Repairs", coverage.REPAIRS, "repairs", "No row has been repaired."),
)
for title, question, name, none in tables:
    ui.listing(title, ui.ask(question), name, none)
sources = pulls.listed(ui.ask, read_settings())
ui.listing("SQL sources", sources, "sql_sources", pulls.state_text(read_settings()))
ui.listing("Tables", coverage.table_counts(ui.ask), "tables", "The ledger has no tables.")

with st.expander("How to send data", expanded=not ui.scope().as_of):
    for recipe in recipes(view.origin_of(st.context.url)):
        st.caption(recipe.title)
        st.code(recipe.text, language=recipe.language, wrap_lines=True)

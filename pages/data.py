"""Add files, what each table holds, what was changed, what was repeated or repaired, and how to send more."""

import streamlit as st

from core import coverage, pulls, traffic, ui
from core.ledger.change_rows import NEWEST
from core.ui import access
from core.ui.first_steps import empty_button, how_to_send
from core.ui.giving import add_change, add_files

ui.header("Data", "Add files, see what the ledger holds, and how to send more.")
empty_button()
add_files()
add_change()
ui.listing("Newest changes", ui.ask(NEWEST, as_of=ui.scope().as_of), "changes", "No change is known.")
ui.listing("Calls by model", traffic.traffic(ui.ask, ui.scope().as_of), "calls_by_model", "No call has come.")
for listed in (*coverage.listings(ui.ask), pulls.listing(ui.ask, access.settings())):
    ui.listing(*listed)
with st.expander("How to send data", expanded=not ui.scope().as_of):
    how_to_send()

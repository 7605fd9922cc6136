"""The board: every audit's verdict in one row, or how to send the first trace."""

import streamlit as st

from core import ui, view
from core.audits import SECTIONS, every_audit
from core.ui.board import board_rows, board_scope, told_of_breaks
from core.ui.first_steps import teach, way_through

slot = ui.header("Overview", "What is reported beside what the evidence supports, one row an audit.")
within, audits = board_scope(), every_audit()
told_of_breaks(within)
teach(within.as_of)
way_through()
sections = [section for section in SECTIONS if any(section == audit.SECTION for audit in audits)]
with st.container(horizontal=True, gap="small"):
    bound = {"bind": "query-params", "width": 320}
    wanted = (
        st.multiselect("Sections", sections, key="section", placeholder="All sections", **bound) or sections
    )
    statuses = st.multiselect(
        "Statuses", view.STATUS_COLOURS, key="status", placeholder="All statuses", **bound
    )
ui.share(slot, within)
board_rows([audit for audit in audits if audit.SECTION in wanted], within, statuses)
ui.footer(within)

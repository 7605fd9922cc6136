"""The board: every audit's verdict in one row, or how to send the first trace."""

import streamlit as st

from core import ui, view
from core.audits import every_audit
from core.recipes import recipes
from core.ui.board import board_rows

within, audits = ui.scope(), every_audit()
slot = ui.header("Overview", "What is reported beside what the evidence supports, one row an audit.")

if not within.as_of:
    ui.note("Empty", "The ledger holds no data yet, so no audit can tell anything. Send the first trace:")
    for recipe in recipes(view.origin_of(st.context.url)):
        st.caption(recipe.title)
        st.code(recipe.text, language=recipe.language, wrap_lines=True)
    st.stop()

sections = sorted({audit.SECTION for audit in audits})
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

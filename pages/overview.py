"""The board: every audit's verdict in one row, or how to send the first trace."""

import streamlit as st

from core import ui, view
from core.audits import every_audit
from core.coverage import have
from core.recipes import recipes

within, audits = ui.scope(), every_audit()
slot = ui.header("Overview", "What is reported beside what the evidence supports, one row an audit.")

if not within.as_of:
    ui.note("Empty", "The ledger holds no data yet, so no audit can tell anything. Send the first trace:")
    for recipe in recipes(view.origin_of(st.context.url)):
        st.caption(recipe.title)
        st.code(recipe.text, language=recipe.language, wrap_lines=True)
    st.stop()

sections = sorted({audit.SECTION for audit in audits})
bound = {"key": "section", "bind": "query-params", "placeholder": "All sections", "width": 320}
wanted = st.multiselect("Sections", sections, **bound) or sections
ui.share(slot, within)

judged = {audit: ui.answer(audit, within).finding for audit in audits if audit.SECTION in wanted}
st.caption(view.chance_text(list(judged.values())))
for audit, finding in judged.items():
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(finding.status, color=view.STATUS_COLOURS[finding.status])
            st.page_link(view.page_of(audit), label=audit.TITLE)
            st.caption(view.newest_text(have(ui.ask, audit.NEEDS, within)))
        st.text(finding.sentence)
        with st.grid(4, min_column_width=150, gap="small"):
            ui.pair(finding)
        st.text(f"Missing: {finding.missing}" if finding.missing else "Nothing is missing.")
ui.footer(within)

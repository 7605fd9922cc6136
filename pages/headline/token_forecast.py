"""The forecast that learned a holiday: a page like the others, with the break calendar people edit."""

import streamlit as st

from core import breaks, made, ui, view
from core.audits import token_forecast as audit
from core.coverage import have
from core.state import get_state

BREAKS = f"{view.name_of(audit)}_{made.BREAKS}"
slot, asked = ui.header(audit.TITLE, view.question_of(audit)), st.query_params.get(BREAKS)
ui.choices(audit)
within = ui.scope(audit)
if told := made.told(within, get_state(), asked):
    ui.note("Breaks", told)
measure, finding, drawn = ui.answer(audit, within)
ui.verdict(finding)
with st.container(border=True, gap="small"):
    st.markdown("**Breaks: days that are not normal demand**")
    st.caption(
        "Tick what is true and save: the forecast takes ticked rows out of the level. An effect of 0 says that the days "
        "were normal. A row for days ahead repeats past rows of the same name, or the effect you state (-0.4 = 40 % less)."
    )
    rows = breaks.editor_rows(dict(within.made)[made.BREAKS], audit.proposed(measure))
    edited = st.data_editor(
        rows, key=f"breaks_of_{hash(within)}", num_rows="dynamic", hide_index=True, disabled=["found"]
    )
    if st.button("Save as a new revision", type="primary"):
        saved, complaint = made.save(within, get_state(), edited.rows(named=True))
        if saved is not None:
            st.query_params[BREAKS] = str(saved.number)
            st.rerun()
        ui.note("Not saved", complaint)
ui.needs(have(ui.ask, audit.NEEDS, within))
ui.figures(audit, drawn, finding, within)
for title, table in view.tables_of(audit, measure).items():
    ui.listing(title, table, f"{view.name_of(audit)}_{title.lower().replace(' ', '_')}", "")
ui.method(audit, measure, finding)
ui.share(slot, within, audit)
ui.footer(within, audit)

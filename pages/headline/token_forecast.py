"""The forecast that learned a holiday: a page like the others, with the break calendar people edit."""

import streamlit as st

from core import breaks, made, ui, view
from core.audits import token_forecast as audit
from core.coverage import have

revision = f"{view.name_of(audit)}_{made.BREAKS}"
slot, asked = ui.header(audit.TITLE, view.question_of(audit)), st.query_params.get(revision)
ui.choices(audit)
within = ui.scope(audit)
if told := made.told(within, asked):
    ui.note("Breaks", told)
measure, finding, drawn = ui.answer(audit, within)
ui.verdict(finding)
with st.container(border=True, gap="small"):
    st.markdown("**Breaks: days that are not normal demand**")
    st.caption(breaks.HELP)
    date, rows = (
        st.column_config.DateColumn,
        breaks.editor_rows(dict(within.made)["breaks"], audit.proposed(measure)),
    )
    forms = {name: date(label) for name, label in breaks.DATES.items()} | breaks.LABELS
    forms |= {"accept": st.column_config.CheckboxColumn("true", default=True)}
    look = {"num_rows": "dynamic", "hide_index": True, "disabled": ["found"], "column_config": forms}
    edited = st.data_editor(rows, key=f"breaks_{hash(str(rows.rows()))}", **look)
    if st.button(f"Save with {edited['accept'].sum()} breaks", key="save_breaks", type="primary"):
        saved, complaint = made.save(within, edited.rows(named=True))
        if saved is not None:
            st.query_params[revision] = str(saved.number)
            st.rerun()
        ui.note("Not saved", complaint)
ui.needs(have(ui.ask, audit.NEEDS, within))
ui.figures(audit, drawn, finding, within)
for title, table in view.tables_of(audit, measure).items():
    ui.listing(title, table, f"{view.name_of(audit)}_{title.lower().replace(' ', '_')}", "")
ui.method(audit, measure, finding)
ui.share(slot, within, audit)
ui.footer(within, audit)

"""The forecast that learned a holiday: a page like the others, with the break calendar people edit."""

import streamlit as st

from core import made, ui, view
from core.audits import token_forecast as audit
from core.coverage import have
from core.ui.break_calendar import edit_breaks

revision = f"{view.name_of(audit)}_{made.BREAKS}"
slot, asked = ui.header(audit.TITLE, view.question_of(audit)), st.query_params.get(revision)
ui.choices(audit)
within = ui.scope(audit)
if told := made.told(within, asked):
    ui.note("Breaks", told)
measure, finding, drawn = ui.judged(audit, within)
edit_breaks(within, revision, audit.proposed(measure))
ui.needs(have(ui.ask, audit.NEEDS, within))
ui.figures(audit, drawn, finding, within)
for title, table in view.tables_of(audit, measure).items():
    ui.listing(title, table, f"{view.name_of(audit)}_{title.lower().replace(' ', '_')}", "")
ui.method(audit, measure, finding)
ui.share(slot, within, audit)
ui.footer(within, audit)

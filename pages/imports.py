"""What came when, what was refused and why, how to mend it, and undo."""

import streamlit as st

from core import demo, downloads, imports, ui
from core.ledger.current import get_store
from core.ui import access

ui.header("Imports", "What came when, what was refused and why, and how to undo it.")
if told := st.session_state.pop("undo_told", ""):
    ui.note("Undone", told)
arrivals = ui.ask(imports.ARRIVALS)
with st.container(border=True, gap="small"):
    st.markdown("**What came**")
    st.caption("A row a file, or an hour of live traffic. One row read can make several.")
    if not arrivals.height:
        st.text("Nothing has come yet.")
        st.stop()
    picked = ui.table(imports.listed(arrivals), "What came", "arrivals")
    listed = downloads.rows_download("trueup_imports", imports.listed(arrivals), demo.note(ui.ask))
    ui.download(listed, "imports_csv")
if (at := picked[0] if picked else imports.selected(arrivals, st.query_params.get("arrival"))) is None:
    st.stop()
row = arrivals.row(at, named=True)
arrival = imports.arrival_of(row)
st.query_params["arrival"] = imports.link_of(row)
refused = ui.ask(imports.REFUSED, **arrival.parameters())
with st.container(border=True):
    st.text(imports.sentence(row))
    if imports.can_undo(arrival) and access.allowed("editor", "Undo"):
        with st.popover("Undo"):
            st.text(imports.what_undo_does(arrival))
            if st.button("Undo this import", type="primary"):
                st.session_state["undo_told"] = imports.undo(get_store(), arrival)
                access.did("import undone", imports.sentence(row))
                st.rerun()
if refused.height:
    st.text(imports.MENDING)
    ui.listing("Why rows were refused", imports.reasons(refused), "refusal_reasons", "")
    ui.listing("Refused rows", refused, f"refused_{imports.link_of(row)}", "")

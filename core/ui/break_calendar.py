"""The break calendar under the forecast: proposed breaks that people accept, edit and save."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core import breaks, made, ui
from core.audit import Scope
from core.breaks import Proposed
from core.ui import access


def edit_breaks(within: Scope, revision: str, proposed: Sequence[Proposed]) -> None:
    """The table, and the button that saves it as a new revision, which the address then names under `revision`."""
    with st.container(border=True, gap="small"):
        st.markdown("**Breaks: days that are not normal demand**")
        st.caption(breaks.HELP)
        rows = breaks.editor_rows(dict(within.made)["breaks"], proposed)
        forms = {
            name: st.column_config.DateColumn(label) for name, label in breaks.DATES.items()
        } | breaks.LABELS
        forms |= {"accept": st.column_config.CheckboxColumn("true", default=True)}
        look: Any = {"num_rows": "dynamic", "hide_index": True, "disabled": ["found"], "column_config": forms}
        edited = st.data_editor(rows, key=f"breaks_{hash(str(rows.rows()))}", **look)
        if not access.allowed("editor", "Save breaks"):
            return
        if st.button(f"Save with {edited['accept'].sum()} breaks", key="save_breaks", type="primary"):
            saved, complaint = made.save(within, edited.rows(named=True))
            if saved is not None:
                access.did("breaks saved", f"revision {saved.number}")
                st.query_params[revision] = str(saved.number)
                st.rerun()
            ui.note("Not saved", complaint)

"""Which project a page is of: told by its WebSocket, the same for as long as the session lives.

A page's script, its fragments and its callbacks run in threads of Streamlit's. While the browser is away the session goes on
without a WebSocket, so what it told at first is remembered; one that comes back by another project's address gets nothing.
"""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core import projects
from core.projects import NoProject

_KEPT = "session_project"


def whose() -> str | None:
    """The project of the running page; None where no page runs, or where it was never told."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return None
    told, kept = st.context.headers.get(projects.HEADER), st.session_state.get(_KEPT)
    if told is None or told == kept:
        return kept
    if kept is not None:
        raise NoProject(f"This page belongs to the project {kept}. Open it anew.")
    st.session_state[_KEPT] = told
    return str(told)

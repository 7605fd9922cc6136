"""What pages show of the demo and of a ledger without data: the way through, the emptying, and how to send data."""

from __future__ import annotations

import streamlit as st

from core import demo, ui, view
from core.coverage import HOLDS
from core.ledger.current import get_store
from core.recipes import recipes
from core.ui import access

LOOK_AGAIN_S = 2.0
_TOLD = "emptied_told"


def teach(as_of: int) -> None:
    """On a ledger without data: say so, show how to send the first trace, and end the page."""
    if as_of and ui.ask(HOLDS, as_of=as_of).item():
        return
    said = st.session_state.get(_TOLD, "The ledger holds no data yet, so no audit can tell anything.")
    ui.note("Empty", said)
    st.text("Send the first trace, and this page becomes the board:")
    how_to_send()
    st.fragment(_look_for_data, run_every=LOOK_AGAIN_S)()
    st.stop()


def _look_for_data() -> None:
    if not ui.pinned() and ui.ask(HOLDS, as_of=get_store().version()).item():
        st.session_state.pop(_TOLD, None)
        st.rerun()


def how_to_send() -> None:
    """A recipe for each way in, with this app's own address."""
    for recipe in recipes(view.origin_of(st.context.url)):
        st.caption(recipe.title)
        st.code(recipe.text, language=recipe.language, wrap_lines=True)


def way_through() -> None:
    """The demo's stories as links, on a ledger that holds nothing else."""
    if not demo.can_empty(ui.ask):
        return
    with st.expander("The demo in five stories", expanded=True):
        with st.grid(2, min_column_width=320, gap="small"):
            for story in demo.STORIES:
                # Not st.page_link: in a running session the sidebar keeps its values and the link's would be dropped.
                with st.container(gap=None):
                    st.markdown(f"[{story.title}]({story.address.removeprefix('/')})")
                    st.caption(story.look_at)
        st.caption("Every number is generated. When you have seen enough: Data, Empty the demo.")


def empty_button() -> None:
    """One button that deletes the demo, after a question; it is there only while there is nothing else."""
    if not demo.can_empty(ui.ask) or not access.allowed("editor", "Empty the demo"):
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.text("This ledger holds demo data only.")
        with st.popover("Empty the demo"):
            st.text(demo.WHAT_EMPTYING_DOES)
            if st.button("Delete the demo data", type="primary"):
                st.session_state[_TOLD] = demo.empty(get_store())
                access.did("demo emptied", st.session_state[_TOLD])
                ui.unpin()
                st.switch_page(view.PAGES / "overview.py")

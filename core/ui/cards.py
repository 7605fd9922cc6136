"""Figures in their cards: title, how to read it, the picture, its exports and the way into a deck."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

import plotly.graph_objects as go
import streamlit as st

from core import board, deck_content, decks, downloads, view
from core.audit import Finding, Scope
from core.charts import noted, themed
from core.decks import Slide
from core.export import alt_text
from core.projects import bound
from core.state import StateProblem
from core.ui import access, waiting

PICTURE = "picture"
_LAST, _ADDED = "deck_last", "deck_added"


def cards(
    audit: ModuleType, drawn: Mapping[str, go.Figure], finding: Finding, within: Scope, link: str, demo: str
) -> None:
    """Bordered cards, two a row; the last one alone takes the whole width. `demo`: what every picture of demo data says."""
    shown = [*drawn.items()]
    for row in (shown[at : at + 2] for at in range(0, len(shown), 2)):
        for column, (name, figure) in zip(st.columns(len(row), gap="small"), row, strict=True):
            with column, st.container(border=True, height="stretch", gap="small"):
                card(audit, name, noted(figure, demo), finding, within, link, bool(demo))
        waiting.let_draw(f"{audit.__name__} figure", waiting.FIGURE_S)


def card(
    audit: ModuleType, name: str, figure: go.Figure, finding: Finding, within: Scope, link: str, demo: bool
) -> None:
    """One figure with its title, what it says to those who do not see it, and its exports."""
    key = f"{view.name_of(audit)}_{name}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{view.titled(name)}**", width="stretch")
        if access.may("editor") and st.button("Add to deck", key=f"{key}_deck", type="tertiary"):
            _add(Slide(view.name_of(audit), name, within, finding.sentence[: decks.LONGEST_TITLE]))
        with st.popover("Export", type="tertiary"):
            for made in downloads.downloads(audit, name, figure, finding, within, link, demo):
                download(made, f"{key}_{made.label}")
            st.caption("PNG or SVG: the camera on the chart, for print at 20 cm.")
            access.allowed("editor", "Add to deck")
    if st.session_state.get(_ADDED, ("",))[0] == key:
        st.text(st.session_state.pop(_ADDED)[1])
    st.caption(view.caption_of(audit, name))
    draw(figure, key, alt_text(view.titled(name), figure))


def download(made: downloads.Download, key: str) -> None:
    """A button for a file that is made on the click."""
    make = bound(made.make)  # it runs outside the page, in the web server's thread
    st.download_button(made.label, make, made.name, key=key, on_click="ignore", type="tertiary")


def draw(figure: go.Figure, key: str, alt: str) -> None:
    """The figure in the reader's theme; its menu saves the picture in the browser."""
    form = st.session_state.get(PICTURE) or "PNG"
    config = downloads.picture_config(key, form, figure.layout.height)
    shown = themed(figure, st.context.theme.type == "dark")
    st.plotly_chart(shown, theme=None, config=config, key=key, alt=alt)


@st.dialog("Add to deck")
def _add(slide: Slide) -> None:
    """Which deck, the slide's title and what to say: the numbers stay those of this data version."""
    try:
        names = list(decks.ids_by_name()) or [decks.FIRST_NAME]
    except StateProblem as problem:
        st.text(str(problem))
        return
    last = st.session_state.get(_LAST)
    at = names.index(last) if last in names else 0
    name = st.selectbox("Deck", names, at, accept_new_options=True, help="Type a name for a new one.")
    title = st.text_area("Title", slide.title, max_chars=decks.LONGEST_TITLE)
    notes = st.text_area("Notes for the speaker", max_chars=decks.LONGEST_NOTES)
    st.caption(f"The slide shows this scope as of import {slide.scope.as_of}, whenever it is exported.")
    if st.button("Add", type="primary") and access.may("editor"):
        try:
            count = decks.add(name or "", slide._replace(title=title or slide.title, notes=notes or ""))
        except StateProblem as problem:
            st.text(str(problem))
            return
        if (worker := board.running()) is not None:
            worker.want(deck_content.board_scope(slide.scope))
        access.did("slide added", f"{name}: {slide.audit} {slide.figure}")
        st.session_state[_LAST] = name
        st.session_state[_ADDED] = (f"{slide.audit}_{slide.figure}", f"Slide {count} of the deck {name}.")
        st.rerun()

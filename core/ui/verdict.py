"""The verdict card: status, one sentence, the pair, the gap with its interval on an axis, n, and what is missing.

It is shown before the answer is made where the board has kept this very finding: what a reader came for stands there while
the ledger is read for the pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import findings, view
from core.audit import Count, Finding, Scope
from core.ledger.current import get_store
from core.ui import waiting
from core.verdict_html import Cell, allowed, gap_html, numbers_html


def kept_verdict(audit: ModuleType, within: Scope) -> tuple[DeltaGenerator, Finding | None]:
    """The verdict's place, with the finding that is kept for this scope and version where there is one."""
    place, known = st.empty(), findings.exactly(get_store().ask, audit, within)
    if known is not None:
        place_verdict(place, audit, within, known)
    return place, known


def place_verdict(place: DeltaGenerator, audit: ModuleType, within: Scope, finding: Finding) -> None:
    """The card into its place, and to the browser before the rest of the page."""
    with place.container():
        verdict(finding, allowed(audit, within))
    waiting.let_draw(f"{audit.__name__} verdict", waiting.VERDICT_S)


def verdict(finding: Finding, limits: tuple[float, float] | None = None) -> None:
    """One bordered card; `limits` are the gaps between which the audit holds."""
    with st.container(border=True, gap="small"):
        line = st.container(horizontal=True, vertical_alignment="center", gap="small")
        line.badge(finding.status, color=view.STATUS_COLOURS[finding.status])
        line.text(finding.sentence)
        pair(finding, limits)
        if finding.missing:
            st.text(f"Missing: {finding.missing}")


def pair(finding: Finding, limits: tuple[float, float] | None, went: Sequence[float] | None = None) -> None:
    """Reported, supported, gap with interval and n, and the gap's picture; `went`: how the gap went until now.

    In one element: Streamlit's own metric loads its script first, and a chart its library.
    """
    st.html(numbers_html(view.cells(finding), went) + gap_html(finding, limits))


def counts(side_by_side: Sequence[Count]) -> None:
    """The same events as each party counts them."""
    if not side_by_side:
        return
    with st.grid(len(side_by_side), min_column_width=220, gap="small"):
        for one in side_by_side:
            with st.container(border=True, gap=None, height="stretch"):
                st.html(numbers_html([Cell(one.label, one.value, one.of)]))

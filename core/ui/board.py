"""The board: one row an audit from what is kept, never computed while a page opens; it looks again while work goes on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from types import ModuleType

import streamlit as st

from core import board, findings, made, ui, view
from core.audit import Scope
from core.findings import Kept, Past
from core.ledger.current import get_store
from core.multiplicity import chance_text
from core.ui import held
from core.ui.verdict import pair
from core.verdict_html import allowed

LOOK_AGAIN_S, LOOK_LATER_S = 1.0, 5.0
"""Between looks while findings are made, and while there may be newer ones."""


REVISION = f"_{made.BREAKS}"
"""The address's parameter for the break calendar, as links and scope keys name it for the board as a whole."""


def board_scope() -> Scope:
    """The scope in force with the break calendar: the one the address names, else the newest."""
    return findings.stamped(ui.scope(), st.query_params.get(REVISION))


def told_of_breaks(within: Scope) -> None:
    """Say so when the calendar is not the newest, or a pinned link from before links named it shows the newest."""
    asked = st.query_params.get(REVISION)
    told = made.told(within, asked)
    if not told and asked is None and ui.pinned() and within.choice(made.BREAKS, "0") != "0":
        told = f"The address names no break calendar: findings are made with the newest, {within.choice(made.BREAKS, '0')}."
    if told:
        ui.note("Breaks", told)


def board_rows(audits: Sequence[ModuleType], within: Scope, statuses: Sequence[str]) -> None:
    """Every audit's row, filtered by status; rows fill in while the worker is at them."""
    scope = findings.stamped(within)
    worker = board.running()
    if worker is None:  # outside the app: tests of pages, and nobody to wait for
        board.BoardWorker(get_store()).compute(scope)
        _rows(audits, scope, statuses)
        return
    every = LOOK_LATER_S
    if _incomplete(audits, scope):
        worker.want(scope)
        every = LOOK_AGAIN_S
    st.fragment(_rows, run_every=every)(audits, scope, statuses)


def _incomplete(audits: Sequence[ModuleType], scope: Scope) -> bool:
    known = findings.kept(get_store().ask, scope)
    return any(
        view.name_of(audit) not in known or known[view.name_of(audit)].version != scope.as_of
        for audit in audits
    )


def _rows(audits: Sequence[ModuleType], scope: Scope, statuses: Sequence[str]) -> None:
    store = get_store()
    known, past = findings.kept(store.ask, scope), findings.past(store.ask, scope.as_of)
    worker = board.running()
    # Not at every import: live traffic makes one a second, and each would ask every audit again for every reader.
    if (
        worker is not None
        and not ui.pinned()
        and findings.newest(store.ask) >= held.version(store) > scope.as_of
    ):
        st.rerun()
    progress = worker.progress(scope) if worker else None
    if progress is not None:
        share = progress.done / progress.of if progress.of else 1.0
        st.progress(
            share, f"Asking the audits: {progress.done} of {progress.of}. Rows show what was found before."
        )
    elif worker is not None and worker.error:
        ui.note("Not up to date", f"Findings could not be kept: {worker.error}. It is tried again.")
    elif st.session_state.get("board_waited") and not _incomplete(audits, scope):
        st.session_state.board_waited = False
        st.rerun()
    st.session_state.board_waited = progress is not None
    told = {audit: known.get(view.name_of(audit)) for audit in audits}
    st.caption(chance_text([one.finding for one in told.values() if one is not None]))
    for audit, one in told.items():
        if one is None and not statuses:
            _waiting(audit, scope)
        elif one is not None and (not statuses or one.finding.status in statuses):
            _row(audit, one, past.get(view.name_of(audit)), scope)


def _waiting(audit: ModuleType, scope: Scope) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
        st.badge("not asked yet", color="gray")
        _link(audit, scope)


def _link(audit: ModuleType, scope: Scope) -> None:
    """To the audit's page, with the row's break calendar: the sidebar carries the rest of the scope along."""
    own = {f"{view.name_of(audit)}_{made.BREAKS}": scope.choice(made.BREAKS, "0")}
    shown = own if made.needs_breaks(audit) and st.query_params.get(REVISION) else None
    st.page_link(view.page_of(audit), label=audit.TITLE, query_params=shown)


def _row(audit: ModuleType, one: Kept, past: Past | None, scope: Scope) -> None:
    finding = one.finding
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(finding.status, color=view.STATUS_COLOURS[finding.status])
            _link(audit, scope)
            st.caption(_age(one, past, scope))
        st.text(finding.sentence)
        if finding.status == "cannot tell" and finding.gap is None:
            st.text(f"Missing: {finding.missing}")
            return
        gaps = list(past.gaps) if past and len(past.gaps) > 1 else None
        pair(finding, allowed(audit, scope), gaps)
        st.text(f"Missing: {finding.missing}" if finding.missing else "Nothing is missing.")


def _age(one: Kept, past: Past | None, scope: Scope) -> str:
    """How old the rows and the finding are, and since when the status holds."""
    told = [f"Newest data in scope: {one.newest_day}" if one.newest_day else "No data in scope"]
    if past is not None:
        told.append(f"{one.finding.status} since {_moment(past.since)}")
    if one.version != scope.as_of:
        told.append(f"as of import {one.version}, found {_moment(one.at)}")
    return " · ".join(told)


def _moment(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"

"""The access page: whose role is what, open doors, tokens of programs, and the audit log."""

from __future__ import annotations

import polars as pl
import streamlit as st

from core import audit_log, downloads, projects, ui
from core.state import StateProblem, get_state
from core.tokens import (
    NAME_LENGTH,
    SCOPES,
    BadToken,
    Token,
    list_tokens,
    make_token,
    revoke_token,
    token_project,
)
from core.ui import access

LIFETIMES_DAYS = (30, 90, 365, None)
SHOWN_ENTRIES = 200
MAY = (
    ("viewer", "sees every page, exports figures"),
    ("editor", "also adds and undoes data, saves views, notes, breaks and decks, shares links"),
    ("admin", "also makes and revokes tokens, reads the audit log"),
)
_MADE = "token_made"


def roles_held() -> None:
    """Who is looking and what the roles may; or that nobody signs in here."""
    who, settings = access.person(), access.settings()
    with st.container(border=True, gap="small"):
        st.markdown("**You**")
        if access.signing_in():
            st.text(f"{who.name}, {who.account or 'no address'}: {who.role}.")
            held = ", ".join(repr(one) for one in who.claimed) or "nothing"
            st.caption(
                f"A sign-in lasts {settings.session_hours} hours. Roles come from the lists in the settings."
            )
            st.text(f"The claim {settings.role_claim!r} of yours holds {held}.")
        elif who.role == "admin":
            st.text(
                "Nobody signs in here: whoever uses this machine is admin. Other machines cannot reach this page."
            )
        else:
            ui.note(
                "Open",
                "Nobody signs in here, and other machines may reach this page: everyone who does is editor. "
                "Tokens and the audit log are left to the command line. docs/access.md says how people sign in.",
            )
        ui.table(pl.DataFrame(MAY, schema=["role", "may"], orient="row"), "What each role may do")


def doors() -> None:
    """Which doors let anybody in. Asked of the database, as the doors themselves do every two seconds."""
    with st.container(border=True, gap="small"):
        st.markdown("**Doors for programs**")
        try:
            made = {one.scope for one in list_tokens(get_state())}
        except StateProblem as problem:
            ui.note("Not available", str(problem))
            return
        settings = access.settings()
        configured = {"ingest": settings.ingest_tokens, "read": settings.read_tokens}
        for scope, what in (("ingest", "Sending data, undoing"), ("read", "Reading answers and metrics")):
            if scope in made or configured[scope] or access.signing_in():
                st.text(f"{what}: needs a token for {scope}.")
            else:
                ui.note(
                    "Open door",
                    f"{what}: whoever can connect may, because no token for {scope} was ever made.",
                )


def tokens() -> None:
    """The list, a form that makes one, and buttons that end them; for admins."""
    with st.container(border=True, gap="small"):
        st.markdown("**Tokens**")
        if not access.allowed("admin", "Tokens"):
            return
        try:
            _make()
            listed = list_tokens(get_state())
            if listed:
                ui.table(_rows(listed), "Tokens")
            for one in listed:
                if one.status == "live" and st.button(
                    f"Revoke {one.token_id}", key=f"revoke_token_{one.token_id}"
                ):
                    revoke_token(get_state(), one.token_id, access.signed())
                    st.rerun()
        except (BadToken, StateProblem) as problem:
            ui.note("Not done", str(problem))


def _make() -> None:
    with st.popover("Make a token"), st.form("make_token", border=False):
        name = st.text_input("Name: the program that will hold it", max_chars=NAME_LENGTH)
        scope = st.selectbox(
            "It may", SCOPES, format_func=lambda one: {"ingest": "send data"}.get(one, "read answers")
        )
        days = st.selectbox("Ends after", LIFETIMES_DAYS, 1, lambda one: f"{one} days" if one else "never")
        if st.form_submit_button("Make it", type="primary"):
            st.session_state[_MADE] = make_token(
                get_state(), name, scope, access.signed(), days, token_project(projects.current())
            )
    if text := st.session_state.pop(_MADE, ""):
        st.caption("Copy it now: it is shown once and kept nowhere. It works within five seconds.")
        st.code(text, language=None, wrap_lines=True)


def _rows(listed: list[Token]) -> pl.DataFrame:
    rows = [
        (one.token_id, one.name, one.scope, one.status, one.author, one.made_at, one.expires_at, one.used_at)
        for one in listed
    ]
    instant = pl.Datetime("us", "UTC")
    schema = {
        "token": pl.Int64(), "name": pl.String(), "may": pl.String(), "status": pl.String(), "made by": pl.String(),
        "made": instant, "ends": instant, "last used": instant,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def log() -> None:
    """The newest acts, and all of them as a file; for admins."""
    with st.container(border=True, gap="small"):
        st.markdown("**Audit log**")
        if not access.allowed("admin", "Audit log"):
            return
        try:
            entries = audit_log.entries(get_state())
        except StateProblem as problem:
            ui.note("Not available", str(problem))
            return
        if not entries:
            st.text("Nothing is in it yet.")
            return
        instant = pl.Datetime("us", "UTC")
        schema = dict(
            zip(audit_log.COLUMNS, (pl.Int64(), instant, pl.String(), pl.String(), pl.String()), strict=True)
        )
        rows = pl.DataFrame(entries, schema=schema, orient="row")
        ui.table(rows.head(SHOWN_ENTRIES), "Audit log")
        st.caption(f"The newest {min(SHOWN_ENTRIES, rows.height)} of {rows.height}.")
        ui.download(downloads.rows_download("trueup_audit_log", rows), "audit_log_csv")

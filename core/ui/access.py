"""Who looks, and what they may: asked by the frame, again by every page's header, and again where something is changed.

People sign in by Streamlit's own OpenID Connect, which is on when its secrets hold [auth]. Its check lies in the script
alone, so nothing may be drawn before `require`. Who may what is core.roles; docs/access.md has the whole of it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import streamlit as st

from core import projects, roles
from core.addresses import is_loopback
from core.audit_log import NOBODY, Entry, record
from core.roles import Person, Role
from core.settings import Settings, base_path, project_settings, read_settings
from core.state import get_state
from core.ui import session

LOOK_AGAIN_S = 30.0
"""A page that only keeps itself up to date notices within this time that the sign-in has ended."""
_FORWARDED = ("x-forwarded-for", "x-forwarded-host", "forwarded", "x-real-ip")
_REFUSED = "access_refused"
projects.ask_session(session.whose)
SETTINGS = read_settings()
"""Outside the app; in it each project has its own."""


def signing_in() -> bool:
    """Whether people sign in here: told at start, or Streamlit's secrets say so now."""
    return roles.signing_in() or bool(_auth())


def person() -> Person:
    """Who looks, now; without a role when not signed in, no longer, or on no list."""
    if not signing_in():
        return roles.anybody(_on_loopback())
    claims = _claims()
    if not claims or roles.session_over(claims, settings().session_hours, time.time()):
        return Person("", "", None)
    return roles.person_of(claims, settings())


def settings() -> Settings:
    """Those of the page's project: who may what stands in them."""
    return own if (own := project_settings()) else SETTINGS


def require() -> Person:
    """The person; ends the page for whoever may not see it, with what to do about it."""
    who = person()
    if who.role is None:
        _refuse(who)
        st.stop()
    return who


def navigation() -> Any:
    """Where the menu is: hidden from whoever may see no page. The address stays, and with it the way back to it."""
    return "sidebar" if person().role else "hidden"


def frame() -> None:
    """Of the shell: nobody without a role passes. Who is signed in stands in the sidebar, with the way out."""
    who = require()
    with st.sidebar:
        switcher()
    if not signing_in():
        return
    with st.sidebar:
        st.text(f"{who.name} ({who.role})")
        if st.button("Sign out", width="stretch"):
            st.logout()
    st.fragment(_end_with_the_session, run_every=LOOK_AGAIN_S)()


def project_title() -> str:
    """What the window's title says of the project; nothing where there is one only."""
    return f" · {projects.current()}" if projects.several() else ""


def switcher() -> None:
    """The other projects in which the one who looks has a role; nothing where there is one project only."""
    if not projects.several():
        return
    here = projects.current()
    st.text(f"Project: {here}")
    others = [name for name in projects.every() if name != here and person_in(name).role]
    if others:
        with st.popover("Other projects", width="stretch"):
            for name in others:
                st.link_button(
                    name, f"{base_path()}{projects.prefix(name)}/", width="stretch", type="tertiary"
                )


def person_in(project: str) -> Person:
    """Who looks, as another project takes them."""
    with projects.within(project):
        return person()


def may(needed: Role) -> bool:
    """Whether the one who looks may do what needs that role; for callbacks, which run before the page is checked."""
    return roles.may(person(), needed)


def allowed(needed: Role, act: str) -> bool:
    """The same; where not, a line in place of the control says why it is not there."""
    who = person()
    if not roles.may(who, needed):
        st.caption(f"{act}: needs the role {needed}; yours is {who.role or 'none'}.")
        return False
    return True


def signed() -> str:
    """Who acts, for the audit log: name and account of a sign-in."""
    who = person()
    return f"{who.name} <{who.account}>" if who.account else who.name or NOBODY


def did(act: str, what: str) -> None:
    """Write an act down in the audit log."""
    record(get_state(), Entry(signed(), act, what))


def _end_with_the_session() -> None:
    if person().role is None:
        st.rerun()


def _refuse(who: Person) -> None:
    st.title("Trueup", anchor=False)
    claims = _claims()
    if not claims:
        st.text("Sign in to see this page.")
    elif roles.session_over(claims, settings().session_hours, time.time()):
        st.text(f"Your sign-in has ended: it lasts {settings().session_hours} hours. Sign in again.")
    else:
        _tell_no_role(who)
        if st.button("Sign out"):
            st.logout()
        return
    for provider in _providers():
        label = f"Sign in with {provider}" if provider else "Sign in"
        if st.button(label, type="primary", key=f"sign_in_{provider}"):
            st.login(provider or None)


def _tell_no_role(who: Person) -> None:
    claims = _claims()
    held = ", ".join(repr(one) for one in who.claimed) or "nothing"
    st.text(f"You are signed in as {who.name}, and no role here is yours.")
    switcher()
    st.text(f"The claim {settings().role_claim!r} of your sign-in holds {held}.")
    if address := roles.vouched_address(claims):
        st.text(f"Your address {address!r} is on no list either.")
    elif claims.get("email"):
        st.text(
            "Your provider does not say that it checked your e-mail address, so it counts for nothing here."
        )
    st.text(
        "Ask whoever runs Trueup to put one of these on the list viewers, editors or admins (docs/access.md), "
        "or whoever runs your sign-in to give you a role that is on one. Then sign in again."
    )
    if not st.session_state.get(_REFUSED):
        st.session_state[_REFUSED] = True
        record(
            get_state(),
            Entry(f"{who.name} <{who.account}>", "sign-in refused", f"claim {settings().role_claim}: {held}"),
        )


def _claims() -> Mapping[str, Any]:
    """What the provider said of a signed-in person; nothing for anybody else."""
    told = st.user.to_dict()
    return told if told.get("is_logged_in") is True else {}


def _auth() -> Mapping[str, Any]:
    return st.secrets["auth"] if st.secrets.load_if_toml_exists() and "auth" in st.secrets else {}


def _providers() -> list[str]:
    """Names for st.login; "" is the one that [auth] itself describes."""
    auth = _auth()
    named = [str(key) for key, value in auth.items() if isinstance(value, Mapping) and "client_id" in value]
    return ["", *named] if "client_id" in auth or not named else named


def _on_loopback() -> bool:
    """Whether only this machine reaches the page: it listens there, was asked for there, and no proxy stands before it."""
    headers = st.context.headers
    asked = str(headers.get("host", "localhost")).rsplit(":", 1)[0].strip("[]")
    listens = str(st.get_option("server.address") or "0.0.0.0")
    proxied = bool(settings().public_url) or any(name in headers for name in _FORWARDED)
    return is_loopback(listens) and is_loopback(asked) and not proxied

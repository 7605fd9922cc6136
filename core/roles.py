"""Who may do what: roles out of the claims of a sign-in, by lists in the settings. Nobody has a role unless a list says so.

Without sign-in there are no people to tell apart: on loopback everyone is admin, elsewhere everyone is editor, because
whoever can connect must not hand out tokens. core.ui.access asks here on every page and before every act.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

from core.settings import BadSetting, Settings

Role = Literal["viewer", "editor", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each may also do what those before it may."""
EVERYONE = "*"
CLOCK_SKEW_S = 300
"""A provider's clock may be ahead by so much."""
SHOWN_CHARACTERS = 80

_signing_in: list[bool] = []


class Person(NamedTuple):
    """Who looks at a page."""

    name: str
    """As the provider calls them; nothing without sign-in."""
    account: str
    """E-mail address, else the provider's own number of them: what the log keeps."""
    role: Role | None
    claimed: tuple[str, ...] = ()
    """What the claim of roles held."""


def require_sign_in(on: bool, settings: Settings) -> None:
    """Say at start whether people sign in. It stays so: a file of secrets that vanishes later must not open the pages.

    Raises BadSetting where lists of people are set and nobody could sign in: they would look like a lock and be none.
    """
    check_lists(on, settings)
    _signing_in[:] = [on]


def check_lists(on: bool, settings: Settings) -> None:
    """The same for the lists alone, which each project has its own of; raises BadSetting."""
    listed = [f"{role}s" for role, people in _lists(settings) if people]
    if listed and not on:
        raise BadSetting(
            f"{' and '.join(listed)} are set, but Streamlit's secrets have no [auth], so nobody could sign in and "
            "everyone would be let in. Write [auth] (docs/access.md) or leave the lists out."
        )


def signing_in() -> bool:
    """Whether the process was started with sign-in."""
    return bool(_signing_in and _signing_in[0])


def anybody(on_loopback: bool) -> Person:
    """Whoever looks, where nobody signs in."""
    return Person("", "", "admin" if on_loopback else "editor")


def person_of(claims: Mapping[str, Any], settings: Settings) -> Person:
    """The person of a sign-in's claims, with the highest role that a list gives them."""
    claimed = claim_values(claims, settings.role_claim)
    known = {*claimed, EVERYONE}
    address = vouched_address(claims)
    granted = [
        role for role, listed in _lists(settings) if known & {*listed} or _lists_address(listed, address)
    ]
    return Person(_name(claims), _account(claims), granted[-1] if granted else None, claimed)


def may(person: Person, needed: Role) -> bool:
    """Whether a person's role is the needed one or above it."""
    return person.role is not None and ROLES.index(person.role) >= ROLES.index(needed)


def claim_values(claims: Mapping[str, Any], path: str) -> tuple[str, ...]:
    """The texts a claim holds: one text or a list of them; nothing for anything else.

    `path` is a claim's own name (which may hold dots, as names that are web addresses do), else keys with dots between.

    >>> claim_values({"realm_access": {"roles": ["a", 1]}, "x.y": "z"}, "realm_access.roles"), claim_values({"x.y": "z"}, "x.y")
    (('a',), ('z',))
    """
    value: Any = claims.get(path)
    if value is None:
        value = claims
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, str):
        return (value,)
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list | tuple) else ()


def vouched_address(claims: Mapping[str, Any]) -> str:
    """The e-mail address, lower case, only where the provider says it checked it: elsewhere people may type any."""
    address = claims.get("email")
    checked = claims.get("email_verified")
    return address.casefold() if isinstance(address, str) and checked in (True, "true") else ""


def session_over(claims: Mapping[str, Any], hours: int, now_s: float) -> bool:
    """Whether a sign-in is older than `hours` by its token's `iat`; one without a time that makes sense is."""
    issued_s = claims.get("iat")
    if isinstance(issued_s, bool) or not isinstance(issued_s, int | float):
        return True
    return not -CLOCK_SKEW_S <= now_s - issued_s < hours * 3600


def _lists(settings: Settings) -> tuple[tuple[Role, tuple[str, ...]], ...]:
    return (("viewer", settings.viewers), ("editor", settings.editors), ("admin", settings.admins))


def _lists_address(listed: tuple[str, ...], address: str) -> bool:
    return bool(address) and any("@" in one and one.casefold() == address for one in listed)


def _name(claims: Mapping[str, Any]) -> str:
    told = (claims.get(key) for key in ("name", "preferred_username", "email", "sub"))
    return next((_line(one) for one in told if isinstance(one, str) and one.strip()), "unnamed")


def _account(claims: Mapping[str, Any]) -> str:
    told = (claims.get(key) for key in ("email", "sub"))
    return next((_line(one) for one in told if isinstance(one, str) and one.strip()), "")


def _line(text: str) -> str:
    return " ".join(text.split())[:SHOWN_CHARACTERS]

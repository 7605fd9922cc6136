"""Roles out of claims: deny by default, which claim counts, whose address counts, and how long a sign-in lasts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from core import roles
from core.roles import anybody, may, person_of, require_sign_in, session_over
from core.settings import BadSetting, Settings

LISTS = Settings(viewers=("look", "ann@example.org"), editors=("edit",), admins=("run", "boss@example.org"))


@pytest.fixture(autouse=True)
def _nobody_signs_in() -> Iterator[None]:
    yield
    require_sign_in(False, Settings())


def role(claims: dict[str, Any], settings: Settings = LISTS) -> str | None:
    return person_of(claims, settings).role


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({}, None),
        ({"roles": []}, None),
        ({"roles": "look"}, "viewer"),
        ({"roles": ["edit", "look"]}, "editor"),
        ({"roles": ["look", "run"]}, "admin"),
        ({"roles": ["LOOK"]}, None),
        ({"roles": ["lookout"]}, None),
        ({"roles": {"look": True}}, None),
        ({"roles": [["run"]]}, None),
        ({"groups": ["run"]}, None),
        ({"email": "Ann@Example.org", "email_verified": True}, "viewer"),
        ({"email": "boss@example.org", "email_verified": False}, None),
        ({"email": "boss@example.org"}, None),  # Entra and others let people write any address here
        ({"email": "run", "email_verified": True}, None),  # an address is no role
        ({"roles": "*"}, None),  # the list's sign for everyone is not in the lists here
    ],
)
def test_a_role_comes_from_a_list_and_from_nowhere_else(claims: dict[str, Any], expected: str | None) -> None:
    assert role(claims) == expected


def test_everyone_signed_in_is_a_star_in_the_list() -> None:
    assert role({}, Settings(viewers=("*",))) == "viewer"
    assert role({"roles": ["run"]}, Settings(viewers=("*",), admins=("run",))) == "admin"
    assert role({"roles": ["*"]}, Settings()) is None


def test_a_role_includes_those_below_it() -> None:
    told = {
        one: [may(roles.Person("", "", one), needed) for needed in roles.ROLES]
        for one in (None, *roles.ROLES)
    }
    assert told == {
        None: [False, False, False],
        "viewer": [True, False, False],
        "editor": [True, True, False],
        "admin": [True, True, True],
    }


def test_the_claim_may_lie_deeper_or_have_dots_in_its_name() -> None:
    keycloak, auth0 = {"realm_access": {"roles": ["look"]}}, {"https://x.example/roles": ["look"]}
    assert role(keycloak, Settings(viewers=("look",), role_claim="realm_access.roles")) == "viewer"
    assert role(auth0, Settings(viewers=("look",), role_claim="https://x.example/roles")) == "viewer"
    assert (
        role({"realm_access": ["look"]}, Settings(viewers=("look",), role_claim="realm_access.roles")) is None
    )


@pytest.mark.parametrize(
    ("issued_s", "over"),
    [
        (1_000_000, False), (1_000_000 - 12 * 3600 + 1, False), (1_000_000 - 12 * 3600, True),
        (1_000_000 + 299, False), (1_000_000 + 301, True), (None, True), ("1000000", True), (True, True),
    ],
)  # fmt: skip
def test_a_sign_in_ends_by_its_tokens_time(issued_s: object, over: bool) -> None:
    assert session_over({"iat": issued_s}, 12, 1_000_000.0) is over
    assert session_over({}, 12, 1_000_000.0)


def test_names_are_one_short_line() -> None:
    person = person_of({"name": "Ann\nLee " + "x" * 200, "sub": "7"}, LISTS)
    assert (person.name[:9], len(person.name), person.account) == ("Ann Lee x", 80, "7")
    assert person_of({}, LISTS).name == "unnamed"


def test_lists_without_a_way_to_sign_in_stop_the_start() -> None:
    with pytest.raises(BadSetting, match=r"viewers and editors and admins are set, but .* no \[auth\]"):
        require_sign_in(False, LISTS)
    require_sign_in(True, LISTS)
    assert roles.signing_in()


def test_without_sign_in_only_this_machine_is_admin() -> None:
    assert (anybody(True).role, anybody(False).role) == ("admin", "editor")

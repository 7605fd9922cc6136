"""Pages by role, through Streamlit's own test runner: nothing without a role, and no act without the role it needs."""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.audit_log import entries
from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_traces
from core.ledger.current import set_store
from core.ledger.store import Store
from core.reviews import make_review
from core.roles import require_sign_in
from core.settings import Settings
from core.state import State, get_state, set_state
from core.tokens import list_tokens
from core.ui import access
from tests import otlp_bodies
from tests.shown import numbers

PAGES = Path(__file__).resolve().parents[2] / "pages"
EVERY_PAGE = sorted(path for path in PAGES.rglob("*.py") if path.name != "shell.py")
LISTS = Settings(viewers=("viewer",), editors=("editor",), admins=("admin",))
HOSTILE = "<b>**Eve**</b> :red[x]"
AUTH = {"auth": {"client_id": "trueup", "redirect_uri": "http://localhost:8501/oauth2callback"}}


@pytest.fixture
def ledger(store: Store, tmp_path: Path) -> Iterator[Store]:
    """Spans in a ledger, and an empty database of what people make."""
    st.cache_data.clear()
    st.cache_resource.clear()
    store.submit(decode_traces(otlp_bodies.protobuf(range(1, 9)), "application/x-protobuf", ReadOptions()))
    store.derive()
    set_store(store)
    set_state(State(path=tmp_path / "state.sqlite"))
    yield store
    set_store(None)
    get_state().close()
    set_state(None)


@pytest.fixture
def signing_in(ledger: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As a process that was started with [auth] and the lists above."""
    monkeypatch.setattr(access, "SETTINGS", LISTS)
    require_sign_in(True, LISTS)
    yield
    require_sign_in(False, Settings())


def person(*held: str, age_s: float = 0.0, **more: Any) -> dict[str, Any]:
    """What Streamlit knows of somebody who signed in."""
    address = {"email": "ann@example.org", "email_verified": True, "name": "Ann Lee"}
    return {"is_logged_in": True, "iat": int(time.time() - age_s), "roles": list(held), **address, **more}


def opened(page: str, user: dict[str, Any] | None, **query: str) -> AppTest:
    app = AppTest.from_file(str(PAGES / "shell.py"), default_timeout=240)
    app.secrets = AUTH
    app.user = user or {"is_logged_in": False}
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    if page and not app.exception:
        app.switch_page(str(PAGES / page)).run()
    assert not app.exception, [one.message for one in app.exception]
    return app


def texts(app: AppTest) -> str:
    return "\n".join(one.value for one in [*app.text, *app.caption])


def labels(app: AppTest) -> set[str]:
    return {one.label for one in app.button}


def shows_data(app: AppTest) -> bool:
    return bool(numbers(app) or app.dataframe or app.get("plotly_chart") or app.sidebar.multiselect)


@pytest.mark.parametrize("user", [None, person(), person("manager"), person("viewer", age_s=12 * 3600 + 60)])
@pytest.mark.parametrize("page", ["", "access.py", "counts/retry_ledger.py"])
def test_nobody_without_a_role_sees_anything(
    signing_in: None, user: dict[str, Any] | None, page: str
) -> None:
    app = opened("", user)
    if page:
        app = AppTest.from_file(str(PAGES / page), default_timeout=240)  # past the frame
        app.secrets, app.user = AUTH, user or {"is_logged_in": False}
        app.run()
    assert not app.exception
    assert not shows_data(app)
    assert [one.value for one in app.title] == ["Trueup"]


@pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda path: path.stem)
def test_every_page_checks_before_it_reads_anything(page: Path) -> None:
    """The header asks who looks; what stands before it may read the address and nothing else."""
    first = next(
        node
        for node in ast.parse(page.read_text(encoding="utf-8")).body
        if not isinstance(node, ast.Import | ast.ImportFrom)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        and "view.name_of" not in ast.unparse(node)
    )
    assert any(call in ast.unparse(first) for call in ("ui.header(", "ui.show(")), ast.unparse(first)


def test_who_is_refused_reads_why_and_it_is_logged_once(signing_in: None) -> None:
    app = opened("", person("manager", HOSTILE, name=HOSTILE))
    app.run()
    told = texts(app)
    assert f"You are signed in as {HOSTILE}, and no role here is yours." in told
    assert "The claim 'roles' of your sign-in holds 'manager'" in told
    assert "viewers, editors or admins" in told
    assert "Eve" not in " ".join(one.value for one in [*app.markdown, *app.caption, *app.title])
    assert [(one.act, one.who) for one in entries(get_state())] == [
        ("sign-in refused", f"{HOSTILE} <ann@example.org>")
    ]


def test_who_is_not_signed_in_is_offered_to_and_an_old_sign_in_says_so(signing_in: None) -> None:
    assert "Sign in" in labels(opened("", None))
    assert "Your sign-in has ended: it lasts 12 hours." in texts(opened("", person("admin", age_s=13 * 3600)))


def test_viewers_see_every_page_and_why_they_may_not_change_it(signing_in: None) -> None:
    make_review(get_state(), "Spring", "Ann")
    for page, act in (
        ("data.py", "Add files"), ("data.py", "Add a change"), ("reviews.py", "New review"),
        ("reviews.py", "Add a note"), ("deck.py", "Change decks"), ("counts/retry_ledger.py", "Save view"),
        ("counts/token_forecast.py", "Save breaks"), ("access.py", "Tokens"), ("access.py", "Audit log"),
    ):  # fmt: skip
        app = opened(page, person("viewer"))
        assert (
            f"{act}: needs the role {'admin' if page == 'access.py' else 'editor'}; yours is viewer."
            in texts(app)
        )
        changing = {"Make it", "Save view", "Add this change", "Add the note", "Begin it", "Add to deck"}
        assert not labels(app) & changing, page


def test_editors_save_under_their_own_name_and_the_log_has_it(signing_in: None) -> None:
    app = opened("counts/retry_ledger.py", person("editor"))
    assert "Your name" not in {one.label for one in app.text_input}
    next(one for one in app.button if one.label == "Save view").click().run()
    (logged,) = entries(get_state())
    assert (logged.act, logged.who) == ("view saved", "Ann Lee <ann@example.org>")
    reviews = opened("reviews.py", person("viewer"))
    assert any("by Ann Lee" in str(table.value) for table in reviews.dataframe)


def test_an_act_in_a_page_left_open_past_its_sign_in_does_nothing(signing_in: None) -> None:
    """Callbacks run before the page's check."""
    app = opened("deck.py", person("editor"))
    next(one for one in app.text_input if one.label == "Its name").input("Q3")
    app.user = person("editor", age_s=13 * 3600)
    next(one for one in app.button if one.label == "Make it").click().run()
    assert entries(get_state()) == []
    assert "Your sign-in has ended" in texts(app)


def test_admins_make_a_token_that_is_shown_once_and_revoke_it(signing_in: None) -> None:
    app = opened("access.py", person("admin"))
    next(one for one in app.text_input if one.label.startswith("Name")).input("collector")
    next(one for one in app.button if one.label == "Make it").click().run()
    (shown,) = [one.value for one in app.code if one.value.startswith("trueup_ingest_")]
    assert shown not in str([one.value for one in app.run().code])
    next(one for one in app.button if one.label == "Revoke 1").click().run()
    assert [one.status for one in list_tokens(get_state())] == ["revoked"]
    assert [one.act for one in entries(get_state())] == ["token revoked", "token made"]


def test_editors_cannot_make_tokens(signing_in: None) -> None:
    app = opened("access.py", person("editor"))
    assert not labels(app) & {"Make it", "Revoke 1"}
    assert "Tokens: needs the role admin; yours is editor." in texts(app)


def test_without_sign_in_this_machine_is_admin_and_the_page_says_so(ledger: Store) -> None:
    app = AppTest.from_file(str(PAGES / "shell.py"), default_timeout=240).run()
    app.switch_page(str(PAGES / "access.py")).run()
    assert "Nobody signs in here: whoever uses this machine is admin." in texts(app)
    assert "whoever can connect may, because no token for ingest was ever made." in texts(app)
    assert "Make it" in labels(app)


def test_without_sign_in_behind_a_proxy_nobody_is_admin(
    ledger: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "SETTINGS", Settings(public_url="https://t.example"))
    app = AppTest.from_file(str(PAGES / "shell.py"), default_timeout=240).run()
    app.switch_page(str(PAGES / "access.py")).run()
    assert "everyone who does is editor" in texts(app)
    assert "Make it" not in labels(app)

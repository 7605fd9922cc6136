"""Pages know their project by their session, through Streamlit's own test runner: told, or nothing is shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.audit_log import entries
from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_traces
from core.ledger.current import get_store, set_store
from core.ledger.store import Store
from core.project_folders import every_settings
from core.projects import NoProject, bound, settle, within
from core.settings import Settings, set_settings
from core.state import State, get_state, open_state, set_state
from core.tokens import digest, list_tokens, make_token
from core.web.token_table import TokenTable
from tests import otlp_bodies
from tests.projects.world import CALLS, NAMES, make_projects
from tests.shown import numbers

PAGES = Path(__file__).resolve().parents[2] / "pages"


@pytest.fixture(autouse=True)
def published(tmp_path: Path) -> Iterator[None]:
    """Three projects as the app's start publishes them, each with its calls."""
    st.cache_data.clear()
    st.cache_resource.clear()
    make_projects(tmp_path)
    settle(NAMES[1:])
    for own in every_settings(Settings(data_dir=tmp_path)):
        store = Store.open(own.store_path)
        body = otlp_bodies.protobuf(CALLS[own.project])
        store.submit(decode_traces(body, "application/x-protobuf", ReadOptions()))
        store.derive()
        with within(own.project):
            set_store(store)
            set_state(open_state(own))
            set_settings(own)
    yield
    for name in NAMES:
        with within(name):
            get_store().close()
            get_state().close()
            set_store(None)
            set_state(None)
            set_settings(None)
    settle(())


def opened(page: str, project: str | None) -> AppTest:
    """A page past the frame, in a session that was told that project."""
    app = AppTest.from_file(str(PAGES / page), default_timeout=240)
    if project is not None:
        app.session_state["session_project"] = project
    return app.run()


@pytest.mark.parametrize("page", ["overview.py", "counts/retry_ledger.py", "access.py"])
def test_a_session_that_was_told_no_project_shows_nothing(page: str) -> None:
    app = opened(page, None)
    assert [one.value for one in app.exception]
    assert not [*app.title, *numbers(app), *app.dataframe, *app.code]


def test_each_page_shows_the_rows_of_its_own_project() -> None:
    for name in NAMES:
        app = opened("counts/retry_ledger.py", name)
        assert not app.exception
        assert numbers(app)["n"] == str(len(CALLS[name]))


def test_a_token_made_on_a_page_opens_the_page_s_project() -> None:
    app = opened("access.py", "beta")
    next(one for one in app.text_input if one.label.startswith("Name")).input("collector")
    next(one for one in app.button if one.label == "Make it").click().run()
    (text,) = [one.value for one in app.code if one.value.startswith("trueup_ingest_")]
    doors = TokenTable(Settings())
    for name in NAMES:
        with within(name):
            doors.look(get_state(), name)
            made = list_tokens(get_state())
            assert [one.project for one in made] == (["beta"] if name == "beta" else [])
            assert len(entries(get_state())) == len(made)
    checked = doors.check("ingest", f"Bearer {text}")
    assert (checked.outcome, checked.project) == ("known", "beta")
    assert [doors.check("ingest", f"Bearer {text}", name).outcome for name in NAMES] == [
        "wrong",
        "wrong",
        "known",
    ]


def test_tokens_of_the_settings_are_of_their_project_too() -> None:
    doors = TokenTable(Settings(read_tokens=(digest("of-the-default-project"),)))
    doors.add(Settings(project="alpha", read_tokens=(digest("of-the-project-alpha"),)))
    for name in NAMES:
        doors.look(State(), name)
    told = {
        text: doors.check("read", f"Bearer {text}")
        for text in ("of-the-default-project", "of-the-project-alpha")
    }
    assert [(one.outcome, one.project) for one in told.values()] == [("known", "default"), ("known", "alpha")]
    assert doors.check("read", "Bearer of-the-default-project", "alpha").outcome == "wrong"
    assert doors.check("read", "Bearer of-the-project-alpha", "default").outcome == "wrong"
    assert doors.check("read", "Bearer of-the-project-alpha", "beta").outcome == "wrong"
    assert doors.check("read", "", "beta").outcome == "open"  # beta never had one, and nobody signs in
    assert doors.check("read", "Bearer nobody-s-token-at-all", "beta").outcome == "wrong"


def test_while_one_project_s_tokens_are_unknown_a_token_that_may_be_its_own_waits(tmp_path: Path) -> None:
    """Refused as wrong, an exporter would drop what it holds."""
    doors = TokenTable(Settings())
    text = make_token(State(path=tmp_path / "other.sqlite"), "x", "ingest", "ann", project="alpha")
    for name in ("default", "beta"):
        doors.look(State(), name)
    assert doors.check("ingest", f"Bearer {text}").outcome == "unreadable"
    doors.look(State(path=tmp_path / "other.sqlite"), "alpha")
    assert doors.check("ingest", f"Bearer {text}").project == "alpha"


def test_work_for_later_is_done_for_the_project_it_was_bound_in() -> None:
    with within("beta"):
        later = bound(get_store)
    with within("alpha"):
        assert later() is not get_store()
    with within("beta"):
        assert later() is get_store()
    with pytest.raises(NoProject):
        get_store()


@pytest.mark.parametrize(("made_in", "copied_to"), [("alpha", "beta"), (None, "beta"), ("beta", "default")])
def test_a_token_in_a_database_that_was_copied_opens_nothing(
    made_in: str | None, copied_to: str, tmp_path: Path
) -> None:
    state = State(path=tmp_path / "copied.sqlite")
    text = make_token(state, "x", "read", "ann", project=made_in)
    doors = TokenTable(Settings())
    for name in NAMES:
        doors.look(state if name == copied_to else State(), name)
    assert [doors.check("read", f"Bearer {text}", name).outcome for name in (None, *NAMES)] == ["wrong"] * 4
    assert not doors.is_open("read", copied_to)

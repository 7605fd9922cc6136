"""Two projects with the same models and other numbers, in a browser: links, the switcher, sign-in, and a session that crosses."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from core import decks, project_folders, reviews
from core.audit import Finding, Scope
from core.ledger.store import Store
from core.settings import Settings
from core.state import open_state
from tests import oidc
from tests.browser.reader import open_page, sentence, visitor, wait_complete
from tests.browser.test_sign_in import DATA, sign_in, stranger
from tests.live.app import ROOT, free_port, running_app

pytestmark = pytest.mark.browser
SPANS = 3_000
RETRIES = "/retry_ledger"
OUTAGE, DECK = "Outage of the default project", "Quarter of the default project"
DAY = dt.date(2026, 11, 1)


class Two(NamedTuple):
    """An app over two projects, and what the retry audit says in each, asked before it started."""

    address: str
    said: dict[str, str]


def command(*words: str) -> str:
    """What `python -m core ...` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "core", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def both(demo_ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with the demo in both projects, of other sizes."""
    folder = tmp_path_factory.mktemp("projects") / "ledger"
    shutil.copytree(demo_ledger, folder)
    project_folders.add(Settings(data_dir=folder), "beta")
    command("demo", "--data", str(folder), "--project", "beta", "--size", str(SPANS))
    said = {}
    for name in ("default", "beta"):
        words = (
            "check",
            "--audit",
            "retry-ledger",
            "--format",
            "json",
            "--data",
            str(folder),
            "--project",
            name,
        )
        said[name] = json.loads(command(*words))[0]["sentence"]
    assert said["default"] != said["beta"]
    models = []
    for own in project_folders.every_settings(Settings(data_dir=folder)):
        store = Store.open(own.store_path)
        models.append(
            set(store.ask("select distinct response_model from calls")["response_model"].drop_nulls())
        )
        store.close()
    assert models[0] & models[1]  # what a mixed-up page could hide behind
    state = open_state(Settings(data_dir=folder))
    finding = Finding("retry_ledger", "broken", "$1", "$2", 0.5, 0.4, 0.6, "share", 7, "Kept in default.")
    view = reviews.save_view(
        state, "Kept view", "Ann", Scope(DAY, DAY, as_of=5), finding, "", True, "A note."
    )
    review = reviews.make_review(state, OUTAGE, "Ann")
    reviews.order_views(state, next(one for one in reviews.reviews(state) if one.review_id == review), [view])
    decks.create(DECK, state)
    state.close()
    return folder, said


@pytest.fixture(scope="module")
def two(both: tuple[Path, dict[str, str]]) -> Iterator[Two]:
    """Nobody signs in."""
    with running_app(both[0]) as address:
        yield Two(address, both[1])


def test_pages_links_and_the_switcher_stay_in_their_project(two: Two, browser: Browser) -> None:
    with visitor(browser) as page:
        for name, path, other in (("beta", "/p/beta", "default"), ("default", "", "beta")):
            open_page(page, two.address, path + RETRIES)
            expect(sentence(page)).to_have_text(two.said[name])
            expect(page.get_by_text(f"Project: {name}")).to_be_visible()
            page.get_by_role("button", name="Share").click()
            link = page.get_by_test_id("stPopoverBody").locator("code").first.inner_text()
            assert link.startswith(f"{two.address}{path}{RETRIES}?")
            page.goto(link)
            wait_complete(page)
            expect(sentence(page)).to_have_text(two.said[name])
            page.get_by_role("button", name="Other projects").click()
            expect(page.get_by_role("link", name=other)).to_have_attribute(
                "href", "/" if other == "default" else "/p/beta/"
            )
        crossed = link.replace(two.address, f"{two.address}/p/beta")
        page.goto(crossed)
        wait_complete(page)
        expect(page.get_by_text("Project: beta")).to_be_visible()
        assert two.said["default"] not in page.content()
        with page.expect_download() as saved:
            page.get_by_role("button", name="Export").first.click()
            page.get_by_role("button", name="CSV").first.click()
        assert saved.value.path().stat().st_size > 0


def test_reviews_decks_and_their_exports_are_of_one_project(two: Two, browser: Browser) -> None:
    with visitor(browser) as page:
        open_page(page, two.address, "/p/beta/reviews", review="1")
        expect(page.get_by_text("There is no review of that number here.")).to_be_visible()
        assert OUTAGE not in page.content()
        open_page(page, two.address, "/p/beta/deck", deck=DECK)
        expect(page.get_by_text("There is no deck yet.")).to_be_visible()
        open_page(page, two.address, "/reviews", review="1")
        expect(page.get_by_text(OUTAGE).first).to_be_visible()
        with page.expect_download() as saved:  # made outside the page's run, for its project
            page.get_by_role("button", name="Export").click()
            page.get_by_role("button", name="HTML").click()
        assert OUTAGE in saved.value.path().read_text(encoding="utf-8")
        open_page(page, two.address, "/deck")
        with page.expect_download() as saved:
            page.get_by_role("button", name="Workbook").click()
        assert saved.value.path().stat().st_size > 0


def told(socket: ClientConnection) -> tuple[str, list[str]]:
    """The session's number, and the texts of a run of its script."""
    session, texts = "", list[str]()
    message = ForwardMsg()
    while message.WhichOneof("type") != "script_finished":
        message.ParseFromString(socket.recv(timeout=240))  # type: ignore[arg-type]
        if message.WhichOneof("type") == "new_session":
            session = message.new_session.initialize.session_id
        texts.append(str(message))
    return session, texts


def run(two: Two, prefix: str, session: str = "", forged: str = "") -> tuple[str, str]:
    """Open a page's WebSocket and have its script run once."""
    protocols = ["streamlit", "PLACEHOLDER", *([session] if session else [])]
    address = f"{two.address.replace('http', 'ws', 1)}{prefix}/_stcore/stream"
    headers = {"x-trueup-project": forged} if forged else {}
    with connect(address, subprotocols=protocols, additional_headers=headers, max_size=None) as socket:  # type: ignore[arg-type]
        asked = BackMsg()
        asked.rerun_script.page_name = "retry_ledger"
        socket.send(asked.SerializeToString())
        found, texts = told(socket)
        return found, "".join(texts)


def test_a_session_cannot_come_back_through_another_project(two: Two) -> None:
    session, mine = run(two, "/p/beta")
    assert two.said["beta"] in mine
    again, back = run(two, "/p/beta", session)
    assert (again, two.said["beta"] in back) == (session, True)
    for prefix, session_before in (("", session), ("/p/beta", run(two, "")[0])):
        same, crossed = run(two, prefix, session_before)
        assert same == session_before
        assert "encountered an error" in crossed  # the log says which
        assert not any(sentence in crossed for sentence in two.said.values())


def test_a_forged_header_and_a_name_that_nobody_has_open_nothing(two: Two) -> None:
    _, shown = run(two, "", forged="beta")
    assert two.said["default"] in shown
    assert two.said["beta"] not in shown
    with pytest.raises(InvalidStatus):
        run(two, "/p/gamma")


@pytest.mark.skipif(bool(oidc.missing()), reason=oidc.missing() or "the provider can run")
def test_a_sign_in_opens_the_projects_that_have_a_role_for_it(
    both: tuple[Path, dict[str, str]], browser: Browser, tmp_path: Path
) -> None:
    folder, said = tmp_path / "ledger", both[1]
    shutil.copytree(both[0], folder)
    (folder / "projects" / "beta" / "trueup.toml").write_text('viewers = ["editor"]\n')
    port = free_port()
    back = f"http://127.0.0.1:{port}/oauth2callback"
    with oidc.running_provider(back) as provider:
        secrets = folder / "secrets.toml"
        secrets.write_text(oidc.secrets(provider, back))
        more = {"STREAMLIT_SECRETS_FILES": str(secrets)}
        with running_app(folder, port, more, viewers="viewer") as address:
            for who, own, foreign, name in (
                ("editor", "/p/beta", "", "beta"),
                ("viewer", "", "/p/beta", "default"),
            ):
                with stranger(browser, address) as (_, page, complaints):
                    sign_in(page, address, who, f"{own}{RETRIES}")
                    wait_complete(page)
                    assert page.url.startswith(f"{address}{own}{RETRIES}")
                    expect(sentence(page)).to_have_text(said[name])
                    expect(page.get_by_role("button", name="Other projects")).to_have_count(0)
                    page.goto(f"{address}{foreign}{RETRIES}")
                    expect(page.get_by_text("no role here is yours")).to_be_visible()
                    expect(page.locator(DATA)).to_have_count(0)
                    assert not any(one in page.content() for one in said.values())
                    page.get_by_role("button", name="Other projects").click()
                    expect(page.get_by_role("link", name=name)).to_be_visible()
                    complaints.clear()

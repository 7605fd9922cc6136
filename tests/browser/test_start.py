"""From a clone to a page, and a deep link that is the first thing a new server is asked for."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.reader import RETRIES, open_page, sentence, visitor
from tests.live.app import ROOT, running_app

pytestmark = pytest.mark.browser

START_LIMIT_S = 300
NUMBER = r"\d{1,3}(?:,\d{3})*"
VERDICT = re.compile(
    f"^{NUMBER} of {NUMBER} runs converted; {NUMBER} of {NUMBER} attempts failed; all attempts cost {NUMBER}"
)
PRINTED = re.compile(r"pages (http://127\.0\.0\.1:(\d+))")


def test_readme_command_on_a_clone_ends_in_a_page(tmp_path: Path, browser: Browser, free_port: int) -> None:
    """`make run` as the README says, with fewer spans. The virtual environment of this checkout is lent by a link
    and passed as up to date, so that nothing is installed twice: installing is the clean clone's test in .ci/run.
    """
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout, so it cannot be cloned")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True, timeout=120)
    assert (clone / "requirements.txt").read_text() == (ROOT / "requirements.txt").read_text()
    (clone / ".venv").symlink_to(ROOT / ".venv")
    os.utime(clone / "requirements.txt", (0, 0))
    ledger, log = tmp_path / "ledger", tmp_path / "make.log"
    own = {"TRUEUP_PORT": str(free_port), "TRUEUP_DATA_DIR": str(ledger)}
    with log.open("wb") as output:
        made = subprocess.Popen(
            ["make", "run", "SIZE=4000"], cwd=clone, env=os.environ | own, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        address = printed_address(made, log)
        with visitor(browser) as page:
            open_page(page, address, RETRIES)
            expect(page.get_by_role("heading", level=1)).to_have_text("The retry counted three ways")
            expect(sentence(page)).to_have_text(VERDICT)
            expect(page.get_by_text("Demo data: nothing here was measured", exact=True).first).to_be_visible()
    finally:
        os.killpg(made.pid, signal.SIGTERM)
        made.wait(timeout=240)
    assert "Reading 100%" in log.read_text()
    assert (ledger / "trueup.duckdb").is_file()


def printed_address(made: subprocess.Popen[bytes], log: Path) -> str:
    """What the command printed for the reader to open."""
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end and made.poll() is None:
        if found := PRINTED.search(log.read_text()):
            return found[1]
        time.sleep(0.2)
    raise AssertionError(f"make run printed no address, status {made.poll()}:\n{log.read_text()}")


@pytest.mark.parametrize(
    ("path", "title", "link"),
    [(RETRIES, "The retry counted three ways", "Retry ledger"), ("/data", "Data", "Data")],
)
def test_deep_link_first_on_a_new_server_opens_the_page_inside_the_frame(
    path: str, title: str, link: str, demo_ledger: Path, tmp_path: Path, browser: Browser
) -> None:
    """Were the page's script run alone, navigation and scope controls, which the frame draws, would be missing."""
    shutil.copytree(demo_ledger, tmp_path / "ledger")
    with running_app(tmp_path / "ledger") as address, visitor(browser) as page:
        open_page(page, address, path)
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        links = page.get_by_test_id("stSidebarNavLink")
        for name in ("Overview", "Data", link):
            expect(links.get_by_text(name, exact=True)).to_be_visible()
        expect(links.and_(page.locator("[aria-current=page]"))).to_have_text([link])
        for label in ("Regions", "Services", "Models"):
            expect(page.get_by_test_id("stSidebar").get_by_role("combobox", name=label)).to_be_visible()
        assert page.url == f"{address}{path}"

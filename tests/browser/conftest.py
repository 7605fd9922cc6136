"""One chromium, one app over a small demo world, one over an empty ledger; a page that reports what went wrong."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.reader import chromium, visitor
from tests.live.app import ROOT, running_app
from tests.made_once import made_once

DEMO_SPANS = 12_000


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One chromium for all tests; each has a visitor of its own in it."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def demo_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ledger of demo data; to write into it, copy it."""
    return made_once(tmp_path_factory, "demo", make_demo)


def make_demo(folder: Path) -> None:
    """As a user makes it, with fewer spans."""
    command = [sys.executable, "-m", "core", "demo", "--data", str(folder), "--size", str(DEMO_SPANS)]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert made.returncode == 0, made.stderr


@pytest.fixture(scope="session")
def demo(demo_ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an app over demo data. Its tests only read."""
    folder = tmp_path_factory.mktemp("app") / "ledger"
    shutil.copytree(demo_ledger, folder)
    with running_app(folder) as address:
        yield address


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an app without data. Its tests only read."""
    with running_app(tmp_path_factory.mktemp("empty")) as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh visitor; the test fails if the console held an error or a request left this machine."""
    with visitor(browser) as opened:
        yield opened


@pytest.fixture
def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

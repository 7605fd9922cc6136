"""What a reader does on a page, and how to tell that the page has finished answering. Nothing here sleeps."""

from __future__ import annotations

import json
import re
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    TimeoutError,
    expect,
    sync_playwright,
)

from core.audits import every_audit
from core.view import name_of

LIMIT_MS = 240_000
"""Patience with a machine that is busy or slow; on a quiet one no wait takes 5 s."""
WINDOW: Any = {"width": 1280, "height": 1000}
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
"""Without them chromium itself talks to other machines, or does not start as root."""
MOST_OPENINGS = 8
RETRIES = "/retry_ledger"
EVERY_PAGE = (
    "/", "/reviews", "/timeline", "/data", "/imports", "/deck", "/access", *(f"/{name_of(audit)}" for audit in every_audit()),
)  # fmt: skip
"""The addresses of the sidebar's navigation (pages/shell.py)."""
VERDICT_CELLS = ("Reported", "Supported", "Gap", "n")
_BASE_PATH_PROBE = re.compile(r"(/p/[a-z-]+)?/[a-z_]+/_stcore/(health|host-config)")
_NOT_FOUND = "Failed to load resource: the server responded with a status of 404 (Not Found)"

COMPLETE = """() => {
    const all = kind => [...document.querySelectorAll(kind)];
    return document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'
        && all('h1').length === 1
        && all('[data-stale=true], [data-testid=stSkeleton]').length === 0
        && all('[data-testid=stPlotlyChart]').every(chart => chart.querySelector('.main-svg'));
}"""
_LINES = "texts => texts.map(text => [...text.childNodes].map(line => line.textContent).join(' ').trim())"
"""A wrapped label is one tspan a line."""

expect.set_options(timeout=LIMIT_MS)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's chromium, never one that playwright downloaded."""
    path = shutil.which("chromium")
    if path is None:
        raise FileNotFoundError(
            "There is no chromium on PATH. Install it, on Debian: apt-get install chromium"
        )
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield started
        started.close()


class Watch(NamedTuple):
    """What a visitor's browser complained about."""

    errors: list[str]
    foreign: list[str]
    """Requests to another host."""


@contextmanager
def visitor(browser: Browser, **options: Any) -> Iterator[Page]:
    """A fresh visitor's page; raises AssertionError at the end if its console held an error, a dialog opened or a
    request left this machine. Leave before the app stops: a closed connection is an error in the console.
    """
    watch = Watch([], [])
    context = browser.new_context(**({"viewport": WINDOW} | options))
    context.set_default_timeout(LIMIT_MS)
    context.on("console", lambda message: watch.errors.extend(_complaint(message)))
    context.on("weberror", lambda error: watch.errors.append(str(error.error)))
    context.on("request", lambda request: watch.foreign.extend(_foreign(request)))
    page = context.new_page()
    page.on("dialog", lambda dialog: (watch.errors.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    try:
        yield page
    finally:
        context.close()
    assert watch == Watch([], []), watch


def _complaint(message: ConsoleMessage) -> list[str]:
    """On a deep link Streamlit looks for its base path at two addresses that answer 404: those are let go."""
    path = urlsplit(message.location.get("url", "")).path
    probe = message.text == _NOT_FOUND and _BASE_PATH_PROBE.fullmatch(path)
    return [f"{message.text} ({path})"] if message.type in ("error", "warning") and not probe else []


def _foreign(request: Request) -> list[str]:
    here = urlsplit(request.url)
    return [] if here.hostname == "127.0.0.1" or here.scheme in ("data", "blob") else [request.url]


def open_page(page: Page, address: str, path: str = "/", **query: str) -> None:
    """Go there and wait until the page is complete."""
    page.goto(f"{address}{path}?{urlencode(query)}" if query else f"{address}{path}")
    wait_complete(page)


def follow(page: Page, link: str, title: str) -> None:
    """Click a page in the sidebar's navigation and wait until that page is complete."""
    page.get_by_test_id("stSidebarNavLink").filter(has_text=link).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    wait_complete(page)


def wait_complete(page: Page) -> None:
    """Until the script has run to its end and every chart is drawn.

    One look at all of it: a title that is there while the script rests was written by a run that ended. After a
    click, wait first for something that only the new run writes.
    """
    page.wait_for_function(COMPLETE)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def sentence(page: Page) -> Locator:
    """The verdict's sentence."""
    return page.get_by_test_id("stText").filter(
        has_text=re.compile(r"\d runs (converted|completed)|^No traced call")
    )


def numbers(page: Page) -> dict[str, str]:
    """The four numbers under the verdict by their label."""
    cells = page.locator(".verdict-numbers > div")
    labels, values = (cells.locator(part).all_inner_texts() for part in ("dt", "dt + dd"))
    shown = {label.strip(): value.strip() for label, value in zip(labels, values, strict=True)}
    return {label: shown[label] for label in VERDICT_CELLS}


def card(page: Page, title: str) -> Locator:
    """The bordered card of a figure."""
    return page.get_by_test_id("stColumn").filter(has_text=title)


def step_texts(page: Page, title: str) -> dict[str, str]:
    """A bridge's steps and their amounts as the chart prints them."""
    chart = card(page, title).get_by_test_id("stPlotlyChart")
    labels, amounts = (
        chart.locator(places).evaluate_all(_LINES)
        for places in (".xtick text, .ytick text", ".textpoint text")
    )
    return dict(zip(labels, amounts, strict=True))


def pick(page: Page, label: str, option: str) -> None:
    """Add a name to one of the sidebar's filters."""
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option, exact=True).click()
    page.keyboard.press("Escape")


def choose(page: Page, label: str, option: str) -> None:
    """Set a select box; its list closes when the page is drawn anew beneath it, and is then opened again."""
    box, wanted = page.get_by_role("combobox", name=label), page.get_by_role("option", name=option)
    for _ in range(MOST_OPENINGS):
        box.press("ArrowDown")
        with suppress(TimeoutError):
            wanted.click(timeout=LIMIT_MS / MOST_OPENINGS)
            return
    raise AssertionError(f"{label} never offered {option}")


def shared_link(page: Page) -> str:
    """The link in the Share popover."""
    page.get_by_role("button", name="Share").click()
    link = page.get_by_test_id("stPopoverBody").get_by_test_id("stCode").inner_text().strip()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)
    return link


def open_run(page: Page, row: int = 0) -> Locator:
    """Tick a row of the evidence table; returns the card of the run it opens.

    The table is a picture to the browser: its tick boxes are found by place, 35 px a row under the header.
    """
    box = card_of(page, "The rows behind it")
    grid = box.get_by_test_id("stDataFrame")
    grid.scroll_into_view_if_needed()
    expect(grid.locator("canvas").first).to_be_visible()
    grid.click(position={"x": 16, "y": 35 * (row + 1) + 17})
    page.wait_for_url(re.compile("[?&]trace=[0-9a-f]{32}"))
    opened = card_of(page, "The run")
    expect(opened.locator(".main-svg").first).to_be_visible()
    wait_complete(page)
    return opened


def card_of(page: Page, heading: str) -> Locator:
    """The bordered card under a bold heading."""
    return (
        page.get_by_test_id("stMain")
        .get_by_text(heading, exact=True)
        .locator("xpath=ancestor::*[@data-testid='stVerticalBlock'][1]")
    )


@contextmanager
def export_menu(page: Page, shown: Locator) -> Iterator[Locator]:
    """A card's Export menu, open for as long as the context lasts."""
    shown.get_by_role("button", name="Export").click()
    menu = page.get_by_test_id("stPopoverBody")
    expect(menu).to_be_visible()
    yield menu
    page.keyboard.press("Escape")
    expect(menu).to_have_count(0)


def save(page: Page, button: Locator, folder: Path) -> Path:
    """Click a download and keep the file under the name the reader gets."""
    with page.expect_download() as started:
        button.click()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path


def post(url: str, body: bytes, media_type: str) -> Any:
    """The JSON answer of a POST."""
    request = urllib.request.Request(url, body, {"Content-Type": media_type})
    with urllib.request.urlopen(request, timeout=LIMIT_MS / 1000) as answer:
        return json.load(answer)

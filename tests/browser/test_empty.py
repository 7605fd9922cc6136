"""A ledger without data teaches how to send the first trace, and never pretends to know."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from core.recipes import REQUEST_HEADERS, RESPONSE_HEADERS, recipes
from tests.browser.reader import RETRIES, numbers, open_page, sentence, visitor

pytestmark = pytest.mark.browser

SETTINGS = (
    f"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST={REQUEST_HEADERS}",
    f"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_RESPONSE={RESPONSE_HEADERS}",
)
"""The two that make attempts visible."""


def test_the_overview_teaches_how_to_send_the_first_trace(empty: str, browser: Browser) -> None:
    """The snippets point back at this very app, and their copy button copies them whole."""
    allowed = ["clipboard-read", "clipboard-write"]
    with visitor(browser, permissions=allowed) as page:
        open_page(page, empty)
        expect(page.get_by_text("The ledger holds no data yet")).to_be_visible()
        taught = recipes(empty)
        snippets = page.get_by_test_id("stCode")
        expect(snippets).to_have_count(len(taught))
        for recipe in taught:
            expect(page.get_by_text(recipe.title, exact=True)).to_be_visible()
        first = snippets.first
        for setting in SETTINGS:
            expect(first).to_contain_text(f"export {setting}")
        expect(snippets.nth(1)).to_contain_text(f'OTLPSpanExporter(endpoint="{empty}/v1/traces")')
        for place in range(len(taught)):
            snippets.nth(place).hover()
            snippets.nth(place).get_by_role("button", name=re.compile("copy", re.IGNORECASE)).click()
            page.wait_for_function(
                "async wanted => (await navigator.clipboard.readText()).trim() === wanted",
                arg=taught[place].text.strip(),
            )


def test_the_retry_page_cannot_tell_in_grey_and_says_what_is_missing(empty: str, page: Page) -> None:
    open_page(page, empty, RETRIES)
    expect(sentence(page)).to_have_text("No traced call in scope.")
    assert numbers(page) == {"Reported": "unknown", "Supported": "unknown", "Gap": "unknown", "n": "0"}
    expect(page.get_by_text("Missing: attempts: no traced call in scope.")).to_contain_text(
        "Send traces to /v1/traces"
    )
    expect(page.get_by_test_id("stPlotlyChart")).to_have_count(0)
    badges = page.locator(".stMarkdownBadge")
    assert badges.all_inner_texts() == ["cannot tell"]
    for property_name in ("color", "backgroundColor"):
        colour = badges.evaluate(f"one => getComputedStyle(one).{property_name}")
        assert is_grey(colour), (property_name, colour)


def is_grey(colour: str) -> bool:
    """Neither red nor green stands out; grey may lean to blue, as the whole theme does.

    >>> is_grey("rgb(100, 116, 139)"), is_grey("rgb(4, 120, 87)"), is_grey("rgb(194, 65, 12)")
    (True, False, False)
    """
    red, green, blue = (float(part) for part in re.findall(r"[\d.]+", colour)[:3])
    return abs(red - green) <= 32 and blue >= green


def test_grey_is_told_from_the_colours_of_verdicts() -> None:
    assert is_grey("rgb(100, 116, 139)")
    assert not is_grey("rgb(4, 120, 87)")
    assert not is_grey("rgb(194, 65, 12)")

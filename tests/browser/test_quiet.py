"""Nothing in the console, nothing asked of another machine: with all of a page opened, and that it would be seen.

Every page as it opens, light and dark: test_access.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.reader import RETRIES, open_page, open_run, visitor

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_opened_details_and_a_run_ask_nothing_of_another_machine_and_the_console_stays_empty(
    theme: str, demo: str, browser: Browser
) -> None:
    """The check itself is in `visitor`. Only Streamlit's two look-ups of its base path may answer 404."""
    with visitor(browser, color_scheme=theme) as page:
        open_page(page, demo, RETRIES)
        for expander in page.get_by_test_id("stExpander").all():
            if expander.locator("details[open]").count() == 0:
                expander.locator("summary").click()
            expect(expander.get_by_test_id("stExpanderDetails")).to_be_visible()
        open_run(page)


def test_the_console_check_sees_errors_dialogs_and_foreign_requests(demo: str, browser: Browser) -> None:
    """The watch would be worth nothing if it saw nothing."""
    with pytest.raises(AssertionError) as complaint:
        provoke(browser, demo)
    told = str(complaint.value)
    for trace in ("dialog: hello", "provoked", "http://localhost:1/picture"):
        assert trace in told


def provoke(browser: Browser, address: str) -> None:
    """One of each kind. Nothing listens on port 1 of this machine, and its name is not 127.0.0.1."""
    with visitor(browser) as page:
        open_page(page, address)
        with page.expect_event("requestfailed"):
            page.evaluate(
                "alert('hello'); console.error('provoked'); new Image().src = 'http://localhost:1/picture'"
            )

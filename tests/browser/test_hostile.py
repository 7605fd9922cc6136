"""Text that came with telemetry is shown as it was sent, and does nothing."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from core.ledger.store import Store
from tests.audits.drift_world import world
from tests.audits.retry_world import send
from tests.browser import senders
from tests.browser.reader import (
    RETRIES,
    card,
    card_of,
    open_page,
    open_run,
    pick,
    post,
    save,
    visitor,
    wait_complete,
)
from tests.live.app import running_app, wait_for_derived

pytestmark = pytest.mark.browser


HOSTILE = senders.Names(
    service="<script>alert('service')</script>",
    run="[click](https://evil.example/) **bold** <b>x</b>",
    model="=cmd|' /C calc'!A0",
    region="<img src=https://evil.example/x onerror=alert(1)>",
)
"""Each text would do something where it was taken for more than text."""
REFUSED = json.dumps(
    {
        "resourceSpans": [
            {"scopeSpans": [{"spans": [{"traceId": "<img src=x onerror=alert(2)>", "name": HOSTILE.run}]}]}
        ]
    }
).encode()
MADE = "script:not([src]), img[src*='evil'], img[src=x], [onerror], a[href*='evil']"
"""Elements that would exist had the text been read as HTML or Markdown."""


def made_elements(page: Page) -> list[str]:
    """Scripts without the ones Streamlit's own page starts with."""
    found: list[str] = page.locator(MADE).evaluate_all("all => all.map(one => one.outerHTML)")
    return [text for text in found if any(word in text for word in ("alert", "evil", "onerror"))]


COMMON = "![x](//evil.example/x.png) [y](https://evil.example/) **z** " + "northwind-inference-" * 6
REGIONS = tuple(f"{COMMON}{end}" for end in ("east", "north", "west"))
"""Names of 180 characters that are pictures and links in Markdown and differ in their end alone."""


def test_long_names_stay_text_in_numbers_and_apart_in_pictures(tmp_path: Path, browser: Browser) -> None:
    folder = tmp_path / "ledger"
    store = Store.open(folder / "trueup.duckdb")
    send(store, probes=world(days=10, regions=REGIONS))
    store.derive()
    store.close()
    with running_app(folder) as address, visitor(browser) as page:
        open_page(page, address, "/regional_drift")
        expect(page.locator(".verdict-more").filter(has_text="of 2 answer as ![x](//")).to_be_visible()
        assert page.locator(".verdict-numbers").locator("img, a, strong").count() == 0
        assert not made_elements(page)
        strip = card(page, "Drift strip").locator(".ytick text").all_text_contents()
        assert len(set(strip)) == len(strip) == 3  # two regions beside the reference, and the placebo


def test_hostile_text_is_plain_text_on_every_page_and_no_formula_in_a_spreadsheet(
    tmp_path: Path, browser: Browser
) -> None:
    """A dialog, an error or a request to another host fails in `visitor`."""
    with running_app(tmp_path / "ledger") as address:
        post(f"{address}/v1/traces", senders.traces(range(40), HOSTILE), "application/json")
        post(f"{address}/v1/traces", REFUSED, "application/json")
        wait_for_derived(address, 1)
        with visitor(browser) as page:
            open_page(page, address)
            pick(page, "Regions", HOSTILE.region)
            expect(page.get_by_test_id("stSidebar").get_by_text(HOSTILE.region)).to_be_visible()
            wait_complete(page)
            assert not made_elements(page)

            open_page(page, address, RETRIES, service=HOSTILE.service, region="<img src=x onerror=alert(3)>")
            expect(
                page.get_by_text('The link names the region "<img src=x onerror=alert(3)>"')
            ).to_be_visible()
            run = open_run(page)
            drawn = run.locator(".main-svg text").all_text_contents()
            assert any(HOSTILE.run in text for text in drawn), drawn
            assert any(HOSTILE.model in text for text in drawn), drawn
            assert not made_elements(page)
            rows = read_rows(page, tmp_path)
            assert {(row["service"], row["region"]) for row in rows} == {(HOSTILE.service, HOSTILE.region)}
            assert {row["model"] for row in rows} == {f"'{HOSTILE.model}"}

            open_page(page, address, "/imports", arrival="import-2")
            expect(page.get_by_text("Refused rows", exact=True)).to_be_visible()
            refused = card_of(page, "Refused rows")
            expect(refused.locator("table")).to_contain_text("<img src=x onerror=alert(2)>")
            assert not made_elements(page)


PAYLOADS = (
    "<img src=x onerror=alert(4)>", "[x](https://evil.example/)", "=cmd|' /C calc'!A0", "$$\\frac{1}{0}$$ :fire: :material/home:",
    "\u202eevil\u2066", "{{7*7}}", "x" * 5_000, "<a href='https://evil.example'>a</a><b>b</b><br>c",
)  # fmt: skip
HEADER = (
    "BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,ProviderName,ChargeDescription,"
    "SubAccountId,RegionId,SkuId,ConsumedUnit,ConsumedQuantity,x_Model,InvoiceId,BillingAccountId\n"
)


def hostile_bill() -> bytes:
    """A line a payload, with it in every column that takes a text; and one whose amount is a payload."""
    days = ("2026-03-30T00:00:00Z", "2026-03-31T00:00:00Z")
    quoted = [text.replace('"', '""') for text in PAYLOADS]
    lines = [
        ",".join(
            f'"{cell}"' for cell in ("1.5", "USD", "Usage", *days, *[text] * 5, "Tokens", "5", *[text] * 3)
        )
        for text in quoted
    ]
    refused = ",".join(
        f'"{cell}"'
        for cell in (quoted[0], "USD", "Usage", *days, *[quoted[0]] * 5, "Tokens", "5", "", "", "")
    )
    return (HEADER + "\n".join([*lines, refused]) + "\n").encode()


def test_every_page_shows_hostile_bills_and_names_as_text(tmp_path: Path, browser: Browser) -> None:
    """The pages are those of the navigation, so that a new one is covered too."""
    with running_app(tmp_path / "ledger") as address:
        post(f"{address}/v1/traces", senders.traces(range(40), HOSTILE), "application/json")
        name = urlencode({"name": "<img src=x onerror=alert(5)>.csv"})
        post(f"{address}/api/ingest?{name}", hostile_bill(), "application/octet-stream")
        wait_for_derived(address, 2)
        with visitor(browser) as page:
            open_page(page, address)
            links = page.get_by_test_id("stSidebarNavLink").evaluate_all("all => all.map(one => one.href)")
            assert len(links) >= 5
            for link in [*links, f"{address}/imports?arrival=import-2"]:
                page.goto(f"{link}{'&' if '?' in link else '?'}from=2026-01-01&to=2026-12-31")
                wait_complete(page)
                assert not made_elements(page), link
                for expander in page.get_by_test_id("stExpander").all():
                    expander.locator("summary").click()
                assert not made_elements(page), link


def read_rows(page: Page, folder: Path) -> list[dict[str, str]]:
    """The evidence table's CSV."""
    button = card_of(page, "The rows behind it").get_by_role("button", name="CSV")
    path = save(page, button, folder)
    return list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))

"""Without a mouse, in either theme, and on a telephone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect

from core.charts.palette import COLOURS
from core.demo import WHOLLY
from tests.browser.reader import (
    EVERY_PAGE,
    RETRIES,
    WINDOW,
    card,
    open_page,
    sentence,
    visitor,
    wait_complete,
)

pytestmark = pytest.mark.browser

MOST_TABS = 80
READABLE = 4.5
"""WCAG 2.2, success criterion 1.4.3: text of this size against its background."""

FOCUSED = """() => {
    const at = document.activeElement;
    const name = at.getAttribute('aria-label') || at.innerText || '';
    const inside = at.closest('[data-testid=stPopoverBody]') ? 'popover ' : '';
    return inside + (at.getAttribute('role') || at.tagName.toLowerCase()) + ' ' + name.split('\\n')[0].trim();
}"""

COLOURS_OF_TEXT = """() => {
    const paint = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const known = new Map();
    const painted = colour => {
        paint.clearRect(0, 0, 1, 1);
        paint.fillStyle = colour;
        paint.fillRect(0, 0, 1, 1);
        return [...paint.getImageData(0, 0, 1, 1).data];
    };
    const rgba = colour => known.get(colour) ?? known.set(colour, painted(colour)).get(colour);
    const behind = element => {
        const layers = [];
        for (let at = element; at; at = at.parentElement) layers.push(getComputedStyle(at).backgroundColor);
        return layers.map(rgba);
    };
    const kinds = ['h1', '[data-testid=stText]', '[data-testid=stCaptionContainer] p', '.stMarkdownBadge',
        '.verdict-numbers dt', '.verdict-numbers dd', '.verdict-axis span',
        '[data-testid=stSidebarNavLink] span', '[data-testid=stWidgetLabel] p', 'summary p', 'button p'];
    const seen = [...document.querySelectorAll(kinds.join(','))].filter(one => one.offsetParent && one.innerText);
    return seen.map(one => [one.innerText.slice(0, 40), rgba(getComputedStyle(one).color), behind(one)]);
}"""


def tab_to(page: Page, wanted: str) -> list[str]:
    """Press Tab until what has the focus is called that; returns everything on the way."""
    way: list[str] = []
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        way.append(page.evaluate(FOCUSED))
        if way[-1] == wanted:
            return way
    raise AssertionError(f"Tab never reached {wanted!r}: {way}")


def test_tab_reaches_navigation_scope_share_and_exports_and_enter_opens_them(
    demo: str, page: Page, tmp_path: Path
) -> None:
    open_page(page, demo)
    tab_to(page, "a Retry ledger")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{demo}{RETRIES}")
    expect(page.get_by_role("heading", level=1)).to_have_text("The retry counted three ways")
    wait_complete(page)
    told = sentence(page).inner_text()

    tab_to(page, "combobox Regions")
    page.keyboard.type("eu-central")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{demo}{RETRIES}?region=eu-central-1")
    expect(sentence(page)).not_to_have_text(told)
    wait_complete(page)
    page.keyboard.press("Escape")

    tab_to(page, "button Share")
    page.keyboard.press("Enter")
    popover = page.get_by_test_id("stPopoverBody")
    expect(popover.get_by_test_id("stCode")).to_contain_text("region=eu-central-1&as_of=")
    page.keyboard.press("Escape")
    expect(popover).to_have_count(0)

    tab_to(page, "button Export")
    page.keyboard.press("Enter")
    expect(popover).to_be_visible()
    tab_to(page, "popover button CSV")
    with page.expect_download() as started:
        page.keyboard.press("Enter")
    started.value.save_as(tmp_path / "figure.csv")
    assert (tmp_path / "figure.csv").read_text("utf-8-sig").splitlines()[1] == "step,value,kind"


Pixel = tuple[float, float, float]


def blend(layers: list[list[int]]) -> Pixel:
    """What shows through see-through layers, the front one first. Streamlit's page is opaque at the back."""
    red = green = blue = 255.0
    for *colour, alpha in reversed(layers):
        red, green, blue = (
            back + (front - back) * alpha / 255
            for back, front in zip((red, green, blue), colour, strict=True)
        )
    return red, green, blue


def luminance(colour: Pixel) -> float:
    """Relative luminance, WCAG 2.2."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(text: list[int], layers: list[list[int]]) -> float:
    """WCAG contrast ratio of a text over what is behind it."""
    pair = sorted((luminance(blend([text, *layers])), luminance(blend(layers))))
    return (pair[1] + 0.05) / (pair[0] + 0.05)


def test_contrast_is_computed_as_in_the_standard() -> None:
    """Black on white is 21:1; #767676 on white is the well-known lightest grey that passes, 4.54:1."""
    white, black, grey = [255] * 4, [0, 0, 0, 255], [118, 118, 118, 255]
    assert contrast(black, [white]) == pytest.approx(21.0)
    assert contrast(grey, [white]) == pytest.approx(4.54, abs=0.005)
    assert blend([[0, 0, 0, 51], white]) == pytest.approx((204, 204, 204))  # a fifth of black over white


class Look(NamedTuple):
    """A retry page as computed styles tell it."""

    page: str
    """Background."""
    bars: list[str]
    """Outlines of the money bridge's bars; none on the empty ledger, which draws nothing."""
    texts: list[str]
    """Colours of its texts."""
    contrasts: list[tuple[str, float]]


def look(browser: Browser, address: str, theme: str) -> Look:
    """Opened by a reader whose system asks for that theme."""
    with visitor(browser, color_scheme=theme) as page:
        open_page(page, address, RETRIES)
        chart = card(page, "Retry money bridge").get_by_test_id("stPlotlyChart")
        return Look(
            page.get_by_test_id("stApp").evaluate("one => getComputedStyle(one).backgroundColor"),
            chart.locator(".bars path").evaluate_all("all => all.map(one => getComputedStyle(one).stroke)"),
            chart.locator(".textpoint text, .ytick text").evaluate_all(
                "all => all.map(one => getComputedStyle(one).fill)"
            ),
            [(text, contrast(colour, layers)) for text, colour, layers in page.evaluate(COLOURS_OF_TEXT)],
        )


def test_light_and_dark_recolour_page_and_figures_and_stay_readable(
    demo: str, empty: str, browser: Browser
) -> None:
    """On the demo the verdict is a coloured badge, on the empty ledger the grey one."""
    light, dark = (look(browser, demo, theme) for theme in ("light", "dark"))
    assert (light.page, dark.page) == ("rgb(255, 255, 255)", "rgb(11, 15, 25)")
    for at, seen in enumerate((light, dark)):
        assert set(seen.bars) <= {_rgb(COLOURS[role][at]) for role in ("useful", "loss", "muted")}
        assert set(seen.texts) <= {_rgb(COLOURS[role][at]) for role in ("ink", "label")}
        assert (len(seen.bars), len(seen.texts)) == (len(light.bars), len(light.texts))
    assert min(len(light.bars), len(light.texts)) > 1
    assert set(light.bars + light.texts).isdisjoint(dark.bars + dark.texts)
    grey = [look(browser, empty, theme) for theme in ("light", "dark")]
    for seen, verdict in zip((light, dark, *grey), ("broken",) * 2 + ("cannot tell",) * 2, strict=True):
        assert {verdict, "Reported", "Overview", "Regions", "Share"} <= {text for text, _ in seen.contrasts}
        assert [(text, round(ratio, 2)) for text, ratio in seen.contrasts if ratio < READABLE] == []


def _rgb(colour: str) -> str:
    return f"rgb({', '.join(str(part) for part in bytes.fromhex(re.sub('^#', '', colour)))})"


NAMELESS = """() => {
    const kinds = 'button, a[href], input:not([type=hidden], [tabindex="-1"]), [role=combobox], [role=button], textarea';
    const named = one => one.getAttribute('aria-label') || one.innerText?.trim() || one.labels?.length
        || one.getAttribute('aria-labelledby') || one.title || one.querySelector('img[alt]');
    return [...document.querySelectorAll(kinds)].filter(one => one.offsetParent && !named(one))
        .map(one => one.outerHTML.slice(0, 160));
}"""
UNTOLD = """() => [...document.querySelectorAll('[data-testid=stPlotlyChart], [data-testid=stDataFrame]')]
    .filter(one => !(one.closest('[aria-label]') || one.querySelector('[aria-label]')
        || one.querySelector('[aria-describedby], [aria-labelledby], figcaption')
        || one.parentElement.querySelector('[aria-label]')))
    .map(one => one.outerHTML.slice(0, 200))"""
WIDER = """() => document.querySelector('[data-testid=stMain]').scrollWidth
    - document.querySelector('[data-testid=stMain]').clientWidth"""


TELEPHONE = {"width": 390, "height": 844}


@pytest.mark.parametrize(("theme", "window"), [("light", TELEPHONE), ("dark", WINDOW)])
def test_every_page_is_readable_named_as_wide_as_its_window_and_asks_nothing_of_another_machine(
    theme: str, window: Any, demo: str, empty: str, browser: Browser
) -> None:
    """Empty console and requests: `visitor` checks them. One sweep for all that holds on every page, for a page
    is seconds of the browser's work: a theme changes no widths, so that each width is looked at in one of them.
    Light pages in a window are those of test_payloads.
    """
    with visitor(browser, color_scheme=theme, viewport=window) as page:
        for address in (demo, empty):
            for path in EVERY_PAGE:
                open_page(page, address, path)
                seen = page.evaluate(COLOURS_OF_TEXT)
                low = [(text, round(contrast(colour, layers), 2)) for text, colour, layers in seen]
                assert [one for one in low if one[1] < READABLE] == [], path
                assert page.evaluate(NAMELESS) == [], path
                assert page.evaluate(UNTOLD) == [], path
                assert page.evaluate(WIDER) == 0, path
                if address == demo:
                    says_demo_data(page)


def says_demo_data(page: Page) -> None:
    """First of all the page does, then each of its figures."""
    expect(page.get_by_test_id("stMain").locator(".stMarkdownBadge").first).to_have_text(WHOLLY)
    charts = page.get_by_test_id("stPlotlyChart")
    expect(charts.locator(".gtitle")).to_have_text([WHOLLY] * charts.count())

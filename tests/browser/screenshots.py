"""The documents' pictures from a running demo: `python -m tests.browser.screenshots docs http://localhost:8501`."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, expect

from core.demo import STORIES, Story
from tests.browser.reader import chromium, open_page, visitor, wait_complete

PAGES = {
    "overview": "",
    "retry-ledger": "retry_ledger",
    "reward": "reward_vs_outcome",
    "forecast": "token_forecast",
    "drift": "regional_drift",
    "reconciliation": "bill_reconciliation",
}
"""Picture -> page; an audit is shown with the scope of its story, the overview and the retries with the default one."""
PLAIN = ("", "retry_ledger")
WINDOW: Any = {"width": 1280, "height": 1100}
MOST_BYTES = 200_000
"""The pictures are in the repository: each new one stays in its history."""
COLOURS = 256


def main(out_dir: Path, address: str, names: list[str]) -> int:
    """Write the pictures, or those named; 1 when one is too large to commit."""
    out_dir.mkdir(parents=True, exist_ok=True)
    too_large = 0
    with chromium() as browser:
        for name in names or PAGES:
            path = out_dir / f"{name}.png"
            path.write_bytes(
                take(browser, address.rstrip("/").replace("//localhost", "//127.0.0.1"), PAGES[name])
            )
            size = path.stat().st_size
            print(f"{path}: {size:,} bytes")
            if size > MOST_BYTES:
                too_large += 1
                sys.stderr.write(
                    f"{path} has {size:,} bytes; at most {MOST_BYTES:,} go into the repository.\n"
                )
    return int(too_large > 0)


def take(browser: Browser, address: str, page_name: str) -> bytes:
    """The first screenful of a page in light, pointer away from everything that reacts to it."""
    story: Story | None = next((one for one in STORIES if one.page == page_name not in PLAIN), None)
    with visitor(browser, color_scheme="light", viewport=WINDOW) as page:
        open_page(page, address, f"/{page_name}", **dict(story.query if story else ()))
        expect(page.get_by_text(re.compile("^Asking the audits"))).to_have_count(0)
        wait_complete(page)
        page.evaluate("document.fonts.ready")
        page.mouse.move(1270, 1090)
        picture = page.screenshot(animations="disabled")
    return smallest(picture)


def smallest(picture: bytes) -> bytes:
    """The picture as it is, packed tighter; in fewer colours, which tints its greys, only where it must."""
    with Image.open(io.BytesIO(picture)) as image:
        whole = image.convert("RGB")
    few = whole.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    packed = b""
    for one in (whole, few):
        out = io.BytesIO()
        one.save(out, "PNG", optimize=True)
        packed = out.getvalue()
        if len(packed) <= MOST_BYTES:
            break
    return packed


if __name__ == "__main__":
    if len(sys.argv) < 3 or not set(sys.argv[3:]) <= set(PAGES):
        sys.exit(f"usage: python -m tests.browser.screenshots OUT_DIR ADDRESS [{'|'.join(PAGES)} ...]")
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))

"""The README's picture from a running demo: `python -m tests.browser.screenshots docs http://localhost:8501`."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.reader import RETRIES, chromium, open_page, visitor

NAME = "retry-ledger.png"
WINDOW = {"width": 1280, "height": 1100}
MOST_BYTES = 400_000
"""The picture is in the repository: each new one stays in its history."""


def main(out_dir: Path, address: str) -> int:
    """Write the picture; 1 when it is too large to commit."""
    out_dir.mkdir(parents=True, exist_ok=True)
    path = out_dir / NAME
    with chromium() as browser:
        take(browser, address.rstrip("/").replace("//localhost", "//127.0.0.1"), path)
    size = path.stat().st_size
    print(f"{path}: {size:,} bytes")
    if size > MOST_BYTES:
        sys.stderr.write(f"{path} has {size:,} bytes; at most {MOST_BYTES:,} go into the repository.\n")
        return 1
    return 0


def take(browser: Browser, address: str, path: Path) -> None:
    """The first screenful of the retry page in light, pointer away from everything that reacts to it."""
    with visitor(browser, color_scheme="light", viewport=WINDOW) as page:
        open_page(page, address, RETRIES)
        page.evaluate("document.fonts.ready")
        page.mouse.move(1270, 1090)
        page.screenshot(path=path, animations="disabled")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m tests.browser.screenshots OUT_DIR ADDRESS")
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))

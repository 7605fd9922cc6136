"""Progress on stderr: a bar on a terminal, a line every tenth otherwise, so logs stay readable."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TextIO

WIDTH = 30

Step = Callable[[int, str], None]
"""step(done, note): how many of the total are done, and a few words on where it is."""


def bar(title: str, total: int, stream: TextIO | None = None) -> Step:
    """A step function for work of `total` parts; the last step (done = total) ends the line."""
    out = stream or sys.stderr
    shown = -1

    def step(done: int, note: str) -> None:
        nonlocal shown
        share = min(1.0, done / total) if total else 1.0
        tenth = int(share * 10)
        if out.isatty():
            filled = int(share * WIDTH)
            out.write(f"\r\x1b[K{title} [{'#' * filled}{'.' * (WIDTH - filled)}] {share:4.0%} {note}")
            out.write("\n" if done >= total else "")
        elif tenth > shown:
            out.write(f"{title} {share:4.0%} {note}\n")
        shown = max(shown, tenth)
        out.flush()

    return step

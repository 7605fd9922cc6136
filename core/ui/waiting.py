"""How far an answer is that takes minutes, and what a reader sees first of a page that is drawn at once.

Streamlit keeps what a cached function draws and draws it again with every kept answer, so nothing inside one may move a
bar. An answer that is not kept is therefore made outside the cache, under the bar, and kept when it is whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TypeVar

import streamlit as st

from core.audit import Progress

Kept = TypeVar("Kept")
PATIENCE_S = 1.0
"""A bar that is gone before it is read only flickers."""
SCRIPT_S, VERDICT_S, FIGURE_S = 0.05, 0.1, 0.2
"""What a browser needs to load what draws a piece of HTML, to draw the verdict, and to load what draws the first figures.

React holds back what had to wait for its script for 300 ms after whatever else began to wait: the verdict's must be there first.
"""


class NotKept(Exception):
    """The answer has to be made first."""


def not_kept() -> NoReturn:
    """What a cached function calls when it has no answer."""
    raise NotKept


@contextmanager
def bar() -> Iterator[Progress]:
    """A spinner, and after a second a bar that moves with each call of the progress it gives."""
    place, began = st.empty(), time.monotonic()

    def tell(share: float, what: str) -> None:
        if time.monotonic() - began >= PATIENCE_S:
            place.progress(min(share, 1.0), what)

    with st.spinner("Reading the ledger"):
        yield tell
    place.empty()


def made_once(kept: Callable[..., Kept], make: Callable[[Progress], Kept]) -> Kept:
    """The kept answer, or `make`'s, under a bar, which `kept` (a cached function with an argument `_make`) then keeps."""
    try:
        return kept(_make=not_kept)
    except NotKept:
        with bar() as progress:
            made = make(progress)
    return kept(_make=lambda: made)


def let_draw(what: str, pause_s: float) -> None:
    """Let the browser draw what it was sent before it gets the rest, the first time that a session sees `what`.

    A page sent in one go is drawn in one go: its first number then waits for its last chart.
    """
    if st.context.headers and f"drawn {what}" not in st.session_state:  # no headers: no browser draws
        st.session_state[f"drawn {what}"] = True
        time.sleep(pause_s)

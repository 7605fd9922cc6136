"""How time, memory and the file grow with the ledger: `python -m tests.bench growth` prints the rows and draws docs/growth.svg.

At each size every audit is asked with nothing kept, as after an import of everything; then the board and the retry ledger are
opened by a browser that has been there before; then four senders add spans as fast as they can.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser

from core.charts.panels import Panel, panels
from core.export.shapes import svg
from core.export.still import still
from tests.bench import ingest, pages

REPEATS = (4, 10, 34, 170)
"""The demo so many times: 1.3, 3.2, 11 and 54 million spans."""
SENT = 200_000
"""Spans that are sent at each size."""
PICTURE = Path(__file__).parents[2] / "docs" / "growth.svg"
TOLD = "Seconds, memory, size of the file and spans taken in at 1 to 54 million spans; the numbers are in the table."

STYLE = 'style="font-family: Inter, system-ui, sans-serif; background: white"'


class Size(NamedTuple):
    """One ledger. Seconds until every audit has answered with nothing kept, and until first numbers; MiB of the app's process
    (`whole`: with its workers); spans a second until committed and until queryable.
    """

    spans: int
    asked_s: float
    board_s: float
    retries_s: float
    asked_mib: int
    whole_mib: int
    pages_mib: int
    file_mib: int
    committed_per_s: float
    queryable_per_s: float


def measured(browser: Browser, ledger: Path, log: Path) -> Size:
    """One size; the ledger must not hold kept answers."""
    board = pages.board(browser, ledger, log)
    shown = {one.state: one for one in board.visits}
    retries = {one.state: one for one in pages.visits(browser, ledger, log, ("retry_ledger",))}
    file_mib = (ledger / "trueup.duckdb").stat().st_size // 2**20
    sent = ingest.measure_into(ledger, SENT, log)
    return Size(
        board.spans, board.asked_s, shown["again"].figure_s, retries["again"].figure_s, board.asked_rss_mib,
        board.asked_whole_mib, retries["again"].rss_mib, file_mib, sent.committed_per_s, sent.queryable_per_s,
    )  # fmt: skip


def draw(sizes: Sequence[Size], out: Path = PICTURE) -> None:
    """The sizes as panels over one axis, an SVG without scripts."""
    drawn = {
        ("every audit asked, nothing kept", "s"): [one.asked_s for one in sizes],
        ("first number of the retry ledger", "s"): [one.retries_s for one in sizes],
        ("first row of the board", "s"): [one.board_s for one in sizes],
        ("memory while audits are asked", "MiB"): [float(one.whole_mib) for one in sizes],
        ("file", "MiB"): [float(one.file_mib) for one in sizes],
        ("spans taken in", "a second"): [one.committed_per_s for one in sizes],
    }
    unknown = [None] * len(sizes)
    lines = [Panel(name, unit, values, unknown, unknown) for (name, unit), values in drawn.items()]
    figure = panels(lines, [f"{one.spans / 1e6:.3g} million" for one in sizes])
    drawing = svg(still(figure.update_yaxes(rangemode="tozero")), TOLD)
    out.write_text(drawing.replace("<svg ", f"<svg {STYLE} ", 1) + "\n", encoding="utf-8")

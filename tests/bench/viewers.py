"""Twenty viewers who change their scope while spans come in: how long a change takes, and what it costs in memory.

Viewers speak the pages' own protocol over WebSockets: twenty browsers would measure themselves on two cores. A change
leaves one region out in the sidebar; it has ended when the server says that the script has finished. What the browser does
after that is not in the number.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from core.audits import every_audit
from core.view import name_of
from tests import otlp_bodies
from tests.bench.ingest import BATCH, cpu_s, rss_mib
from tests.web.test_process import Running, fetch_json, send_body, started

VIEWERS = 20
CHANGES = 8
"""Of each viewer."""
THINKS_S = (3.0, 8.0)
"""Pause between two changes, drawn evenly."""
SPANS_A_SECOND = 1_000
PAGES = ("", *(name_of(audit) for audit in every_audit()))
"""The board and every audit's page, dealt to the viewers in turn."""
SEED = 20260101
FIRST_CALL = 20_000_000
"""Calls are a second apart from 2026-03-31 on: this one lies on 2026-11-17, among the demo's last days."""
LONGEST_S = 120.0


class Change(NamedTuple):
    """One change of scope; seconds from the pick to the finished page."""

    page: str
    took_s: float


class Viewers(NamedTuple):
    """One run."""

    changes: tuple[Change, ...]
    spans: int
    """Sent meanwhile."""
    wall_s: float
    cpu_s: float
    """Of the app and its workers, for the changes and for the spans."""
    rss_before_mib: int
    rss_peak_mib: int


class _Session:
    """One viewer: a WebSocket, and what a browser remembers of the page."""

    def __init__(self, socket: ClientConnection, page: str) -> None:
        self.socket, self.page = socket, page
        self.page_hash, self.regions_id = "", ""
        self.regions: list[str] = []
        self.query, self.footer, self.title = "", "", ""

    async def run(self, chosen: list[str]) -> float:
        """Ask for the page with these regions, or with all; seconds until it is finished."""
        asked = BackMsg()
        state = asked.rerun_script
        state.page_name, state.page_script_hash = ("" if self.page_hash else self.page), self.page_hash
        state.query_string = self.query
        if self.regions_id:
            widget = state.widget_states.widgets.add(id=self.regions_id)
            widget.string_array_value.data.extend(chosen)
        began = time.perf_counter()
        await self.socket.send(asked.SerializeToString())
        async with asyncio.timeout(LONGEST_S):
            while True:
                told = ForwardMsg.FromString(await self._next())
                if self._finished(told):
                    return time.perf_counter() - began

    async def _next(self) -> bytes:
        message = await self.socket.recv()
        assert isinstance(message, bytes)
        return message

    def _finished(self, told: ForwardMsg) -> bool:
        kind = told.WhichOneof("type")
        if (
            kind == "navigation"
        ):  # a new session's own message names the shell's script, which opens the overview
            self.page_hash = told.navigation.page_script_hash
        elif kind == "page_info_changed":
            self.query = told.page_info_changed.query_string
        elif kind == "delta":
            element = told.delta.new_element
            if element.WhichOneof("type") == "multiselect" and element.multiselect.label == "Regions":
                self.regions_id, self.regions = element.multiselect.id, list(element.multiselect.options)
            assert element.WhichOneof("type") != "exception", element.exception.message
            if element.WhichOneof("type") == "heading":
                self.title = element.heading.body
            if element.WhichOneof("type") == "text" and "(UTC days)" in element.text.body:
                self.footer = element.text.body  # says of which scope the page's numbers are
        return kind == "script_finished" and told.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY


async def _viewer(address: str, number: int) -> list[Change]:
    draw = random.Random(SEED + number)
    url = address.replace("http://", "ws://") + "/_stcore/stream"
    page, found = PAGES[number % len(PAGES)], []
    async with connect(url, subprotocols=["streamlit"], max_size=None, proxy=None) as socket:  # type: ignore[list-item]
        session = _Session(socket, page)
        await asyncio.sleep(draw.uniform(0, THINKS_S[1]))
        await session.run([])
        assert session.regions, f"{page or 'overview'} has no list of regions"
        for _ in range(CHANGES):
            await _rest(session, draw.uniform(*THINKS_S))
            # All but one: of one region alone, audits that compare regions have too little and answer at once.
            left_out = draw.choice(session.regions)
            regions = [region for region in session.regions if region != left_out]
            took_s = await session.run(regions)
            assert session.title == _title(page), (page, session.title)
            assert f"regions: {', '.join(regions)}." in session.footer, (page, regions, session.footer)
            found.append(Change(page or "overview", took_s))
    return found


def _title(page: str) -> str:
    return next((audit.TITLE for audit in every_audit() if name_of(audit) == page), "Overview")


async def _rest(session: _Session, seconds: float) -> None:
    """Read along while thinking: a browser takes what fragments send at any time."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            async with asyncio.timeout(left):
                session._finished(ForwardMsg.FromString(await session._next()))
        except TimeoutError:
            return


async def _load(running: Running, stopping: asyncio.Event) -> int:
    """Bodies of spans at an even rate, until told to stop; returns how many spans went in."""
    sent = 0
    for body in _bodies():
        began = time.monotonic()
        assert await asyncio.to_thread(send_body, running, body) == 200
        sent += BATCH
        wait = BATCH / SPANS_A_SECOND - (time.monotonic() - began)
        if stopping.is_set():
            break
        await asyncio.sleep(max(0.0, wait))
    return sent


def _bodies() -> Iterator[bytes]:
    for first in range(FIRST_CALL, FIRST_CALL + 10**6, BATCH):
        yield otlp_bodies.protobuf(range(first, first + BATCH))


async def _together(running: Running) -> tuple[list[Change], int]:
    stopping = asyncio.Event()
    load = asyncio.create_task(_load(running, stopping))
    try:
        groups: list[Any] = await asyncio.gather(
            *(_viewer(running.address, number) for number in range(VIEWERS))
        )
    finally:
        stopping.set()
    return [change for group in groups for change in group], await load


def measure(ledger: Path, log: Path) -> Viewers:
    """Start an app over the ledger and let the viewers look at it."""
    with started(ledger, log) as running:
        pid = running.process.pid
        state = fetch_json(f"{running.address}/readyz")
        assert state["ready"], state
        before, cpu, began = rss_mib(pid), cpu_s(pid), time.perf_counter()
        changes, spans = asyncio.run(_together(running))
        wall, cpu = time.perf_counter() - began, cpu_s(pid) - cpu
        return Viewers(tuple(changes), spans, wall, cpu, before, rss_mib(pid, peak=True))


def quantile_s(changes: tuple[Change, ...], share: float, page: str = "") -> float:
    """Seconds that `share` of the changes did not exceed, of one page or of all."""
    waits = sorted(change.took_s for change in changes if page in ("", change.page))
    return waits[min(len(waits) - 1, int(len(waits) * share))]

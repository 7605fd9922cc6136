"""The app process around Streamlit: routes, middleware, and what happens at start and stop.

One process owns the ledger file, serves pages, takes OTLP and answers the JSON API. Streamlit is not imported
here; app.py hands these parts to it. Why one process: docs/decisions/002-one-process.md.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import anyio
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core import board
from core.ledger.current import open_default, set_store
from core.ledger.store import StoreLocked
from core.state import get_state, open_state, set_state
from core.web.api import answer_attempts, answer_bridge, answer_findings, answer_imports
from core.web.background import keep_board, keep_up, warm_up
from core.web.guard import BearerTokens
from core.web.ingest import (
    LOGS,
    METRICS,
    TRACES,
    receive_empty_demo,
    receive_file,
    receive_otlp,
    receive_undo,
)
from core.web.process import VERSION, NotReady, Process
from core.web.pulling import keep_pulling
from core.web.running import announce, withdraw
from core.web.watch import keep_watching

_log = logging.getLogger("trueup")
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def routes(process: Process) -> list[Route]:
    """Every address that is not a page. None may begin with a prefix Streamlit reserves."""
    return [
        Route("/healthz", partial(answer_health, process)),
        Route("/readyz", partial(answer_ready, process)),
        *(
            Route(f"/v1/{signal.name}", partial(receive_otlp, process, signal), methods=["POST"])
            for signal in (TRACES, LOGS, METRICS)
        ),
        Route("/api/ingest", partial(receive_file, process), methods=["POST"]),
        Route("/api/undo", partial(receive_undo, process), methods=["POST"]),
        Route("/api/empty-demo", partial(receive_empty_demo, process), methods=["POST"]),
        Route("/api/findings", partial(answer_findings, process)),
        Route("/api/attempts", partial(answer_attempts, process)),
        Route("/api/bridge", partial(answer_bridge, process)),
        Route("/api/imports", partial(answer_imports, process)),
        # Without these two a wrong address or method would fall through to Streamlit's page with status 200.
        Route("/v1/{rest:path}", refuse_unknown, methods=_METHODS),
        Route("/api/{rest:path}", refuse_unknown, methods=_METHODS),
    ]


def middleware(process: Process) -> list[Middleware]:
    """Runs before Streamlit's own, on every request and on the page's WebSocket."""
    return [Middleware(BearerTokens, settings=process.settings)]


async def answer_health(process: Process, request: Request) -> Response:
    """GET /healthz: the process runs."""
    uptime = round(process.uptime_s(), 3)
    return JSONResponse({"status": "ok", "version": VERSION, "uptime_s": uptime})


async def answer_ready(process: Process, request: Request) -> Response:
    """GET /readyz: 200 when the ledger takes writes, else 503 with the reason."""
    try:
        store = process.ledger()
    except NotReady as error:
        return JSONResponse({"ready": False, "reason": str(error)}, status_code=503)
    writable = store.writable()
    body = {
        "ready": writable,
        "ledger_writable": writable,
        "queue_depth": store.queue_depth(),
        "queue_limit": process.settings.queue_limit,
        "latest_import": store.latest_import(),
        "derived_version": store.version(),
        "derive_error": process.derive_error,
        "retention_error": process.retention_error,
        "watch_error": process.watch_error,
        "pull_error": process.pull_error,
        "board_error": board.error_now(),
    }
    return JSONResponse(body, status_code=200 if writable else 503)


async def refuse_unknown(request: Request) -> Response:
    """404 for an address or method that is not served, where Streamlit would answer with its page."""
    message = (
        f"{request.method} {request.url.path[:200]} is not served. See docs/settings.md for the addresses."
    )
    return JSONResponse({"code": 5, "message": message}, status_code=404)


def lifespan(process: Process) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """Start and stop: open the ledger, publish it, keep calls derived; close it last."""

    @asynccontextmanager
    async def run(_app: object) -> AsyncIterator[None]:
        await anyio.to_thread.run_sync(_open, process)
        stopping = threading.Event()
        threading.Thread(target=warm_up, name="trueup-warm", daemon=True).start()
        beside = [
            threading.Thread(
                target=keep, args=(process, stopping), name=f"trueup-{keep.__name__}", daemon=True
            )
            for keep in (keep_up, keep_watching, keep_pulling, keep_board)
        ]
        for thread in beside:
            thread.start()
        try:
            yield
        finally:
            stopping.set()
            await anyio.to_thread.run_sync(partial(_close, process, *beside))

    return run


def _open(process: Process) -> None:
    try:
        process.store = open_default(process.settings)
        set_state(open_state(process.settings))
    except StoreLocked as locked:
        # The message alone: a traceback through the web server would bury the process id it names.
        sys.stderr.write(f"Trueup cannot start: {locked}\n")
        sys.stderr.flush()
        os._exit(1)
    announce(process.settings, process.address())
    _log.info("ledger %s open at import %d", process.settings.store_path, process.store.latest_import())
    sys.stderr.write(_greeting(process))
    sys.stderr.flush()


def _greeting(process: Process) -> str:
    lines = [f"Trueup {VERSION}: pages {process.address()}  OTLP/HTTP {process.address()}/v1/traces"]
    open_doors = [name for name in ("ingest_tokens", "read_tokens") if not getattr(process.settings, name)]
    if process.reachable_from_outside():
        if open_doors:
            lines.append(
                f"Other machines can reach this address without a token: set {' and '.join(open_doors)}."
            )
        if process.host != process.settings.bind_address:
            lines.append(
                f"It listens on {process.host}, not on bind_address {process.settings.bind_address}, "
                "because Streamlit was started directly. Start it with: python -m core serve"
            )
    return "\n".join(lines) + "\n"


def _close(process: Process, *beside: threading.Thread) -> None:
    for thread in beside:
        thread.join(timeout=60)
    withdraw(process.settings)
    store, process.store = process.store, None
    set_store(None)
    get_state().close()
    set_state(None)
    if store is not None:
        store.close()

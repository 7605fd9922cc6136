"""The app process around Streamlit: routes, middleware, and what happens at start and stop.

One process owns the ledger file, serves pages, takes OTLP and answers the JSON API. Streamlit is not imported
here; app.py hands these parts to it. Why one process: docs/decisions/002-one-process.md.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import anyio
import pandas  # noqa: F401  # whole before any thread runs: Plotly takes it out of sys.modules, half imported or not
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from core.ledger.current import open_default, set_store
from core.ledger.engine import EngineProblem
from core.ledger.store import CANNOT_OPEN
from core.project_folders import BadProject, every_settings
from core.projects import DEFAULT, PATH, settle, several, within
from core.roles import check_lists, signing_in
from core.settings import BadSetting, set_settings
from core.shared_links import ADDRESS
from core.state import get_state, open_state, set_state
from core.tokens import SCOPES
from core.web.access import keep_tokens, look_once
from core.web.alerting import keep_alerting
from core.web.api import (
    answer_attempts,
    answer_bridge,
    answer_findings,
    answer_frame,
    answer_imports,
    answer_openapi,
)
from core.web.background import keep_board, keep_up, warm_up
from core.web.base_path import BasePath
from core.web.durable import receive_backup, receive_compact, receive_erase
from core.web.guard import BearerTokens
from core.web.headers import Headers
from core.web.health import answer_api_health, answer_health, answer_ready
from core.web.ingest import (
    receive_empty_demo,
    receive_file,
    receive_otlp,
    receive_undo,
)
from core.web.lake import keep_engine, receive_export_lake
from core.web.metrics import answer_metrics, keep_sending_metrics
from core.web.otlp_door import LOGS, METRICS, TRACES
from core.web.otlp_grpc import keep_grpc
from core.web.process import VERSION, Process
from core.web.project_path import PROJECT, ProjectPath
from core.web.pulling import keep_pulling
from core.web.running import announce, withdraw
from core.web.shared import answer_shared
from core.web.sign_in_return import SignInReturn
from core.web.watch import keep_watching

_log = logging.getLogger("trueup")
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_KEPT_UP = (
    keep_up, keep_watching, keep_pulling, keep_board, keep_alerting, keep_sending_metrics, keep_engine,
)  # fmt: skip
"""What goes on beside the requests in each project, each in a thread of its own."""
_OF_THE_INSTANCE = (keep_grpc, keep_tokens)
MEMORY_PERCENT = 80
"""Of the machine's memory, for the questions of all projects together: what DuckDB takes for one by itself."""
Answer = Callable[[Process, Request], Awaitable[Response]]

_DOOR_ACTS = {"ingest": "send data", "read": "read answers"}


def routes(process: Process) -> list[Route]:
    """Every address that is not a page. None may begin with a prefix Streamlit reserves."""
    api = api_routes(process)
    return [
        _route(process, "/healthz", answer_health),
        _route(process, "/readyz", answer_ready),
        _route(process, "/metrics", answer_metrics),
        *(
            _route(process, f"/v1/{signal.name}", partial(receive_otlp, signal), "POST")
            for signal in (TRACES, LOGS, METRICS)
        ),
        *api,
        _route(process, f"{ADDRESS}{{token:path}}", answer_shared),
        # Without these two a wrong address or method would fall through to Streamlit's page with status 200.
        Route("/v1/{rest:path}", refuse_unknown, methods=_METHODS),
        Route("/api/{rest:path}", Refuse(api)),
    ]


def api_routes(process: Process) -> list[Route]:
    """Every address under /api/; docs/openapi.json describes each."""
    return [
        _route(process, "/api/ingest", receive_file, "POST"),
        _route(process, "/api/undo", receive_undo, "POST"),
        _route(process, "/api/empty-demo", receive_empty_demo, "POST"),
        _route(process, "/api/backup", receive_backup, "POST"),
        _route(process, "/api/erase", receive_erase, "POST"),
        _route(process, "/api/compact", receive_compact, "POST"),
        _route(process, "/api/export-lake", receive_export_lake, "POST"),
        _route(process, "/api/findings", answer_findings),
        _route(process, "/api/frames/{audit}/{frame}", answer_frame),
        _route(process, "/api/attempts", answer_attempts),
        _route(process, "/api/bridge", answer_bridge),
        _route(process, "/api/imports", answer_imports),
        _route(process, "/api/health", answer_api_health),
        _route(process, "/api/openapi.json", answer_openapi),
    ]


def _route(process: Process, path: str, answer: Answer, method: str = "GET") -> Route:
    """An address, answered by the project that the request was let into: here, so that no route can forget it."""

    async def answered(request: Request) -> Response:
        own = process.of(request.scope.get(PROJECT, DEFAULT))
        with within(own.project):
            return await answer(own, request)

    return Route(path, answered, methods=[method])


def middleware(process: Process) -> list[Middleware]:
    """Runs before Streamlit's own, on every request and on the page's WebSocket."""
    base = process.settings.base_path
    return [
        Middleware(ProjectPath, base=base),
        Middleware(Headers, settings=process.settings),
        Middleware(BasePath, base=base),
        Middleware(SignInReturn, base=base),
        Middleware(BearerTokens, tokens=process.tokens),
    ]


async def refuse_unknown(request: Request) -> Response:
    """404 for an address or method that is not served, where Streamlit would answer with its page."""
    return JSONResponse({"code": 5, "message": _not_served(request)}, status_code=404)


class Refuse:
    """The same under /api/, whatever the method: 405 with Allow where another method is served."""

    def __init__(self, served: list[Route]) -> None:
        self.served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in JSON."""
        methods = {
            method
            for route in self.served
            if route.matches(scope)[0] is Match.PARTIAL
            for method in route.methods or ()
        }
        body = {"error": _not_served(Request(scope))}
        headers = {"allow": ", ".join(sorted(methods))} if methods else {}
        answer = JSONResponse(body, status_code=405 if methods else 404, headers=headers)
        await answer(scope, receive, send)


def _not_served(request: Request) -> str:
    return f"{request.method} {request.url.path[:200]} is not served. See docs/settings.md for the addresses."


def lifespan(process: Process) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """Start and stop: open the ledger, publish it, keep calls derived; close it last."""

    @asynccontextmanager
    async def run(_app: object) -> AsyncIterator[None]:
        await anyio.to_thread.run_sync(_open, process)
        stopping = threading.Event()
        threading.Thread(target=warm_up, args=(stopping,), name="trueup-warm", daemon=True).start()
        beside = [_thread(keep, own, stopping) for own in process.every() for keep in _KEPT_UP] + [
            _thread(keep, process, stopping) for keep in _OF_THE_INSTANCE
        ]
        for thread in beside:
            thread.start()
        try:
            yield
        finally:
            stopping.set()
            await anyio.to_thread.run_sync(partial(_close, process, *beside))

    return run


def _thread(
    keep: Callable[[Process, threading.Event], None], own: Process, stopping: threading.Event
) -> threading.Thread:
    """What a thread asks for is its project's, as in a request."""

    def run() -> None:
        with within(own.project):
            keep(own, stopping)

    return threading.Thread(target=run, name=f"trueup-{keep.__name__}-{own.project}", daemon=True)


def _open(process: Process) -> None:
    try:
        for settings in every_settings(process.settings)[1:]:
            check_lists(signing_in(), settings)
            process.add(settings)
        settle(tuple(process.others))
        percent = MEMORY_PERCENT // len(process.every()) if process.others else None
        for own in process.every():
            with within(own.project):
                own.store = open_default(own.settings, percent)
                set_settings(own.settings)
                set_state(open_state(own.settings))
                look_once(own)
                announce(own.settings, own.address() + (f"{PATH}{own.project}" if several() else ""))
    except (*CANNOT_OPEN, EngineProblem, OSError, BadProject, BadSetting) as problem:
        # The message alone: a traceback through the web server would bury what it says to do.
        sys.stderr.write(f"Trueup cannot start: {problem}\n")
        sys.stderr.flush()
        os._exit(1)
    for own in process.every():
        _log.info("ledger %s open at import %d", own.settings.store_path, own.ledger().latest_import())
    sys.stderr.write(_greeting(process))
    sys.stderr.flush()


def _greeting(process: Process) -> str:
    lines = [f"Trueup {VERSION}: pages {process.address()}  OTLP/HTTP {process.address()}/v1/traces"]
    if process.settings.grpc_port:
        lines[0] += f"  OTLP/gRPC port {process.settings.grpc_port}"
    open_doors = [scope for scope in SCOPES if process.tokens.is_open(scope)]
    if process.reachable_from_outside():
        if open_doors:
            lines.append(
                f"Other machines can {' and '.join(_DOOR_ACTS[scope] for scope in open_doors)} without a token. "
                "Make some: python -m core token make NAME --scope ingest (and read)."
            )
        if not signing_in():
            lines.append(
                "Other machines can open the pages and change what is kept: nobody signs in (docs/access.md)."
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
    for own in process.every():
        withdraw(own.settings)
        store, own.store = own.store, None
        with within(own.project):
            set_store(None)
            get_state().close()
            set_state(None)
            set_settings(None)
        if store is not None:
            store.close()
    process.workers.close()
    settle(())

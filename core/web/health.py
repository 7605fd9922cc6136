"""Whether the process runs, whether the ledger takes writes, and what last failed beside the requests."""

from __future__ import annotations

from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from core import board
from core.projects import DEFAULT, within
from core.web.process import VERSION, NotReady, Process
from core.web.query import BadQuery, check_names


async def answer_health(process: Process, request: Request) -> Response:
    """GET /healthz: the process runs."""
    return JSONResponse(_runs(process))


async def answer_ready(process: Process, request: Request) -> Response:
    """GET /readyz: 200 when the ledger takes writes, else 503 with the reason."""
    try:
        body = _state(process)
        for name, other in process.others.items():  # whoever asks here may know no project, so none is named
            with within(name):
                body["ready"] = body["ready"] and _state(other)["ready"]
    except NotReady as error:
        return JSONResponse({"ready": False, "reason": str(error)}, status_code=503)
    if process.project != DEFAULT:  # a stranger's question: numbers and reasons are for /api/health
        body = {"ready": body["ready"]}
    return JSONResponse(body, status_code=200 if body["ready"] else 503)


async def answer_api_health(process: Process, request: Request) -> Response:
    """GET /api/health: both in one, 200 also when the ledger does not take writes; `ready` tells."""
    try:
        check_names(request.query_params, ())
        return JSONResponse(_runs(process) | await anyio.to_thread.run_sync(_state, process))
    except BadQuery as error:
        return JSONResponse({"error": str(error)}, status_code=400)
    except NotReady as error:
        return JSONResponse({"error": str(error)}, status_code=503)


def faults(process: Process) -> dict[str, str | None]:
    """By part: what last failed; None once it has worked again."""
    return {
        "derive": process.derive_error,
        "retention": process.retention_error,
        "watch": process.watch_error,
        "pull": process.pull_error,
        "board": board.error_now(),
        "alert": process.alert_error,
        "metrics": process.metrics_error,
        "grpc": process.grpc_error,
        "engine": process.engine_error,
        "tokens": process.tokens_error,
    }


def _runs(process: Process) -> dict[str, Any]:
    return {"status": "ok", "version": VERSION, "uptime_s": round(process.uptime_s(), 3)}


def _state(process: Process) -> dict[str, Any]:
    store = process.ledger()
    fault = store.fault()
    return {
        "ready": fault is None,
        "ledger_writable": fault is None,
        "ledger_error": fault,
        "queue_depth": store.queue_depth(),
        "queue_limit": process.settings.queue_limit,
        "latest_import": store.latest_import(),
        "derived_version": store.derived_version(),
        **{f"{part}_error": error for part, error in faults(process).items()},
    }

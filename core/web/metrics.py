"""Findings as metrics: /metrics for Prometheus to scrape, and OTLP sent to a collector every minute and after changes."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from urllib.parse import urlsplit

import anyio
from starlette.requests import Request
from starlette.responses import Response

from core.addresses import header_pairs
from core.post import NotSent, post, wait_s
from core.projects import DEFAULT
from core.readings import TEXT_TYPE, Ingest, Readings, otlp_request, prometheus_text, readings
from core.web.api import json_answer
from core.web.health import faults
from core.web.process import VERSION, NotReady, Process
from core.web.query import BadQuery, check_names

EVERY_S = 60.0
LOOK_S = 2.0
SHORTEST_S = 5.0
"""Between two sends, however often findings change."""

_log = logging.getLogger("trueup.metrics")

FOUND = """
select
    count(*)                as findings,
    coalesce(max(at_ns), 0) as newest
from findings
where standard
"""
"""One row that moves whenever a finding of the board's own scope is kept."""


async def answer_metrics(process: Process, request: Request) -> Response:
    """GET /metrics: Prometheus text, for whoever has a read token."""
    try:
        check_names(request.query_params, ())
        told = await anyio.to_thread.run_sync(read_now, process)
    except BadQuery as error:
        return json_answer(400, {"error": str(error)})
    except NotReady as error:
        return json_answer(503, {"error": str(error)})
    return Response(prometheus_text(told), media_type=TEXT_TYPE)


def read_now(process: Process) -> Readings:
    """Every reading of the running process; raises NotReady."""
    store = process.ledger()
    failed = {part: error is not None for part, error in faults(process).items()}
    ingest = Ingest(
        store.queue_depth(), process.settings.queue_limit, store.latest_import(), store.version(), failed,
        process.tokens.refused() if process.project == DEFAULT else {},  # doors are the instance's
    )  # fmt: skip
    labels = {} if process.project == DEFAULT else {"project": process.project}
    return readings(store.ask, ingest, dt.datetime.now(dt.UTC), labels)


def keep_sending_metrics(process: Process, stopping: threading.Event) -> None:
    """Send OTLP until told to stop, in a thread of its own; what fails shows in /readyz and is sent again later."""
    endpoint = process.settings.otlp_metrics_endpoint
    if not endpoint:
        return
    if _is_own(process, endpoint):
        process.metrics_error = (
            "otlp_metrics_endpoint is this app: each send would be an import and so a change. It is off."
        )
        _log.error(process.metrics_error)
        return
    sent: tuple[object, ...] | None = None
    due, soonest, failures = 0.0, 0.0, 0
    while not stopping.wait(LOOK_S if due else 0.1):
        if process.store is None:
            continue
        try:
            now, changed = time.monotonic(), process.store.ask(FOUND).row(0)
            if now < soonest or (now < due and changed == sent):
                continue
            send(process, endpoint)
            sent, failures, process.metrics_error = changed, 0, None
            due, soonest = time.monotonic() + EVERY_S, time.monotonic() + SHORTEST_S
        except Exception as error:
            failures += 1
            process.metrics_error = f"metrics are not sent: {_told(error)}"
            if failures == 1:
                _log.warning(process.metrics_error)
            due = soonest = time.monotonic() + wait_s(failures, getattr(error, "wait_s", 0.0))


def send(process: Process, endpoint: str) -> None:
    """Send all readings once; raises NotSent."""
    told = read_now(process)
    resource = {
        "service.name": "trueup",
        "service.version": VERSION,
        "service.instance.id": process.public_url(),
        "trueup.project": process.project,
    }
    headers = header_pairs(process.settings.otlp_metrics_headers) | {"content-type": "application/x-protobuf"}
    post(endpoint, otlp_request(told, resource).SerializeToString(), headers)


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, NotSent | NotReady) else type(error).__name__


def _is_own(process: Process, endpoint: str) -> bool:
    parts, own = urlsplit(endpoint), urlsplit(process.public_url())
    port = parts.port or (443 if parts.scheme == "https" else 80)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1", process.host)
    return (local and port == process.port) or (parts.scheme, parts.netloc) == (own.scheme, own.netloc)

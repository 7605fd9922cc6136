"""OTLP/gRPC: the three Export services on a port of their own, storing by the same path as OTLP/HTTP.

OK means the transaction holding the rows has committed. A full queue is RESOURCE_EXHAUSTED with RetryInfo and a
ledger that cannot write UNAVAILABLE with RetryInfo, which exporters retry; what no repeat can mend is
INVALID_ARGUMENT, which they do not. Source: OTLP specification 1.x, "OTLP/gRPC Throttling" and "Failures".
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent import futures
from typing import NoReturn

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from core.ingest.otlp import BadRequest
from core.ledger.store import Overloaded
from core.projects import within
from core.web.guard import UNREADABLE
from core.web.otlp_answer import PROTOBUF, accepted_protobuf
from core.web.otlp_door import (
    LOGS,
    METRICS,
    RETRY_AFTER_S,
    TRACES,
    Signal,
    decode,
    not_written,
    reasons,
    rejected,
)
from core.web.process import NotReady, Process

_log = logging.getLogger("trueup.ingest")

THREADS = 16
"""Requests decoded or waiting for their commit at once; each holds a thread until it has committed."""
WAITING = 64
"""Requests taken beyond which the next is refused: each may hold a body of the largest size."""
LOOK_AGAIN_S = 10.0
"""Between tries while another program has the port."""
FINISH_S = 20.0
"""At the end, requests that are being stored may take so long to be answered."""
NEEDS_TOKEN = "This address needs a bearer token. Send the metadata: authorization: Bearer <token>."
SERVICES = {
    "opentelemetry.proto.collector.trace.v1.TraceService": TRACES,
    "opentelemetry.proto.collector.logs.v1.LogsService": LOGS,
    "opentelemetry.proto.collector.metrics.v1.MetricsService": METRICS,
}


class PortTaken(RuntimeError):
    """Another program listens there; the message says what to set."""


def keep_grpc(process: Process, stopping: threading.Event) -> None:
    """Serve until told to stop; while the port is taken, say so in /readyz and try again."""
    while process.settings.grpc_port and not stopping.is_set():
        try:
            server = serve_grpc(process)
        except PortTaken as taken:
            if process.grpc_error is None:
                _log.warning("%s", taken)
            process.grpc_error = str(taken)
            stopping.wait(LOOK_AGAIN_S)
            continue
        process.grpc_error = None
        stopping.wait()
        server.stop(FINISH_S).wait()


def serve_grpc(process: Process) -> grpc.Server:
    """A started server on `grpc_port` of the address pages are on; raises PortTaken. End it with `stop`."""
    limit = process.settings.body_limit
    server = grpc.server(
        futures.ThreadPoolExecutor(THREADS, "trueup-grpc"),
        maximum_concurrent_rpcs=WAITING,
        options=[
            ("grpc.max_receive_message_length", limit),
            ("grpc.so_reuseport", 0),  # else two apps would share the port and each get half of the spans
        ],
    )
    for service, signal in SERVICES.items():
        handler = grpc.unary_unary_rpc_method_handler(_export(process, signal))  # bytes in, bytes out
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": handler}),))
    try:
        server.add_insecure_port(f"{_bracketed(process.host)}:{process.settings.grpc_port}")
    except RuntimeError as error:
        server.stop(None)
        raise PortTaken(
            f"Port {process.settings.grpc_port} is taken, so OTLP/gRPC is not served. Free it, or set another "
            "grpc_port (0 to go without) and start again."
        ) from error
    server.start()
    return server


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _export(process: Process, signal: Signal) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    def answer(body: bytes, context: grpc.ServicerContext) -> bytes:
        checked = process.tokens.check("ingest", _authorization(context.invocation_metadata()))
        if checked.outcome == "unreadable":
            _refuse(context, grpc.StatusCode.UNAVAILABLE, UNREADABLE, RETRY_AFTER_S)
        if not checked.allowed:
            _refuse(context, grpc.StatusCode.UNAUTHENTICATED, NEEDS_TOKEN)
        own = process.of(checked.project)
        try:
            with within(own.project), own.admission.room_for(len(body)):
                return _stored(own, signal, body)
        except BadRequest as error:
            _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except Overloaded as error:
            _refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(error), error.retry_after_s)
        except NotReady as error:
            _refuse(context, grpc.StatusCode.UNAVAILABLE, str(error), RETRY_AFTER_S)

    return answer


def _stored(process: Process, signal: Signal, body: bytes) -> bytes:
    store = process.ledger()
    batch = decode(process, signal, body, PROTOBUF)
    future = store.submit_soon(batch)
    try:
        receipt = future.result()
    except Exception as error:
        raise not_written(process, signal, batch, error) from error
    return accepted_protobuf(signal.name, rejected(batch, receipt), reasons(batch))


def _authorization(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    return str(dict(metadata).get("authorization", ""))


def _refuse(
    context: grpc.ServicerContext, code: grpc.StatusCode, message: str, after_s: int | None = None
) -> NoReturn:
    """End the call; with `after_s` the sender is told to come again."""
    if after_s is not None:
        status = Status(code=code.value[0], message=message)
        status.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=after_s)))
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, message)
    raise AssertionError("abort has raised")

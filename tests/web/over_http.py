"""The app's routes, middleware and lifespan behind a real HTTP server in this process, and servers it sends to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from starlette.applications import Starlette

from core.ledger.batch import Batch
from core.ledger.store import Store
from core.settings import Settings
from core.web.process import Process
from core.web.server import lifespan, middleware, routes
from tests.web.test_process import free_port


@contextmanager
def over_http(folder: Path, **settings: Any) -> Iterator[Process]:
    """The process of an app that answers at process.address()."""
    port = free_port()
    process = Process(
        Settings(**{"data_dir": folder, "port": port, "grpc_port": 0, "derive_seconds": 0.1} | settings),
        "127.0.0.1",
        port,
    )
    application = Starlette(
        routes=routes(process), middleware=middleware(process), lifespan=lifespan(process)
    )
    server = uvicorn.Server(uvicorn.Config(application, port=port, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_for(lambda: server.started)
        yield process
    finally:
        server.should_exit = True
        thread.join(timeout=240)


def wait_for(true: Any, seconds: float = 60) -> None:
    """Until it is true; the limit only ends a test that would never end."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "did not happen"
        time.sleep(0.02)


@contextmanager
def writer_held(store: Store) -> Iterator[None]:
    """Nothing is written meanwhile: what is sent waits in the queue."""
    begun, going_on = threading.Event(), threading.Event()

    def hold(_ledger: object) -> None:
        begun.set()
        going_on.wait(240)

    holder = threading.Thread(target=store._writer.alone, args=(hold,))
    holder.start()
    try:
        assert begun.wait(240)
        yield
    finally:
        going_on.set()
        holder.join()


@contextmanager
def full_queue(store: Store) -> Iterator[None]:
    """A queue of one is full meanwhile: the writer is held, and one batch waits."""
    with writer_held(store):
        fills = store.submit_soon(Batch("x", "otlp_traces", "sha", 0, {}))
        yield
    fills.result(timeout=240)


class Received(NamedTuple):
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver(NamedTuple):
    """A server that keeps what it gets; `answers` are the next statuses (then 200) and their headers."""

    address: str
    requests: list[Received]
    answers: list[tuple[int, dict[str, str]]]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """An HTTP server on a free port."""
    kept: list[Received] = []
    answers: list[tuple[int, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            kept.append(Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            status, headers = answers.pop(0) if answers else (200, {})
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield Receiver(f"http://127.0.0.1:{server.server_port}", kept, answers)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

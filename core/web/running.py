"""How the command line finds the app that owns a ledger: a small file beside it, written at start, removed at stop."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from core.post import opener
from core.settings import STORE_NAME, Settings

TIMEOUT_S = 600
"""A large file is acknowledged only after its last transaction."""


class AppUnreachable(RuntimeError):
    """The ledger is locked and no running app answers for it."""


class AppRefused(RuntimeError):
    """The running app answered with an error; the message is its own."""


class RunningApp(NamedTuple):
    """The process that owns a ledger, and where it listens."""

    pid: int
    address: str
    token: str


def _note(data_dir: Path) -> Path:
    return data_dir / f"{STORE_NAME}.app.json"


def announce(settings: Settings, address: str) -> None:
    """Write the process id and address beside the ledger, whole or not at all."""
    note = _note(settings.data_dir)
    draft = note.with_suffix(".new")
    draft.write_text(json.dumps({"pid": os.getpid(), "address": address}), encoding="utf-8")
    draft.replace(note)


def withdraw(settings: Settings) -> None:
    """Remove the note this process wrote; another process's note stays."""
    note = _note(settings.data_dir)
    try:
        if json.loads(note.read_text(encoding="utf-8")).get("pid") == os.getpid():
            note.unlink()
    except FileNotFoundError:
        return


def find(data_dir: Path, token: str) -> RunningApp:
    """The app that owns the ledger in `data_dir`; raises AppUnreachable."""
    note = _note(data_dir)
    try:
        written = json.loads(note.read_text(encoding="utf-8"))
        return RunningApp(int(written["pid"]), str(written["address"]), token)
    except (OSError, ValueError, KeyError) as error:
        raise AppUnreachable(
            f"The ledger in {data_dir} is locked, and {note.name} does not say where its app listens. "
            "Wait for the other command to end, or stop the process."
        ) from error


def answering(data_dir: Path) -> RunningApp | None:
    """The app that owns the ledger, when it answers; None for no note or a stale one."""
    try:
        app = find(data_dir, "")
        get(app, "/healthz")
    except (AppUnreachable, AppRefused):
        return None
    return app


def get(app: RunningApp, path: str, **query: str) -> Any:
    """The JSON answer of GET `path`; raises AppRefused or AppUnreachable."""
    return _exchange(app, urllib.request.Request(_url(app, path, query)))


def post(app: RunningApp, path: str, query: Sequence[tuple[str, str]]) -> Any:
    """The JSON answer of POST `path` without a body, a name of the query may repeat; raises AppRefused or AppUnreachable."""
    request = urllib.request.Request(_url(app, path, query), data=b"", method="POST")
    request.add_header("Content-Type", "application/octet-stream")
    return _exchange(app, request)


def post_json(app: RunningApp, path: str, body: object) -> Any:
    """The JSON answer of POST `path` with a JSON body, for what must not stand in an address; raises as `post`."""
    request = urllib.request.Request(_url(app, path, {}), data=json.dumps(body).encode(), method="POST")
    request.add_header("Content-Type", "application/octet-stream")
    return _exchange(app, request)


def send_file(app: RunningApp, path: Path, name: str, delivery_id: int = 0, demo: bool = False) -> Any:
    """Send one file's bytes to the app; the JSON answer holds its receipts. 0 begins a delivery."""
    query = {"name": name} | ({"delivery": str(delivery_id)} if delivery_id else {})
    query |= {"demo": "1"} if demo else {}
    with path.open("rb") as stream:
        request = urllib.request.Request(_url(app, "/api/ingest", query), data=stream, method="POST")
        request.add_header("Content-Type", "application/octet-stream")
        request.add_header("Content-Length", str(path.stat().st_size))
        return _exchange(app, request)


def _url(app: RunningApp, path: str, query: dict[str, str] | Sequence[tuple[str, str]]) -> str:
    return f"{app.address}{path}?{urllib.parse.urlencode(query)}" if query else f"{app.address}{path}"


def _exchange(app: RunningApp, request: urllib.request.Request) -> Any:
    if app.token:
        request.add_header("Authorization", f"Bearer {app.token}")
    # No proxy: the app is on this machine whatever http_proxy says.
    try:
        with opener(urllib.request.ProxyHandler({})).open(request, timeout=TIMEOUT_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise AppRefused(_refusal(error)) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise AppUnreachable(
            f"The app (process {app.pid}) at {app.address} owns the ledger but does not answer: {error}."
        ) from error


def _refusal(error: urllib.error.HTTPError) -> str:
    try:
        body = json.load(error)
        return str(body.get("error") or body.get("message"))
    except (ValueError, AttributeError):
        return f"HTTP {error.code} {error.reason}"

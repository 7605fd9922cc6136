"""Writing the lake for the command line while the app owns the ledger, and looking for newer ones that Spark reads."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import anyio
from starlette.requests import Request
from starlette.responses import Response

from core.ledger.lake import LakeProblem
from core.web.api import json_answer
from core.web.body import content_type
from core.web.ingest import FILE_TYPE, RETRY_AFTER_S
from core.web.process import NotReady, Process
from core.web.query import BadQuery, check_names

LOOK_EVERY_S = 20.0
"""As long as pages hold a version."""

_log = logging.getLogger("trueup")


async def receive_export_lake(process: Process, request: Request) -> Response:
    """POST /api/export-lake?path=FOLDER: write the ledger there, which must be the app's own lake.

    Whoever holds an ingest token may ask; where this process writes is the operator's to say.
    """
    if content_type(request) != FILE_TYPE:  # as for files
        return json_answer(415, {"error": f"Send the request with Content-Type {FILE_TYPE}."})
    try:
        check_names(request.query_params, ("path",))
        own = _own_lake(process)
        asked = request.query_params.get("path")
        if asked is not None and Path(asked).resolve() != own:
            raise BadQuery(f"path is not {own}, and the running app writes to its own lake only.")
        written = await anyio.to_thread.run_sync(
            process.ledger().export_lake, own, limiter=process.one_at_a_time()
        )
    except (BadQuery, LakeProblem) as error:
        return json_answer(422, {"error": str(error)})
    except NotReady as error:
        return json_answer(503, {"error": str(error)}, {"retry-after": str(RETRY_AFTER_S)})
    tables = [{"name": one.name, "rows": one.rows, "bytes": one.bytes} for one in written.tables]
    told = {key: getattr(written, key) for key in ("folder", "version", "written_at", "fresh")}
    return json_answer(200, {"path": str(own)} | told | {"tables": tables})


def _own_lake(process: Process) -> Path:
    lake = process.settings.lake
    if not lake or "://" in lake:
        raise BadQuery(
            "The running app has no lake of its own to write to. Start it with TRUEUP_LAKE=FOLDER, or stop it and "
            "export from the file."
        )
    return Path(lake).resolve()


def keep_engine(process: Process, stopping: threading.Event) -> None:
    """Look for a newer lake until told to stop; what fails is logged and shows in /readyz. Nothing without an engine."""
    while process.settings.engine and not stopping.wait(LOOK_EVERY_S):
        store = process.store
        if store is None:
            continue
        try:
            store.engine.refresh()
            process.engine_error = None
        except Exception as error:  # pages keep the version they have; the next look may mend it
            process.engine_error = f"{type(error).__name__}: {error}"
            _log.warning("no newer lake could be read: %s", error)

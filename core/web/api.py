"""The read-only JSON API: findings, frames, attempts, bridges, imports and health, at a stated data version.

docs/openapi.json describes every address; it is served at /api/openapi.json. Rows come as {"as_of": N, "rows": [...]},
an error as {"error": reason}. A parameter that is not known is refused by name, never left out in silence.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import anyio
import orjson
import polars as pl
from starlette.requests import Request
from starlette.responses import Response

from core import answers, made, view
from core.export import csv_bytes
from core.web import query
from core.web.process import NotReady, Process

MOST_IMPORTS = 1000
OPENAPI = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
FRAME_FORMATS = ("json", "arrow", "csv")
MEDIA_TYPES = {"arrow": "application/vnd.apache.arrow.stream", "csv": "text/csv; charset=utf-8"}
_JSON = "application/json"

_log = logging.getLogger("trueup.api")


class NotThere(LookupError):
    """An address that names something unknown; the message lists what is known."""


async def answer_findings(process: Process, request: Request) -> Response:
    """GET /api/findings: what was last found and kept, or with fresh=true what the audits say now."""

    def found() -> Response:
        asked, store = request.query_params, process.ledger()
        only = asked.get("audit", "")
        answers.chosen_audits(only)
        scope = query.board_scope(asked, store)
        if query.switch(asked, "fresh"):
            return _rows(scope.as_of, answers.findings(store.ask, scope, only), not_kept=[])
        rows = answers.kept_findings(store.ask, scope, only, own=not query.names_scope(asked))
        known = {row["audit"] for row in rows}
        missing = [answers.audit_name(audit) for audit in answers.chosen_audits(only)]
        return _rows(scope.as_of, rows, not_kept=[name for name in missing if name not in known])

    heavy = "fresh" in request.query_params
    return await _answer(process, request, (*query.SCOPE, "audit", "fresh"), found, heavy)


async def answer_frame(process: Process, request: Request) -> Response:
    """GET /api/frames/<audit>/<frame>: the rows an audit loaded for a scope, as JSON, Arrow or CSV."""

    def found() -> Response:
        asked, store = request.query_params, process.ledger()
        form = query.one_of(asked, "format", FRAME_FORMATS)
        try:
            (audit,) = answers.chosen_audits(request.path_params["audit"])
        except answers.UnknownAudit as error:
            raise NotThere(str(error)) from error
        scope = query.chosen(asked, audit, query.board_scope(asked, store))
        frames = audit.load(store.ask, made.resolved(audit, scope))
        name = request.path_params["frame"]
        if name not in frames:
            raise NotThere(
                f"{view.name_of(audit)} has no frame {name[:40]!r}. Its frames: {', '.join(frames)}."
            )
        return frame_answer(
            scope.as_of, frames[name], form, f"trueup_{view.name_of(audit)}_{name}_v{scope.as_of}"
        )

    return await _answer(process, request, (*query.SCOPE, "format", "choice"), found, True)


async def answer_attempts(process: Process, request: Request) -> Response:
    """GET /api/attempts: one row a logical call."""

    def found() -> Response:
        store = process.ledger()
        scope = query.whole_scope(request.query_params, store)
        return _rows(scope.as_of, answers.attempts(store.ask, scope))

    return await _answer(process, request, query.SCOPE, found, True)


async def answer_bridge(process: Process, request: Request) -> Response:
    """GET /api/bridge: one row a bucket of the retry audit's bridges."""

    def found() -> Response:
        store = process.ledger()
        scope = query.whole_scope(request.query_params, store)
        return _rows(scope.as_of, answers.bridge(store.ask, scope))

    return await _answer(process, request, query.SCOPE, found, True)


async def answer_imports(process: Process, request: Request) -> Response:
    """GET /api/imports: the newest imports, at most MOST_IMPORTS."""

    def found() -> Response:
        store = process.ledger()
        scope = query.whole_scope(request.query_params, store)
        return _rows(scope.as_of, answers.imports(store.ask, scope, MOST_IMPORTS))

    return await _answer(process, request, ("as_of",), found)


async def answer_openapi(process: Process, request: Request) -> Response:
    """GET /api/openapi.json: the description of this API."""

    def found() -> Response:
        return Response(OPENAPI.read_bytes(), media_type=_JSON)

    return await _answer(process, request, (), found)


async def _answer(
    process: Process,
    request: Request,
    known: Collection[str],
    found: Callable[[], Response],
    heavy: bool = False,
) -> Response:
    """Answer in a thread; one heavy question at a time, so that asking cannot crowd out pages and ingest."""
    try:
        query.check_names(request.query_params, known)
        return await anyio.to_thread.run_sync(found, limiter=process.one_at_a_time() if heavy else None)
    except (query.BadQuery, answers.UnknownAudit) as error:
        return json_answer(400, {"error": str(error)})
    except NotThere as error:
        return json_answer(404, {"error": str(error)})
    except NotReady as error:
        return json_answer(503, {"error": str(error)})
    except Exception as error:  # ours: told, logged, and the process goes on
        _log.exception("%s could not be answered", request.url.path[:200])
        return json_answer(500, {"error": f"The question failed: {type(error).__name__}. The log has more."})


def _rows(as_of: int, rows: list[answers.Row], **more: Any) -> Response:
    return json_answer(200, {"as_of": as_of, "rows": answers.jsonable(rows), **more})


def frame_answer(as_of: int, frame: pl.DataFrame, form: str, name: str) -> Response:
    """A frame as JSON rows, as an Arrow IPC stream any reader knows, or as CSV that no spreadsheet runs."""
    if form == "json":
        return _rows(as_of, frame.rows(named=True), columns=frame.columns)
    if form == "csv":
        content = csv_bytes(frame.columns, frame.rows())
    else:
        out = io.BytesIO()
        frame.write_ipc_stream(out, compat_level=pl.CompatLevel.oldest())
        content = out.getvalue()
    headers = {"content-disposition": f'attachment; filename="{name}.{form}"', "x-trueup-as-of": str(as_of)}
    return Response(content, media_type=MEDIA_TYPES[form], headers=headers)


def json_answer(status: int, body: object, headers: dict[str, str] | None = None) -> Response:
    """A body as JSON."""
    return Response(orjson.dumps(body), status_code=status, media_type=_JSON, headers=headers)

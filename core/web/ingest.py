"""What changes the ledger over HTTP: OTLP traces, logs and metrics, whole files, undo, and emptying the demo.

An answer of 200 means the transaction holding the rows has committed. Bad input is always a 4xx with its reason;
a full queue is 429 with Retry-After, a ledger that cannot write is 503 with Retry-After.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import tempfile
from contextlib import ExitStack
from pathlib import PurePath
from typing import BinaryIO

import anyio
import orjson
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from core.audit_log import Entry, record
from core.imports import imports_of_file
from core.ingest.options import ReadOptions
from core.ingest.otlp import BadRequest
from core.intake import Arrival, take_file
from core.ledger.store import CannotEmpty, CannotUndo, CannotWrite, Overloaded
from core.state import get_state
from core.web.admission import GZIP_RATIO, Busy
from core.web.body import (
    BadCompression,
    BodyTooLarge,
    TooSlow,
    UnknownEncoding,
    content_encoding,
    content_type,
    drain_body,
    expected_size,
    read_body,
    spool_body,
)
from core.web.guard import TOKEN_NAME
from core.web.otlp_answer import JSON, PROTOBUF, accepted, failure
from core.web.otlp_door import RETRY_AFTER_S, Signal, decode, not_written, reasons, rejected
from core.web.process import NotReady, Process
from core.web.query import BadQuery, check_names, one_of

DISK_SHORT = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
FILE_TYPE = "application/octet-stream"
"""Asked for because a browser sends it across sites only after a preflight, which is never granted."""

_log = logging.getLogger("trueup.ingest")


async def receive_otlp(signal: Signal, process: Process, request: Request) -> Response:
    """POST /v1/<signal>."""
    media_type = content_type(request)
    if media_type not in (PROTOBUF, JSON):
        return failure(
            415, f"Content-Type {media_type[:80]!r} is not read here. Send {PROTOBUF} or {JSON}.", JSON
        )
    try:
        return await _store_otlp(process, signal, request, media_type)
    except BodyTooLarge as error:
        return failure(413, str(error), media_type)
    except UnknownEncoding as error:
        return failure(415, str(error), media_type)
    except TooSlow as error:
        return failure(408, str(error), media_type)
    except (BadCompression, BadRequest) as error:
        return failure(400, str(error), media_type)
    except ClientDisconnect:
        return failure(400, "The connection closed before the body was complete.", media_type)
    except Overloaded as error:
        return failure(429, str(error), media_type, {"retry-after": str(error.retry_after_s)})
    except NotReady as error:
        return failure(503, str(error), media_type, {"retry-after": str(RETRY_AFTER_S)})


async def _store_otlp(process: Process, signal: Signal, request: Request, media_type: str) -> Response:
    limit = process.settings.body_limit
    with ExitStack() as held:
        try:
            process.ledger()
            held.enter_context(process.admission.room_for(expected_size(request, limit, GZIP_RATIO)))
        except (Busy, NotReady):
            await drain_body(request, limit)
            raise
        return await _store_admitted(process, signal, request, media_type)


async def _store_admitted(process: Process, signal: Signal, request: Request, media_type: str) -> Response:
    store = process.ledger()
    gzipped = content_encoding(request) == "gzip"
    body = await read_body(request, process.settings.body_limit)
    batch = await anyio.to_thread.run_sync(decode, process, signal, body, media_type, gzipped)
    future = store.submit_soon(batch)
    try:
        receipt = await asyncio.wrap_future(future)
    except Exception as error:
        raise not_written(process, signal, batch, error) from error
    return accepted(signal.name, media_type, rejected(batch, receipt), reasons(batch))


async def receive_file(process: Process, request: Request) -> Response:
    """POST /api/ingest?name=<file name>[&delivery=<id>][&demo=1]: one file of any known format; answers its receipts.

    The answer's delivery_id, sent with the next file, says that the two belong together. demo=1 marks its rows as
    demo data, which pages and exports then say.
    """
    try:
        arrival = _arrival(request.query_params)
    except BadQuery as error:
        return _json(400, {"error": str(error)})
    if content_type(request) != FILE_TYPE:
        return _json(415, {"error": f"Send the file's bytes with Content-Type {FILE_TYPE}."})
    try:
        process.ledger()
        # Beside the ledger: a file of gigabytes does not fit where /tmp is memory.
        with tempfile.TemporaryFile(dir=process.settings.data_dir) as arriving:
            await spool_body(request, arriving, process.settings.file_limit)
            arriving.seek(0)
            answer = await anyio.to_thread.run_sync(_ingest_file, process, arriving, arrival)
        await write_down(request, "file sent", f"{arrival.name}: {answer.status_code}")
        return answer
    except BodyTooLarge as error:
        return _json(413, {"error": str(error)})
    except TooSlow as error:
        return _json(408, {"error": str(error)})
    except ClientDisconnect:
        return _json(400, {"error": "The connection closed before the file was complete."})
    except (NotReady, CannotWrite) as error:
        return _not_ready(str(error))
    except Exception as error:
        _log.exception("%s could not be taken in", arrival.name)
        if isinstance(error, OSError) and error.errno in DISK_SHORT:
            return _not_ready(
                f"The disk of data_dir does not take the file: {error.strerror}. Free space on it."
            )
        return _json(422, {"error": f"The file could not be stored: {type(error).__name__}."})


def _arrival(query: QueryParams) -> Arrival:
    """What a query says of the file it brings; raises BadQuery. A misspelt demo= must not make the rows real ones."""
    check_names(query, ("name", "delivery", "demo"))
    name = PurePath(query.get("name", "")).name
    if not name:
        raise BadQuery("Name the file: POST /api/ingest?name=spans.jsonl")
    delivery = query.get("delivery", "")
    if delivery and not _is_number(delivery):
        raise BadQuery("delivery is the number an earlier answer gave as delivery_id.")
    demo = one_of(query, "demo", ("0", "1")) == "1"
    return Arrival("demo" if demo else "api", name, int(delivery) if delivery else None)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _ingest_file(process: Process, stream: BinaryIO, arrival: Arrival) -> Response:
    options = ReadOptions(process.settings.capture_content, demo=arrival.door == "demo")
    taken = take_file(process.ledger(), stream, arrival, options)
    body = {
        "file_id": taken.file_id,
        "delivery_id": taken.delivery_id,
        "receipts": [receipt._asdict() for receipt in taken.receipts],
    }
    return _json(422, {"error": taken.problem, **body}) if taken.problem else _json(200, body)


async def receive_undo(process: Process, request: Request) -> Response:
    """POST /api/undo?import=<id>&import=...|file=<id>[&reason=...]: undo imports, or every import of a file."""
    if content_type(request) != FILE_TYPE:  # as for files: what a browser never sends across sites unasked
        return _json(415, {"error": f"Send the request with Content-Type {FILE_TYPE}."})
    query = request.query_params
    try:
        check_names(query, ("import", "file", "reason"))
        numbers = [*query.getlist("import"), *query.getlist("file")]
        if not numbers or not all(map(_is_number, numbers)):
            raise BadQuery("Name what to undo: POST /api/undo?import=<import_id> or ?file=<file_id>.")
    except BadQuery as error:
        return _json(400, {"error": str(error)})

    def work() -> Response:
        store = process.ledger()
        imports = [int(text) for text in query.getlist("import")]
        imports += [one for text in query.getlist("file") for one in imports_of_file(store.ask, int(text))]
        receipt = store.undo(imports, query.get("reason", "") or "asked over the API")
        return _json(
            200, {"undone_by": receipt.import_id, "imports": imports, "rows_undone": receipt.rows_read}
        )

    try:
        answer = await anyio.to_thread.run_sync(work)
        await write_down(request, "import undone", f"imports {', '.join(map(str, numbers))}")
        return answer
    except CannotUndo as error:
        return _json(422, {"error": str(error)})
    except (NotReady, CannotWrite) as error:
        return _not_ready(str(error))


async def receive_empty_demo(process: Process, request: Request) -> Response:
    """POST /api/empty-demo: delete everything when all of it is demo data."""
    if content_type(request) != FILE_TYPE:  # as for files
        return _json(415, {"error": f"Send the request with Content-Type {FILE_TYPE}."})
    try:
        check_names(request.query_params, ())
        emptied = await anyio.to_thread.run_sync(process.ledger().empty_demo)
    except BadQuery as error:
        return _json(400, {"error": str(error)})
    except CannotEmpty as error:
        return _json(422, {"error": str(error)})
    except (NotReady, CannotWrite) as error:
        return _not_ready(str(error))
    await write_down(request, "demo emptied", f"{emptied.row_count} rows")
    return _json(200, emptied._asdict())


async def write_down(request: Request, act: str, what: str) -> None:
    """Into the audit log, under the name of the token."""
    who = request.scope.get(TOKEN_NAME) or "no token"
    await anyio.to_thread.run_sync(record, get_state(), Entry(f"API, {who}", act, what))


def _not_ready(reason: str) -> Response:
    return _json(503, {"error": reason}, {"retry-after": str(RETRY_AFTER_S)})


def _json(status: int, body: object, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status_code=status, media_type=JSON, headers=headers)

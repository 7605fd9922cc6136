"""Backup, erasure and compaction asked over the API: what the command line does while the app owns the ledger.

The app writes backups where its settings say and nowhere else: no path comes over the network. Whom to erase comes in
the body, because addresses end up in logs.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

import anyio
import orjson
from starlette.requests import Request
from starlette.responses import Response

from core import backups
from core.backups import BadBackup
from core.erasing import BadSubject, subject_of
from core.kept_answers import forget
from core.ledger.store import CannotWrite, NothingToErase, Unusable
from core.web.api import json_answer
from core.web.body import BodyTooLarge, TooSlow, content_type, read_body
from core.web.ingest import FILE_TYPE, write_down
from core.web.otlp_door import RETRY_AFTER_S
from core.web.process import NotReady, Process
from core.web.query import BadQuery, check_names

SUBJECT_BYTES = 1024 * 1024

_log = logging.getLogger("trueup")


async def receive_backup(process: Process, request: Request) -> Response:
    """POST /api/backup: a backup in `backup_dir`; answers its folder and manifest."""

    def work() -> Any:
        store = process.ledger()
        stamp = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}-import-{store.latest_import()}"
        folder = process.settings.backups_path / stamp
        with process.one_backup:
            manifest = backups.back_up(store.copy_to, process.settings, folder)
        return {"folder": str(folder.resolve()), **manifest}

    return await _answer(request, "backup made", work)


async def receive_erase(process: Process, request: Request) -> Response:
    """POST /api/erase with {"subject": [...], "conversation": [...], "trace": [...]}: erase them and compact."""
    try:
        named = orjson.loads(await read_body(request, SUBJECT_BYTES) or b"{}")
        known = isinstance(named, dict) and not set(named) - {"subject", "conversation", "trace"}
        if not known or not all(isinstance(ids, list) for ids in named.values()):
            raise BadSubject('Send {"subject": [...], "conversation": [...], "trace": [...]}, lists of ids.')
        subject = subject_of(**named)
    except (BodyTooLarge, TooSlow, orjson.JSONDecodeError, BadSubject) as error:
        told = str(error) if isinstance(error, BadSubject) else "The body is not the JSON that is read here."
        return json_answer(400, {"error": told})

    def work() -> Any:
        store = process.ledger()
        erased, compacted = store.erase(subject), store.compact()
        forget(process.settings.data_dir)
        return {"erased": erased._asdict(), "compacted": compacted._asdict()}

    return await _answer(request, "erased", work)


async def receive_compact(process: Process, request: Request) -> Response:
    """POST /api/compact: write the ledger's file anew without deleted rows."""
    return await _answer(request, "compacted", lambda: process.ledger().compact()._asdict())


async def _answer(request: Request, act: str, work: Callable[[], Any]) -> Response:
    """Do the work and write the act down: whom it was about stands in no log."""
    if content_type(request) != FILE_TYPE:  # what a browser never sends across sites unasked
        return json_answer(415, {"error": f"Send the request with Content-Type {FILE_TYPE}."})
    try:
        check_names(request.query_params, ())
        done = await anyio.to_thread.run_sync(work)
        await write_down(request, act, "over the API")
        return json_answer(200, done)
    except BadQuery as error:
        return json_answer(400, {"error": str(error)})
    except NothingToErase as error:
        return json_answer(422, {"error": str(error)})
    except BadBackup as error:
        return json_answer(507, {"error": str(error)})
    except (NotReady, CannotWrite) as error:
        return json_answer(503, {"error": str(error)}, {"retry-after": str(RETRY_AFTER_S)})
    except (Unusable, OSError) as error:
        _log.exception("%s failed", request.url.path)
        return json_answer(507, {"error": f"It was not done: {error}"})

"""What the app does beside answering: derive calls, delete what is past its retention, keep the board's findings, warm up."""

from __future__ import annotations

import datetime as dt
import gc
import importlib
import logging
import threading
import time

from core import board, measured
from core.kept_answers import FOLDER_NAME, KeptAnswers
from core.ledger.store import Store
from core.web.clock import WallClock
from core.web.process import Process
from core.workers import Do

REST_PER_WORK = 1.0
"""Seconds of rest for each second that deriving took."""
BACKLOG = 30
"""Imports that wait: from then on there is no rest, and looking through the ledger pays for many spans at once."""
RETENTION_EVERY_S = 3600.0
WARM_AFTER_S = 3.0
"""From the start: who comes at once needs the interpreter more than a module for later, and waits half a second less."""

_log = logging.getLogger("trueup")


def keep_up(process: Process, stopping: threading.Event) -> None:
    """Look for new imports and old rows until told to stop; what fails is logged and shows in /readyz."""
    next_retention, clock = time.monotonic(), WallClock()
    if process.store is not None:  # prices may have changed since the last start, without any import
        process.derive_error = _derive(process.store, process.workers.do_patiently)
    took_s = 0.0
    # Looking through a large ledger takes longer than a second: deriving must leave most of the machine to the rest.
    while not stopping.wait(_rest_s(process, took_s)):
        store = process.store
        if store is None:
            continue
        if store.latest_import() > store.derived_version():
            began = time.monotonic()
            process.derive_error = _derive(store, process.workers.do_patiently)
            took_s = time.monotonic() - began
        if process.settings.retention_days and time.monotonic() >= next_retention:
            next_retention = time.monotonic() + RETENTION_EVERY_S
            process.retention_error = clock.distrust() or _retain(store, process.settings.retention_days)


def _rest_s(process: Process, took_s: float) -> float:
    """Seconds until the next look."""
    store = process.store
    succeeds = took_s > 0 and process.derive_error is None
    if store is not None and succeeds and store.latest_import() - store.derived_version() >= BACKLOG:
        return 0.0
    return max(process.settings.derive_seconds, REST_PER_WORK * took_s)


def keep_board(process: Process, stopping: threading.Event) -> None:
    """Keep findings for the board up to date until told to stop; what fails is logged and shows in /readyz."""
    while process.store is None and not stopping.wait(0.1):
        pass
    if process.store is None:
        return
    worker = board.BoardWorker(process.store)
    board.publish(worker)
    kept = KeptAnswers(process.store.ask, process.settings.data_dir / FOLDER_NAME)
    measured.publish(measured.Once(process.store, kept.ask, process.workers.do_patiently))
    try:
        worker.run(stopping)
    finally:
        measured.publish(None)
        board.publish(None)


def _derive(store: Store, do: Do) -> str | None:
    try:
        store.derive(do)
    except Exception as error:  # pages keep their last version; the next import may mend it
        _log.exception("calls could not be derived from the imports after %d", store.derived_version())
        return f"{type(error).__name__}: {error}"
    return None


def _retain(store: Store, days: int) -> str | None:
    try:
        deleted = store.retain(days, dt.datetime.now(dt.UTC).date())
    except Exception as error:  # tried again in an hour
        _log.exception("rows older than %d days could not be deleted", days)
        return f"{type(error).__name__}: {error}"
    if deleted:
        _log.info("deleted %d rows older than %d days", deleted, days)
    return None


def warm_up(stopping: threading.Event) -> None:
    """Import what takes half a second and some pages need, then freeze the heap: frozen objects are scanned no more."""
    if stopping.wait(WARM_AFTER_S):
        return
    began = time.monotonic()
    importlib.import_module("scipy.stats")
    gc.collect()
    gc.freeze()
    _log.info("warm after %.1f s", time.monotonic() - began)

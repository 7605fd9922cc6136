"""Pulling the configured SQL sources on their schedule, beside the requests."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time

from core import pulls
from core.ingest.options import ReadOptions
from core.ingest.sql_config import BadSource
from core.web.process import Process

_log = logging.getLogger("trueup.pull")
LOOK_SECONDS = 5.0


def keep_pulling(process: Process, stopping: threading.Event) -> None:
    """Pull each source when its time has come, until told to stop; what fails shows in /readyz and on the data page."""
    try:
        sources = [source for source in pulls.configured(process.settings) if source.every_minutes]
    except BadSource as error:
        process.pull_error = str(error)
        return
    due = {source.name: time.monotonic() for source in sources}
    while sources and not stopping.wait(LOOK_SECONDS):
        for source in sources:
            if process.store is None or time.monotonic() < due[source.name]:
                continue
            due[source.name] = time.monotonic() + source.every_minutes * 60
            try:
                options = ReadOptions(process.settings.capture_content)
                taken = pulls.pull(process.store, source, options, dt.datetime.now(dt.UTC))
                process.pull_error = taken.problem or None
            except Exception as error:  # a fault of ours on one source must not end the others
                _log.exception("the SQL source %s could not be pulled", source.name)
                process.pull_error = f"{source.name}: {type(error).__name__}"

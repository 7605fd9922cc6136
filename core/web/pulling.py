"""Pulling the configured SQL sources on their schedule, beside the requests."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time

from core import pulls
from core.ingest.bills.sql_config import BadSource, SqlSource
from core.ingest.options import ReadOptions
from core.ledger.store import Store
from core.web.process import Process

LOOK_S = 5.0

_log = logging.getLogger("trueup.pull")


def keep_pulling(process: Process, stopping: threading.Event) -> None:
    """Pull each source when its time has come, until told to stop; what fails shows in /readyz and on the data page.

    A source's problem stays until that source works again, whatever the others do.
    """
    try:
        sources = [source for source in pulls.configured(process.settings) if source.every_minutes]
    except BadSource as error:
        process.pull_error = str(error)
        return
    options = ReadOptions(process.settings.capture_content)
    due = {source.name: time.monotonic() for source in sources}
    problems: dict[str, str] = {}
    while sources and not stopping.wait(LOOK_S):
        for source in sources:
            if process.store is None or time.monotonic() < due[source.name]:
                continue
            due[source.name] = time.monotonic() + source.every_minutes * 60
            problems[source.name] = _pulled(process.store, source, options)
            process.pull_error = "; ".join(filter(None, problems.values())) or None


def _pulled(store: Store, source: SqlSource, options: ReadOptions) -> str:
    """Pull a source once; what went wrong, empty when nothing did."""
    try:
        return pulls.pull(store, source, options, dt.datetime.now(dt.UTC)).problem
    except Exception as error:  # a fault of ours on one source must not end the others
        _log.exception("the SQL source %s could not be pulled", source.name)
        return f"{source.name}: {type(error).__name__}"

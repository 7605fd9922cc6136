"""Telling people of changes beside the requests: a thread of its own that waits on nobody and keeps nobody waiting."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Sequence

from core.alerts.changes import Change, Noticed, notice, sent, waiting
from core.alerts.channels import Refused, Send, channels
from core.findings import standing
from core.post import NotSent, wait_s
from core.state import State, StateProblem, get_state
from core.web.metrics import FOUND
from core.web.process import Process

LOOK_S = 2.0
"""Between looks for findings that changed; each asks the ledger one small question."""

_log = logging.getLogger("trueup.alerts")


class _Channel:
    """A channel and when it may be tried next."""

    def __init__(self, name: str, send: Send) -> None:
        self.name, self.send = name, send
        self.failures, self.due = 0, 0.0
        self.error: str | None = None


class Alerts:
    """Looks for changes and sends what waits; every method returns soon but `deliver`, which talks to the network."""

    def __init__(self, process: Process, board: str, state: State) -> None:
        self.process, self.board, self.state = process, board, state
        self._channels = [_Channel(name, send) for name, send in channels(process.settings).items()]
        self._seen: tuple[object, ...] | None = None

    def look(self) -> Noticed:
        """Queue what changed since the last look; raises StateProblem."""
        store = self.process.ledger()
        seen = (*store.ask(FOUND).row(0), store.version())
        if seen == self._seen:
            return Noticed((), ())
        names = [channel.name for channel in self._channels]
        found = notice(self.state, self.board, standing(store.ask, store.version()), names, _now())
        self._seen = seen
        for audit in found.first:
            _log.info("first finding of %s noted; only a change from it will be told", audit)
        return found

    def deliver(self) -> None:
        """Try every channel whose time has come; raises StateProblem."""
        for channel in self._channels:
            while time.monotonic() >= channel.due:
                queued = waiting(self.state, self.board, channel.name, _now())
                if not queued or not self._try(channel, queued):
                    break

    def _try(self, channel: _Channel, queued: Sequence[tuple[int, Change]]) -> bool:
        numbers = [number for number, _ in queued]
        try:
            channel.send([change for _, change in queued], self.board)
        except Refused as partly:
            channel.error = f"{channel.name}: {partly}"
            _log.warning("alert over %s: %s", channel.name, partly)
            sent(self.state, numbers)
            return True
        except NotSent as error:
            channel.failures += 1
            pause = wait_s(channel.failures, error.wait_s)
            channel.due = time.monotonic() + pause
            channel.error = f"{channel.name}: {error}; {len(queued)} or more changes wait"
            _log.warning("alert over %s: %s; next try in %.0f s", channel.name, error, pause)
            return False
        channel.failures, channel.error = 0, None
        sent(self.state, numbers)
        return True

    def error(self) -> str | None:
        """What last failed on any channel."""
        return "; ".join(channel.error for channel in self._channels if channel.error) or None


def keep_alerting(process: Process, stopping: threading.Event) -> None:
    """Look and send until told to stop; what fails shows in /readyz. Without a channel there is nothing to do."""
    if not channels(process.settings):
        return
    while process.store is None and not stopping.wait(0.1):
        pass
    alerts: Alerts | None = None
    while not stopping.wait(LOOK_S):
        try:
            alerts = alerts or Alerts(process, process.public_url(), get_state())
            alerts.look()
            alerts.deliver()
            process.alert_error = alerts.error()
        except StateProblem as problem:
            process.alert_error = str(problem)
        except Exception as error:  # a fault of ours must not end alerts for good
            _log.exception("changes of findings could not be told")
            process.alert_error = f"{type(error).__name__}; the log has more"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)

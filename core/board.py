"""The worker behind the board: asks audits after imports and on request, one after the other, and tells how far it is.

Pages never compute the board; they show what is kept, ask for what is not, and look again. The worker takes people's
scopes first, then the board's own at the newest version. It rests REST_PER_WORK times as long as it worked, so that live
ingest, which makes a version a second, does not spend the machine on findings nobody has looked at yet, and longer still
while the ledger lags behind what comes in. Before it says
that a version is complete, it answers there what people look at now: pages then move to it without computing anything.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from types import ModuleType
from typing import NamedTuple

from core import findings, view
from core.audit import Scope
from core.audits import every_audit
from core.ledger.store import Store
from core.measured import reports_progress
from core.projects import PerProject

REST_PER_WORK = 4.0
BUSY_REST_PER_WORK = 9.0
"""The rest while more than MOST_UNDERIVED imports wait to be derived: then what comes in needs the machine more."""
MOST_UNDERIVED = 30
SHORTEST_REST_S = 10.0
MOST_WAITING = 50
"""Scopes; the one asked for longest ago is dropped."""
MOST_LOOKED_AT = 60
"""Answers of audits that people have open."""
LOOKS_FOR_S = 120.0
"""After its last rerun a page counts as left: as long as pages may hold a version."""
LONGEST_AHEAD_S = 40.0
"""The rest of what people look at is then computed when they look again; pages must not wait for the whole of it."""

_log = logging.getLogger("trueup")


class Progress(NamedTuple):
    """How far a scope is: audits asked, of how many."""

    done: int
    of: int


class _Look(NamedTuple):
    """An audit's page as somebody has it open, and the monotonic clock's seconds of its last rerun."""

    audit: ModuleType
    scope: Scope
    at: float


class BoardWorker:
    """Scopes waiting for findings, and the progress of the one at work. Shared by pages and the worker's thread."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._waiting: OrderedDict[str, Scope] = OrderedDict()
        self._lock = threading.Condition()
        self._progress: dict[str, Progress] = {}
        self._looked_at: OrderedDict[tuple[str, Scope], _Look] = OrderedDict()
        self._standard_due = 0.0
        self.complete_version = 0
        """The newest version at which every audit has been asked for the board's own scope; 0 before the first."""
        self.took_s = 0.0
        """Of the last time that every audit was asked for the board's own scope."""
        self.error: str | None = None
        """What last failed; None once something has worked again."""

    def want(self, scope: Scope) -> None:
        """Ask for a scope's findings at its version; the same scope asked again waits once."""
        with self._lock:
            self._waiting[_key(scope)] = scope
            self._waiting.move_to_end(_key(scope))
            while len(self._waiting) > MOST_WAITING:
                self._waiting.popitem(last=False)
            self._lock.notify()

    def looks_at(self, audit: ModuleType, scope: Scope) -> None:
        """Somebody has this answer open: the next version is answered for it before pages move there."""
        key = (audit.__name__, scope._replace(as_of=0))
        with self._lock:
            self._looked_at[key] = _Look(audit, scope, time.monotonic())
            self._looked_at.move_to_end(key)
            while len(self._looked_at) > MOST_LOOKED_AT:
                self._looked_at.popitem(last=False)

    def progress(self, scope: Scope) -> Progress | None:
        """How far the scope is; None when it is neither waiting nor at work."""
        with self._lock:
            if _key(scope) in self._progress:
                return self._progress[_key(scope)]
            return Progress(0, len(every_audit())) if _key(scope) in self._waiting else None

    def run(self, stopping: threading.Event) -> None:
        """Work until told to stop; looks at least once a second. What fails is logged, told and tried again."""
        while not stopping.is_set():
            try:
                idle = not self._step()
                self.error = None
            except Exception as error:  # pages show what was kept before
                _log.exception("findings could not be kept")
                self.error = f"{type(error).__name__}: {error}"
                stopping.wait(SHORTEST_REST_S)
                continue
            with self._lock:
                if idle and not self._waiting:
                    self._lock.wait(timeout=1.0)

    def _step(self) -> bool:
        scope, standard = self._next()
        if scope is not None:
            self.compute(scope, standard)
        return scope is not None

    def _wanted(self) -> Scope | None:
        with self._lock:
            return self._waiting.popitem(last=False)[1] if self._waiting else None

    def _next(self) -> tuple[Scope | None, bool]:
        if (wanted := self._wanted()) is not None:
            return wanted, False
        version = self.store.version()
        if not version or time.monotonic() < self._standard_due:
            return None, True
        scope = findings.standard_scope(self.store.ask, version, self.store.currency)
        known = [one.version for one in findings.kept(self.store.ask, scope).values()]
        if known.count(version) < len(every_audit()):
            return scope, True
        self.complete_version = max(self.complete_version, version)
        return None, True

    def compute(self, scope: Scope, standard: bool = False) -> None:
        """Ask every audit that has nothing kept for the scope at its version."""
        began = time.monotonic()

        def told(done: int, of: int) -> None:
            with self._lock:
                self._progress[_key(scope)] = Progress(done, of)

        try:
            audits, ask = every_audit(), self.store.ask
            is_standard = standard or _key(scope) == _key(
                findings.standard_scope(ask, scope.as_of, self.store.currency)
            )
            findings.refresh(audits, ask, scope, is_standard, self.store.keep_finding, told)
            if standard:
                self.took_s = time.monotonic() - began
                self._answer_ahead(scope.as_of)
            if is_standard:
                self.complete_version = max(self.complete_version, scope.as_of)
        finally:
            with self._lock:
                self._progress.pop(_key(scope), None)
            if standard:
                self._standard_due = time.monotonic() + self._rest_s()

    def _rest_s(self) -> float:
        is_busy = self.store.latest_import() - self.store.derived_version() > MOST_UNDERIVED
        return max(SHORTEST_REST_S, (BUSY_REST_PER_WORK if is_busy else REST_PER_WORK) * self.took_s)

    def _answer_ahead(self, version: int) -> None:
        """What people look at, newest first, at a version that pages do not show yet; whoever waits is served between."""
        began = time.monotonic()
        with self._lock:
            looks = [one for one in reversed(self._looked_at.values()) if began - one.at < LOOKS_FOR_S]
        for one in looks:
            while (wanted := self._wanted()) is not None:
                self.compute(wanted)
            if time.monotonic() - began > LONGEST_AHEAD_S:
                return
            scope = one.scope._replace(as_of=version)
            try:
                if not reports_progress(one.audit, scope):
                    view.answer(one.audit, self.store.ask, scope)
            except Exception:  # whoever looks is shown it
                _log.exception("%s could not be answered ahead", one.audit.__name__)


def _key(scope: Scope) -> str:
    return f"{scope.as_of} {findings.scope_key(scope)}"


_running = PerProject[BoardWorker]()


def running() -> BoardWorker | None:
    """The worker of this project; None in tests of pages and in the command line."""
    return _running.get()


def error_now() -> str | None:
    """What last failed in this project's worker."""
    worker = _running.get()
    return worker.error if worker else None


def publish(worker: BoardWorker | None) -> None:
    """Let pages find the worker, or withdraw it with None."""
    _running.put(worker)

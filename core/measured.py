"""What an audit measured, computed once for everybody who waits for it: viewers of one scope, and the board's worker.

A measure is a function of scope and data version, and costs a second; the board's worker and a page ask for the same
one. Outside the app nothing is kept and every question is asked.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from types import ModuleType
from typing import NamedTuple

import polars as pl

from core import made
from core.audit import Ask, Progress, Scope
from core.ledger.store import Store
from core.projects import PerProject
from core.workers import Do, here

MOST_KEPT = 30
"""Six scopes of five audits."""
WORTH_SENDING = 5_000
"""Rows of an audit's frames that a worker process measures; fewer are measured where they are."""
MOST_BYTES = 256 * 2**20
"""Of frames: a measure itself is small."""


class Measured(NamedTuple):
    """The rows an audit loaded and what it made of them."""

    frames: dict[str, pl.DataFrame]
    measure: object


_Key = tuple[str, Scope, int]


class Once:
    """The newest measures of one ledger. Shared by the threads of a process."""

    def __init__(self, store: Store, ask: Ask | None = None, do: Do = here) -> None:
        """`ask` puts the audits' questions, in place of whoever comes: in the app the one that keeps costly answers."""
        self.store = store
        self._do = do
        self._ask = ask
        self._kept: OrderedDict[_Key, Measured] = OrderedDict()
        self._working: dict[_Key, threading.Lock] = {}
        self._lock = threading.Lock()

    def of(self, audit: ModuleType, ask: Ask, scope: Scope, progress: Progress | None = None) -> Measured:
        """The measure of a scope; whoever comes while it is computed waits for it. What fails is raised and not kept."""
        key = (audit.__name__, _own(audit, scope), self.store.acts())
        with self._lock:
            working = self._working.setdefault(key, threading.Lock())
        with working:
            with self._lock:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return self._kept[key]
            try:
                found = computed(audit, self._ask or ask, scope, progress, self._do)
                with self._lock:
                    self._kept[key] = found
                    self._shrink()
            finally:
                with self._lock:
                    self._working.pop(key, None)
        return found

    def _shrink(self) -> None:
        """Drop the longest unused; the newest one stays, however large."""
        sizes = {key: _bytes(one) for key, one in self._kept.items()}
        while len(self._kept) > 1 and (len(self._kept) > MOST_KEPT or sum(sizes.values()) > MOST_BYTES):
            sizes.pop(self._kept.popitem(last=False)[0])


def _own(audit: ModuleType, scope: Scope) -> Scope:
    """The board stamps its scope with what any audit reads: one that does not read it answers the same without."""
    if made.needs_breaks(audit):
        return scope
    choices = tuple(pair for pair in scope.choices if pair[0] != made.BREAKS)
    return scope._replace(choices=choices, made=())


def _bytes(one: Measured) -> int:
    return sum(int(rows.estimated_size()) for rows in one.frames.values())


def reports_progress(audit: ModuleType, scope: Scope) -> bool:
    """Whether measuring this scope takes so long that the audit says how far it is."""
    return hasattr(audit, "takes_long") and bool(audit.takes_long(scope))


def computed(
    audit: ModuleType, ask: Ask, scope: Scope, progress: Progress | None = None, do: Do = here
) -> Measured:
    """Load and measure, now. Who is told of `progress` has it measured in this thread: no worker can tell it."""
    frames = audit.load(ask, scope)
    if progress is not None and reports_progress(audit, scope):
        return Measured(frames, audit.measure(frames, scope, progress))
    make = do if sum(rows.height for rows in frames.values()) >= WORTH_SENDING else here
    return Measured(frames, make(audit.measure, frames, scope))


_published = PerProject[Once]()


def publish(once: Once | None) -> None:
    """Share measures of this project, or stop with None."""
    _published.put(once)


def measured(audit: ModuleType, ask: Ask, scope: Scope, progress: Progress | None = None) -> Measured:
    """An audit's measure: the app's kept one where there is one, else computed."""
    once = _published.get()
    make = once.of if once else computed
    return make(audit, ask, scope, progress)


def evidence_of(audit: ModuleType, ask: Ask, scope: Scope) -> pl.DataFrame:
    """The rows behind the verdict: what `worst` makes of the measure that is kept, or asked by `evidence`."""
    if hasattr(audit, "worst"):
        rows: pl.DataFrame = audit.worst(measured(audit, ask, scope).measure)
    else:
        rows = audit.evidence(ask, scope)
    return rows

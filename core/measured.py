"""What an audit measured, computed once for everybody who waits for it: viewers of one scope, and the board's worker.

A measure is a function of scope and data version, and costs a second; the board's worker and a page ask for the same
one. Live traffic moves the version every second and most tables not at all: where a newer version gives the very rows
that were measured before, the measure is taken over. Outside the app nothing is kept and every question is asked.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from types import ModuleType
from typing import Any, NamedTuple

import polars as pl

from core import made
from core.audit import Ask, Progress, Scope
from core.ledger.store import Store
from core.projects import PerProject
from core.workers import Do, here

MOST_KEPT = 100
"""Four scopes of eleven audits at two versions, and the board's."""
WORTH_SENDING = 5_000
"""Rows of an audit's frames that a worker process measures; fewer are measured where they are."""
MOST_BYTES = 128 * 2**20
"""Of frames: a measure itself is small."""


class Measured(NamedTuple):
    """The rows an audit loaded and what it made of them."""

    frames: dict[str, pl.DataFrame]
    measure: object
    drawn: dict[str, Any]
    """What was made of it to be looked at, by the note it bears: made by whoever looks first, shared by all."""


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
                frames = audit.load(self._ask or ask, scope)
                found = self._same(key, frames) or of_frames(audit, frames, scope, progress, self._do)
                with self._lock:
                    self._kept[key] = found
                    self._shrink()
            finally:
                with self._lock:
                    self._working.pop(key, None)
        return found

    def _same(self, key: _Key, frames: dict[str, pl.DataFrame]) -> Measured | None:
        """The measure of these very rows, order and all, at another version."""
        name, scope, _ = key
        with self._lock:
            others = [
                one
                for (audit, other, _), one in self._kept.items()
                if audit == name and other._replace(as_of=scope.as_of) == scope
            ]
        return next((one for one in reversed(others) if _equal(one.frames, frames)), None)

    def _shrink(self) -> None:
        """Drop the longest unused; the newest one stays, however large."""
        while len(self._kept) > 1 and (len(self._kept) > MOST_KEPT or self._bytes() > MOST_BYTES):
            self._kept.popitem(last=False)

    def _bytes(self) -> int:
        frames = {id(one): one for kept in self._kept.values() for one in kept.frames.values()}
        return sum(int(rows.estimated_size()) for rows in frames.values())


def _own(audit: ModuleType, scope: Scope) -> Scope:
    """The board stamps its scope with what any audit reads: one that does not read it answers the same without."""
    if made.needs_breaks(audit):
        return scope
    choices = tuple(pair for pair in scope.choices if pair[0] != made.BREAKS)
    return scope._replace(choices=choices, made=())


def _equal(frames: dict[str, pl.DataFrame], others: dict[str, pl.DataFrame]) -> bool:
    return frames.keys() == others.keys() and all(
        rows.schema == others[name].schema and rows.equals(others[name]) for name, rows in frames.items()
    )


def reports_progress(audit: ModuleType, scope: Scope) -> bool:
    """Whether measuring this scope takes so long that the audit says how far it is."""
    return hasattr(audit, "takes_long") and bool(audit.takes_long(scope))


def computed(
    audit: ModuleType, ask: Ask, scope: Scope, progress: Progress | None = None, do: Do = here
) -> Measured:
    """Load and measure, now."""
    return of_frames(audit, audit.load(ask, scope), scope, progress, do)


def of_frames(
    audit: ModuleType,
    frames: dict[str, pl.DataFrame],
    scope: Scope,
    progress: Progress | None = None,
    do: Do = here,
) -> Measured:
    """Measure, now. Who is told of `progress` has it measured in this thread: no worker can tell it."""
    if progress is not None and reports_progress(audit, scope):
        return Measured(frames, audit.measure(frames, scope, progress), {})
    make = do if sum(rows.height for rows in frames.values()) >= WORTH_SENDING else here
    return Measured(frames, make(audit.measure, frames, scope), {})


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

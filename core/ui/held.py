"""Which data version pages show: under live ingest a version lasts a second, an answer of an audit takes longer.

All viewers of a process share the version they see, and with it the answers that are kept for it. After `hold_s` it moves
on to what the board's worker has answered: every audit of that version is there at once, whatever the number of spans. It
moves at once for a while after somebody gave a file or undid an import. Every number is of the version it names: holding
makes it older, never wrong. Outside the app nothing is held.
"""

from __future__ import annotations

import threading
import time
from types import ModuleType
from typing import NamedTuple

from core import board
from core.audit import Scope
from core.ledger.store import Store

HOLD_S = 20.0
LONG_HOLD_S = 60.0
HOLD_PER_WORK = 5.0
"""Seconds for each second that the board's worker needed: where answers are cheap pages follow closely."""
LONGEST_S = 120.0
"""A worker that does not keep up does not stop the pages for longer."""
AT_ONCE_S = 10.0
"""After a file or an undo: deriving its calls takes a moment, and whoever gave it waits for its numbers."""


class _Held(NamedTuple):
    version: int
    acts: int
    since: float
    at_once_until: float


_held: dict[int, _Held] = {}
_lock = threading.Lock()


def version(store: Store, now: float | None = None) -> int:
    """The newest data version that pages show now; `now` is a monotonic clock's seconds."""
    newest = store.version()
    if board.running() is None:
        return newest
    with _lock:
        return _moved(store, newest, time.monotonic() if now is None else now).version


def changes(store: Store) -> int:
    """A number that moves with what answers must not be kept over beside the version; outside the app every import does."""
    return store.changes() if board.running() is None else store.acts()


def looked_at(audit: ModuleType, scope: Scope) -> Scope:
    """The scope itself, of which the worker answers the next version ahead; a pinned page has none."""
    worker = board.running()
    if worker is not None and scope.as_of == version(worker.store):
        worker.looks_at(audit, scope)
    return scope


def hold_s() -> float:
    """Seconds that live traffic does not move the version."""
    worker = board.running()
    return min(max(HOLD_S, HOLD_PER_WORK * worker.took_s), LONG_HOLD_S) if worker else HOLD_S


def _moved(store: Store, newest: int, now: float) -> _Held:
    held = _held.get(id(store))
    if held is None:
        held = _Held(newest, store.acts(), now, now)
    if store.acts() != held.acts:
        held = held._replace(acts=store.acts(), at_once_until=now + AT_ONCE_S)
    following = newest if not held.version or now < held.at_once_until else _following(held, newest, now)
    if following != held.version:
        held = held._replace(version=following, since=now)
    _held[id(store)] = held
    return held


def _following(held: _Held, newest: int, now: float) -> int:
    """What live traffic moves it to: what the worker has answered, the newest where the worker is far behind."""
    worker, lasted_s = board.running(), now - held.since
    if lasted_s < hold_s():
        return held.version
    if worker is None or not worker.complete_version or lasted_s >= LONGEST_S:
        return newest
    return min(max(worker.complete_version, held.version), newest)

"""How much of what senders send may be held at once: past it the next one is told to come again.

A body is held from its first byte until its rows have committed, decoded it takes about four times its size. A queue that
counts batches alone would let a hundred bodies of 64 MiB in.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from core.ledger.store import Overloaded

GZIP_RATIO = 8
"""What a packed body is taken to unfold to, times its size; telemetry packs 6 to 12 times."""
RETRY_AFTER_S = 1


class Busy(Overloaded):
    """There is no room for another body now."""

    def __init__(self, held_bytes: int) -> None:
        RuntimeError.__init__(
            self, f"Bodies of {held_bytes >> 20} MiB are being stored; try again in {RETRY_AFTER_S} s"
        )
        self.retry_after_s = RETRY_AFTER_S


class Admission:
    """Bytes held now. Shared by the threads of a process."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held_bytes = 0
        self._lock = threading.Lock()

    @contextmanager
    def room_for(self, size_bytes: int) -> Iterator[None]:
        """Hold `size_bytes` within the block; raises Busy. One body alone always finds room, however large."""
        with self._lock:
            if self._held_bytes and self._held_bytes + size_bytes > self._limit_bytes:
                raise Busy(self._held_bytes)
            self._held_bytes += size_bytes
        try:
            yield
        finally:
            with self._lock:
                self._held_bytes -= size_bytes

    def held_bytes(self) -> int:
        """Bytes of bodies that are being read, decoded or written."""
        return self._held_bytes

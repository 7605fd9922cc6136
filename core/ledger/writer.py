"""The one thread that writes: batches that wait share a transaction, and a disk that failed is tried again.

A batch is acknowledged after the transaction that holds it has committed. When the disk or memory is short everything
that waits is refused with that error, so that senders come back; see docs/decisions/025-durability.md.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from core.ledger.batch import Batch, Receipt
from core.ledger.file import LedgerFile, passes, told
from core.ledger.write import Ledger

GROUP_ROWS = 20_000
"""A transaction closes at this many rows: above it the commit is no longer the main cost."""
MEND_S = 2.0
"""Between two tries to go on after the disk failed."""
REVIVED_S = 5.0
"""How long a question waits for a file that is being opened again."""
Done = TypeVar("Done")


class Overloaded(RuntimeError):
    """The queue of unwritten batches is full: the caller should come back later."""

    def __init__(self, waiting: int, retry_after_s: int) -> None:
        super().__init__(f"{waiting} batches are waiting to be written; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class CannotWrite(RuntimeError):
    """Disk or memory is short: the same batch may be written later. The message says what to do."""


class _Waiting(NamedTuple):
    batch: Batch
    answer: Future[Receipt]


class _Alone(NamedTuple):
    """Work with a transaction of its own, in order with the batches around it."""

    work: Callable[[Ledger], Any]
    answer: Future[Any]


_NOTHING_YET = _Alone(lambda _ledger: None, Future())
"""Stands for an empty queue, which None, the end marker, does not."""


class Writer:
    """The queue in front of a ledger file, and the thread that empties it."""

    def __init__(self, file: LedgerFile, queue_limit: int) -> None:
        self._file = file
        self._ledger = Ledger(file.connection.cursor())
        self._waiting: queue.Queue[_Waiting | _Alone | None] = queue.Queue(maxsize=queue_limit)
        self._broken: Exception | None = None
        self._thread = threading.Thread(target=self._write_groups, name="trueup-writer", daemon=True)
        self._thread.start()

    def put(self, batch: Batch, *, wait: bool) -> Future[Receipt]:
        """Queue one batch; the future resolves after its commit. Full: wait for room, or raise Overloaded."""
        answer: Future[Receipt] = Future()
        try:
            self._waiting.put(_Waiting(batch, answer), block=wait)
        except queue.Full:
            raise Overloaded(self._waiting.qsize(), retry_after_s=1) from None
        return answer

    def alone(self, work: Callable[[Ledger], Done]) -> Done:
        """Do work on the write connection, in order with the batches around it, and return what it returns."""
        answer: Future[Done] = Future()
        self._waiting.put(_Alone(work, answer))
        return answer.result()

    def replace_file(self, meanwhile: Callable[[], None]) -> None:
        """Close the file, do something with it, open it again. To be called from work given to `alone`."""
        self._ledger.close()  # a cursor left open would keep the old file
        try:
            self._file.reopen(meanwhile)
        finally:
            self._ledger = Ledger(self._file.connection.cursor())

    def last_import_id(self) -> int:
        """The newest committed import; 0 for an empty ledger."""
        return self._ledger.last_import_id

    def depth(self) -> int:
        """Batches that wait."""
        return self._waiting.qsize()

    def fault(self) -> str | None:
        """Why nothing can be written now and what to do; None when it can."""
        if not self._thread.is_alive():
            return "The ledger's writer has ended; the log has more. Restart the app."
        return told(self._broken) if self._broken else None

    def await_whole(self) -> None:
        """For a reader that found the file given up: have it opened again, and wait for that."""
        with suppress(queue.Full):  # a full queue keeps the writer awake anyway
            self._waiting.put_nowait(_Alone(lambda _ledger: None, Future()))
        self._file.await_reopened(REVIVED_S)

    def close(self) -> None:
        """Write what waits, then end."""
        self._waiting.put(None)
        self._thread.join(timeout=60)

    def _write_groups(self) -> None:
        following = self._next()
        while following is not None:
            self._mend()
            if isinstance(following, _Alone):
                self._do_alone(following)
                following = self._next()
            else:
                group, following = self._gather(following)
                self._commit(group)
                if following is _NOTHING_YET:
                    following = self._next()

    def _next(self) -> _Waiting | _Alone | None:
        """What is to be written next; until it comes, what is broken is tried again."""
        while True:
            try:
                return self._waiting.get(timeout=MEND_S if self._broken or self._file.given_up() else None)
            except queue.Empty:
                self._mend()
                if not self._file.given_up() and self._file.can_grow():
                    self._broken = None

    def _gather(self, first: _Waiting) -> tuple[list[_Waiting], _Waiting | _Alone | None]:
        """What waits by now shares one transaction; with it, what came along and does not belong to it."""
        group = [first]
        rows = first.batch.rows_read
        while rows < GROUP_ROWS:
            try:
                following = self._waiting.get_nowait()
            except queue.Empty:
                break
            if not isinstance(following, _Waiting):
                return group, following
            group.append(following)
            rows += following.batch.rows_read
        return group, _NOTHING_YET

    def _do_alone(self, alone: _Alone) -> None:
        try:
            alone.answer.set_result(alone.work(self._ledger))
        except Exception as error:  # handed to whoever asked
            alone.answer.set_exception(self._noted(error))

    def _commit(self, group: list[_Waiting]) -> None:
        try:
            receipts = self._ledger.write([waiting.batch for waiting in group])
        except Exception as error:
            noted = self._noted(error)
            if len(group) > 1 and noted is error:  # a bad batch must not take its neighbours along
                for waiting in group:
                    self._mend()
                    self._commit([waiting])
                return
            for waiting in group:
                waiting.answer.set_exception(noted)
            return
        self._broken = None
        for waiting, receipt in zip(group, receipts, strict=True):
            waiting.answer.set_result(receipt)

    def _noted(self, error: Exception) -> Exception:
        """What to hand to whoever waits: CannotWrite for a fault that passes, the error itself otherwise."""
        self._file.note(error)
        if not passes(error):
            return error
        self._broken = error
        refusal = CannotWrite(told(error))
        refusal.__cause__ = error
        return refusal

    def _mend(self) -> None:
        """Open the file again when DuckDB has given it up; what was acknowledged is in it."""
        if not self._file.given_up():
            return
        try:
            self._ledger.close()
            self._file.reopen()
            self._ledger = Ledger(self._file.connection.cursor())
        except Exception as error:  # told by fault(), tried again
            self._broken = error

"""The one connection to the DuckDB file: reads on cursors, writes by one thread with group commit.

A batch is acknowledged after the transaction that holds it has committed. Batches that arrive while a
transaction is being written share the next one, so the cost of a commit is spread over them.
Measured numbers and the choices behind them: docs/decisions/004-ledger.md.
"""

from __future__ import annotations

import datetime as dt
import queue
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import duckdb
import polars as pl

from core.ledger import derive, retain, rollups, write
from core.ledger.batch import PRICES, Batch, Quarantined, Receipt, Repaired, TakenFile
from core.ledger.cost import Costing
from core.ledger.empty import CannotEmpty, Emptied
from core.ledger.migrations import migrate
from core.ledger.undo import CannotUndo

__all__ = [
    "Batch", "CannotEmpty", "CannotUndo", "Emptied", "Overloaded",
    "Quarantined", "Receipt", "Repaired", "Store", "StoreLocked", "TakenFile",
]  # fmt: skip

GROUP_ROWS = 20_000
"""A transaction closes at this many rows: above it the commit is no longer the main cost."""
_PARAMETER = re.compile(r"\$([a-z_][a-z0-9_]*)")
_HOLDER = re.compile(r"\(PID (\d+)")


class StoreLocked(RuntimeError):
    """Another process holds the file; the message names it."""


class Overloaded(RuntimeError):
    """The queue of unwritten batches is full: the caller should come back later."""

    def __init__(self, waiting: int, retry_after_s: int) -> None:
        super().__init__(f"{waiting} batches are waiting to be written; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class _Waiting(NamedTuple):
    batch: Batch
    answer: Future[Receipt]


class _Alone(NamedTuple):
    """Work with a transaction of its own, in order with the batches around it."""

    work: Callable[[write.Ledger], Any]
    answer: Future[Any]


_NOTHING_YET = _Alone(lambda _ledger: None, Future())
"""Stands for an empty queue, which None, the end marker, does not."""
Done = TypeVar("Done")


class Store:
    """A ledger file owned by this process. Make it with `Store.open`, end it with `close`."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        queue_limit: int,
        price_overrides: Path | None,
        currency: str,
    ):
        self.currency = currency
        self._connection = connection
        self._price_overrides = price_overrides
        self._waiting: queue.Queue[_Waiting | _Alone | None] = queue.Queue(maxsize=queue_limit)
        self._derive_lock = threading.Lock()
        self._broken: Exception | None = None
        self._file_lock = threading.Lock()
        self._acts = 0
        self._last_file_id = write.newest_file_id(connection)
        self._ledger = write.Ledger(connection.cursor())
        self._version = derive.derived_through(connection)
        self._writer = threading.Thread(target=self._write_groups, name="trueup-writer", daemon=True)
        self._writer.start()

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        queue_limit: int = 256,
        price_overrides: Path | None = None,
        currency: str = "USD",
        threads: int = 2,
    ) -> Store:
        """Open or create the ledger at `path` (":memory:" for a throw-away one) and bring its schema up to date.

        `currency` is that of the bills to compare; the price catalogue is in USD and used for no other.
        Raises StoreLocked when another process owns the file, NewerSchema when a later Trueup wrote it.
        """
        if str(path) != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        try:
            connection = duckdb.connect(str(path), config={"threads": threads})
        except duckdb.IOException as error:
            holder = _HOLDER.search(str(error))
            if "lock" not in str(error).lower():
                raise
            who = f"process {holder.group(1)}" if holder else "another process"
            raise StoreLocked(
                f"{path} is owned by {who}. Stop it, or use its address: the running dashboard takes "
                "files on its data page and at /v1/traces."
            ) from error
        migrate(connection)
        connection.execute("set autoinstall_known_extensions = false")
        return cls(connection, queue_limit, price_overrides, currency)

    def ask(self, sql: str, **parameters: object) -> pl.DataFrame:
        """Run one query on its own cursor; parameters the text does not name are ignored."""
        named = set(_PARAMETER.findall(sql))
        cursor = self._connection.cursor()
        try:
            return cursor.sql(sql, params={name: parameters[name] for name in named}).pl()
        finally:
            cursor.close()

    def submit(self, batch: Batch) -> Receipt:
        """Store one batch and return after its transaction has committed.

        Raises Overloaded when too many batches wait, and whatever made the write fail.
        """
        return self.submit_soon(batch).result()

    def submit_soon(self, batch: Batch) -> Future[Receipt]:
        """Queue one batch; the future resolves after its transaction has committed."""
        answer: Future[Receipt] = Future()
        try:
            self._waiting.put_nowait(_Waiting(batch, answer))
        except queue.Full:
            raise Overloaded(self._waiting.qsize(), retry_after_s=1) from None
        return answer

    def submit_many(self, batches: Iterable[Batch]) -> list[Receipt]:
        """Store batches in order, letting them share transactions; waits for the last commit."""
        answers: list[Future[Receipt]] = []
        for batch in batches:
            answer: Future[Receipt] = Future()
            self._waiting.put(_Waiting(batch, answer))
            answers.append(answer)
        return [answer.result() for answer in answers]

    def undo(self, import_ids: Sequence[int], reason: str) -> Receipt:
        """Undo imports: a new import after which their rows no longer count. Raises CannotUndo.

        The receipt's rows_read are the rows that stop counting. Calls follow at the next `derive`.
        """
        self._acts += 1
        return self._alone(lambda ledger: ledger.undo(import_ids, reason))

    def empty_demo(self) -> Emptied:
        """Delete everything when all of it is demo data; the data version goes on. Raises CannotEmpty."""
        with self._derive_lock:  # what is derived at this moment would come back after its spans are gone
            self._acts += 1
            return self._alone(lambda ledger: ledger.empty_demo())

    def next_file_id(self) -> int:
        """The number for a file that is about to be taken in."""
        with self._file_lock:
            self._last_file_id += 1
            return self._last_file_id

    def add_file(self, file: TakenFile) -> None:
        """Record what became of a file; returns after the commit."""
        self._alone(lambda ledger: ledger.add_file(file))
        self._acts += 1

    def keep_finding(self, row: pl.DataFrame) -> None:
        """Keep one row of findings; returns after the commit."""
        self._alone(lambda ledger: ledger.keep_finding(row))

    def _alone(self, work: Callable[[write.Ledger], Done]) -> Done:
        answer: Future[Done] = Future()
        self._waiting.put(_Alone(work, answer))
        return answer.result()

    def derive(self) -> int:
        """Bring calls, attempts and runs up to date with every committed import; returns the data version.

        Other prices than last time are a version of their own, so that an older link keeps its amounts.
        """
        with self._derive_lock:
            costing = Costing.load(self._price_overrides, self.currency)
            cursor = self._connection.cursor()
            try:
                if derive.prices_changed(cursor, costing):
                    key = f"{costing.version} after import {self.latest_import()}"
                    self.submit(Batch(costing.version, PRICES, key, 0, {}))
                self._version = derive.bring_up_to_date(cursor, costing)
            finally:
                cursor.close()
        return self._version

    def retain(self, days: int, today: dt.date) -> int:
        """Delete telemetry dated more than `days` before `today`; returns rows deleted. Bills are kept."""
        with self._derive_lock:
            cursor = self._connection.cursor()
            try:
                return retain.delete_before(cursor, today - dt.timedelta(days=days))
            finally:
                cursor.close()

    def rebuild_rollups(self) -> dict[str, int]:
        """The hourly sums anew from what is derived; rows by table."""
        with self._derive_lock:
            cursor = self._connection.cursor()
            try:
                return rollups.rebuild(cursor)
            finally:
                cursor.close()

    def version(self) -> int:
        """The newest import that calls, attempts and runs reflect; 0 for an empty ledger."""
        return self._version

    def latest_import(self) -> int:
        """The newest committed import; 0 for an empty ledger."""
        return self._ledger.last_import_id

    def changes(self) -> int:
        """A number that grows with every commit that a page may show: imports, files and other acts."""
        return self._ledger.last_import_id + self._acts

    def acts(self) -> int:
        """A number that grows with what people do: files, undos, emptying; live traffic does not move it."""
        return self._acts

    def queue_depth(self) -> int:
        """Batches accepted into memory and not yet committed."""
        return self._waiting.qsize()

    def writable(self) -> bool:
        """Whether the writer is alive and its last transaction did not fail on the disk."""
        return self._writer.is_alive() and self._broken is None

    def close(self) -> None:
        """Write what waits, then checkpoint and close the file."""
        self._waiting.put(None)
        self._writer.join(timeout=60)
        with self._derive_lock:
            self._connection.close()

    def _write_groups(self) -> None:
        following = self._waiting.get()
        while following is not None:
            if isinstance(following, _Alone):
                self._do_alone(following)
                following = self._waiting.get()
            else:
                group, following = self._gather(following)
                self._commit(group)
                if following is _NOTHING_YET:
                    following = self._waiting.get()

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
            alone.answer.set_exception(error)

    def _commit(self, group: list[_Waiting]) -> None:
        try:
            receipts = self._ledger.write([waiting.batch for waiting in group])
        except Exception as error:  # a bad batch must not take its neighbours along
            if len(group) > 1:
                for waiting in group:
                    self._commit([waiting])
                return
            if isinstance(error, duckdb.IOException):
                self._broken = error
            group[0].answer.set_exception(error)
            return
        self._broken = None
        for waiting, receipt in zip(group, receipts, strict=True):
            waiting.answer.set_result(receipt)

"""The one connection to the DuckDB file: reads on cursors, writes by one thread with group commit.

A batch is acknowledged after the transaction that holds it has committed. Batches that arrive while a
transaction is being written share the next one, so the cost of a commit is spread over them.
Measured numbers and the choices behind them: docs/decisions/004-ledger.md.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path

import polars as pl

from core.ledger import derive, lake, retain, rollups, write
from core.ledger.batch import PRICES, Batch, Quarantined, Receipt, Repaired, TakenFile
from core.ledger.compact import Compacted, compact
from core.ledger.copy import Copied, copy_ledger
from core.ledger.cost import Costing
from core.ledger.empty import CannotEmpty, Emptied
from core.ledger.engine import Embedded, Engine
from core.ledger.erase import Erased, NothingToErase, Subject
from core.ledger.file import LedgerFile, StoreLocked, Unusable
from core.ledger.migrations import MigrationFailed, NewerSchema, migrate
from core.ledger.undo import CannotUndo
from core.ledger.writer import CannotWrite, Overloaded, Writer
from core.workers import Do, here

__all__ = [
    "CANNOT_OPEN", "Batch", "CannotEmpty", "CannotUndo", "CannotWrite", "Compacted", "Copied", "Emptied", "Erased",
    "NothingToErase", "Overloaded", "Quarantined", "Receipt", "Repaired", "Store", "StoreLocked", "Subject",
    "TakenFile", "Unusable",
]  # fmt: skip

CANNOT_OPEN = (StoreLocked, Unusable, NewerSchema, MigrationFailed)
"""Why a ledger does not open; each message says what to do."""


class Store:
    """A ledger file owned by this process. Make it with `Store.open`, end it with `close`."""

    def __init__(
        self,
        file: LedgerFile,
        queue_limit: int,
        price_overrides: Path | None,
        currency: str,
    ):
        self.currency = currency
        self._file = file
        self.engine: Engine = Embedded(self._ask_file)
        self._price_overrides = price_overrides
        self._derive_lock = threading.Lock()
        self._copy_lock = threading.Lock()
        self._file_lock = threading.Lock()
        self._acts = 0
        self._last_file_id = write.newest_file_id(file.connection)
        self._version = derive.derived_through(file.connection)
        self._writer = Writer(file, queue_limit)

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        queue_limit: int = 256,
        price_overrides: Path | None = None,
        currency: str = "USD",
        threads: int = 2,
        memory_percent: int | None = None,
    ) -> Store:
        """Open or create the ledger at `path` (":memory:" for a throw-away one) and bring its schema up to date.

        `currency` is that of the bills to compare; the price catalogue is in USD and used for no other. `memory_percent`
        of the machine's memory may be used for questions; DuckDB's own limit without.
        Raises StoreLocked when another process owns the file, Unusable when it cannot be opened or written,
        NewerSchema when a later Trueup wrote it, MigrationFailed when it could not be brought forward.
        """
        file = LedgerFile(path, threads, memory_percent)
        try:
            migrate(file.connection)
        except Exception:
            file.close()
            raise
        return cls(file, queue_limit, price_overrides, currency)

    def ask(self, sql: str, **parameters: object) -> pl.DataFrame:
        """The answer to one question; parameters the text does not name are ignored."""
        return self.engine.ask(sql, parameters)

    def _ask_file(self, sql: str, given: dict[str, object]) -> pl.DataFrame:
        try:
            with self._file.cursor() as cursor:
                return cursor.sql(sql, params=given).pl()
        except Exception:
            if not self._file.given_up():
                raise
            self._writer.await_whole()
        with self._file.cursor() as cursor:
            return cursor.sql(sql, params=given).pl()

    @staticmethod
    def without_rows() -> Embedded:
        """An empty ledger in memory: its answers tell their types."""
        migrate((file := LedgerFile(":memory:", 1)).connection)
        return Embedded(lambda sql, given: file.connection.cursor().sql(sql, params=given).pl())

    def submit(self, batch: Batch) -> Receipt:
        """Store one batch and return after its transaction has committed.

        Raises Overloaded when too many batches wait, CannotWrite when disk or memory is short, and whatever else
        made the write fail.
        """
        return self.submit_soon(batch).result()

    def submit_soon(self, batch: Batch) -> Future[Receipt]:
        """Queue one batch; the future resolves after its transaction has committed."""
        return self._writer.put(batch, wait=False)

    def submit_many(self, batches: Iterable[Batch]) -> list[Receipt]:
        """Store batches in order, letting them share transactions; waits for the last commit."""
        answers = [self._writer.put(batch, wait=True) for batch in batches]
        return [answer.result() for answer in answers]

    def undo(self, import_ids: Sequence[int], reason: str) -> Receipt:
        """Undo imports: a new import after which their rows no longer count. Raises CannotUndo.

        The receipt's rows_read are the rows that stop counting. Calls follow at the next `derive`.
        """
        self._acts += 1
        return self._writer.alone(lambda ledger: ledger.undo(import_ids, reason))

    def empty_demo(self) -> Emptied:
        """Delete everything when all of it is demo data; the data version goes on. Raises CannotEmpty."""
        with self._derive_lock:  # what is derived at this moment would come back after its spans are gone
            self._acts += 1
            return self._writer.alone(lambda ledger: ledger.empty_demo())

    def erase(self, subject: Subject) -> Erased:
        """Erase every row that tells of them; `compact` then takes the bytes out of the file. Raises NothingToErase."""
        with self._derive_lock:  # as above
            self._acts += 1
            return self._writer.alone(lambda ledger: ledger.erase(subject))

    def copy_to(self, target: Path) -> Copied:
        """Write everything committed so far to a new ledger file while this one goes on; raises CopyDiffers."""
        with self._copy_lock, self._file.cursor() as cursor:
            return copy_ledger(cursor, target)

    def compact(self) -> Compacted:
        """Write the file anew without what was deleted. Senders wait or are told to come back; pages read on."""
        # A copy that is being made holds a cursor for long: waiting for it inside would hold back every question.
        with self._copy_lock, self._derive_lock:
            return self._writer.alone(lambda _ledger: compact(self._file, self._writer.replace_file))

    def next_file_id(self) -> int:
        """The number for a file that is about to be taken in."""
        with self._file_lock:
            self._last_file_id += 1
            return self._last_file_id

    def add_file(self, file: TakenFile) -> None:
        """Record what became of a file; returns after the commit."""
        self._writer.alone(lambda ledger: ledger.add_file(file))
        self._acts += 1

    def keep_finding(self, row: pl.DataFrame) -> None:
        """Keep one row of findings; returns after the commit."""
        self._writer.alone(lambda ledger: ledger.keep_finding(row))

    def derive(self, do: Do = here) -> int:
        """Bring calls, attempts and runs up to date with every committed import; returns the data version.

        Other prices than last time are a version of their own, so that an older link keeps its amounts.
        """
        with self._derive_lock:
            costing = Costing.load(self._price_overrides, self.currency)
            with self._file.cursor() as cursor:
                changed = derive.prices_changed(cursor, costing)
            if changed:
                key = f"{costing.version} after import {self.latest_import()}"
                self.submit(Batch(costing.version, PRICES, key, 0, {}))
            with self._file.cursor() as cursor:
                self._version = derive.bring_up_to_date(cursor, costing, do)
        return self._version

    def retain(self, days: int, today: dt.date) -> int:
        """Delete telemetry dated more than `days` before `today`; returns rows deleted. Bills are kept."""
        with self._derive_lock, self._file.cursor() as cursor:
            return retain.delete_before(cursor, today - dt.timedelta(days=days))

    def rebuild_rollups(self) -> dict[str, int]:
        """The hourly sums anew from what is derived; rows by table."""
        with self._derive_lock, self._file.cursor() as cursor:
            return rollups.rebuild(cursor)

    def export_lake(self, path: Path, progress: lake.Progress = lambda _table: None) -> lake.Lake:
        """Write the ledger as Parquet below `path`, as of one moment; raises LakeProblem."""
        with self._file.cursor() as cursor:
            return lake.write(cursor, path, progress)

    def version(self) -> int:
        """The newest data version that can be asked for; 0 for an empty ledger."""
        return min(self._version, self.engine.version())

    def derived_version(self) -> int:
        """The newest import that calls, attempts and runs of the file reflect; 0 for an empty ledger."""
        return self._version

    def latest_import(self) -> int:
        """The newest committed import; 0 for an empty ledger."""
        return self._writer.last_import_id()

    def changes(self) -> int:
        """A number that grows with every commit that a page may show: imports, files and other acts."""
        return self._writer.last_import_id() + self._acts

    def acts(self) -> int:
        """A number that grows with what people do: files, undos, emptying; live traffic does not move it."""
        return self._acts

    def queue_depth(self) -> int:
        """Batches accepted into memory and not yet committed."""
        return self._writer.depth()

    def writable(self) -> bool:
        """Whether the writer is alive and the disk took what was last written."""
        return self.fault() is None

    def fault(self) -> str | None:
        """Why nothing can be written now and what to do; None when it can."""
        return self._writer.fault()

    def close(self) -> None:
        """Write what waits, then checkpoint and close the file."""
        self._writer.close()
        with self._derive_lock:
            self._file.close()

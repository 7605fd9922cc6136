"""The ledger's file: owned by one process, used through cursors, and opened again in place when it must be.

DuckDB gives up a whole open file when a checkpoint fails, on a full disk for one: what was committed is safe in the
write-ahead log, and opening the file again mends it. Compaction puts another file in its place. An old handle would keep
the old file, so `reopen` waits for the cursors in use and holds back new ones.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    import polars as pl

MEMORY = ":memory:"
PROBE_BYTES = 4 * 1024 * 1024
"""What a disk must take before it counts as mended: a few batches."""
CHECKPOINT_AT = "128MiB"
"""Of log before it is written into the file: about 100,000 spans, which are read back within half a second after a crash.
At DuckDB's own 16 MB the checkpoints are a fifth of what writing costs."""
LAST_STATEMENTS_S = 5.0
"""How long closing waits for statements that still run, before it stops them and again after."""
_HOLDER = re.compile(r"\(PID (\d+)")
_FULL = re.compile(r"no space left|disk quota", re.IGNORECASE)
_DISK = re.compile(r"could not (write|sync|truncate)|read-only file system|input/output error", re.IGNORECASE)
_RESTORE = "Put a backup in its place: python -m core restore BACKUP --replace"


class StoreLocked(RuntimeError):
    """Another process holds the file; the message names it."""


class Unusable(RuntimeError):
    """The ledger's folder or file cannot be used; the message says why and what to do."""


class LedgerFile:
    """One open DuckDB file, or one in memory."""

    def __init__(self, path: Path | str, threads: int, memory_percent: int | None = None) -> None:
        """Raises StoreLocked and Unusable."""
        self.path = None if str(path) == MEMORY else Path(path)
        self._options: dict[str, Any] = {"threads": threads, "checkpoint_threshold": CHECKPOINT_AT} | (
            {"memory_limit": f"{memory_percent}%"} if memory_percent else {}
        )
        self._gate = threading.Condition()
        self._in_use: set[duckdb.DuckDBPyConnection] = set()
        self._closing = False
        self._given_up = False
        self.connection = _connected(self.path, self._options)

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor of its own for any thread. Ask for none while holding one: `reopen` would wait for ever."""
        try:
            with self._gate:
                self._gate.wait_for(lambda: not self._closing)
                cursor = self.connection.cursor()
                self._in_use.add(cursor)
            try:
                yield cursor
            finally:
                with self._gate:
                    cursor.close()
                    self._in_use.discard(cursor)
                    self._gate.notify_all()
        except Exception as error:
            self.note(error)
            raise

    def note(self, error: Exception) -> None:
        """Remember when an error means that DuckDB answers nothing more until the file is opened again."""
        if isinstance(error, duckdb.FatalException | duckdb.InternalException):
            self._given_up = True

    def given_up(self) -> bool:
        """Whether only `reopen` helps."""
        return self._given_up and self.path is not None

    def await_reopened(self, seconds: float) -> None:
        """Wait until it is open again, at most so long."""
        with self._gate:
            self._gate.wait_for(lambda: not self._given_up, timeout=seconds)

    def reopen(self, meanwhile: Callable[[], None] | None = None) -> None:
        """Close the file, do what needs it closed, and open it again; whoever calls must hold no cursor.

        Raises what `meanwhile` raised once the file is open again, and StoreLocked or Unusable when it does not open.
        """
        assert self.path is not None, "a ledger in memory would be lost"
        with self._gate:
            self._closing = True
            try:
                self._gate.wait_for(lambda: not self._in_use)
                self._given_up = True
                self.connection.close()
                try:
                    if meanwhile is not None:
                        meanwhile()
                finally:
                    self.connection = _connected(self.path, self._options)
                    self._given_up = False
            finally:
                self._closing = False
                self._gate.notify_all()

    def can_grow(self) -> bool:
        """Whether the disk takes PROBE_BYTES beside the ledger."""
        if self.path is None:
            return True
        probe = self.path.with_name(f".{self.path.name}.probe")
        try:
            with probe.open("wb") as out:
                out.write(bytes(PROBE_BYTES))
                out.flush()
                os.fsync(out.fileno())
        except OSError:
            return False
        finally:
            with suppress(OSError):  # a read-only disk: there is nothing to remove
                probe.unlink()
        return True

    def close(self) -> None:
        """Let running statements end, stop those that take longer than LAST_STATEMENTS_S, checkpoint and close.

        DuckDB refuses to close a connection while one of its cursors is inside a call.
        """
        with self._gate:
            self._closing = True
            try:
                if not self._gate.wait_for(lambda: not self._in_use, timeout=LAST_STATEMENTS_S):
                    self._interrupt()
                self.connection.close()
            finally:
                self._closing = False
                self._gate.notify_all()

    def _interrupt(self) -> None:
        """Stop what the cursors in use do, again and again: an interrupt between two statements stops neither."""
        until = time.monotonic() + LAST_STATEMENTS_S
        while self._in_use and time.monotonic() < until:
            for cursor in self._in_use:
                cursor.interrupt()
            self._gate.wait_for(lambda: not self._in_use, timeout=0.1)


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Begin and commit; whatever is raised inside, or by the commit, leaves nothing behind."""
    connection.execute("begin")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        # A commit that failed has ended the transaction: the error on its way out says why, this one would hide it.
        with suppress(duckdb.Error):
            connection.execute("rollback")
        raise


def insert(connection: duckdb.DuckDBPyConnection, table: str, rows: pl.DataFrame) -> None:
    """Add rows to a table of the schema, by the names of their columns. No view may be registered as `arriving`."""
    # DuckDB finds it among the names here. Registering it as a view first takes a fifth longer.
    arriving = rows.to_arrow()  # noqa: F841
    connection.execute(f"insert into {table} by name select * from arriving")


def passes(error: Exception) -> bool:
    """Whether the same write may succeed later: disk or memory was short. Anything else is the batch's own fault."""
    if isinstance(error, duckdb.IOException | duckdb.FatalException | duckdb.OutOfMemoryException):
        return True
    text = str(error)
    return isinstance(error, duckdb.Error) and bool(_FULL.search(text) or _DISK.search(text))


def told(error: Exception) -> str:
    """What a fault that passes means and what to do; without paths, because anybody may ask /readyz."""
    text = str(error)
    if _FULL.search(text):
        what = "The disk that holds the ledger (data_dir) is full: nothing can be written. Free space on it."
    elif "read-only file system" in text.lower():
        what = "The disk that holds the ledger (data_dir) is read-only: nothing can be written. Mount it writable."
    elif isinstance(error, duckdb.OutOfMemoryException):
        what = "Memory is short: the last batch could not be written. Give the machine more, or send smaller batches."
    else:
        what = f"The ledger cannot be written ({type(error).__name__}); the log has more. Check the disk of data_dir."
    return f"{what} Senders are told to come back; writing goes on by itself then, without a restart."


def _connected(path: Path | None, options: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    if path is not None:
        _check_writable(path)
    try:
        connection = duckdb.connect(MEMORY if path is None else str(path), config=options)
    except duckdb.Error as error:
        assert path is not None
        raise _why_not(path, error) from error
    connection.execute("set autoinstall_known_extensions = false")
    return connection


def _check_writable(path: Path) -> None:
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unusable(
            f"The folder of the ledger, {folder}, cannot be made: {error.strerror}. "
            "Set data_dir, or --data, to a folder that this user may write to."
        ) from error
    for place, what in ((folder, "folder"), (path, "file")):
        if place.exists() and not os.access(place, os.R_OK | os.W_OK):
            raise Unusable(
                f"The {what} of the ledger, {place}, cannot be written by this user (uid {os.getuid()}): it is "
                "read-only, or somebody else's. Give it to this user, or set data_dir to another folder."
            )


def _why_not(path: Path, error: duckdb.Error) -> Exception:
    text = str(error)
    holder = _HOLDER.search(text)
    if isinstance(error, duckdb.IOException) and (holder or "lock on file" in text.lower()):
        who = f"process {holder.group(1)}" if holder else "another process"
        return StoreLocked(
            f"{path} is owned by {who}. Stop it, or use its address: the running dashboard takes "
            "files on its data page and at /v1/traces."
        )
    if _FULL.search(text):
        return Unusable(f"{path} cannot be opened: its disk is full. Free space there, then start again.")
    first = text.strip().splitlines()[0][:300]
    return Unusable(f"{path} cannot be opened: {first} Keep the file and the .wal beside it. {_RESTORE}")


@contextmanager
def apart(path: Path, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Another DuckDB file, in an instance of its own: a disk that fails it does not take the ledger along.

    Raises Unusable when it does not open.
    """
    try:
        connection = duckdb.connect(str(path), read_only=read_only, config={"threads": 1})
    except duckdb.Error as error:
        raise _why_not(path, error) from error
    try:
        yield connection
    finally:
        connection.close()

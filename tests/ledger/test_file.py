"""The ledger's file: its log, and closing it while statements run, which cuts none short in silence and does not fail."""

from __future__ import annotations

import threading
from pathlib import Path

import duckdb
import pytest

from core.ledger import file as ledger_file
from core.ledger.file import CHECKPOINT_AT, LedgerFile


def test_duckdb_refuses_to_close_beside_a_running_statement(tmp_path: Path) -> None:
    file = LedgerFile(tmp_path / "trueup.duckdb", threads=1)
    with file.cursor() as cursor:
        running = _running(cursor)
        with pytest.raises(duckdb.Error, match="busy with another call"):
            file.connection.close()
        cursor.interrupt()
        running.join()
    file.close()


def test_closing_waits_for_a_statement_and_keeps_what_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_file, "LAST_STATEMENTS_S", 3_600.0)
    file = LedgerFile(tmp_path / "trueup.duckdb", threads=1)
    began = threading.Event()

    def write() -> None:
        with file.cursor() as cursor:
            began.set()
            cursor.execute("create table kept as select sum(range) as total from range(20_000_000)")

    writing = threading.Thread(target=write)
    writing.start()
    began.wait()
    file.close()
    writing.join()
    again = LedgerFile(tmp_path / "trueup.duckdb", threads=1)
    with again.cursor() as cursor:
        # 0 + 1 + ... + (n - 1) = n (n - 1) / 2
        assert cursor.sql("select total from kept").fetchall() == [(20_000_000 * 19_999_999 // 2,)]
    again.close()


def test_closing_stops_a_statement_that_would_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_file, "LAST_STATEMENTS_S", 5.0)
    file = LedgerFile(tmp_path / "trueup.duckdb", threads=1)
    raised: list[Exception] = []
    inside = threading.Event()

    def ask() -> None:
        try:
            with file.cursor() as cursor:
                cursor.execute(_telling(cursor, inside))
        except duckdb.Error as error:
            raised.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    inside.wait()
    file.close()
    asking.join()
    assert isinstance(raised[0], duckdb.InterruptException)


def test_a_closed_file_refuses_new_cursors(tmp_path: Path) -> None:
    file = LedgerFile(tmp_path / "trueup.duckdb", threads=1)
    file.close()
    with pytest.raises(duckdb.ConnectionException), file.cursor():
        pass


def test_the_log_may_grow_to_what_is_read_back_in_half_a_second(tmp_path: Path) -> None:
    file = LedgerFile(tmp_path / "trueup.duckdb", threads=1)
    with file.cursor() as cursor:
        set_to = cursor.execute("select current_setting('checkpoint_threshold')").fetchall()
    file.close()
    assert (CHECKPOINT_AT, set_to) == ("128MiB", [("128.0 MiB",)])


def _telling(cursor: duckdb.DuckDBPyConnection, inside: threading.Event) -> str:
    """A statement for `cursor` that does not end by itself, and sets `inside` when it has begun."""

    def entered(number: int) -> int:
        inside.set()
        return number

    cursor.create_function("entered", entered, [duckdb.sqltypes.BIGINT], duckdb.sqltypes.BIGINT)
    return "select sum(entered(a.range) * b.range) from range(10_000_000) a, range(10_000_000) b"


def _running(cursor: duckdb.DuckDBPyConnection) -> threading.Thread:
    """A thread inside a statement of `cursor` that ends only when it is interrupted."""
    inside = threading.Event()
    statement = _telling(cursor, inside)

    def ask() -> None:
        with pytest.raises(duckdb.InterruptException):
            cursor.execute(statement)

    thread = threading.Thread(target=ask)
    thread.start()
    inside.wait()
    return thread

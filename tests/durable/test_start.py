"""A ledger that cannot be opened: the start says what is wrong and what to do, without a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.cli import main
from core.ledger.store import Store, Unusable
from tests.durable.disks import remount, small_disk
from tests.ledger.test_store import a_trace, spans_batch
from tests.web.test_process import ROOT, START_S, command_line, free_port


def serve(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "core", "serve", "--data", str(folder)], cwd=ROOT, check=False, capture_output=True,
        text=True, env=os.environ | {"TRUEUP_PORT": str(free_port())}, timeout=START_S,
    )  # fmt: skip


def test_a_read_only_folder_is_named_with_what_to_do(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 32) as disk:
        Store.open(disk / "trueup.duckdb").close()
        remount(disk, "ro")
        done = serve(disk)
        assert done.returncode == 1
        assert f"Trueup cannot start: The folder of the ledger, {disk}, cannot be written" in done.stderr
        assert "set data_dir to another folder" in done.stderr
        assert "Traceback" not in done.stderr
        asked = command_line("attempts", "--data", str(disk))
        assert (asked.returncode, "read-only" in asked.stderr, "Traceback" in asked.stderr) == (
            1,
            True,
            False,
        )
        new = command_line("ingest", str(ROOT / "README.md"), "--data", str(disk / "new"))
        assert (new.returncode, "cannot be made" in new.stderr, "Traceback" in new.stderr) == (1, True, False)
        remount(disk, "rw")


@pytest.mark.skipif(
    os.geteuid() == 0, reason="root may write to every file; test_a_read_only_folder covers the text"
)
def test_a_read_only_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "trueup.duckdb"
    Store.open(path).close()
    path.chmod(0o444)
    with pytest.raises(Unusable, match="The file of the ledger"):
        Store.open(path)


def test_a_file_that_is_no_ledger_and_a_folder_that_is_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "trueup.duckdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(Unusable, match=r"cannot be opened.*restore BACKUP --replace"):
        Store.open(tmp_path / "trueup.duckdb")
    (tmp_path / "file").write_text("")
    assert main(["attempts", "--data", str(tmp_path)]) == 1
    assert main(["ingest", str(tmp_path / "file"), "--data", str(tmp_path / "file")]) == 1
    assert "cannot be made" in capsys.readouterr().err


def test_a_damaged_log_is_not_thrown_away(tmp_path: Path) -> None:
    """A log cut off in the middle of a transaction is the usual crash: what was acknowledged before it is read."""
    path = tmp_path / "trueup.duckdb"
    store = Store.open(path)
    store.submit(spans_batch(a_trace("1" * 32, 1), "1"))
    whole = path.with_name("trueup.duckdb.wal").read_bytes()
    store.submit(spans_batch(a_trace("2" * 32, 1), "2"))
    longer = path.with_name("trueup.duckdb.wal").read_bytes()
    base = path.read_bytes()
    store.close()
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "trueup.duckdb").write_bytes(base)
    (torn / "trueup.duckdb.wal").write_bytes(longer[: len(whole) + (len(longer) - len(whole)) // 2])
    opened = Store.open(torn / "trueup.duckdb")
    assert opened.ask("select count(*) from spans").item() == 3
    assert opened.latest_import() == 1
    opened.close()

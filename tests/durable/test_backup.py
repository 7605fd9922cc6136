"""Backups while senders send: what was acknowledged before is in them, once; a restored ledger says the same."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import shutil
import threading
from pathlib import Path

import pytest

from core import backups, links, shared_links
from core.audit import Scope
from core.audits import retry_ledger
from core.backups import BadBackup
from core.cli import main
from core.ledger.store import Store
from core.settings import Settings
from core.state import State, open_state
from tests import otlp_bodies
from tests.ledger.test_store import a_trace, spans_batch
from tests.web.over_http import over_http, wait_for
from tests.web.test_process import command_line, fetch

PROTOBUF = {"Content_Type": "application/x-protobuf"}
FILE = {"Content_Type": "application/octet-stream"}
BREAKS = "region,start,end,kind,effect,note\n"


def numbers(store: Store, as_of: int) -> object:
    """What the page behind a share link shows: finding and evidence of one audit at a pinned version."""
    scope = Scope(dt.date(2026, 1, 1), dt.date(2027, 1, 1), as_of=as_of)
    link = links.share_link("http://host/retry_ledger", scope, "retry_ledger")
    found = retry_ledger.judge(retry_ledger.measure(retry_ledger.load(store.ask, scope), scope))
    return link, found, retry_ledger.evidence(store.ask, scope).rows()


def test_a_backup_under_ingest_holds_everything_acknowledged_before_it_once(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    stop = threading.Event()

    def send(address: str) -> None:
        for number in range(1, 100_000):
            if stop.is_set():
                return
            body = otlp_bodies.protobuf(range(number, number + 1))
            assert fetch(f"{address}/v1/traces", body, **PROTOBUF)[0] == 200
            acknowledged.append(number)

    with over_http(tmp_path / "ledger") as process:
        open_state(process.settings).save_calendar(BREAKS, base=0)
        sender = threading.Thread(target=send, args=(process.address(),))
        sender.start()
        wait_for(lambda: len(acknowledged) >= 20)
        before = list(acknowledged)
        status, answer = fetch(f"{process.address()}/api/backup", b"", **FILE)
        stop.set()
        sender.join()
        assert status == 200, answer
    made = json.loads(answer)
    folder = Path(made["folder"])
    assert folder.parent == tmp_path / "ledger" / "backups"
    assert backups.check(folder)["newest_import"] == made["newest_import"] >= len(before)

    restored = Settings(data_dir=tmp_path / "restored")
    assert main(["restore", str(folder), "--data", str(restored.data_dir)]) == 0
    store = Store.open(restored.store_path)
    kept = store.ask("select span_id, count(*) as n from spans group by span_id")
    assert set(kept["n"]) == {1}
    assert {otlp_bodies.ids(number)[1] for number in before} <= set(kept["span_id"])
    assert kept.height <= len(acknowledged) + 1
    assert open_state(restored).newest_calendar().text == BREAKS
    store.close()


def test_a_restored_ledger_shows_a_link_the_same_numbers_and_goes_on(tmp_path: Path) -> None:
    settings, other = Settings(data_dir=tmp_path / "one"), Settings(data_dir=tmp_path / "two")
    store = Store.open(settings.store_path)
    for number in range(6):
        store.submit(spans_batch(a_trace(f"{number:032x}", 1 + number % 3), str(number)))
    pinned = store.derive()
    state = open_state(settings)
    token = shared_links.make_link(state, 1, b"<p>the page</p>", days=90)
    opened = shared_links.open_link(state, token)
    state.close()
    shown = numbers(store, pinned)
    backups.back_up(store.copy_to, settings, tmp_path / "backup")
    store.submit(spans_batch(a_trace("f" * 32, 3), "after the backup"))
    store.close()

    backups.restore(tmp_path / "backup", other, replace=False)
    again = Store.open(other.store_path)
    assert (again.latest_import(), again.derive()) == (pinned, pinned)
    assert numbers(again, pinned) == shown
    assert shared_links.open_link(open_state(other), token) == opened
    assert again.submit(spans_batch(a_trace("0" * 32, 1), "0")).already_known
    assert again.submit(spans_batch(a_trace("e" * 32, 1), "new")).import_id == pinned + 1
    again.close()


def test_nothing_is_overwritten_and_a_cut_off_backup_is_no_backup(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "ledger")
    store = Store.open(settings.store_path)
    store.submit(spans_batch(a_trace("1" * 32, 1), "1"))
    folder = tmp_path / "backup"
    (tmp_path / "backup.part").mkdir()
    (tmp_path / "backup.part" / "trueup.duckdb").write_bytes(b"left by a crash")
    backups.back_up(store.copy_to, settings, folder)
    with pytest.raises(BadBackup, match="exists already"):
        backups.back_up(store.copy_to, settings, folder)
    store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "ledger"]

    (tmp_path / "half").mkdir()
    shutil.copy(folder / "trueup.duckdb", tmp_path / "half")
    with pytest.raises(BadBackup, match="no whole backup"):
        backups.check(tmp_path / "half")
    assert main(["backup", str(folder), "--data", str(settings.data_dir)]) == 1
    assert main(["backup", str(tmp_path / "b"), "--data", str(tmp_path / "nothing")]) == 1


def test_restore_refuses_what_is_not_as_the_manifest_says(tmp_path: Path) -> None:
    settings, other = Settings(data_dir=tmp_path / "ledger"), Settings(data_dir=tmp_path / "other")
    store = Store.open(settings.store_path)
    store.submit(spans_batch(a_trace("1" * 32, 1), "1"))
    folder = tmp_path / "backup"
    backups.back_up(store.copy_to, settings, folder)
    store.close()
    whole = (folder / "trueup.duckdb").read_bytes()
    middle = len(whole) // 2
    (folder / "trueup.duckdb").write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    with pytest.raises(BadBackup, match="SHA-256 differ"):
        backups.restore(folder, other, replace=False)
    (folder / "trueup.duckdb").write_bytes(whole)
    manifest = json.loads((folder / "manifest.json").read_text())
    for change, said in (
        ({"rows": manifest["rows"] | {"spans": 4}}, "does not hold the rows"),
        ({"schema_version": 1000}, "newer Trueup"),
        ({"files": manifest["files"] | {"../../evil": {}}}, "names files"),
        ({"files": {}}, "not the manifest"),
    ):
        (folder / "manifest.json").write_text(json.dumps(manifest | change))
        with pytest.raises(BadBackup, match=said):
            backups.restore(folder, other, replace=False)
    assert not other.data_dir.exists()


def test_restore_moves_what_is_there_aside_only_when_told_and_never_under_an_open_ledger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data_dir=tmp_path / "ledger")
    store = Store.open(settings.store_path)
    store.submit(spans_batch(a_trace("1" * 32, 1), "1"))
    State(path=settings.data_dir / "state.sqlite").save_calendar(BREAKS, base=0)
    backups.back_up(store.copy_to, settings, tmp_path / "backup")
    store.submit(spans_batch(a_trace("2" * 32, 1), "2"))
    store.close()
    there = ["--data", str(settings.data_dir)]
    with over_http(settings.data_dir) as process:
        del process  # this process has the file open, and DuckDB shares an open file inside one process
        made = command_line("backup", str(tmp_path / "through-the-app"), *there)
        assert (made.returncode, "read back and checked" in made.stdout) == (0, True), made.stderr
        assert not list((settings.data_dir / "backups").iterdir()), "moved, not copied"
        assert backups.check(tmp_path / "through-the-app")["newest_import"] == 2
        again = command_line("backup", str(tmp_path / "through-the-app"), *there)
        assert (again.returncode, "exists already" in again.stderr) == (1, True)
        done = command_line("restore", str(tmp_path / "backup"), "--replace", *there)
        assert (done.returncode, "is owned by process" in done.stderr) == (1, True), done.stderr
    assert main(["restore", str(tmp_path / "backup"), *there]) == 1
    assert "nothing was changed" in capsys.readouterr().err
    assert main(["restore", str(tmp_path / "backup"), "--replace", *there]) == 0
    assert "before-restore-1" in capsys.readouterr().out
    for place, imports in ((settings.data_dir, 1), (settings.data_dir / "before-restore-1", 2)):
        opened = Store.open(place / "trueup.duckdb")
        assert opened.latest_import() == imports
        opened.close()
    assert (settings.data_dir / "before-restore-1" / "state.sqlite").exists()


def test_what_is_kept_in_a_server_is_named_as_missing(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "ledger")
    store = Store.open(settings.store_path)
    for url, said, files in (
        ("postgresql+psycopg://u:secret@127.0.0.1:1/x", "pg_dump", {"trueup.duckdb"}),
        (f"sqlite:///{tmp_path / 'elsewhere.sqlite'}", "in state.sqlite", {"trueup.duckdb", "state.sqlite"}),
    ):
        kept = dataclasses.replace(settings, state_url=url)
        if "sqlite" in url:
            open_state(kept).save_calendar(BREAKS, base=0)
        manifest = backups.back_up(store.copy_to, kept, tmp_path / url[:6])
        assert (said in manifest["state"], set(manifest["files"])) == (True, files)
        assert "secret" not in json.dumps(manifest)
    store.close()


def test_a_disk_without_room_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path / "ledger")
    store = Store.open(settings.store_path)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1024))
    with pytest.raises(BadBackup, match="MiB free"):
        backups.back_up(store.copy_to, settings, tmp_path / "backup")
    assert not list(tmp_path.glob("backup*"))
    store.close()

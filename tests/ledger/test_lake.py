"""The exported lake: what lies where, that it is whole or not there, and that other engines can read it."""

from __future__ import annotations

import datetime as dt
import json
import threading
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from core.cli import main
from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_traces
from core.ledger import lake
from core.ledger.lake import LakeProblem
from core.ledger.store import Store
from tests import otlp_bodies
from tests.audits.retry_world import charge, send, worked_scenario
from tests.web.over_http import over_http, wait_for
from tests.web.test_process import command_line
from tests.web.test_server import FILE, HASHED, TOKEN, serving


@pytest.fixture
def filled(store: Store) -> Store:
    send(store, **worked_scenario(), cost_lines=[charge("k", "0.05", requests=5)])
    store.derive()
    return store


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_tables_with_a_day_are_folders_by_day_and_hold_no_day(filled: Store, tmp_path: Path) -> None:
    """Seven attempt lines of one day: one folder, its day in the name only, every other column inside."""
    written = filled.export_lake(tmp_path / "lake")
    (attempts,) = (tmp_path / "lake" / written.folder / "attempts").iterdir()
    assert attempts.name == "day=2026-03-02"
    (file,) = attempts.iterdir()
    names = pq.read_schema(file).names
    expected = filled.ask("select * from attempts")
    assert names == [name for name in expected.columns if name != "day"]
    assert pq.ParquetFile(file).metadata.row_group(0).column(0).compression == "ZSTD"
    found = pl.scan_parquet(
        tmp_path / "lake" / written.folder / "attempts", hive_schema={"day": pl.Date}
    ).collect()
    assert found.select(expected.columns).sort(expected.columns).equals(
        expected.sort(expected.columns), null_equal=True
    )  # fmt: skip


def test_the_manifest_counts_what_is_there(filled: Store, tmp_path: Path) -> None:
    written = filled.export_lake(tmp_path / "lake")
    told = lake.parsed((tmp_path / "lake" / written.folder / lake.MANIFEST).read_text())
    assert told == written
    assert (written.version, written.folder) == (1, "v1.1.0")
    for table in written.tables:
        count = filled.ask(f"select count(*) as n from {table.name}").item()
        inside = [*(tmp_path / "lake" / written.folder / table.name).rglob("*.parquet")]
        assert (table.rows, table.bytes) == (count, sum(file.stat().st_size for file in inside)), table.name
    assert {table.name for table in written.tables}.isdisjoint(lake.IN_LEDGER_ONLY)
    assert json.loads((tmp_path / "lake" / lake.POINTER).read_text()) == {"folder": "v1.1.0"}


def test_json_is_text(store: Store, tmp_path: Path) -> None:
    event = {
        "event_id": "e",
        "at_ns": 0,
        "day": dt.date(1970, 1, 1),
        "kind": "limit",
        "title": "t",
        "attributes": '{"tpm": 1}',
    }
    send(store, change_events=[event])
    written = store.export_lake(tmp_path / "lake")
    (file,) = (tmp_path / "lake" / written.folder / "change_events").rglob("*.parquet")
    assert pl.read_parquet(file)["attributes"].to_list() == ['{"tpm": 1}']
    (column,) = [field for field in pq.ParquetFile(file).schema_arrow if field.name == "attributes"]
    assert str(column.type) in ("string", "large_string")


def test_the_same_version_is_written_once_and_a_newer_one_beside_it(filled: Store, tmp_path: Path) -> None:
    """The version before stays for questions under way; the one before that goes."""
    folder = tmp_path / "lake"
    first = filled.export_lake(folder)
    assert not filled.export_lake(folder).fresh
    for number in (2, 3):
        send(filled, cost_lines=[charge(f"k{number}", "0.05")])
        filled.derive()
        assert filled.export_lake(folder).version == number
    kept = sorted(path.name for path in folder.iterdir())
    assert kept == ["newest.json", "v2.2.0", "v3.3.0"]
    assert first.folder not in kept


def test_what_does_not_belong_to_a_lake_is_left_alone(filled: Store, tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    (folder / "videos").mkdir(parents=True)
    (folder / "videos" / "lake.json").write_text("mine")
    (folder / ".very-own").mkdir()
    filled.export_lake(folder)
    send(filled, cost_lines=[charge("k2", "0.05")])
    filled.derive()
    filled.export_lake(folder)
    assert (folder / "videos" / "lake.json").read_text() == "mine"
    assert (folder / ".very-own").is_dir()


def test_an_interrupted_export_is_gone_on_with(filled: Store, tmp_path: Path) -> None:
    """Stopped after the third table: nothing points anywhere, and the next call writes the other tables only."""
    folder = tmp_path / "lake"
    seen: list[str] = []

    def stop(table: lake.LakeTable) -> None:
        seen.append(table.name)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        filled.export_lake(folder, stop)
    assert not (folder / lake.POINTER).exists()
    (draft,) = folder.iterdir()
    half = draft / "calls"
    assert not (draft / "calls.json").exists() or half.exists()
    marks = {path: path.stat().st_mtime_ns for path in draft.rglob("*.parquet")}
    written = filled.export_lake(folder)
    whole = folder / written.folder
    assert {path: (whole / path.relative_to(draft)).stat().st_mtime_ns for path in marks} == marks
    assert not [name for name in files(whole) if name.endswith(".json") and name != lake.MANIFEST]
    assert written == filled.export_lake(folder)._replace(fresh=True)


def test_a_draft_of_another_version_is_cleared(filled: Store, tmp_path: Path) -> None:
    folder = tmp_path / "lake"

    def stop(table: lake.LakeTable) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        filled.export_lake(folder, stop)
    send(filled, cost_lines=[charge("k2", "0.05")])
    filled.derive()
    filled.export_lake(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["newest.json", "v2.2.0"]


def test_every_table_is_of_one_moment_while_writing_goes_on(filled: Store, tmp_path: Path) -> None:
    """Rows committed after the export began are in no table of it."""
    began, go_on = threading.Event(), threading.Event()

    def wait(table: lake.LakeTable) -> None:
        if table.name == "attempts":
            began.set()
            assert go_on.wait(timeout=240)

    made: list[lake.Lake] = []
    thread = threading.Thread(target=lambda: made.append(filled.export_lake(tmp_path / "lake", wait)))
    thread.start()
    assert began.wait(timeout=240)
    send(filled, cost_lines=[charge("later", "0.05")])
    go_on.set()
    thread.join(timeout=240)
    (written,) = made
    assert {table.name: table.rows for table in written.tables}["cost_lines"] == 1
    assert filled.ask("select count(*) as n from cost_lines").item() == 2


def test_where_nothing_can_be_written_it_says_so(filled: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LakeProblem, match="cannot be written to"):
        filled.export_lake(tmp_path / "file" / "lake")
    assert filled.export_lake(tmp_path / "lake").fresh  # and the ledger goes on


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"folder": 1', '{"tables": 3}', '{"folder": "../../etc"}'])
def test_what_is_no_manifest_or_pointer_is_refused(text: str) -> None:
    for read in (lake.parsed, lake.pointed):
        with pytest.raises(LakeProblem, match="is not what export-lake writes"):
            read(text)


def test_a_name_that_is_no_name_is_refused(filled: Store, tmp_path: Path) -> None:
    """Names of tables and columns go into another engine's SQL."""
    written = filled.export_lake(tmp_path / "lake")
    told = (tmp_path / "lake" / written.folder / lake.MANIFEST).read_text()
    with pytest.raises(LakeProblem, match="a name of a table or column"):
        lake.parsed(told.replace('"trace_id"', '"x` int) --"'))


def test_the_command_says_rows_and_bytes(
    filled: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled.close()
    arguments = ["export-lake", str(tmp_path / "lake"), "--data", str(tmp_path)]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    (attempts,) = [line for line in lines if line.startswith("attempts ")]
    assert attempts.split()[1:3] == ["7", "rows"]
    assert lines[-1].startswith("Data version 1: ")
    assert main(["export-lake", "--data", str(tmp_path)]) == 1
    assert "Say where" in capsys.readouterr().err
    assert main(arguments) == 0
    assert "is there already" in capsys.readouterr().out


def test_the_command_without_a_ledger_or_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export-lake", str(tmp_path / "lake"), "--data", str(tmp_path)]) == 1
    assert "no ledger" in capsys.readouterr().err
    assert not (tmp_path / "lake").exists()
    assert main(["export-lake", "s3a://bucket/lake", "--data", str(tmp_path)]) == 1
    assert "a folder of this machine" in capsys.readouterr().err


def test_the_running_app_writes_to_its_own_lake_only(tmp_path: Path) -> None:
    """Whoever may send data must not choose where the process writes."""
    own = tmp_path / "lake"
    with serving(tmp_path, lake=str(own), ingest_tokens=HASHED) as (client, _):
        bearer = FILE | {"authorization": f"Bearer {TOKEN}"}
        assert client.post("/api/export-lake", headers=FILE).status_code == 401
        line = otlp_bodies.json_body(range(1, 4)) + b"\n"
        assert client.post("/api/ingest?name=spans.jsonl", content=line, headers=bearer).status_code == 200
        elsewhere = client.post("/api/export-lake", params={"path": str(tmp_path / "etc")}, headers=bearer)
        assert (elsewhere.status_code, (tmp_path / "etc").exists()) == (422, False)
        assert "its own lake only" in elsewhere.json()["error"]
        answer = client.post("/api/export-lake", params={"path": str(own)}, headers=bearer)
        assert answer.status_code == 200
        assert {one["name"]: one["rows"] for one in answer.json()["tables"]}["spans"] == 3
        assert (own / answer.json()["folder"] / "spans").is_dir()


def test_a_running_app_without_a_lake_says_what_to_do(tmp_path: Path) -> None:
    with serving(tmp_path) as (client, _):
        refused = client.post("/api/export-lake", headers=FILE)
    assert refused.status_code == 422
    assert "TRUEUP_LAKE=FOLDER" in refused.json()["error"]


def test_the_command_asks_the_app_that_owns_the_ledger(tmp_path: Path) -> None:
    """It writes the same folder as the command alone would, and says the same of it."""
    own, line = tmp_path / "lake", otlp_bodies.json_body(range(1, 4)) + b"\n"
    with over_http(tmp_path / "ledger", lake=str(own)) as process:
        process.ledger().submit(decode_traces(line, "application/json", ReadOptions()))
        wait_for(lambda: process.ledger().version() == 1)
        arguments = ("export-lake", "--data", str(tmp_path / "ledger"))
        by_app = command_line(*arguments)
        assert by_app.returncode == 0, by_app.stderr
        elsewhere = command_line("export-lake", str(tmp_path / "other"), *arguments[1:])
        assert (elsewhere.returncode, "its own lake only" in elsewhere.stderr) == (1, True)
    assert "Data version 1: " in by_app.stdout
    assert by_app.stdout.splitlines()[-1].endswith(str(own / "v1.1.0"))
    alone = command_line("export-lake", str(tmp_path / "other"), *arguments[1:])
    assert alone.stdout.splitlines()[:-1] == by_app.stdout.splitlines()[:-1]

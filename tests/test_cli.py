"""The command line on a ledger file: what it prints where, and its exit status."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from core.answers import ATTEMPT_COLUMNS, BRIDGE_COLUMNS, FINDING_COLUMNS
from core.audits import every_audit
from core.cli import main
from core.cli.progress import bar
from core.ingest.own_tables.templates import TEMPLATES
from core.ledger.migrations import NEWEST
from core.ledger.store import Store
from tests import otlp_bodies

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """A folder with one file of seven spans in two lines."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    lines = [otlp_bodies.json_body(range(1, 5)), otlp_bodies.json_body(range(5, 8))]
    (folder / "spans.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return folder


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    return str(tmp_path / "ledger")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_ingest_says_what_became_of_each_file_and_a_second_run_changes_nothing(
    inbox: Path, ledger: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ingest", str(inbox), "--data", ledger]) == 0
    first = capsys.readouterr()
    assert first.out.splitlines() == ["spans.jsonl: 7 rows read: 7 new.", "7 rows accepted from 1 files"]
    assert "Reading" in first.err
    assert main(["ingest", str(inbox / "spans.jsonl"), "--data", ledger]) == 0
    second = capsys.readouterr().out
    assert "nothing new" in second
    assert len(attempts(ledger, capsys)) == 7


def attempts(ledger: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    capsys.readouterr()
    assert main(["attempts", "--format", "csv", "--data", ledger]) == 0
    return rows(capsys.readouterr().out)


def test_an_unreadable_file_stops_only_itself(
    inbox: Path, ledger: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (inbox / "noise.jsonl.gz").write_bytes(b"\x1f\x8b\x08\x00 cut off")
    assert main(["ingest", str(inbox), "--data", ledger]) == 1
    out = capsys.readouterr().out
    assert "noise.jsonl.gz: " in out
    assert "7 rows accepted from 1 files, 1 files not read to the end" in out


def test_what_came_before_a_bad_part_is_kept_and_said(
    inbox: Path, ledger: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file ends in the middle of its third line: that line is refused, the two before it are in."""
    whole = (inbox / "spans.jsonl").read_bytes()
    (inbox / "cut.jsonl").write_bytes(whole + b'{"resourceSpans": [{"scope')
    assert main(["ingest", str(inbox / "cut.jsonl"), "--data", ledger]) == 0
    assert "1 refused" in capsys.readouterr().out
    assert len(attempts(ledger, capsys)) == 7


def test_a_missing_path_is_a_problem_not_a_crash(ledger: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ingest", "/nowhere/at/all", "--data", ledger]) == 1
    assert "/nowhere/at/all" in capsys.readouterr().out


def test_attempts_are_one_row_a_call_and_empty_where_unknown(
    inbox: Path, ledger: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["ingest", str(inbox), "--data", ledger])
    found = attempts(ledger, capsys)
    assert tuple(found[0]) == ATTEMPT_COLUMNS
    assert [row["span_id"] for row in found] == [otlp_bodies.ids(number)[1] for number in range(1, 8)]
    # A GenAI span alone does not say how often the SDK sent the request.
    assert {(row["attempts"], row["failed_attempts"], row["grade"]) for row in found} == {
        ("", "", "unobservable")
    }


def test_check_is_one_finding_an_audit(inbox: Path, ledger: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["ingest", str(inbox), "--data", ledger])
    capsys.readouterr()
    assert main(["check", "--format", "json", "--data", ledger]) == 0
    findings = json.loads(capsys.readouterr().out)
    assert all(tuple(finding) == FINDING_COLUMNS for finding in findings)
    names = [audit.__name__.rpartition(".")[2].replace("_", "-") for audit in every_audit()]
    assert [finding["audit"] for finding in findings] == names
    with closing(Store.open(Path(ledger) / "trueup.duckdb")) as store:
        assert findings[0]["as_of"] == store.version()
    for name in ("retry-ledger", "retry_ledger"):
        assert main(["check", "--audit", name, "--format", "text", "--data", ledger]) == 0
        assert capsys.readouterr().out.startswith("retry-ledger: ")
    assert main(["check", "--audit", "nothing", "--data", ledger]) == 1
    assert "Known audits: " in capsys.readouterr().err


def test_bridges_add_up_in_what_is_printed(
    inbox: Path, ledger: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["ingest", str(inbox), "--data", ledger])
    capsys.readouterr()
    assert main(["bridge", "--format", "csv", "--data", ledger]) == 0
    found = rows(capsys.readouterr().out)
    assert tuple(found[0]) == BRIDGE_COLUMNS
    counts = {row["bucket"]: int(row["count"]) for row in found if row["bridge"] == "count"}
    assert counts.pop("attempts") == sum(counts.values()) == 7


def test_questions_of_an_empty_ledger_have_answers(ledger: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert attempts(ledger, capsys) == []
    assert main(["check", "--format", "json", "--data", ledger]) == 0
    assert json.loads(capsys.readouterr().out)[0]["status"] == "cannot tell"
    assert main(["bridge", "--data", ledger]) == 0
    answer = capsys.readouterr()
    assert answer.out.startswith("bridge,bucket,count,usd\n")
    assert f"No ledger in {ledger}" in answer.err
    assert not Path(ledger).exists()


def test_the_module_runs_and_its_stdout_is_only_the_answer(inbox: Path, ledger: str) -> None:
    command = [sys.executable, "-m", "core"]
    subprocess.run(
        [*command, "ingest", str(inbox), "--data", ledger], cwd=ROOT, check=True, capture_output=True
    )
    done = subprocess.run(
        [*command, "attempts", "--format", "json", "--data", ledger],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert len(json.loads(done.stdout)) == 7


def test_a_locked_ledger_names_the_process(store: Store, tmp_path: Path) -> None:
    """No app note lies beside it, so the command can only say who holds the file."""
    done = subprocess.run(
        [sys.executable, "-m", "core", "attempts", "--data", str(tmp_path)],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "locked" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_printed_and_can_be_read_in(
    name: str, tmp_path: Path, ledger: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["template", name]) == 0
    (tmp_path / "mine.csv").write_text(capsys.readouterr().out)
    assert main(["ingest", str(tmp_path / "mine.csv"), "--data", ledger]) == 0
    assert "refused" not in capsys.readouterr().out


def test_a_bad_setting_is_one_line(
    monkeypatch: pytest.MonkeyPatch, ledger: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRUEUP_PORT", "http")
    assert main(["attempts", "--data", ledger]) == 1
    assert "TRUEUP_PORT" in capsys.readouterr().err


def test_prices_that_cannot_be_used_are_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ledger: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prices.toml").write_text('[[model]]\nprovider = "openai"\nmodel = "gpt-4o"\n')
    monkeypatch.setenv("TRUEUP_PRICE_OVERRIDES", str(tmp_path / "prices.toml"))
    assert main(["attempts", "--data", ledger]) == 1
    assert (
        capsys.readouterr().err.splitlines()[-1].startswith("prices.toml [[model]] 1: input is None; write")
    )


def test_a_ledger_of_a_later_trueup_is_one_line(ledger: str, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(Store.open(Path(ledger) / "trueup.duckdb")) as store:
        store._file.connection.execute(f"insert into schema_version values ({NEWEST + 1}, now()::timestamp)")
    assert main(["attempts", "--data", ledger]) == 1
    assert capsys.readouterr().err.startswith(f"the ledger has schema version {NEWEST + 1}")


def test_a_small_demo_loads_once(ledger: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--size", "2000", "--quiet", "--data", ledger]) == 0
    assert "rows accepted" in capsys.readouterr().out
    assert main(["demo", "--size", "2000", "--data", ledger]) == 1
    assert "already holds data" in capsys.readouterr().err
    assert main(["demo", "--if-empty", "--data", ledger]) == 0
    with closing(Store.open(Path(ledger) / "trueup.duckdb")) as store:
        assert store.ask("select distinct demo from imports").to_series().to_list() == [True]
        assert store.version() == store.latest_import()


@pytest.mark.parametrize("size", ["0", "-5", "many"])
def test_a_demo_size_is_a_number_of_spans(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demo", f"--size={size}"])
    assert "not small, medium or a number of spans" in capsys.readouterr().err


def test_progress_off_a_terminal_is_a_line_every_tenth() -> None:
    out = io.StringIO()
    step = bar("Reading", 40, out)
    for done in range(41):
        step(done, "")
    assert [line.split()[1] for line in out.getvalue().splitlines()] == [
        f"{share}%" for share in range(0, 101, 10)
    ]


def test_a_folder_may_hold_files_of_no_format_but_a_named_file_must_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "notes.txt").write_text("nothing we know")
    assert main(["ingest", str(folder), "--data", str(tmp_path / "ledger")]) == 0
    assert "notes.txt: skipped, no known format recognises the content." in "".join(capsys.readouterr())
    assert main(["ingest", str(folder / "notes.txt"), "--data", str(tmp_path / "ledger")]) == 1


def test_a_demo_is_emptied_and_real_rows_never_are(
    inbox: Path, ledger: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["empty-demo", "--data", ledger]) == 1
    assert "There is no ledger" in capsys.readouterr().err
    assert main(["demo", "--size", "2000", "--data", ledger]) == 0
    capsys.readouterr()
    assert main(["empty-demo", "--data", ledger]) == 0
    assert "rows of demo data were deleted; from data version" in capsys.readouterr().out
    assert main(["ingest", str(inbox), "--data", ledger]) == 0
    capsys.readouterr()
    assert main(["empty-demo", "--data", ledger]) == 1
    assert "no demo data, so nothing was deleted" in capsys.readouterr().err
    assert len(attempts(ledger, capsys)) == 7

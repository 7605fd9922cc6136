"""What a check comes to: exit status, table and JUnit XML, read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from core.answers import FINDING_COLUMNS
from core.check_report import check_result, junit_xml, table_text
from core.cli import main
from core.findings import NEVER


def row(status: str, audit: str = "retry-ledger", **more: Any) -> dict[str, Any]:
    values = {
        "audit": audit, "status": status, "reported": "1,000 calls", "supported": "1,250 attempts", "gap": 0.25,
        "low": 0.2, "high": 0.3, "n": 1000, "missing": "", "bounds": "95%", "as_of": 3, "unit": "share",
        "sentence": "Attempts are 25% more.",
    }  # fmt: skip
    return dict.fromkeys(FINDING_COLUMNS) | values | more


UNKNOWN = {"gap": None, "low": None, "high": None, "missing": "attempts: no traced call in scope"}
FAILED = row("cannot tell", "broken-one", **UNKNOWN | {"missing": f"{NEVER}: ZeroDivisionError"})
ROWS = [row("holds", "a"), row("watch", "b"), row("broken", "c"), row("cannot tell", "d", **UNKNOWN)]


@pytest.mark.parametrize(
    ("conditions", "statuses", "expected"),
    [
        ([], ["holds", "watch", "broken", "cannot tell"], 0),
        (["broken"], ["holds", "watch", "cannot tell"], 0),
        (["broken"], ["holds", "broken"], 2),
        (["watch"], ["holds", "watch"], 2),
        (["watch"], ["broken"], 2),
        (["watch"], ["holds", "cannot tell"], 0),
        (["cannot tell"], ["broken", "watch"], 0),
        (["cannot tell"], ["cannot tell"], 2),
        (["broken", "cannot tell"], ["cannot tell"], 2),
    ],
)
def test_the_exit_status(conditions: list[str], statuses: list[str], expected: int) -> None:
    assert check_result([row(status) for status in statuses], conditions).exit_status() == expected


def test_an_audit_that_failed_was_not_asked() -> None:
    assert check_result([row("holds"), FAILED], []).exit_status() == 1
    assert check_result([row("broken"), FAILED], ["broken"]).exit_status() == 2


def test_the_table_is_aligned_and_tells_what_is_missing() -> None:
    lines = table_text(ROWS).splitlines()
    assert lines[0].split() == ["STATUS", "AUDIT", "REPORTED", "SUPPORTED", "GAP", "INTERVAL", "N"]
    assert len({line.index("1,250 attempts") for line in lines[1:5]}) == 1
    assert "95% [20.0%, 30.0%]" in lines[1]
    assert lines[5:] == [
        "b: Attempts are 25% more.",
        "c: Attempts are 25% more.",
        "d: missing: attempts: no traced call in scope",
    ]


def test_no_text_reaches_the_terminal_as_a_command() -> None:
    hostile = "\x1b]0;owned\x07\nFAKE  all holds\u202e"
    text = table_text([row("broken", sentence=hostile, reported=hostile, missing=hostile, bounds=hostile)])
    assert len(text.splitlines()) == 4
    assert not [character for character in text if not character.isprintable() and character != "\n"]


def cases(text: str) -> dict[str, str]:
    """Test case by name: its first element, `system-out` for one that passed."""
    root = ElementTree.fromstring(text)
    return {str(case.get("name")): case[0].tag for case in root.iter("testcase")}


def test_junit_fails_what_is_broken_and_skips_what_cannot_tell() -> None:
    told = cases(junit_xml([*ROWS, FAILED], []))
    assert told == {
        "a": "system-out", "b": "system-out", "c": "failure", "d": "skipped", "broken-one": "error",
    }  # fmt: skip
    suite = ElementTree.fromstring(junit_xml([*ROWS, FAILED], []))[0]
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5", "failures": "1", "errors": "1", "skipped": "1",
    }  # fmt: skip
    strict = cases(junit_xml(ROWS, ["watch", "cannot tell"]))
    assert strict == {"a": "system-out", "b": "failure", "c": "failure", "d": "failure"}


def test_junit_stays_xml_whatever_the_text() -> None:
    hostile = "]]><error/>\x00\x0b\ufffe\"'&\ud83d"
    root = ElementTree.fromstring(junit_xml([row("broken", sentence=hostile, reported=hostile)], []))
    assert [one.tag for one in root.iter()].count("error") == 0


def test_check_writes_files_and_ends_with_a_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger, junit, out = str(tmp_path / "none"), tmp_path / "junit.xml", tmp_path / "check.json"
    command = [
        "check",
        "--data",
        ledger,
        "--audit",
        "retry-ledger",
        "--junit",
        str(junit),
        "--json",
        str(out),
    ]
    assert main([*command, "--fail-on", "broken"]) == 0  # an empty ledger cannot tell
    assert capsys.readouterr().out.startswith("STATUS")
    assert main([*command, "--fail-on", "cannot tell", "--format", "csv"]) == 2
    assert capsys.readouterr().out.splitlines()[0] == ",".join(FINDING_COLUMNS)
    assert cases(junit.read_text(encoding="utf-8")) == {"retry-ledger": "failure"}
    assert [one["status"] for one in json.loads(out.read_text(encoding="utf-8"))] == ["cannot tell"]
    assert main([*command[:3], "--audit", "retry-ledger", "--format", "junit"]) == 0
    assert cases(capsys.readouterr().out) == {"retry-ledger": "skipped"}


def test_what_could_not_be_asked_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = str(tmp_path / "none")
    assert main(["check", "--data", ledger, "--audit", "nothing", "--fail-on", "broken"]) == 1
    nowhere = str(tmp_path / "no" / "folder" / "junit.xml")
    assert main(["check", "--data", ledger, "--audit", "retry-ledger", "--junit", nowhere]) == 1
    assert "could not be written" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["check", "--fail-on", "nonsense"])
    assert ended.value.code == 1

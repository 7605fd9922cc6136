"""What `python -m core check` comes to: a table for people, JUnit XML for CI, and an exit status for both and cron.

Text from telemetry is hostile here too: a terminal obeys control characters, an XML reader refuses them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple
from xml.etree import ElementTree

from core.amounts import count, interval, number
from core.findings import NEVER

Row = dict[str, Any]
Condition = Literal["broken", "watch", "cannot tell"]
CONDITIONS: tuple[Condition, ...] = ("broken", "watch", "cannot tell")
FINE, NOT_ASKED, MET = 0, 1, 2
"""Exit statuses: no condition met, a question could not be asked, a condition met."""
_COUNTED: dict[str, frozenset[str]] = {
    "broken": frozenset({"broken"}),
    "watch": frozenset({"broken", "watch"}),
    "cannot tell": frozenset({"cannot tell"}),
}
_HEADER = ("STATUS", "AUDIT", "REPORTED", "SUPPORTED", "GAP", "INTERVAL", "N")


class CheckResult(NamedTuple):
    """The findings by what they mean for an exit status."""

    met: tuple[Row, ...]
    failed: tuple[Row, ...]
    """Audits that failed on the rows: they say nothing, so the question was not asked."""

    def exit_status(self) -> int:
        """2 when a condition is met, else 1 when an audit failed, else 0."""
        return MET if self.met else NOT_ASKED if self.failed else FINE


def counted(conditions: Sequence[str]) -> frozenset[str]:
    """The statuses that meet a condition: `watch` takes `broken` in.

    >>> sorted(counted(["watch"])), sorted(counted(["cannot tell", "broken"])), sorted(counted([]))
    (['broken', 'watch'], ['broken', 'cannot tell'], [])
    """
    return frozenset().union(*(_COUNTED[condition] for condition in conditions))


def check_result(rows: Sequence[Row], conditions: Sequence[str]) -> CheckResult:
    """Which findings meet a condition, and which audits failed."""
    statuses = counted(conditions)
    met = tuple(row for row in rows if row["status"] in statuses)
    return CheckResult(met, tuple(row for row in rows if _failed(row)))


def _failed(row: Row) -> bool:
    return bool(row["status"] == "cannot tell" and str(row["missing"]).startswith(NEVER))


def table_text(rows: Sequence[Row]) -> str:
    """One line a finding, columns aligned; below it the sentence of what is broken and what is missing."""
    cells = [
        _HEADER,
        *(
            (
                one_line(row["status"]), one_line(row["audit"]), one_line(row["reported"]), one_line(row["supported"]),
                number(row["gap"], row["unit"]) if row["gap"] is not None else "",
                f"{one_line(row['bounds'])} {interval(row['low'], row['high'], row['unit'])}"
                if row["low"] is not None
                else "",
                count(row["n"]),
            )
            for row in rows
        ),
    ]  # fmt: skip
    widths = [max(len(line[place]) for line in cells) for place in range(len(_HEADER))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    for row in rows:
        if row["status"] in ("broken", "watch"):
            lines.append(f"{row['audit']}: {one_line(row['sentence'])}")
        if row["missing"]:
            lines.append(f"{row['audit']}: missing: {one_line(row['missing'])}")
    return "\n".join(lines)


def one_line(text: object) -> str:
    """A text without line ends and control characters, nothing a terminal would obey.

    >>> one_line("a\\x1b[31mb\\nc\\u202e")
    'a[31mb c'
    """
    return "".join(character for character in " ".join(str(text).split()) if character.isprintable())


def junit_xml(rows: Sequence[Row], conditions: Sequence[str]) -> str:
    """JUnit XML, a test case a finding: a failure where a condition is met, skipped where the audit cannot tell.

    Without conditions `broken` is the failure; an audit that failed on its rows is an error.
    """
    statuses = counted(conditions or ["broken"])
    failures = sum(row["status"] in statuses and not _failed(row) for row in rows)
    errors = sum(_failed(row) for row in rows)
    unknown = sum(row["status"] == "cannot tell" for row in rows)
    skipped = 0 if "cannot tell" in statuses else unknown - errors
    counts = {"tests": len(rows), "failures": failures, "errors": errors, "skipped": skipped}
    suite = ElementTree.Element("testsuite", {"name": "trueup", **{k: str(v) for k, v in counts.items()}})
    for row in rows:
        case = ElementTree.SubElement(
            suite, "testcase", {"classname": "trueup.audits", "name": one_line(row["audit"])}
        )
        _judged(case, row, statuses)
        told = f"{row['status']}. Reported {row['reported']}; supported {row['supported']}; n {row['n']}"
        ElementTree.SubElement(case, "system-out").text = one_line(f"{told}; as of import {row['as_of']}.")
    root = ElementTree.Element("testsuites", {"name": "trueup", **{k: str(v) for k, v in counts.items()}})
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _judged(case: ElementTree.Element, row: Row, statuses: frozenset[str]) -> None:
    if _failed(row):
        ElementTree.SubElement(case, "error", {"message": one_line(row["missing"])})
    elif row["status"] in statuses:
        told = row["missing"] if row["status"] == "cannot tell" else row["sentence"]
        ElementTree.SubElement(case, "failure", {"type": row["status"], "message": one_line(told)})
    elif row["status"] == "cannot tell":
        ElementTree.SubElement(case, "skipped", {"message": one_line(row["missing"])})

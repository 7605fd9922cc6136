"""`python -m core check`: ask the audits of the board's own scope, write what they say, end with a status for CI and cron."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from core.answers import FINDING_COLUMNS, Row, jsonable
from core.check_result import CONDITIONS, NOT_ASKED, check_result, junit_xml, table_text
from core.export.cells import csv_cell
from core.settings import Settings

FORMATS = ("table", "text", "json", "junit", "csv")
Asked = Callable[[str, Settings], list[Row]]


def add_check(commands: Any, shared: argparse.ArgumentParser, ask: Asked) -> None:
    """The command's options."""
    check = commands.add_parser(
        "check",
        parents=[shared],
        help="one finding an audit; exit status 2 when --fail-on is met, 1 when it could not be asked",
    )
    check.add_argument("--audit", default="", metavar="NAME", help="this audit only")
    check.add_argument("--format", choices=FORMATS, default=FORMATS[0])
    check.add_argument(
        "--fail-on", choices=CONDITIONS, action="append", default=[], metavar="STATUS",
        help="broken, watch (broken too) or 'cannot tell'; may be given twice",
    )  # fmt: skip
    check.add_argument("--junit", type=Path, metavar="PATH", help="write JUnit XML there as well")
    check.add_argument("--json", type=Path, metavar="PATH", help="write JSON there as well")
    check.set_defaults(run=lambda options, settings: run_check(options, settings, ask))


def run_check(options: argparse.Namespace, settings: Settings, ask: Asked) -> int:
    """Print and write the findings; 0 fine, 2 a condition is met, 1 a question could not be asked or a file not written."""
    rows = ask(options.audit, settings)
    junit = junit_xml(rows, options.fail_on)
    for path, text in ((options.junit, junit), (options.json, json_text(rows))):
        if path is not None:
            try:
                path.write_text(text, encoding="utf-8")
            except OSError as error:
                sys.stderr.write(f"{path} could not be written: {error.strerror}.\n")
                return NOT_ASKED
    if options.format == "csv":
        write_csv(sys.stdout, FINDING_COLUMNS, [{k: csv_cell(v) for k, v in row.items()} for row in rows])
    elif options.format == "junit":
        sys.stdout.write(junit)
    elif options.format == "json":
        sys.stdout.write(json_text(rows))
    else:
        print("\n".join(map(sentence, rows)) if options.format == "text" else table_text(rows))
    done = check_result(rows, options.fail_on)
    for row in done.failed:
        sys.stderr.write(f"{row['audit']} failed, so it could not be asked. The log has more.\n")
    return done.exit_status()


def json_text(rows: Sequence[Row]) -> str:
    """Rows as indented JSON."""
    return json.dumps(jsonable(list(rows)), ensure_ascii=False, indent=1) + "\n"


def write_csv(out: TextIO, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """RFC 4180 with a header; an unknown value is an empty field, never a zero."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if row[column] is None else jsonable(row[column]) for column in columns])


def sentence(row: Row) -> str:
    """A finding as lines for people."""
    lines = (
        f"{row['audit']}: {row['status']}\n  reported   {row['reported']}\n  supported  {row['supported']}"
    )
    if row["low"] is not None:
        lines += f"\n  gap        {row['gap']:.3f} ({row['bounds']} {row['low']:.3f} to {row['high']:.3f}), n {row['n']:,}"
    return f"{lines}\n  missing    {row['missing']}" if row["missing"] else lines

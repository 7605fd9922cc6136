"""`python -m core ...`: the command line; `python -m core --help` lists its commands.

Answers go to stdout and nothing else does: progress and problems are on stderr. A command uses the ledger file
itself; when the running app owns it, the command asks the app instead and says the same (`pull` cannot: the app pulls).

`main` and the short commands are here. ingest.py: where files go, the ledger or the app. check.py: findings and their exit
status (core.check_result). demo.py, pull.py, empty.py, lake.py, rollups.py, undo.py: a command each. durable.py: backup,
restore, erase, compact. access.py: tokens and the audit log. projects.py: several products in one instance.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from core import answers
from core.answers import Row
from core.cli.access import add_access
from core.cli.check import add_check, json_text, write_csv
from core.cli.demo import add_demo
from core.cli.durable import CANNOT_DO, add_durable
from core.cli.ingest import ingest_paths, opened_sink, report_text, summary
from core.cli.lake import add_export_lake
from core.cli.projects import add_projects
from core.cli.pull import pull_sources
from core.cli.rollups import rebuild_rollups
from core.cli.undo import add_undo
from core.findings import standard_scope
from core.ingest.bills.sql_config import BadSource
from core.ingest.own_tables.templates import TEMPLATES
from core.ledger.current import EngineProblem, attach_engine, open_store
from core.ledger.store import CannotUndo, Store, StoreLocked
from core.pricing.billability import BadRules
from core.pricing.overrides import BadOverrides
from core.project_folders import BadProject, settings_of
from core.projects import DEFAULT
from core.settings import BadSetting, Settings, read_settings
from core.state import open_state, set_state
from core.web import running

"""Spans the demo makes: small loads in about a minute on two cores."""
COLUMNS = {
    "attempts": answers.ATTEMPT_COLUMNS,
    "bridge": answers.BRIDGE_COLUMNS,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the number is the exit status: 0 done, 1 something could not be read or answered.

    `check` also ends with 2: a status it was told to fail on.
    """
    options = _parser().parse_args(argv)
    try:
        settings = read_settings()
        if options.data is not None:
            settings = dataclasses.replace(settings, data_dir=options.data)
        if getattr(options, "project", None):
            settings = settings_of(settings, options.project)
        status: int = options.run(options, settings)
    except (
        BadSetting,
        BadOverrides,
        BadRules,
        *CANNOT_DO,
        running.AppUnreachable,
        running.AppRefused,
        answers.UnknownAudit,
        CannotUndo,
        BadSource,
        EngineProblem,
        BadProject,
    ) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except BrokenPipeError:  # the reader of stdout, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


class _Parser(argparse.ArgumentParser):
    """A mistyped command ends with 1: argparse's own 2 is what `check` says of a broken finding."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m core", description="Trueup's command line.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    shared = _Parser(add_help=False)
    shared.add_argument("--data", type=Path, metavar="DIR", help="folder of the ledger (default: data_dir)")
    shared.add_argument(
        "--project", metavar="NAME", help="one of several projects (default: the default one)"
    )

    ingest = commands.add_parser("ingest", parents=[shared], help="read files and folders into the ledger")
    ingest.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    ingest.set_defaults(run=run_ingest)

    for name, formats, question, text in (
        ("attempts", ("csv", "json"), "attempts", "one row a logical call, with its attempts"),
        ("bridge", ("csv", "json"), "bridge", "the retry audit's bridges, one row a bucket"),
    ):
        command = commands.add_parser(name, parents=[shared], help=text)
        command.add_argument("--format", choices=formats, default=formats[0])
        command.set_defaults(run=run_question, question=question)

    add_check(commands, shared, ask_findings)
    add_undo(commands, shared, opened)
    pull = commands.add_parser("pull", parents=[shared], help="read the configured SQL sources")
    pull.add_argument("names", nargs="*", metavar="NAME", help="these only")
    pull.set_defaults(run=lambda options, settings: pull_sources(options.names, settings))
    rollups = commands.add_parser("rollups", parents=[shared], help="make the hourly sums anew")
    rollups.set_defaults(run=lambda options, settings: rebuild_rollups(settings))
    template = commands.add_parser("template", help="print a CSV to start from")
    template.add_argument("name", choices=TEMPLATES)
    template.set_defaults(run=run_template, data=None)
    add_demo(commands, shared)
    add_durable(commands, shared)
    add_export_lake(commands, shared)
    add_access(commands, shared, _Parser)
    add_projects(commands, shared, _Parser)
    serve = commands.add_parser("serve", parents=[shared], help="start the app on bind_address and port")
    serve.set_defaults(run=run_serve)
    return parser


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """The ledger file, or an empty ledger in memory where there is none: a question creates no file."""
    exists = settings.store_path.exists()
    if not exists:
        sys.stderr.write(f"No ledger in {settings.data_dir}: this is the answer for an empty one. ")
        sys.stderr.write(f"Fill it: python -m core ingest PATH --data {settings.data_dir}\n")
    store = open_store(settings, in_memory=not exists)
    try:
        yield store
    finally:
        store.close()


def run_ingest(options: argparse.Namespace, settings: Settings) -> int:
    """`ingest PATH...`: 1 when a file could not be read; the others are in all the same."""
    with opened_sink(settings, demo=False) as sink:
        reports = ingest_paths(sink, options.paths)
    for report in reports:
        print(report_text(report))
    print(summary(reports))
    return 1 if any(report.problem for report in reports) else 0


def run_template(options: argparse.Namespace, settings: Settings) -> int:
    """`template NAME`: the header and some rows."""
    sys.stdout.write(TEMPLATES[options.name])
    return 0


def run_question(options: argparse.Namespace, settings: Settings) -> int:
    """`attempts` and `bridge`: print the rows."""
    rows = _ask(options.question, settings)
    columns = COLUMNS[options.question]
    if options.format == "json":
        sys.stdout.write(json_text(rows))
    else:
        write_csv(sys.stdout, columns, rows)
    return 0


def _ask(question: str, settings: Settings) -> list[Row]:
    try:
        with opened(settings) as store:
            store.derive()
            attach_engine(store, settings)
            scope = answers.whole_ledger(store.ask, store.version(), store.currency)
            return (answers.attempts if question == "attempts" else answers.bridge)(store.ask, scope)
    except StoreLocked:
        app = running.find(settings.data_dir, settings.client_token)
        rows: list[Row] = running.get(app, f"/api/{question}")["rows"]
        return rows


def ask_findings(audit: str, settings: Settings) -> list[Row]:
    """The board's own scope asked now: the newest 28 days of everything, as the board and alerts have it."""
    try:
        with opened(settings) as store:
            store.derive()
            attach_engine(store, settings)
            set_state(open_state(settings))
            scope = standard_scope(store.ask, store.version(), store.currency)
            return answers.findings(store.ask, scope, audit)
    except StoreLocked:
        app = running.find(settings.data_dir, settings.client_token)
        query = {"fresh": "true"} | ({"audit": audit} if audit else {})
        rows: list[Row] = running.get(app, "/api/findings", **query)["rows"]
        return rows


def run_serve(options: argparse.Namespace, settings: Settings) -> int:
    """`serve`: become the app. Streamlit binds before app.py runs, so the address is passed to it here."""
    if settings.project != DEFAULT:
        raise BadProject("The app serves every project: start it without --project.")
    root = Path(__file__).resolve().parents[2]
    already = running.answering(settings.data_dir)
    if already is not None:
        sys.stderr.write(f"The app already runs at {already.address} (process {already.pid}).\n")
        return 1
    if options.data is not None:
        os.environ["TRUEUP_DATA_DIR"] = str(options.data)
    flags = {"address": settings.bind_address, "port": settings.port, "headless": "true"}
    flags |= {"baseUrlPath": settings.base_path} if settings.base_path else {}
    command = [sys.executable, "-m", "streamlit", "run", str(root / "app.py")]
    for name, value in flags.items():
        command += [f"--server.{name}", str(value)]
    os.execv(sys.executable, command)

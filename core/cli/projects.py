"""`python -m core projects`: several products in one instance. A running app knows them from its next start."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from core import project_folders
from core.audit_log import Entry, record
from core.cli.access import on_command_line
from core.cli.check import write_csv
from core.projects import DEFAULT, prefix
from core.settings import CONFIG_NAME, Settings
from core.state import StateProblem, open_state
from core.web import running

COLUMNS = ("project", "address", "folder", "ledger_bytes")


def add_projects(
    commands: Any, shared: argparse.ArgumentParser, parser: type[argparse.ArgumentParser]
) -> None:
    """The command's options."""
    projects = commands.add_parser("projects", help="make, list and take away projects")
    acts = projects.add_subparsers(required=True, metavar="ACT", parser_class=parser)
    listed = acts.add_parser("list", parents=[shared], help="every project and where it lies")
    listed.set_defaults(run=run_list)
    for name, act, text in (
        ("add", _add, "make one"),
        ("remove", _remove, "move one aside; stop the app first"),
    ):
        command = acts.add_parser(name, parents=[shared], help=text)
        command.add_argument("name", metavar="NAME")
        command.set_defaults(run=run_act, act=act)


def run_list(options: argparse.Namespace, settings: Settings) -> int:
    """`projects list`: CSV, the default project first."""
    rows = [
        {
            "project": one.project,
            "address": f"{prefix(one.project)}/",
            "folder": str(one.data_dir),
            "ledger_bytes": one.store_path.stat().st_size if one.store_path.exists() else 0,
        }
        for one in project_folders.every_settings(settings)
    ]
    write_csv(sys.stdout, COLUMNS, rows)
    return 0


def run_act(options: argparse.Namespace, settings: Settings) -> int:
    """`projects add NAME` and `projects remove NAME`; each is written down in the default project's audit log."""
    if settings.project != DEFAULT:
        raise project_folders.BadProject("Name the project without --project.")
    state = open_state(settings)
    try:
        act, told = options.act(options.name, settings)
        record(state, Entry(on_command_line(), act, options.name))
    except StateProblem as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    finally:
        state.close()
    print(told)
    return 0


def _add(name: str, settings: Settings) -> tuple[str, str]:
    folder = project_folders.add(settings, name)
    told = f"{folder}: say in its {CONFIG_NAME} who may see it. Its pages are at {prefix(name)}/."
    if running.answering(settings.data_dir):
        told += " The running app knows it from its next start."
    return "project added", told


def _remove(name: str, settings: Settings) -> tuple[str, str]:
    aside = project_folders.remove(settings, name)
    return "project removed", f"It is in {aside}: delete that folder once nobody needs it."

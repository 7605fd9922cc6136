"""`python -m core undo`: undo imports in the file or through the app that owns it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from core.audit_log import Entry, record
from core.cli.access import on_command_line
from core.imports import imports_of_file, undone_text
from core.ledger.store import Store, StoreLocked
from core.settings import Settings
from core.state import open_state
from core.web import running

Opened = Callable[[Settings], AbstractContextManager[Store]]


def add_undo(commands: Any, shared: argparse.ArgumentParser, opened: Opened) -> None:
    """The command's options."""
    undo = commands.add_parser("undo", parents=[shared], help="undo an import, or every import of a file")
    undo.add_argument("imports", nargs="*", type=int, metavar="IMPORT", help="number, as on the imports page")
    undo.add_argument("--file", type=int, action="append", default=[], metavar="FILE", help="all of a file")
    undo.add_argument("--reason", default="asked on the command line")
    undo.set_defaults(run=lambda options, settings: run_undo(options, settings, opened))


def run_undo(options: argparse.Namespace, settings: Settings, opened: Opened) -> int:
    """`undo`: through the running app when it owns the ledger."""
    try:
        with opened(settings) as store:
            named = [*options.imports, *(one for f in options.file for one in imports_of_file(store.ask, f))]
            receipt = store.undo(named, options.reason)
            store.derive()
        told = undone_text(receipt.rows_read, receipt.import_id)
        record(open_state(settings), Entry(on_command_line(), "import undone", told))
        print(told)
    except StoreLocked:
        app = running.find(settings.data_dir, settings.client_token)
        query = [("import", str(one)) for one in options.imports] + [
            ("file", str(one)) for one in options.file
        ]
        answer = running.post(app, "/api/undo", [*query, ("reason", options.reason)])
        print(undone_text(answer["rows_undone"], answer["undone_by"]))
    return 0

"""`python -m core empty-demo`: delete a ledger of nothing but demo data, in the file or through the app that owns it."""

from __future__ import annotations

import sys

from core import demo
from core.audit_log import Entry, record
from core.cli.access import on_command_line
from core.ledger.current import open_store
from core.ledger.store import CannotEmpty, StoreLocked
from core.settings import Settings
from core.state import open_state
from core.web import running


def empty_demo(settings: Settings) -> int:
    """Delete and say how much; 1 when any row is no demo data, and nothing is deleted then."""
    if not settings.store_path.exists():
        sys.stderr.write(f"There is no ledger in {settings.data_dir}: nothing to empty.\n")
        return 1
    try:
        store = open_store(settings)
    except StoreLocked:
        answer = running.post(running.find(settings.data_dir, settings.client_token), "/api/empty-demo", [])
        print(demo.told(answer["row_count"], answer["import_id"]))
        return 0
    try:
        emptied = store.empty_demo()
        store.derive()
    except CannotEmpty as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        store.close()
    told = demo.told(emptied.row_count, emptied.import_id)
    record(open_state(settings), Entry(on_command_line(), "demo emptied", told))
    print(told)
    return 0

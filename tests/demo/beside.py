"""What the demo writes beside its runs, each alone in a ledger through the ordinary readers, with what was planted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from core.audit import Scope
from core.ingest.files import read_path
from core.ingest.options import ReadOptions
from core.ledger.store import Store
from data.demo.plan import END_DAY, first_day

SCOPE = Scope(first_day(28), END_DAY)
"""The board's own 28 days."""
Write = Callable[[Path, int, bool, int, Path | None], list[Path]]


class Loaded(NamedTuple):
    """A ledger to be closed, and the truth that was written for it."""

    store: Store
    truth: dict[str, Any]


def loaded(folder: Path, write: Write, quiet: bool) -> Loaded:
    """90 days of one of the two worlds, written into a new folder and read."""
    folder.mkdir()
    files = write(folder, 90, quiet, 7, folder / "truth")
    (truth,) = (folder / "truth").iterdir()
    store = Store.open(":memory:")
    for path in files:
        store.submit_many(read_path(path, ReadOptions(demo=True)))
    store.derive()
    return Loaded(store, json.loads(truth.read_text()))

"""The watched folder: files that appear in it are read in, once each, and stay where they are.

A file is taken when two looks in a row find it with the same size and time, so that one that is still being written
is left alone. What was taken is known by name, size and time from `files`, also after a restart. A file that cannot
be read is recorded with its problem and tried again only when it changes. Files that are ready at the same look are
one delivery: the parts of a report that restates its month add up.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import NamedTuple

from core.ingest.options import ReadOptions
from core.intake import Arrival, take_path
from core.ledger.store import Store
from core.web.process import Process

_log = logging.getLogger("trueup.watch")
UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".filepart", "~")
"""Endings that writers give to files they have not finished."""
TAKEN = "select name, bytes, modified_ns from files where door = 'folder' and modified_ns is not null"


class Seen(NamedTuple):
    """A file as a look found it."""

    bytes: int
    modified_ns: int


def look(folder: Path) -> dict[str, Seen]:
    """Files by their name inside the folder; hidden, unfinished and linked ones are left out. Raises OSError."""
    found: dict[str, Seen] = {}
    with os.scandir(folder):
        pass  # a folder that is missing or closed to us must not look like an empty one
    for here, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(here) / name
            if name.startswith(".") or name.endswith(UNFINISHED) or path.is_symlink():
                continue
            try:
                status = path.stat()
            except FileNotFoundError:
                continue  # moved away between two calls; the next look tells
            if path.is_file():
                found[path.relative_to(folder).as_posix()] = Seen(status.st_size, status.st_mtime_ns)
    return found


class Watch:
    """What the last look found, between two looks."""

    def __init__(self, store: Store, folder: Path, options: ReadOptions) -> None:
        self._store = store
        self._folder = folder
        self._options = options
        self._before: dict[str, Seen] = {}
        rows = store.ask(TAKEN).iter_rows()
        self._taken = {str(name): Seen(int(size), int(at)) for name, size, at in rows if size is not None}

    def once(self) -> list[str]:
        """Look, take in what is ready, and return its names. Raises OSError when the folder cannot be read."""
        now = look(self._folder)
        ready = [
            name
            for name, seen in now.items()
            if self._before.get(name) == seen and self._taken.get(name) != seen
        ]
        self._before = now
        delivery_id = None
        for name in ready:
            arrival = Arrival("folder", name, delivery_id, now[name].modified_ns)
            taken = take_path(self._store, self._folder / name, arrival, self._options)
            delivery_id = taken.delivery_id
            self._taken[name] = now[name]
            _log.info(
                "watched folder: %d rows of %d read", taken.total("rows_accepted"), taken.total("rows_read")
            )
        return ready


def keep_watching(process: Process, stopping: threading.Event) -> None:
    """Look every watch_seconds until told to stop; what fails shows in /readyz and on the imports page."""
    settings = process.settings
    if settings.watch_folder is None:
        return
    watch: Watch | None = None
    while not stopping.wait(settings.watch_seconds):
        if process.store is None:
            continue
        try:
            watch = watch or Watch(
                process.store, settings.watch_folder, ReadOptions(settings.capture_content)
            )
            watch.once()
        except OSError as error:
            process.watch_error = f"The watched folder cannot be read: {error.strerror or error}."
        except Exception as error:  # a fault of ours on one file must not end the watch
            _log.exception("a look at the watched folder failed")
            process.watch_error = f"{type(error).__name__}: {error}"
        else:
            process.watch_error = None

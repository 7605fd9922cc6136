"""Answers of costly questions, kept in files beside the ledger: what was worked out before a restart is there after it.

A question is a SQL text with its parameters. One that names `$as_of` has one answer for ever once its version is
derived, but for deletions: a file's name begins with how many the ledger records, and after another one nothing that
was kept before is read again, and all of it is removed. The folder may be deleted at any time; it is no part of a backup.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import threading
import time
from pathlib import Path
from typing import NamedTuple

import polars as pl

from core.audit import Ask

FOLDER_NAME = "answers"
COSTLY_S = 0.25
"""Seconds from which an answer is worth a file; reading one takes 5 ms."""
MOST_BYTES = 256 * 2**20
"""Of the folder; the longest unused leave first."""

STANDING = """
select
    imports.at_ns,
    (select count(*) from deletions) as deletion_count
from imports
where import_id = $as_of
    and import_id <= (select coalesce(max(import_id), 0) from derivations)
"""
"""What an answer as of an import depends on beside its text; no row while the import is not derived."""

_log = logging.getLogger("trueup")


class _Key(NamedTuple):
    """A file's name: how many deletions the ledger records, and the hash of ledger, version, text and parameters."""

    deletion_count: int
    digest: str

    def path(self, folder: Path) -> Path:
        return folder / f"{self.deletion_count}-{self.digest}.arrow"


class KeptAnswers:
    """Questions to one ledger, answered from files where they were costly before. Shared by threads."""

    def __init__(
        self, ask: Ask, folder: Path, most_bytes: int = MOST_BYTES, costly_s: float = COSTLY_S
    ) -> None:
        self._ask = ask
        self._folder = folder
        self._most_bytes = most_bytes
        self._costly_s = costly_s
        self._lock = threading.Lock()

    def ask(self, sql: str, **parameters: object) -> pl.DataFrame:
        """As Store.ask, to the row and type; the order of rows is that of the first time."""
        key = self._key(sql, parameters)
        if key is None:
            return self._ask(sql, **parameters)
        kept = _read(key.path(self._folder))
        if kept is not None:
            return kept
        began = time.monotonic()
        rows = self._ask(sql, **parameters)
        if time.monotonic() - began >= self._costly_s:
            self._keep(key, rows)
        return rows

    def _key(self, sql: str, parameters: dict[str, object]) -> _Key | None:
        if "$as_of" not in sql:
            return None
        standing = self._ask(STANDING, as_of=parameters["as_of"])
        if standing.is_empty():
            return None
        committed_ns, deletion_count = standing.row(0)
        named = sorted((name, repr(value)) for name, value in parameters.items() if f"${name}" in sql)
        text = repr((committed_ns, sql, named))
        return _Key(int(deletion_count), hashlib.sha256(text.encode()).hexdigest()[:40])

    def _keep(self, key: _Key, rows: pl.DataFrame) -> None:
        """Write whole or not at all; a disk that cannot take it costs the next asker time and nothing else."""
        path = key.path(self._folder)
        draft = path.with_suffix(f".{threading.get_ident()}.new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                rows.write_ipc(draft, compression="zstd")
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
            self._shrink(key.deletion_count)
        except OSError as error:
            _log.warning("an answer could not be kept in %s: %s", self._folder.name, error)

    def _shrink(self, deletion_count: int) -> None:
        with self._lock:
            files = sorted(
                self._folder.glob("*.arrow"), key=lambda path: path.stat().st_mtime_ns, reverse=True
            )
            held = 0
            for path in files:
                held += path.stat().st_size
                if held > self._most_bytes or not path.name.startswith(f"{deletion_count}-"):
                    path.unlink(missing_ok=True)


def forget(data_dir: Path) -> None:
    """Remove what is kept for a ledger: after an erasure nothing of it may stay in a file."""
    for path in (data_dir / FOLDER_NAME).glob("*"):
        path.unlink(missing_ok=True)


def _read(path: Path) -> pl.DataFrame | None:
    try:
        rows = pl.read_ipc(
            io.BytesIO(path.read_bytes())
        )  # not the path: a mapped file may be removed under the rows
        os.utime(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, pl.exceptions.PolarsError) as error:
        _log.warning("%s cannot be read and is worked out again: %s", path.name, error)
        path.unlink(missing_ok=True)
        return None
    return rows

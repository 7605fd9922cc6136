"""Writing the file anew: rows that were deleted leave no byte in it, and it is as large as what it holds.

A checkpoint alone gives neither: DuckDB keeps the freed blocks in the file, to use them again, with what was in them.
The new file is a copy that was read back; it takes the old one's place in one rename, so a crash leaves one of the two.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from core.ledger.copy import copy_ledger
from core.ledger.file import LedgerFile, Unusable

DRAFT = ".compact"


class Compacted(NamedTuple):
    """Bytes of the file, its log included, before and after."""

    bytes_before: int
    bytes_after: int


def compact(file: LedgerFile, replace_file: Callable[[Callable[[], None]], None]) -> Compacted:
    """Copy, then swap; nothing may be committed meanwhile. Raises CopyDiffers, and Unusable for a file in memory."""
    if file.path is None:
        raise Unusable("A ledger in memory has no file to make smaller.")
    path, draft = file.path, file.path.with_name(file.path.name + DRAFT)
    before = _bytes(path)
    try:
        draft.unlink(missing_ok=True)  # of a compaction that was cut off
        with file.cursor() as cursor:
            copy_ledger(cursor, draft)
        _sync(draft)
        replace_file(lambda: _swap(draft, path))
    finally:
        draft.unlink(missing_ok=True)
    return Compacted(before, _bytes(path))


def _swap(draft: Path, path: Path) -> None:
    log = _log_of(path)
    if log.exists() and log.stat().st_size:
        raise Unusable(
            f"{log.name} is still there, so the file was left as it is. Check the disk, then try again."
        )
    draft.replace(path)
    _sync(path.parent)


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def _bytes(path: Path) -> int:
    return sum(one.stat().st_size for one in (path, _log_of(path)) if one.exists())


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)

"""Backups: the ledger and what people made, as of one moment, with a manifest that says what is in them.

A backup is a folder of three files at most. It is written beside its place, read back, and renamed: a folder with a
manifest is whole. What people made is copied before the ledger, so that no view or review in it names a data version
that the ledger does not have.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from core.ledger.copy import Copied, read_copy
from core.ledger.migrations import NEWEST
from core.settings import STORE_NAME, Settings
from core.state import STATE_NAME

MANIFEST = "manifest.json"
UNFINISHED = ".part"
_ASIDE = "before-restore-"
_PIECE = 1024 * 1024
_SPARE_BYTES = 16 * _PIECE

CopyLedger = Callable[[Path], Copied]


class BadBackup(RuntimeError):
    """A backup cannot be made, or is not one to restore; the message says why and what to do."""


def back_up(copy_ledger: CopyLedger, settings: Settings, folder: Path) -> dict[str, Any]:
    """Make the folder `folder`, which must not exist, and return its manifest; raises BadBackup."""
    part = folder.with_name(folder.name + UNFINISHED)
    if folder.exists():
        raise BadBackup(f"{folder} exists already; nothing was written. Name another folder.")
    try:
        shutil.rmtree(part, ignore_errors=True)  # of a backup that was cut off
        part.mkdir(parents=True, mode=0o700)
        _check_room(part, settings)
        manifest = _written(copy_ledger, settings, part)
        check(part)
        _sync(part)
        part.rename(folder)
        _sync(folder.parent)
    except OSError as error:
        raise BadBackup(f"{folder} could not be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return manifest


def _written(copy_ledger: CopyLedger, settings: Settings, part: Path) -> dict[str, Any]:
    state = _copy_state(settings, part / STATE_NAME)
    began = dt.datetime.now(dt.UTC)
    copied = copy_ledger(part / STORE_NAME)
    names = [name for name in (STORE_NAME, STATE_NAME) if (part / name).exists()]
    manifest = {
        "backup_of": "trueup",
        "began_at": began.isoformat(timespec="seconds"),
        "schema_version": copied.schema_version,
        "newest_import": copied.newest_import,
        "rows": copied.rows,
        "state": state,
        "files": {name: _identity(part / name) for name in names},
    }
    for name in names:
        _sync(part / name)
    with (part / MANIFEST).open("w", encoding="utf-8") as out:
        out.write(json.dumps(manifest, indent=1) + "\n")
        out.flush()
        os.fsync(out.fileno())
    return manifest


def state_path(settings: Settings) -> Path | None:
    """The SQLite file of what people made; None when it is kept in a server."""
    if not settings.state_url:
        return settings.data_dir / STATE_NAME
    url = make_url(settings.state_url)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def _copy_state(settings: Settings, target: Path) -> str:
    """Copy what people made, if it is in a file; returns a sentence on where it is."""
    path = state_path(settings)
    if path is None:
        return (
            "What people made is in the server that state_url names and NOT in this backup. Back it up there, right "
            "before this one: pg_dump --format=custom --file=state.dump DATABASE; restore it with pg_restore."
        )
    if not path.exists():
        return "Nobody has made anything yet: there is no state.sqlite."
    with (
        closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as there,
        closing(sqlite3.connect(target)) as here,
    ):
        there.backup(here)
    return f"What people made is in {STATE_NAME}."


def check(folder: Path) -> dict[str, Any]:
    """The manifest of a backup whose files are as it says; raises BadBackup."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files, rows = dict(manifest["files"]), dict(manifest["rows"])
        if manifest["backup_of"] != "trueup" or STORE_NAME not in files:
            raise BadBackup(f"{folder / MANIFEST} is not the manifest of a backup of Trueup.")
        if set(files) - {STORE_NAME, STATE_NAME}:
            raise BadBackup(f"{folder / MANIFEST} names files that no backup of Trueup has.")
        if int(manifest["schema_version"]) > NEWEST:
            raise BadBackup(
                f"{folder} was made by a newer Trueup (schema version {manifest['schema_version']}, this one knows "
                f"{NEWEST}). Restore it with that one."
            )
        for name, identity in files.items():
            if _identity(folder / name) != identity:
                raise BadBackup(
                    f"{folder / name} is not the file that was backed up: size or SHA-256 differ from the manifest. "
                    "Take another copy of the backup."
                )
        expected = Copied(rows, int(manifest["newest_import"]), int(manifest["schema_version"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadBackup(
            f"{folder} is no whole backup: {MANIFEST} or a file it names cannot be read ({error})."
        ) from error
    if read_copy(folder / STORE_NAME) != expected:
        raise BadBackup(
            f"{folder / STORE_NAME} does not hold the rows its manifest counts. Take another backup."
        )
    _check_state(folder / STATE_NAME)
    return dict(manifest)


def _check_state(path: Path) -> None:
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as there:
            found = there.execute("pragma integrity_check").fetchone()[0]
    except sqlite3.Error as error:
        raise BadBackup(f"{path} cannot be read: {error}. Take another backup.") from error
    if found != "ok":
        raise BadBackup(f"{path} is damaged: {str(found)[:200]}. Take another backup.")


def restore(folder: Path, settings: Settings, *, replace: bool) -> tuple[dict[str, Any], Path | None]:
    """Put a backup in the data folder; nobody may have it open. Returns the manifest and where old files went.

    Raises BadBackup, also when files are there and `replace` does not say to move them aside.
    """
    manifest = check(folder)
    data_dir = settings.data_dir
    there = [path for path in _files_of(settings) if path.exists()]
    if there and not replace:
        raise BadBackup(
            f"{data_dir} holds {', '.join(path.name for path in there)}; nothing was changed. Restore into an empty "
            "folder with --data, or say --replace: the files that are there are moved aside, not deleted."
        )
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        _check_free(data_dir, sum(int(identity["bytes"]) for identity in manifest["files"].values()))
        for name in manifest["files"]:
            shutil.copyfile(folder / name, data_dir / (name + UNFINISHED))
            _sync(data_dir / (name + UNFINISHED))
        aside = _move_aside(there, data_dir)
        for name in (STATE_NAME, STORE_NAME):  # the ledger last: with it the restore is done
            if name in manifest["files"]:
                shutil.move(data_dir / (name + UNFINISHED), _place_of(name, settings))
        _sync(data_dir)
    except OSError as error:
        raise BadBackup(
            f"{folder} could not be restored to {data_dir}: {error.strerror or error}."
        ) from error
    return manifest, aside


def kept_beside(settings: Settings) -> list[str]:
    """Folders under the app's own that hold copies of the ledger: backups, and what a restore moved aside."""
    found = [*settings.backups_path.glob("*"), *settings.data_dir.glob(f"{_ASIDE}*")]
    return sorted(str(path) for path in found if path.is_dir())


def _files_of(settings: Settings) -> list[Path]:
    """With the logs of both databases: one left beside another file would be replayed into it."""
    state = state_path(settings)
    paths = [settings.store_path] + ([state] if state else [])
    return [
        path.with_name(path.name + end) for path in paths for end in ("", ".wal", "-wal", "-shm", "-journal")
    ]


def _place_of(name: str, settings: Settings) -> Path:
    return settings.store_path if name == STORE_NAME else state_path(settings) or settings.data_dir / name


def _move_aside(paths: list[Path], data_dir: Path) -> Path | None:
    if not paths:
        return None
    number = 1
    while (aside := data_dir / f"{_ASIDE}{number}").exists():
        number += 1
    aside.mkdir(mode=0o700)
    for path in paths:
        shutil.move(path, aside / path.name)  # the state may lie on another disk
    return aside


def _check_room(part: Path, settings: Settings) -> None:
    paths = [path for path in _files_of(settings) if path.exists()]
    _check_free(part, sum(path.stat().st_size for path in paths))


def _check_free(folder: Path, needed_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + _SPARE_BYTES:
        raise BadBackup(
            f"{folder} has {free / _PIECE:,.0f} MiB free and {(needed_bytes + _SPARE_BYTES) / _PIECE:,.0f} MiB may be "
            "needed; nothing was written. Free space, or name a folder on another disk."
        )


def _identity(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


def _sync(path: Path) -> None:
    """Wait until the disk has it; for a folder, the names in it."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)

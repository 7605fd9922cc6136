"""`backup`, `restore`, `erase` and `compact`: on the ledger file, or through the app that owns it."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from core import backups
from core.backups import BadBackup
from core.erasing import BadSubject, erased_text, subject_of
from core.kept_answers import forget
from core.ledger.current import open_store
from core.ledger.file import LedgerFile, Unusable
from core.ledger.store import (
    CANNOT_OPEN,
    CannotWrite,
    Compacted,
    Erased,
    NothingToErase,
    Store,
    StoreLocked,
)
from core.settings import Settings
from core.web import running

CANNOT_DO = (*CANNOT_OPEN, CannotWrite, BadBackup, BadSubject)
"""What stops a command; each message says what to do."""


def add_durable(commands: Any, shared: argparse.ArgumentParser) -> None:
    """The commands' options."""
    backup = commands.add_parser("backup", parents=[shared], help="copy ledger and state while the app runs")
    backup.add_argument("folder", type=Path, metavar="PATH", help="folder to make; it must not exist")
    backup.set_defaults(run=lambda options, settings: run_backup(options.folder, settings))
    restore = commands.add_parser("restore", parents=[shared], help="put a backup in the data folder")
    restore.add_argument("folder", type=Path, metavar="PATH", help="folder that backup made")
    restore.add_argument("--replace", action="store_true", help="move aside what the data folder holds")
    restore.set_defaults(run=run_restore)
    erase = commands.add_parser("erase", parents=[shared], help="erase a person, conversation or trace")
    erase.add_argument(
        "--subject", action="append", default=[], metavar="ID", help="user id, or its 16 hex as in enduser_hash"
    )  # fmt: skip
    erase.add_argument("--conversation", action="append", default=[], metavar="ID")
    erase.add_argument("--trace", action="append", default=[], metavar="ID", help="32 hex")
    erase.set_defaults(run=run_erase)
    compact = commands.add_parser(
        "compact", parents=[shared], help="write the file anew without deleted rows"
    )
    compact.set_defaults(run=lambda options, settings: run_compact(settings))


@contextmanager
def _opened(settings: Settings) -> Iterator[Store]:
    if not settings.store_path.exists():
        raise BadBackup(f"There is no ledger in {settings.data_dir}.")
    store = open_store(settings)
    try:
        yield store
    finally:
        store.close()


def run_backup(folder: Path, settings: Settings) -> int:
    """`backup PATH`: 1 when it could not be made; then nothing is left at PATH."""
    if folder.exists():
        raise BadBackup(f"{folder} exists already; nothing was written. Name another folder.")
    try:
        with _opened(settings) as store:
            manifest = backups.back_up(store.copy_to, settings, folder)
    except StoreLocked:
        app = running.find(settings.data_dir, settings.client_token)
        answer = running.post(app, "/api/backup", [])
        manifest = _fetch(Path(answer["folder"]), folder)
    rows = sum(manifest["rows"].values())
    print(
        f"{folder}: {rows:,} rows up to import {manifest['newest_import']}, read back and checked. {manifest['state']}"
    )
    return 0


def _fetch(made: Path, folder: Path) -> dict[str, Any]:
    """Bring what the app made to where it was asked for."""
    part = folder.with_name(folder.name + backups.UNFINISHED)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(made, part)
        manifest = backups.check(part)
        part.rename(folder)
        shutil.rmtree(made)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise BadBackup(
            f"The app has made the backup {made}, and it could not be brought to {folder}: {error.strerror or error}. "
            "It is whole where it is."
        ) from error
    return manifest


def run_restore(options: argparse.Namespace, settings: Settings) -> int:
    """`restore PATH`: refused while anybody has the ledger open."""
    if settings.store_path.exists() and options.replace:
        with suppress(Unusable):  # a damaged file is what a restore is for; StoreLocked stops it
            LedgerFile(settings.store_path, threads=1).close()
    manifest, aside = backups.restore(options.folder, settings, replace=options.replace)
    print(
        f"{settings.data_dir}: restored {sum(manifest['rows'].values()):,} rows up to import "
        f"{manifest['newest_import']}, as of {manifest['began_at']}. {manifest['state']}"
    )
    if aside is not None:
        print(f"What was there is in {aside}: delete it once you are sure.")
    return 0


def run_erase(options: argparse.Namespace, settings: Settings) -> int:
    """`erase`: 1 when nothing tells of them. What was given is neither printed nor recorded."""
    named = {"subject": options.subject, "conversation": options.conversation, "trace": options.trace}
    subject = subject_of(**named)
    try:
        with _opened(settings) as store:
            erased, compacted = store.erase(subject), store.compact()
            forget(settings.data_dir)
            store.derive()
    except StoreLocked:
        app = running.find(settings.data_dir, settings.client_token)
        answer = running.post_json(app, "/api/erase", named)
        erased, compacted = Erased(**answer["erased"]), Compacted(**answer["compacted"])
    except NothingToErase as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(erased_text(erased, compacted, settings))
    return 0


def run_compact(settings: Settings) -> int:
    """`compact`: needs as much free space as the ledger holds."""
    try:
        with _opened(settings) as store:
            compacted = store.compact()
    except StoreLocked:
        app = running.find(settings.data_dir, settings.client_token)
        compacted = Compacted(**running.post(app, "/api/compact", []))
    print(f"The ledger's file had {compacted.bytes_before:,} bytes and has {compacted.bytes_after:,}.")
    return 0

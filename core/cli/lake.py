"""`python -m core export-lake`: the ledger as Parquet, from the file or by the app that owns it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from core.ledger.current import open_store
from core.ledger.lake import Lake, LakeProblem, LakeTable
from core.ledger.store import StoreLocked
from core.settings import Settings
from core.web import running


def add_export_lake(commands: Any, shared: argparse.ArgumentParser) -> None:
    """The command's options."""
    command = commands.add_parser(
        "export-lake", parents=[shared], help="write the ledger as Parquet for engines beyond this machine"
    )
    command.add_argument("path", nargs="?", metavar="PATH", help="folder (default: the setting lake)")
    command.set_defaults(run=export_lake)


def export_lake(options: argparse.Namespace, settings: Settings) -> int:
    """Write and say rows and bytes of each table; 1 when there is no ledger or the folder cannot be written."""
    place: str = options.path or settings.lake
    if "://" in place:
        sys.stderr.write("Say a folder of this machine: python -m core export-lake PATH\n")
        return 1
    if not settings.store_path.exists():
        sys.stderr.write(f"There is no ledger in {settings.data_dir}: nothing to export.\n")
        return 1
    try:
        store = open_store(settings)
    except StoreLocked:
        app = running.find(settings.data_dir, settings.client_token)
        asked = [("path", str(Path(place).resolve()))] if place else []  # none: the app's own
        print("\n".join(told_lines(running.post(app, "/api/export-lake", asked))))
        return 0
    try:
        if not place:
            sys.stderr.write("Say where: python -m core export-lake PATH, or the setting lake.\n")
            return 1
        store.derive()
        written = store.export_lake(Path(place).resolve(), lambda table: print(told(table), flush=True))
    except LakeProblem as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        store.close()
    print(summary(written, Path(place).resolve()))
    return 0


def told(table: LakeTable) -> str:
    """One line for one table."""
    return f"{table.name:<18}{table.rows:>14,} rows{table.bytes:>16,} bytes"


def summary(lake: Lake, path: Path) -> str:
    """One line for the whole."""
    if not lake.fresh:
        return f"Data version {lake.version} is there already: {path / lake.folder}"
    rows, size = sum(one.rows for one in lake.tables), sum(one.bytes for one in lake.tables)
    return f"Data version {lake.version}: {rows:,} rows, {size:,} bytes in {path / lake.folder}"


def told_lines(answer: dict[str, Any]) -> list[str]:
    """The same out of the app's answer."""
    tables = tuple(LakeTable(**(one | {"columns": ()})) for one in answer["tables"])
    lake = Lake(answer["folder"], answer["version"], "", 0, answer["written_at"], tables, answer["fresh"])
    return [*(told(table) for table in tables if lake.fresh), summary(lake, Path(answer["path"]))]

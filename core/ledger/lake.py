"""The ledger as a lake: Hive-partitioned Parquet that any engine reads, a whole version at a time.

    PATH/newest.json                    which of the folders below to read: {"folder": "v120.122.0"}, replaced last
    PATH/v120.122.0/lake.json           what it holds: version, proof, tables with rows, bytes and columns
    PATH/v120.122.0/spans/day=2026-03-01/data_0.parquet
    PATH/v120.122.0/callers/data_0.parquet

The partition column is in the folder's name only: files that hold it too cannot be read by some engines. JSON is text.
Tables are written beside, in a hidden folder that a later call goes on with, and renamed when all are there. The version
before stays for questions under way; older ones are deleted.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from core.ledger.migrations import NEWEST as SCHEMA_VERSION

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

POINTER, MANIFEST = "newest.json", "lake.json"
IN_LEDGER_ONLY = frozenset(
    {"schema_version", "findings", "files", "quarantine", "duplicates", "repairs", "deletions"}
)
"""How the ledger came to be and what was found in it: pages ask its owner for these, and refused rows may hold anything."""

_FOLDER = re.compile(r"v[0-9]+\.[0-9]+\.[0-9]+")
"""Only what is named like this is ever deleted: the operator may have pointed us at a folder with other things in it."""
_NAME = re.compile(r"[a-z][a-z0-9_]*")

_STATE = """
select
    (select coalesce(max(import_id), 0) from derivations),
    (select coalesce(max(import_id), 0) from imports),
    (select count(*) from deletions)
"""
_PROOF = "select coalesce(max(sha256), '') from imports where import_id = ?"


_writing = threading.Lock()
"""A process owns one ledger: two exports at once would clear each other's drafts."""


class LakeProblem(RuntimeError):
    """The lake cannot be written there; the message says why."""


class LakeTable(NamedTuple):
    """One table of a lake."""

    name: str
    rows: int
    bytes: int
    columns: tuple[tuple[str, str], ...]
    """Name and DuckDB type; JSON is VARCHAR here."""


Progress = Callable[[LakeTable], None]
"""Told of every table once it is written."""


class Lake(NamedTuple):
    """One version of a lake: what lake.json says."""

    folder: str
    version: int
    """Newest import that calls, attempts and runs in it reflect: the data version."""
    proof: str
    """sha256 of that import: another ledger's lake has another one."""
    schema_version: int
    written_at: str
    tables: tuple[LakeTable, ...]
    fresh: bool = True
    """False: this very version was there already."""


def write(cursor: DuckDBPyConnection, path: Path, progress: Progress = lambda _table: None) -> Lake:
    """Write the ledger as of now below `path` and point to it; raises LakeProblem.

    One read transaction: every table is of the same moment, while writing to the ledger goes on.
    """
    with _writing:
        return _written(cursor, path, progress)


def _written(cursor: DuckDBPyConnection, path: Path, progress: Progress) -> Lake:
    cursor.execute("begin")
    try:
        version, latest, deletions = cursor.execute(_STATE).fetchall()[0]
        folder = f"v{version}.{latest}.{deletions}"
        if (path / folder / MANIFEST).is_file():
            known = parsed((path / folder / MANIFEST).read_text(encoding="utf-8"))
            _point(path, folder)
            return known._replace(fresh=False)
        draft = _draft(path, folder)
        proof = str(cursor.execute(_PROOF, [version]).fetchall()[0][0])
        tables = []
        for name, columns in _columns(cursor).items():
            tables.append(_table(cursor, draft, name, columns))
            progress(tables[-1])
    except OSError as error:
        raise LakeProblem(f"The lake cannot be written to {path}: {error.strerror or error}.") from error
    finally:
        cursor.execute("rollback")
    return _publish(path, draft, Lake(folder, version, proof, SCHEMA_VERSION, _now(), tuple(tables)))


def parsed(text: str) -> Lake:
    """A lake.json read back. Raises LakeProblem when it is none."""
    try:
        told: dict[str, Any] = json.loads(text)
        tables = tuple(
            LakeTable(
                one["name"], int(one["rows"]), int(one["bytes"]), tuple((n, t) for n, t in one["columns"])
            )
            for one in told["tables"]
        )
        if not all(_NAME.fullmatch(name) for table in tables for name in (table.name, *dict(table.columns))):
            raise ValueError("a name of a table or column")
        return Lake(**{key: told[key] for key in Lake._fields[:5]}, tables=tables)
    except (ValueError, KeyError, TypeError) as error:
        raise LakeProblem(f"{MANIFEST} is not what export-lake writes: {error!r}.") from error


def pointed(text: str) -> str:
    """The folder that newest.json names. Raises LakeProblem when it is none."""
    try:
        folder = str(json.loads(text)["folder"])
        if not _FOLDER.fullmatch(folder):
            raise ValueError(folder)
        return folder
    except (ValueError, KeyError, TypeError) as error:
        raise LakeProblem(f"{POINTER} is not what export-lake writes: {error!r}.") from error


def _draft(path: Path, folder: str) -> Path:
    """The hidden folder to write in; what an interrupted call left of another version goes."""
    path.mkdir(parents=True, exist_ok=True)
    draft = path / f".{folder}"
    for left in path.iterdir():
        if left != draft and _FOLDER.fullmatch(left.name.removeprefix(".")) and left.name.startswith("."):
            shutil.rmtree(left)
    draft.mkdir(exist_ok=True)
    return draft


def _columns(cursor: DuckDBPyConnection) -> dict[str, tuple[tuple[str, str], ...]]:
    rows = cursor.execute(
        "select table_name, column_name, data_type from information_schema.columns"
        " where table_schema = 'main' order by table_name, ordinal_position"
    ).fetchall()
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for table, column, kind in rows:
        if table not in IN_LEDGER_ONLY:
            found[table] = (*found.get(table, ()), (column, "VARCHAR" if kind == "JSON" else kind))
    return found


def _table(
    cursor: DuckDBPyConnection, draft: Path, name: str, columns: tuple[tuple[str, str], ...]
) -> LakeTable:
    """Write one table, unless a call before this one has: its note, written last, says that it is whole."""
    note, folder = draft / f"{name}.json", draft / name
    if note.is_file():
        told = json.loads(note.read_text(encoding="utf-8"))
        return LakeTable(name, told["rows"], told["bytes"], columns)
    if folder.exists():
        shutil.rmtree(folder)
    dated = any(column == "day" for column, _ in columns)
    taken = ", ".join(f'cast("{column}" as {kind}) as "{column}"' for column, kind in columns)
    target = str(folder if dated else folder / "data_0.parquet").replace("'", "''")
    if not dated:
        folder.mkdir()
    partition = ", partition_by (day)" if dated else ""
    # Names come from the schema and the path from the operator; COPY takes neither as a parameter.
    counted = cursor.execute(
        f"copy (select {taken} from \"{name}\") to '{target}' (format parquet, compression zstd{partition})"
    ).fetchall()
    rows = int(counted[0][0])
    folder.mkdir(exist_ok=True)  # of a dated table without rows DuckDB makes no folder
    size = sum(file.stat().st_size for file in folder.rglob("*.parquet"))
    note.write_text(json.dumps({"rows": rows, "bytes": size}), encoding="utf-8")
    return LakeTable(name, rows, size, columns)


def _publish(path: Path, draft: Path, lake: Lake) -> Lake:
    told = lake._asdict() | {"tables": [table._asdict() for table in lake.tables]}
    try:
        (draft / MANIFEST).write_text(json.dumps(told, indent=1), encoding="utf-8")
        for table in lake.tables:
            (draft / f"{table.name}.json").unlink(missing_ok=True)
        draft.rename(path / lake.folder)
        before = _newest(path)
        _point(path, lake.folder)
        _tidy(path, {lake.folder, before})
    except OSError as error:
        raise LakeProblem(f"The lake cannot be written to {path}: {error.strerror or error}.") from error
    return lake


def _point(path: Path, folder: str) -> None:
    draft = path / f".{POINTER}"
    draft.write_text(json.dumps({"folder": folder}), encoding="utf-8")
    draft.replace(path / POINTER)


def _newest(path: Path) -> str:
    pointer = path / POINTER
    return pointed(pointer.read_text(encoding="utf-8")) if pointer.is_file() else ""


def _tidy(path: Path, kept: set[str]) -> None:
    for folder in path.iterdir():
        if _FOLDER.fullmatch(folder.name) and folder.name not in kept and (folder / MANIFEST).is_file():
            shutil.rmtree(folder)


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")

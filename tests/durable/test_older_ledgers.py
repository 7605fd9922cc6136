"""Ledgers written by every earlier schema: opened, brought forward, and every number as it was.

The texts in schemas/ are schema.sql as each version left it, without its comments. A new version adds the one before.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import pytest

from core.audit import Scope
from core.audits import bill_reconciliation, retry_ledger
from core.ledger import migrations
from core.ledger.file import apart
from core.ledger.migrations import MIGRATIONS, NEWEST, MigrationFailed, NewerSchema
from core.ledger.store import Store
from tests.durable.test_erase import filled

SCHEMAS = Path(__file__).with_name("schemas")
SCOPE = Scope(dt.date(2026, 1, 1), dt.date(2027, 1, 1), as_of=1)
COLUMNS = (
    "select table_name, column_name from information_schema.columns where table_schema = 'main' order by all"
)


def findings_of(store: Store) -> list[Any]:
    """Every row that two audits read, and what they say of them."""
    asked: list[Any] = []
    for audit in (retry_ledger, bill_reconciliation):
        frames = audit.load(store.ask, SCOPE)
        asked += [audit.judge(audit.measure(frames, SCOPE))]
        asked += [(name, sorted(map(repr, frame.rows()))) for name, frame in frames.items()]
    return asked


def written_by(version: int, path: Path, rows_from: Store) -> dict[str, tuple[list[str], Any]]:
    """A file with the tables of that version and what of the given ledger fits them; its rows, by table."""
    held: dict[str, tuple[list[str], Any]] = {}
    now = {
        table: set(rows["column_name"]) for (table,), rows in rows_from.ask(COLUMNS).group_by("table_name")
    }
    with apart(path) as old:
        old.execute((SCHEMAS / f"version_{version}.sql").read_text())
        for table in [
            str(name) for (name,) in old.execute("select distinct table_name from duckdb_tables()").fetchall()
        ]:
            if table == "schema_version":
                continue
            columns = sorted(str(row[0]) for row in old.execute(f"describe {table}").fetchall())
            assert set(columns) <= now[table], f"{table} lost a column since version {version}"
            rows = rows_from.ask(f"select {', '.join(columns)} from {table} order by all")
            old.register("arriving", rows.to_arrow())
            old.execute(f"insert into {table} by name select * from arriving")
            old.unregister("arriving")
            held[table] = (columns, rows)
        old.execute("insert into schema_version values (?, now()::timestamp)", [version])
    return held


@pytest.mark.parametrize("version", range(1, NEWEST))
def test_a_ledger_of_each_earlier_version_keeps_every_number(version: int, tmp_path: Path) -> None:
    today = filled(tmp_path / "today.duckdb")
    path = tmp_path / "trueup.duckdb"
    held = written_by(version, path, today)
    store = Store.open(path)
    assert store.ask("select max(version) from schema_version").item() == NEWEST
    assert store.ask(COLUMNS).equals(today.ask(COLUMNS))
    for table, (columns, rows) in held.items():
        assert store.ask(f"select {', '.join(columns)} from {table} order by all").equals(rows), table
    assert findings_of(store) == findings_of(today)
    assert store.derive() == 1
    assert findings_of(store) == findings_of(today)
    store.close()
    today.close()


def test_every_earlier_version_has_its_text() -> None:
    assert sorted(path.stem for path in SCHEMAS.iterdir()) == [f"version_{n}" for n in range(1, NEWEST)]


def test_a_newer_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "trueup.duckdb"
    store = filled(path)
    store._file.connection.execute("insert into schema_version values (?, now()::timestamp)", [NEWEST + 1])
    store.close()
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(NewerSchema, match=f"schema version {NEWEST + 1}, this Trueup knows {NEWEST}"):
        Store.open(path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


def test_a_migration_that_fails_leaves_the_ledger_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first statement of the step works, the second does not: neither may be left."""
    path = tmp_path / "trueup.duckdb"
    store = filled(path)
    before = findings_of(store), store.ask(COLUMNS)
    store.close()
    broken = (
        *MIGRATIONS,
        (NEWEST + 1, ("alter table spans add column extra varchar", "alter table no_such add column x int")),
    )
    with monkeypatch.context() as patched:
        patched.setattr(migrations.migrate, "__defaults__", (broken,))
        with pytest.raises(
            MigrationFailed, match=f"from schema version {NEWEST} to {NEWEST + 1}.*Nothing in it was changed"
        ):
            Store.open(path)
    again = Store.open(path)
    assert (findings_of(again), again.ask("select max(version) from schema_version").item()) == (
        before[0],
        NEWEST,
    )
    assert again.ask(COLUMNS).equals(before[1])
    again.close()

"""schema.sql is the ledger's documentation: every column says what it means; older files are brought forward."""

from __future__ import annotations

import re
from pathlib import Path

from core.ledger.migrations import NEWEST, SCHEMA, migrate
from core.ledger.store import Store

COLUMN = re.compile(r"^    ([a-z_0-9]+) +[a-z]+.*?--(.*)$", re.MULTILINE)


def test_every_column_of_every_table_has_a_meaning(store: Store) -> None:
    tables = re.findall(r"create table if not exists ([a-z_]+) \((.*?)\n\);", SCHEMA.read_text(), re.DOTALL)
    documented = {
        (table, name) for table, body in tables for name, text in COLUMN.findall(body) if text.strip()
    }
    real = store.ask(
        "select table_name, column_name from information_schema.columns where table_schema = 'main'"
    )
    assert set(real.rows()) == documented


def test_units_are_in_the_names_of_quantities(store: Store) -> None:
    """Whole numbers that are times end in _ns; money ends in _usd, or _cost with its currency beside it."""
    columns = store.ask("select table_name, column_name, data_type from information_schema.columns")
    for table, name, kind in columns.rows():
        if kind == "DECIMAL(24,12)":
            assert name.endswith(("_usd", "_cost")), f"{table}.{name}"
        if name.endswith("_at") or "_time" in name:
            assert name.endswith("_ns") or kind == "TIMESTAMP", f"{table}.{name}"


def test_older_file_is_brought_forward_in_order(tmp_path: Path) -> None:
    """Two steps later than today's schema: a new column, then its rename; the row that was there keeps its value."""
    path = tmp_path / "ledger.duckdb"
    Store.open(path).close()
    store = Store.open(path)
    connection = store._file.connection.cursor()
    connection.execute("insert into derivations values (1, 2, 'then')")
    steps = (
        (NEWEST + 1, ("alter table derivations add column noted varchar",)),
        (NEWEST + 2, ("alter table derivations rename column noted to note",)),
    )
    assert migrate(connection, steps) == NEWEST
    assert migrate(connection, steps) == NEWEST + 2
    assert connection.execute("select import_id, price_version, note from derivations").fetchall() == [
        (1, "then", None)
    ]
    connection.close()
    store.close()

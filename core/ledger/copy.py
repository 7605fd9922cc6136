"""A whole copy of the ledger as of one moment, written into another file while the ledger goes on.

All tables are read in one transaction, so the copy holds every import committed before it began and none by half. Rows
that were deleted are not copied, nor the free space they left: a copy is also how the file is made smaller.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from core.ledger.file import apart, transaction
from core.ledger.migrations import migrate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ROWS_AT_ONCE = 100_000
TABLES = """
    select table_name
    from information_schema.tables
    where table_schema = 'main'
        and table_type = 'BASE TABLE'
    order by table_name
"""


class Copied(NamedTuple):
    """What a copy holds."""

    rows: dict[str, int]
    """By table."""
    newest_import: int
    schema_version: int


class CopyDiffers(RuntimeError):
    """What was written is not what was read; the copy is not to be used."""


def copy_ledger(cursor: DuckDBPyConnection, target: Path) -> Copied:
    """Write everything to `target`, which must not exist, and read it back; raises CopyDiffers.

    `cursor` must not be inside a transaction. A copy that failed is left for the caller to remove.
    """
    with apart(target) as out, transaction(cursor):
        read = contents(cursor)
        migrate(out)
        with transaction(out):
            out.execute("delete from schema_version")
            for table in read.rows:
                out.register("arriving", cursor.sql(f"select * from {table}").to_arrow_reader(ROWS_AT_ONCE))
                out.execute(f"insert into {table} by name select * from arriving")
                out.unregister("arriving")
        out.execute("checkpoint")
    written = read_copy(target)
    if written != read:
        raise CopyDiffers(f"The copy holds {written}, the ledger {read}. Check the disk, then try again.")
    return read


def read_copy(path: Path) -> Copied:
    """What a ledger file that nobody has open holds; raises Unusable."""
    with apart(path, read_only=True) as there:
        return contents(there)


def contents(connection: DuckDBPyConnection) -> Copied:
    """Rows of every table, newest import and schema."""
    tables = [str(table) for (table,) in connection.execute(TABLES).fetchall()]
    rows = {
        table: int(connection.execute(f"select count(*) from {table}").fetchall()[0][0]) for table in tables
    }
    newest, schema = (
        int(connection.execute(f"select coalesce(max({column}), 0) from {table}").fetchall()[0][0])
        for column, table in (("import_id", "imports"), ("version", "schema_version"))
    )
    return Copied(rows, newest, schema)

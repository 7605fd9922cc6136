"""Forward migrations of the ledger's schema.

schema.sql describes the newest shape and is enough for a new file. An older file is brought forward by the
statements of MIGRATIONS, in order; a migration is never edited once released.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.ledger import rollups, stream_rows
from core.ledger.file import transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SCHEMA = Path(__file__).with_name("schema.sql")

MIGRATIONS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (1, ()),
    (
        2,
        (
            "alter table imports add column file_id bigint",
            "alter table imports add column rows_repaired bigint",
            "alter table cost_lines add column delivery_id bigint",
        ),
    ),
    (
        3,
        (
            "alter table probes add column last_chunk_ms double",
            "alter table probes add column scorer varchar",
            "alter table probes add column text varchar",
            "alter table probes add column text_chars bigint",
            "alter table probes add column header_names varchar",
        ),
    ),
    (4, ()),
    (
        5,
        tuple(
            f"alter table streams add column {column}"
            for column in (
                "stream_key varchar",
                "source varchar",
                "provider_name varchar",
                "request_model varchar",
                "response_model varchar",
                "version_label varchar",
                "cloud_region varchar",
                "service_name varchar",
                "prompt_id varchar",
                "finish_reason varchar",
                "hour bigint",
                "output_tokens bigint",
                "char_count bigint",
                "tokens_per_s double",
                "chars_per_s double",
                "gap_p50_ms double",
                "gap_p99_ms double",
                "slow_gap_share double",
                "tool_pause_ms double",
                "preamble_chars bigint",
                "reasoning_tokens bigint",
                "sentence_gap_ratio double",
            )
        ),
    ),
)
"""(version, statements that bring a file from version - 1). Version 1 is schema.sql itself."""

FILLED = {4: rollups.OF_ALL, 5: stream_rows.OF_OLDER}
"""Version -> statements that fill its new tables from what an older file holds, once schema.sql has made them."""

NEWEST = MIGRATIONS[-1][0]


class NewerSchema(RuntimeError):
    """The file was written by a later Trueup than this one."""


class MigrationFailed(RuntimeError):
    """The file could not be brought forward, and is as it was."""


def migrate(
    connection: DuckDBPyConnection, migrations: tuple[tuple[int, tuple[str, ...]], ...] = MIGRATIONS
) -> int:
    """Create or bring forward the tables; returns the version the file had before (0 for a new file).

    Raises NewerSchema when the file is ahead of this code, because going back would lose columns, and MigrationFailed.
    """
    before, newest = _version(connection), migrations[-1][0]
    if before > newest:
        raise NewerSchema(
            f"the ledger has schema version {before}, this Trueup knows {newest}: "
            "start the newer Trueup that wrote it, or restore a backup"
        )
    try:
        with transaction(connection):
            for version, statements in migrations:
                if 0 < before < version:
                    for statement in statements:
                        connection.execute(statement)
            connection.execute(SCHEMA.read_text())
            for version, statements in FILLED.items():
                for statement in statements if 0 < before < version else ():
                    connection.execute(statement)
            if before < newest:
                connection.execute("insert into schema_version values (?, now()::timestamp)", [newest])
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise MigrationFailed(
            f"The ledger could not be brought from schema version {before} to {newest}: {reason}. "
            "Nothing in it was changed: the Trueup that wrote it can go on with it."
        ) from error
    return before


def _version(connection: DuckDBPyConnection) -> int:
    known = connection.execute(
        "select count(*) from information_schema.tables where table_name = 'schema_version'"
    ).fetchall()
    if not known[0][0]:
        return 0
    rows = connection.execute("select coalesce(max(version), 0) from schema_version").fetchall()
    return int(rows[0][0])

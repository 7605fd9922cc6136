"""What the ledger holds: for an audit's needs, for the scope's menus, and for the data page.

Counts are of rows in force at the scope's data version; a table without a `day` column is counted whole.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from core.audit import Ask, Need, Scope
from core.ledger.batch import EMPTIED, ROWLESS_FORMATS

_COLUMNS = """
select
    table_name,
    column_name
from information_schema.columns
"""

MENUS = """
select distinct
    cloud_region as region,
    service_name as service,
    coalesce(response_model, request_model) as model
from calls
union
select
    region,
    null          as service,
    request_model as model
from probes
"""
"""Every region, service and model a call has had, and where probes went."""

NEWEST_DAY = """-- DuckDB only: a run of an eval has an instant and no day
with gone as (
    select import_id from undone where undone_by <= $as_of
),
days as (
    select max(day) as newest from calls where import_id <= $as_of and superseded_by > $as_of
    union all
    select max(day) as newest from cost_lines
    where import_id <= $as_of and import_id not in (select import_id from gone)
    union all
    select max(day) as newest from spans
    where import_id <= $as_of and import_id not in (select import_id from gone)
    union all
    select max(day) as newest from probes
    where import_id <= $as_of and import_id not in (select import_id from gone)
),
beside as (
    select max(day) as newest from outcomes
    where import_id <= $as_of and import_id not in (select import_id from gone)
    union all
    select max(day) as newest from responses
    where import_id <= $as_of and import_id not in (select import_id from gone)
    union all
    select cast(max(make_timestamp_ns(started_at_ns)) as date) as newest from eval_runs
    where import_id <= $as_of and import_id not in (select import_id from gone)
)
select
    coalesce((select max(newest) from days), (select max(newest) from beside)) as newest
"""
"""The last UTC day with calls, spans, bill lines or probes; in a ledger of outcomes and evals alone, with those.

What comes beside traffic comes later than it, and would move the days of every audit.
"""

DUPLICATES = """
select
    duplicates.table_name,
    duplicates.kind,
    imports.source,
    count(*)                        as rows_repeated,
    min(duplicates.first_import_id) as first_seen_in_import,
    max(duplicates.import_id)       as last_repeated_in_import
from duplicates
left join imports on imports.import_id = duplicates.import_id
group by duplicates.table_name, duplicates.kind, imports.source
order by rows_repeated desc
limit 1000
"""

REPAIRS = """
select
    rule,
    applied,
    reason,
    count(*)    as row_count,
    min(before) as example_before,
    min(after)  as example_after
from repairs
group by rule, applied, reason
order by row_count desc
limit 1000
"""

SUMMARY = f"""
select
    coalesce(max(import_id), 0)                 as newest_import,
    make_timestamp_ns(max(at_ns))               as committed_at,
    count(*) filter (where demo and import_id not in (select import_id from undone)) as demo_imports,
    count(*) filter (where not demo and format not in {ROWLESS_FORMATS}) as real_imports,
    coalesce(sum(rows_quarantined), 0)::bigint  as quarantined
from imports
"""
"""One row on the whole ledger: newest import and when, imports of demo data (not undone) and of real data, rows refused."""

DELETED_BEFORE = """
select
    max(before_day) as before_day
from deletions
where reason = 'retention'
"""
"""The first UTC day that retention has kept; null where it deleted nothing."""

ERASED_BEFORE = """
select
    max(before_day) as before_day
from deletions
where reason = 'erasure'
"""
"""Rows of days before it were erased on request."""

EMPTIED_AFTER = f"""
select
    max(import_id) as emptied_by
from imports
where format = '{EMPTIED}'
    and import_id > $as_of
"""
"""The import at which the demo was deleted, for a link that pins an earlier version."""

HOLDS = f"""
select
    count(*) as import_count
from imports
where format not in {ROWLESS_FORMATS}
    and import_id <= $as_of
"""
"""Imports with rows at a data version; 0 where there is nothing to ask about."""

COMMITTED_AT = """
select
    make_timestamp_ns(max(at_ns)) as committed_at
from imports
where import_id <= $as_of
"""
"""When the newest import at a data version was committed: UTC, without a zone."""

VERSION_AT = """
select
    coalesce(max(import_id) filter (where import_id <= $as_of), min(import_id)) as version
from derivations
"""
"""The data version pages showed at an import: several imports may be derived together, and only then are seen."""

_LEDGER_FILE = "-- DuckDB only: what the ledger file holds, table by table"


class Have(NamedTuple):
    """What the ledger has of one need."""

    need: Need
    row_count: int
    """Rows of the table in scope."""
    known_share: float | None
    """Share of those rows where the column is not null; null without rows."""
    newest: dt.date | None


def have(ask: Ask, needs: Sequence[Need], scope: Scope) -> list[Have]:
    """Rows, coverage and newest day of every needed column, one question a table."""
    columns: dict[str, set[str]] = {}
    for table, column in ask(_COLUMNS).iter_rows():
        columns.setdefault(table, set()).add(column)
    found: dict[str, dict[str, object]] = {}
    for table in dict.fromkeys(need.column.partition(".")[0] for need in needs):
        wanted = [need.column.partition(".")[2] for need in needs if need.column.startswith(f"{table}.")]
        counted = [column for column in dict.fromkeys(wanted) if column in columns.get(table, set())]
        if table in columns:
            question = _count_question(table, counted, columns[table])
            found[table] = ask(question, **scope.parameters()).row(0, named=True)
    return [_have(need, found) for need in needs]


def _count_question(table: str, counted: Sequence[str], columns: set[str]) -> str:
    """Names come from audits and from the schema, never from a user: they cannot be parameters."""
    known = "".join(f",\n    count({column}) as known_{column}" for column in counted)
    newest = "max(day)" if "day" in columns else "cast(null as date)"
    rules = ["import_id <= $as_of"]
    in_force = "import_id not in (select import_id from undone where undone_by <= $as_of)"
    rules += ["superseded_by > $as_of"] if "superseded_by" in columns else [in_force]
    rules += ["day between $start and $end"] if "day" in columns else []
    where = "\n    and ".join(rules)
    return f"select\n    count(*) as row_count,\n    {newest} as newest{known}\nfrom {table}\nwhere {where}\n"


def _have(need: Need, found: dict[str, dict[str, object]]) -> Have:
    table, _, column = need.column.partition(".")
    counts = found.get(table, {})
    row_count, known = counts.get("row_count", 0), counts.get(f"known_{column}")
    newest = counts.get("newest")
    assert isinstance(row_count, int)
    known_share = known / row_count if isinstance(known, int) and row_count else None
    return Have(need, row_count, known_share, newest if isinstance(newest, dt.date) else None)


def table_counts(ask: Ask) -> pl.DataFrame:
    """Every ledger table with its rows: table_name, row_count, newest_import."""
    tables: dict[str, set[str]] = {}
    for table, column in ask(_COLUMNS).iter_rows():
        tables.setdefault(table, set()).add(column)
    kept = [
        table for table, columns in sorted(tables.items()) if "import_id" in columns and table != "imports"
    ]
    if not kept:
        return pl.DataFrame(
            schema={"table_name": pl.String, "row_count": pl.Int64, "newest_import": pl.Int64}
        )
    parts = [
        f"select '{table}' as table_name, count(*) as row_count, max(import_id) as newest_import from {table}"
        for table in kept
    ]
    counted = "\nunion all\n".join(parts)
    return ask(f"{_LEDGER_FILE}\n{counted}\norder by row_count desc, table_name")


def listings(ask: Ask) -> list[tuple[str, pl.DataFrame, str, str]]:
    """The data page's tables: title, rows, name of the download, and the sentence for no rows."""
    return [
        ("Repeated rows", ask(DUPLICATES), "duplicates", "No row has come twice."),
        ("Repairs", ask(REPAIRS), "repairs", "No row has been repaired."),
        ("Tables", table_counts(ask), "tables", "The ledger has no tables."),
    ]

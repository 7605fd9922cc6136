"""Bring runs, calls and attempts up to date with the spans.

They are a pure function of the spans of a trace, so any order of arrival, split into batches or repetition gives
the same ledger. A trace is derived anew whenever a span of it arrives; the rows it had are closed with
superseded_by and stay readable for links that point at an earlier import.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import polars as pl

from core.ledger import rollups
from core.ledger.cost import Costing
from core.ledger.derived import derived_frames
from core.ledger.file import insert, transaction
from core.ledger.lookback import no_spans_by
from core.ledger.repeats import came_again, newest, repeats
from core.ledger.rollups import IN_FORCE
from core.workers import Do, here

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TRACES_AT_ONCE = 10_000
"""Traces read into memory together: about 60,000 spans, 200 MB of Python objects at most."""

TOUCHED = """
    create or replace temp table touched as
    with arrived as (
        select
            trace_id,
            min(started_at_ns) as started_at_ns
        from spans
        where import_id > $after and import_id <= $through
        group by trace_id
        union all
        select
            trace_id,
            min(started_at_ns) as started_at_ns
        from spans
        where import_id in (select import_id from undone where undone_by > $after and undone_by <= $through)
        group by trace_id
    )
    select
        trace_id,
        row_number() over (order by min(started_at_ns), trace_id) // $traces_at_once as chunk
    from arrived
    group by trace_id
"""
"""Traces with a span that arrived, or was undone, since the last time; only the new part of spans is read."""

_COLUMNS = """
    import_id, trace_id, span_id, parent_span_id, name, kind, scope_name, dialect, service_name,
    deployment_environment_name, cloud_region, started_at_ns, ended_at_ns, status_code, error_class,
    span_role, gen_ai_operation_name, gen_ai_provider_name, gen_ai_request_model, gen_ai_response_model,
    gen_ai_response_id, provider_request_id, gen_ai_usage_input_tokens, gen_ai_usage_output_tokens,
    gen_ai_usage_cache_read_input_tokens, gen_ai_usage_cache_write_input_tokens,
    gen_ai_usage_reasoning_output_tokens, service_tier, reported_cost_usd, gen_ai_conversation_id,
    enduser_hash, gen_ai_agent_name, gen_ai_tool_name, gen_ai_tool_call_id, arguments_hash,
    server_address, url_path, http_response_status_code, http_request_resend_count, content_hash
"""
"""Of a span, in the order of trace.Span."""

MEMBERS = f"""
    select
        {_COLUMNS},
        spans.rowid as row_id
    from spans
    join touched using (trace_id)
    where touched.chunk = $chunk
        and spans.import_id > $none_by
        and spans.import_id <= $through
        and spans.import_id not in (select import_id from undone where undone_by <= $through)
"""
"""Every span of a chunk's traces: the one time that spans are looked through, from the first import that may hold any."""

ANY_MAY_BE_KNOWN = """
    select
        $after = 0
        or (select count(*) from undone where undone_by > $after and undone_by <= $through) > 0
"""
"""Whether any trace may have derived rows: when all is derived anew, or after an undo."""


def derived_through(connection: DuckDBPyConnection) -> int:
    """The newest import the derived tables reflect; 0 when nothing was derived yet."""
    rows = connection.execute("select coalesce(max(import_id), 0) from derivations").fetchall()
    return int(rows[0][0])


def prices_changed(cursor: DuckDBPyConnection, costing: Costing) -> bool:
    """Whether the newest derivation used other prices than these."""
    rows = cursor.execute(
        "select price_version from derivations order by import_id desc, at_ns desc limit 1"
    ).fetchall()
    return bool(rows) and rows[0][0] != costing.version


def bring_up_to_date(cursor: DuckDBPyConnection, costing: Costing, do: Do = here) -> int:
    """Derive every trace touched since the last time; all of them when prices changed. Returns the version."""
    after = 0 if prices_changed(cursor, costing) else derived_through(cursor)
    newest = cursor.execute("select coalesce(max(import_id), 0) from imports").fetchall()
    through = int(newest[0][0])
    if after == through:
        return through
    with transaction(cursor):
        _derive(cursor, costing, after, through, do)
    return through


def _derive(cursor: DuckDBPyConnection, costing: Costing, after: int, through: int, do: Do) -> None:
    bounds = {"after": after, "through": through}
    # First of all: from its first write on a transaction keeps checkpoints away, and they move the row numbers of MEMBERS.
    cursor.execute("insert into derivations values (?, ?, ?)", [through, time.time_ns(), costing.version])
    cursor.execute(TOUCHED, {**bounds, "traces_at_once": TRACES_AT_ONCE})
    chunks = cursor.execute("select distinct chunk from touched order by chunk").fetchall()
    for (chunk,) in chunks:
        none_by = no_spans_by(cursor, int(chunk), after, through)
        members = cursor.sql(MEMBERS, params={"chunk": chunk, "none_by": none_by, "through": through}).pl()
        _close_rows(cursor, _known_before(cursor, members, int(chunk), after, through), through)
        spans = _without_repeats(cursor, members, after)
        for table, frame in derived_frames(spans, costing, through, do):
            insert(cursor, table, frame)
    rollups.add(cursor, through)


def _without_repeats(cursor: DuckDBPyConnection, members: pl.DataFrame, after: int) -> pl.DataFrame:
    """The newest of each span. Repeats are recorded, and those that say nothing new dropped from the ledger's spans."""
    if not came_again(members).any():
        return members.drop("row_id")
    found = repeats(members, after)
    if found.height:
        cursor.register("repeats", found.to_arrow())
        cursor.execute(
            "insert into duplicates select import_id, 'spans', row_key, first_import_id, kind from repeats"
        )
        cursor.execute("delete from spans where rowid in (select row_id from repeats where kind = 'exact')")
        cursor.unregister("repeats")
    return newest(members)


def _known_before(
    cursor: DuckDBPyConnection, members: pl.DataFrame, chunk: int, after: int, through: int
) -> pl.DataFrame:
    """Traces of the chunk that may have derived rows already."""
    if cursor.execute(ANY_MAY_BE_KNOWN, {"after": after, "through": through}).fetchall()[0][0]:
        return cursor.sql("select trace_id from touched where chunk = $chunk", params={"chunk": chunk}).pl()
    return members.filter(pl.col("import_id") <= after).select("trace_id").unique()


def _close_rows(cursor: DuckDBPyConnection, known: pl.DataFrame, through: int) -> None:
    """Close what was derived of these traces; without any no table is read."""
    if known.is_empty():
        return
    cursor.register("known", known.to_arrow())
    for table in ("runs", "calls", "attempts"):
        cursor.execute(
            f"update {table} set superseded_by = $through "
            f"where superseded_by = {IN_FORCE} and trace_id in (select trace_id from known)",
            {"through": through},
        )
    cursor.unregister("known")

"""Bring runs, calls and attempts up to date with the spans.

They are a pure function of the spans of a trace, so any order of arrival, split into batches or repetition gives
the same ledger. A trace is derived anew whenever a span of it arrives; the rows it had are closed with
superseded_by and stay readable for links that point at an earlier import.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from core.ledger import rollups
from core.ledger.cost import Costing
from core.ledger.derived import derived_frames
from core.ledger.file import transaction
from core.ledger.lookback import no_spans_by
from core.ledger.rollups import IN_FORCE
from core.workers import Do, here

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TRACES_AT_ONCE = 10_000
"""Traces read into memory together: about 60,000 spans, 200 MB of Python objects at most."""

WORTH_SENDING = 2_000
"""Spans that a worker process derives from; fewer take less than a tenth of a second here."""

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
    create or replace temp table members as
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

TWICE = "select count(*) from (select trace_id, span_id from members group by trace_id, span_id having count(*) > 1)"
"""Spans that came more than once, by id; mostly none, and then no window has to be laid over the members."""

REPEATS = """
    create or replace temp table repeats as
    with copies as (
        select
            row_id,
            import_id,
            trace_id,
            span_id,
            row_number() over same_content as copy_number,
            first_value(import_id) over same_content as first_import_id,
            first_value(content_hash) over same_span as first_content_hash,
            content_hash
        from members
        window
            same_content as (partition by trace_id, span_id, content_hash order by import_id, row_id),
            same_span as (partition by trace_id, span_id order by import_id, content_hash)
    )
    select
        row_id,
        import_id,
        concat(trace_id, '/', span_id) as row_key,
        first_import_id,
        case when copy_number > 1 then 'exact' else 'revision' end as kind
    from copies
    where copy_number > 1 or (content_hash <> first_content_hash and import_id > $after)
"""

NEWEST_OF_TRACES = f"""
    with newest as (
        select
            *,
            row_number() over (
                partition by trace_id, span_id order by import_id desc, content_hash
            ) as revision
        from members
    )
    select
        {_COLUMNS}
    from newest
    where revision = 1
    order by trace_id
"""

SPANS_OF_TRACES = f"select {_COLUMNS} from members order by trace_id"
"""The same where no span is there twice."""

KNOWN_BEFORE = """
    create or replace temp table known_before as
    select distinct trace_id
    from members
    where import_id <= $after
    union
    select trace_id
    from touched
    where chunk = $chunk
        and (
            $after = 0
            or (select count(*) from undone where undone_by > $after and undone_by <= $through) > 0
        )
"""
"""Traces that may have derived rows already: any of them when all is derived anew, or after an undo."""


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
        cursor.execute(MEMBERS, {"chunk": chunk, "none_by": none_by, "through": through})
        twice = _settle_repeats(cursor, after)
        _close_rows(cursor, int(chunk), after, through)
        spans = cursor.sql(NEWEST_OF_TRACES if twice else SPANS_OF_TRACES).pl()
        make = do if spans.height >= WORTH_SENDING else here
        for table, frame in make(derived_frames, spans, costing, through):
            cursor.register("derived", frame.to_arrow())
            cursor.execute(f"insert into {table} by name select * from derived")
            cursor.unregister("derived")
    rollups.add(cursor, through)


def _settle_repeats(cursor: DuckDBPyConnection, after: int) -> bool:
    """Record the repeats among the chunk's spans and drop the exact ones; whether there was any span more than once."""
    if not cursor.execute(TWICE).fetchall()[0][0]:
        return False
    cursor.execute(REPEATS, {"after": after})
    found = cursor.execute("select count(*) from repeats").fetchall()
    if found[0][0]:
        cursor.execute(
            "insert into duplicates select import_id, 'spans', row_key, first_import_id, kind from repeats"
        )
        cursor.execute("delete from spans where rowid in (select row_id from repeats where kind = 'exact')")
        cursor.execute(
            "delete from members where row_id in (select row_id from repeats where kind = 'exact')"
        )
    return True


def _close_rows(cursor: DuckDBPyConnection, chunk: int, after: int, through: int) -> None:
    """Close what was derived of the chunk's traces; for traces that are all new no table is read."""
    cursor.execute(KNOWN_BEFORE, {"chunk": chunk, "after": after, "through": through})
    known = cursor.execute("select count(*) from known_before").fetchall()
    for table in ("runs", "calls", "attempts") if known[0][0] else ():
        cursor.execute(
            f"update {table} set superseded_by = $through "
            f"where superseded_by = {IN_FORCE} and trace_id in (select trace_id from known_before)",
            {"through": through},
        )

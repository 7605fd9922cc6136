"""What the MCP audit asks the ledger: how many spans a day has, the spans of turns that used MCP, and how long turns took."""

from __future__ import annotations

from core.ledger.change_rows import MARKS

_SPOKEN = """
with seen as (
    select
        *,
        row_number() over (partition by trace_id, span_id order by import_id desc) as newest
    from spans
    where (mcp_method_name is not null or (span_role = 'tool' and strpos(scope_name, 'instrumentation.mcp') > 0))
        and day between $first and $end
        and import_id <= $as_of
        and import_id not in (select import_id from undone where undone_by <= $as_of)
),
asking as (
    select distinct trace_id
    from seen
    where newest = 1
        and kind <> 'server'
        and ($services = '' or strpos($services, concat(chr(31), service_name, chr(31))) > 0)
        and ($regions = '' or strpos($regions, concat(chr(31), cloud_region, chr(31))) > 0)
),
spoken as (
    select *
    from seen
    where newest = 1
        and (trace_id in (select trace_id from asking) or ($services = '' and $regions = ''))
)
"""
"""Newest revision of every span of the protocol: the SDK's own by its method, OpenLLMetry's tool spans by their scope."""

DAYS = (
    _SPOKEN
    + """
select
    day,
    cast(count(*) as bigint)                                                  as spans,
    cast(sum(case when kind = 'server' then 1 else 0 end) as bigint)          as server_spans
from spoken
group by day
order by day
"""
)
"""Spans of the protocol by day: sizes the sample, which is whole days, the newest first."""

SPANS = (
    _SPOKEN
    + """
select
    trace_id,
    span_id,
    parent_span_id,
    kind,
    coalesce(mcp_method_name, 'tools/call') as method,
    gen_ai_tool_name                        as tool,
    service_name                            as service,
    service_instance_id                     as instance,
    server_address,
    started_at_ns,
    ended_at_ns,
    duration_ns,
    day,
    cast(attributes as varchar)             as attributes
from spoken
where day >= $since
"""
)
"""One row a span, client's and server's; attributes as text: the session, protocol and request id are read from them."""

TURNS = """
select
    trace_id,
    service_name as service,
    run_name     as turn,
    day,
    duration_ns
from runs
where trace_id in (
        select trace_id
        from spans
        where (mcp_method_name is not null or (span_role = 'tool' and strpos(scope_name, 'instrumentation.mcp') > 0))
            and day between $since and $end
            and import_id <= $as_of
    )
    and import_id <= $as_of
    and superseded_by > $as_of
"""
"""The runs around those spans: how long a turn took."""

CHANGES = MARKS
"""Deploys and the like, for the marks on the time axis."""

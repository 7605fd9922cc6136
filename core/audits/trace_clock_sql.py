"""What the clock audit asks the ledger: pairs of CLIENT and SERVER spans, events on them, spans without a twin."""

from __future__ import annotations

from core.ledger.change_rows import MARKS

_SIDE = """
    select
        trace_id,
        span_id,
        parent_span_id,
        name,
        service_name,
        cloud_region,
        host_id,
        gen_ai_conversation_id,
        error_class,
        started_at_ns,
        ended_at_ns,
        day,
        import_id,
        case when strpos(cast(attributes as varchar), '"trueup.link_count"') > 0 then 1 else 0 end as linked
    from spans
    where day between $start and $end
        and import_id <= $as_of
        and import_id not in (select import_id from undone where undone_by <= $as_of)
"""

_BOTH_SIDES = f"""
with clients as (
{_SIDE}
        and kind = 'client'
),
servers as (
{_SIDE}
        and kind = 'server'
        and parent_span_id is not null
),
joined as (
    select
        c.trace_id        as trace_id,
        c.span_id         as client_span_id,
        s.span_id         as server_span_id,
        c.name            as client_name,
        s.name            as server_name,
        c.service_name    as client_service,
        s.service_name    as server_service,
        case
            when c.host_id is not null then c.host_id
            when c.gen_ai_conversation_id is not null then concat('session ', c.gen_ai_conversation_id)
        end               as client_clock,
        s.host_id         as server_clock,
        case when c.host_id is null then 1 else 0 end as by_session,
        c.error_class     as client_error,
        c.started_at_ns   as sent_ns,
        c.ended_at_ns     as got_ns,
        s.started_at_ns   as received_ns,
        s.ended_at_ns     as answered_ns,
        c.day             as day,
        c.linked + s.linked as links,
        row_number() over (
            partition by c.trace_id, c.span_id, s.span_id order by c.import_id desc, s.import_id desc
        )                 as newest
    from clients as c
    join servers as s on s.trace_id = c.trace_id and s.parent_span_id = c.span_id
    where ($services = '' or strpos($services, concat(chr(31), c.service_name, chr(31))) > 0
            or strpos($services, concat(chr(31), s.service_name, chr(31))) > 0)
        and ($regions = '' or strpos($regions, concat(chr(31), c.cloud_region, chr(31))) > 0
            or strpos($regions, concat(chr(31), s.cloud_region, chr(31))) > 0)
),
pairs as (
    select *
    from joined
    where newest = 1
)
"""
"""A client's clock is its host's, a browser's its session's. Producers and consumers are left out by their kind."""

COUNT = (
    _BOTH_SIDES
    + """
select cast(count(*) as bigint) as pairs
from pairs
"""
)
"""Sizes the sample, which is of traces, by hash of their id: every day and every session stays in it."""

PAIRS = (
    _BOTH_SIDES
    + """
select
    trace_id,
    client_span_id,
    server_span_id,
    client_name,
    server_name,
    client_service,
    server_service,
    client_clock,
    server_clock,
    by_session,
    client_error,
    sent_ns,
    got_ns,
    received_ns,
    answered_ns,
    day
from pairs
where links = 0
    and substr(md5(trace_id), 1, 4) < $keep
"""
)
"""One row a pair, its four instants in ns: sent and got by the client's clock, received and answered by the server's.

Spans with links are left out: what they link to may have caused them too, and they may outlive their parent. Only this
question reads attributes, which are long."""

EVENTS = (
    _BOTH_SIDES
    + """
select distinct
    span_events.trace_id as trace_id,
    span_events.span_id  as span_id,
    span_events.name     as name,
    span_events.at_ns    as at_ns
from span_events
join pairs on pairs.trace_id = span_events.trace_id
    and (pairs.client_span_id = span_events.span_id or pairs.server_span_id = span_events.span_id)
where span_events.day between $start and $end
    and span_events.import_id <= $as_of
    and span_events.import_id not in (select import_id from undone where undone_by <= $as_of)
    and pairs.server_clock <> pairs.client_clock
    and substr(md5(pairs.trace_id), 1, 4) < $keep
"""
)
"""Events on either span of a pair that crosses clocks: a merged timeline claims their order too."""

ALONE = """
with seen as (
    select
        trace_id,
        span_id,
        max(case when kind = 'client' then 1 else 0 end) as client,
        max(case when kind = 'server' then 1 else 0 end) as server,
        max(case when kind = 'client' and host_id is null and gen_ai_conversation_id is null then 1 else 0 end)
            as client_without_clock,
        max(case when kind = 'server' and host_id is null then 1 else 0 end) as server_without_clock
    from spans
    where kind in ('client', 'server')
        and day between $start and $end
        and import_id <= $as_of
        and import_id not in (select import_id from undone where undone_by <= $as_of)
        and ($services = '' or strpos($services, concat(chr(31), service_name, chr(31))) > 0)
        and ($regions = '' or strpos($regions, concat(chr(31), cloud_region, chr(31))) > 0)
    group by trace_id, span_id
)
select
    cast(coalesce(sum(client), 0) as bigint)               as clients,
    cast(coalesce(sum(server), 0) as bigint)               as servers,
    cast(coalesce(sum(client_without_clock), 0) as bigint) as clients_without_clock,
    cast(coalesce(sum(server_without_clock), 0) as bigint) as servers_without_clock
from seen
"""
"""Spans of both kinds, and those that name no clock: what is missing where there are no pairs."""

CHANGES = MARKS
"""Deploys and the like, for the marks on the time axis."""

"""What the streaming audit asks of spans: who holds requests, and how many at a time.

Instants are whole microseconds here: nanoseconds since 1970 are past what a double tells apart, and engines divide in doubles.
"""

from __future__ import annotations

from core.ledger.change_rows import IN_SCOPE, MARKS, STATED

CELL_US = 60_000_000
"""A minute: the bootstrap draws blocks of five of them."""

_HELD_BY = """
with seen as (
    select
        trace_id,
        span_id,
        case when kind = 'server' then 'server' else 'client' end                        as role,
        service_name                                                                     as service,
        coalesce(service_instance_id, '')                                                as node,
        day,
        cast(floor(cast(started_at_ns as double) / 1000) as bigint)                      as start_us,
        cast(floor(cast(started_at_ns + duration_ns as double) / 1000) as bigint)        as end_us,
        case when gen_ai_request_stream then 1 else 0 end                                as streamed,
        case
            when error_class in ('rate_limit', 'overloaded', 'server', 'timeout', 'connection', 'unknown') then 1
            when error_class is null and status_code = 'ERROR' then 1
            else 0
        end                                                                              as failed,
        row_number() over (partition by trace_id, span_id order by import_id desc)       as newest
    from spans
    where {whose}
        and mcp_method_name is null
        and service_name is not null
        and day between $start and $end
        and import_id <= $as_of
        and import_id not in (select import_id from undone where undone_by <= $as_of)
        and ($services = '' or strpos($services, concat(chr(31), service_name, chr(31))) > 0)
        and ($regions = '' or strpos($regions, concat(chr(31), cloud_region, chr(31))) > 0)
),
held as (
    select *
    from seen
    where newest = 1
        and (
            role = 'server'
            or span_id not in (
                select span_id
                from calls
                where removed_rule is not null
                    and day between $start and $end
                    and import_id <= $as_of
                    and superseded_by > $as_of
            )
        )
)
"""
"""Requests a process holds: those it serves (SERVER spans), and model calls it waits for, counted once. `failed` is what load
can do: refused, overloaded, timed out, broken. A bad request, a missing page or a caller that hung up is not it."""

_HELD = _HELD_BY.format(whose="(kind = 'server' or span_role = 'inference')")
_HELD_BY_ONE = _HELD_BY.format(
    whose="""service_name = $service
        and ((kind = 'server' and $role = 'server') or (kind <> 'server' and span_role = 'inference' and $role = 'client'))"""
)
"""The same of one service in one role: fewer rows to tell revisions among."""

SERVICES = (
    _HELD
    + """
select
    service,
    role,
    day,
    cast(count(*) as bigint)                                                      as requests,
    cast(sum(failed) as bigint)                                                   as failed,
    cast(sum(streamed) as bigint)                                                 as streamed,
    cast(sum(case when node = '' then 1 else 0 end) as bigint)                    as unnamed,
    cast(sum(end_us - start_us) as bigint)                                        as held_us,
    cast(max(end_us - start_us) as bigint)                                        as longest_us,
    cast(sum(case when end_us - start_us > 5000000 then 1 else 0 end) as bigint)  as over_5_s,
    cast(sum(case when end_us - start_us > 10000000 then 1 else 0 end) as bigint) as over_10_s,
    cast(min(start_us) as bigint)                                                 as first_us,
    cast(max(start_us) as bigint)                                                 as last_us
from held
group by service, role, day
order by service, role, day
"""
)
"""One row a service, role and day: sizes the sample, and the service the page is about is chosen from it."""

_SWEEP = (
    _HELD_BY_ONE
    + """,
asked as (
    select
        node,
        start_us,
        end_us,
        failed,
        max(start_us) over (partition by service) as closed_us
    from held
    where day >= $since
),
changes as (
    select node, start_us as at_us, 1 as change, 1 as started, failed
    from asked
    union all
    select node, case when end_us > closed_us then closed_us else end_us end as at_us, -1 as change, 0 as started, 0 as failed
    from asked
),
moments as (
    select node, at_us, sum(change) as change, sum(started) as started, sum(failed) as failed
    from changes
    group by node, at_us
),
levels as (
    select
        node,
        at_us,
        lead(at_us, 1, at_us) over (partition by node order by at_us)            as next_us,
        cast(sum(change) over (partition by node order by at_us) as bigint)      as level,
        cast(started as bigint)                                                  as started,
        cast(failed as bigint)                                                   as failed
    from moments
)
"""
)
"""The sweep line: +1 where a request begins and -1 where it ends, summed in order of time, a process at a time.

A process counts from its first request to its last end; the window closes with the last start, when ends are still missing.
"""

LEVELS = (
    _SWEEP
    + """
select
    level,
    cast(sum(next_us - at_us) as bigint) as held_us,
    cast(sum(started) as bigint)         as started,
    cast(sum(failed) as bigint)          as failed
from levels
group by level
order by level
"""
)
"""Microseconds that processes held `level` requests, and the requests that began at that level, themselves counted."""

NODES = (
    _SWEEP
    + """
select
    node,
    cast(sum(started) as bigint)                            as requests,
    cast(sum(failed) as bigint)                             as failed,
    cast(max(level) as bigint)                              as most,
    cast(sum(level * (next_us - at_us)) as bigint)          as stream_us,
    cast(sum(next_us - at_us) as bigint)                    as up_us
from levels
group by node
order by node
"""
)
"""Each process: requests, the most it held at a time, and request-microseconds over its time."""

MINUTES = (
    _SWEEP
    + f""",
placed as (
    select
        level,
        at_us,
        next_us,
        started,
        failed,
        cast(floor(cast(at_us as double) / {CELL_US}) as bigint)   as first_cell,
        cast(floor(cast(next_us as double) / {CELL_US}) as bigint) as last_cell
    from levels
),
pieces as (
    select
        first_cell as cell,
        first_cell as to_cell,
        level,
        case when last_cell = first_cell then next_us else (first_cell + 1) * {CELL_US} end - at_us as held_us,
        started
    from placed
    union all
    select last_cell as cell, last_cell as to_cell, level, next_us - last_cell * {CELL_US} as held_us, 0 as started
    from placed
    where last_cell > first_cell
    union all
    select
        first_cell + 1                                  as cell,
        last_cell - 1                                   as to_cell,
        level,
        (last_cell - first_cell - 1) * {CELL_US}        as held_us,
        0                                               as started
    from placed
    where last_cell > first_cell + 1
),
stepped as (
    select
        cell,
        to_cell,
        level,
        case
            when level < $floor then cast(-1 as bigint)
            else cast(floor(cast(level as double) / nullif($step, 0)) as bigint) * $step
        end as step_level,
        held_us,
        started
    from pieces
)
select
    cell,
    to_cell,
    step_level,
    cast(max(level) as bigint)           as most,
    cast(sum(held_us) as bigint)         as held_us,
    cast(sum(level * held_us) as bigint) as stream_us,
    cast(sum(started) as bigint)         as started
from stepped
group by cell, to_cell, step_level
order by cell, to_cell, step_level
"""
)
"""Node-time by minute and level, in steps of `step` levels, all below `floor` as one (-1): only the tail moves a p99.

A stretch of more than a minute without a change spans cells `cell` to `to_cell`.
"""

LONGEST = (
    _HELD_BY_ONE
    + """
select
    day,
    node,
    cast(end_us - start_us as double) / 1000000 as seconds,
    streamed,
    failed,
    trace_id,
    span_id
from held
where day >= $since
order by seconds desc, span_id
limit 500
"""
)
"""The requests held longest: what a slow stream is made of."""

CAPACITIES = f"""
select
    event_id,
    at_ns,
    title,
    service_name as service,
    attributes
from (
{STATED}
) as told
where kind = 'limit'
    and day <= $end
    and {IN_SCOPE}
    and strpos(attributes, '"streams"') > 0
order by at_ns, event_id
"""
"""Limits that say how many streams a process holds; the newest of a service is in force."""

CHANGES = MARKS
"""Deploys and the like, for the marks on the time axis."""

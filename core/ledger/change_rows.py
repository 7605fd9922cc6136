"""What was changed, when: change events as they were stated, and versions as the traces first show them.

An event that came again counts as its newest import says. Versions are no stored rows: the first span of a service with a
version says that it was deployed by then. What is seen within a day of the service's first span is what it began with, such
as a second model to fall back on, and is no change.
"""

from __future__ import annotations

IN_SCOPE = """(
        ($services = '' or service_name is null or strpos($services, concat(chr(31), service_name, chr(31))) > 0)
        and ($regions = '' or region is null or strpos($regions, concat(chr(31), region, chr(31))) > 0)
        and ($models = '' or model is null or strpos($models, concat(chr(31), model, chr(31))) > 0)
    )"""
"""Whether a change event concerns the scope: one of another service, region or model does not."""

CALLED = """(
        kind <> 'checkpoint'
        or model is null
        or model in (
            select request_model from calls where day between $start and $end and import_id <= $as_of
            union all
            select response_model from calls where day between $start and $end and import_id <= $as_of
        )
    )"""
"""Checkpoints come often: they concern only who calls that model."""

STATED = """
select
    event_id,
    at_ns,
    day,
    kind,
    title,
    service_name,
    region,
    model,
    cast(attributes as varchar) as attributes,
    'stated'                    as evidence,
    import_id
from (
    select
        event_id,
        at_ns,
        day,
        kind,
        title,
        service_name,
        region,
        model,
        attributes,
        import_id,
        row_number() over (partition by event_id order by import_id desc) as newest
    from change_events
    where import_id <= $as_of
        and import_id not in (select import_id from undone where undone_by <= $as_of)
) as told
where newest = 1
"""
"""Newest row of every event_id: event_id, at_ns, day, kind, title, service_name, region, model, attributes, evidence."""

_SEEN = """
select
    concat('seen/', kind, '/', service_name, '/', version)     as event_id,
    at_ns,
    day,
    kind,
    concat(substr(service_name, 1, 80), ' ', substr(version, 1, 80)) as title,
    service_name,
    cast(null as varchar)                                      as region,
    case when kind = 'checkpoint' then version end             as model,
    cast(null as varchar)                                      as attributes,
    'first seen'                                               as evidence,
    import_id
from (
    select
        kind,
        service_name,
        version,
        min(started_at_ns)                                                             as at_ns,
        min(day)                                                                       as day,
        min(import_id)                                                                 as import_id,
        min(min(started_at_ns)) over (partition by kind, service_name) as began_at_ns
    from (
        select 'deploy' as kind, service_name, service_version as version, started_at_ns, day, import_id
        from spans
        where service_version is not null
            and import_id <= $as_of
            and import_id not in (select import_id from undone where undone_by <= $as_of)
        union all
        select 'checkpoint' as kind, service_name, gen_ai_response_model as version, started_at_ns, day, import_id
        from spans
        where gen_ai_response_model is not null
            and span_role = 'inference'
            and import_id <= $as_of
            and import_id not in (select import_id from undone where undone_by <= $as_of)
    ) as shown
    where service_name is not null
    group by kind, service_name, version
) as firsts
where at_ns - began_at_ns >= 86400000000000
"""

CHANGE_EVENTS = f"{STATED}union all\n{_SEEN}"
"""Stated events and, as `evidence` 'first seen', every version of a service (deploy) and every model that answered it
(checkpoint) that came more than a day after the service's first. Columns as STATED. Reads all spans: not for every page."""

MARKS = f"""
select
    day,
    kind,
    title
from (
{STATED}
) as changes
where day between $start and $end
    and {IN_SCOPE}
    and {CALLED}
group by day, kind, title
order by day, kind, title
limit 50
"""
"""What was stated to have changed for the scope, for the marks on time axes; a checkpoint only where its model was called."""

NEWEST = f"""-- DuckDB only: a table of instants to read on the data page, which is about the ledger file
select
    make_timestamp_ns(at_ns) as at,
    kind,
    title,
    service_name,
    region,
    model,
    attributes
from (
{STATED}
) as changes
order by at_ns desc, event_id
limit 100
"""
"""The newest hundred that were stated, for a table."""

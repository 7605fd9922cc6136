"""What the streaming audit asks of metric points: histograms of durations, by temporality, never counted twice.

Asked of the ledger file on every installation: bounds and counts of a histogram are lists, which not every engine writes alike.
"""

from __future__ import annotations

_REASON = "-- DuckDB only: bounds and counts of a histogram are lists, which engines write differently\n"

_POINTS = (
    _REASON
    + """\
with told as (
    select
        name,
        unit,
        kind,
        temporality,
        service_name                                                             as service,
        service_instance_id                                                      as node,
        cast(attributes as varchar)                                              as attributes,
        started_at_ns,
        at_ns,
        day,
        count,
        sum,
        explicit_bounds,
        bucket_counts,
        concat(
            name, chr(31), unit, chr(31), temporality, chr(31), service_name, chr(31), service_instance_id, chr(31), cloud_region,
            chr(31), cast(attributes as varchar), chr(31), cast(started_at_ns as varchar)
        )                                                                        as series,
        row_number() over (
            partition by
                name, unit, kind, temporality, service_name, service_instance_id, cloud_region, cast(attributes as varchar),
                started_at_ns, at_ns
            order by import_id desc
        )                                                                        as newest
    from metric_points
    where kind in ('histogram', 'exponential_histogram')
        and temporality is not null
        and count is not null
        and (unit in ('s', 'ms', 'us', 'ns') or strpos(lower(name), 'duration') > 0 or strpos(lower(name), 'latency') > 0)
        and day between $first and $end
        and import_id <= $as_of
        and import_id not in (select import_id from undone where undone_by <= $as_of)
        and ($services = '' or service_name is null or strpos($services, concat(chr(31), service_name, chr(31))) > 0)
        and ($regions = '' or cloud_region is null or strpos($regions, concat(chr(31), cloud_region, chr(31))) > 0)
)
"""
)
"""Histograms of durations, every series and instant once, however often it was exported. A cumulative delta names its start, so
two processes under one name are two series wherever their exporter says when each began."""

POINT_DAYS = (
    _POINTS
    + """
select
    day,
    cast(sum(case when temporality = 'delta' then 1 else 0 end) as bigint) as points
from told
where newest = 1
    and day >= $start
group by day
order by day
"""
)
"""Delta points by day: sizes how many days of them are read. Cumulative ones are a few a series."""

POINTS = (
    _POINTS
    + """,
stepped as (
    select
        *,
        case when day >= $start then 1 else 0 end                                                          as inside,
        case
            when count < lag(count, 1, cast(0 as bigint)) over (partition by series order by at_ns) then 1
            else 0
        end                                                                                                as restarted,
        min(at_ns) over (partition by name, temporality, service, node)                                    as target_at_ns
    from told
    where newest = 1
        and (temporality = 'cumulative' or day >= $points_since)
),
lived as (
    select
        *,
        sum(restarted) over (partition by series order by at_ns) as life,
        sum(restarted) over (partition by series)                as restarts,
        count(*) over (partition by series)                      as points
    from stepped
),
ranked as (
    select
        *,
        row_number() over (partition by series, life, inside order by at_ns desc) as from_last,
        row_number() over (partition by series, life, inside order by at_ns)      as from_first
    from lived
)
select
    name,
    unit,
    kind,
    temporality,
    service,
    node,
    series,
    cast(life as bigint)     as life,
    cast(inside as bigint)   as inside,
    cast(restarts as bigint) as restarts,
    cast(points as bigint)   as points,
    case when from_last = 1 then 1 else 0 end as is_last,
    started_at_ns,
    at_ns,
    target_at_ns,
    count,
    sum,
    cast(explicit_bounds as varchar) as explicit_bounds,
    cast(bucket_counts as varchar)   as bucket_counts
from ranked
where temporality = 'delta'
    or from_last = 1
    or (inside = 1 and from_first = 1)
order by series, life, at_ns
"""
)
"""Delta points, and of each life of a cumulative series (a smaller count than before is a restart) the last point before the
range, the first and the last inside it: all that their differences need."""

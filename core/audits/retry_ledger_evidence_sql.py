"""Questions for the drill-down of the retry audit: the worst operations, and one run's spans."""

from __future__ import annotations

from core.audits.retry_ledger_sql import LINES

WORST_CALLS = (
    LINES.rstrip().rstrip(",")
    + """
select
    trace_id,
    operation_id,
    min(operation) as operation,
    min(service_name) as service,
    min(cloud_region) as region,
    min(provider) as provider,
    min(model) as model,
    min(day) as day,
    max(grade) as grade,
    cast(max(attempt_number) as bigint) as attempts,
    cast(count(distinct case when not attempt_ok then attempt_number end) as bigint) as failed_attempts,
    max(case when rescued then 1 else 0 end) as rescued,
    min(error_class) as error_class,
    cast(coalesce(sum(case when not attempt_ok then expected_usd end), 0) as decimal(38, 12)) as wasted_usd
from lines
group by trace_id, operation_id
having sum(case when attempt_ok then 0 else 1 end) > 0
order by wasted_usd desc, failed_attempts desc, trace_id, operation_id
limit 500
"""
)
"""The operations that wasted most, for the drill-down: at most 500."""

SPAN_TREE = """
with seen as (
    select
        *,
        row_number() over (partition by trace_id, span_id order by import_id desc) as newest
    from spans
    where trace_id = $trace_id
        and import_id <= $as_of
        and import_id not in (select import_id from undone where undone_by <= $as_of)
),
marks as (
    select
        span_id,
        min(attempt_number) as attempt_number,
        min(operation_id) as operation_id,
        min(retry_kind) as retry_kind,
        min(grade) as grade,
        min(case when attempt_ok then 1 else 0 end) as attempt_ok,
        min(removed_rule) as removed_rule
    from attempts
    where trace_id = $trace_id and import_id <= $as_of and superseded_by > $as_of
    group by span_id
)
select
    seen.span_id,
    seen.parent_span_id,
    seen.name,
    seen.span_role,
    seen.started_at_ns,
    seen.duration_ns,
    seen.status_code,
    seen.error_class,
    seen.http_response_status_code,
    marks.attempt_number,
    marks.operation_id,
    marks.retry_kind,
    marks.grade,
    marks.attempt_ok,
    marks.removed_rule
from seen
left join marks on marks.span_id = seen.span_id
where seen.newest = 1
order by seen.started_at_ns, seen.span_id
"""
"""One run's spans with the attempts marked."""

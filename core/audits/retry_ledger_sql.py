"""The questions the retry audit asks the ledger: one text each, in the portable subset, shown on its page.

Each aggregates in the database: the largest answer has a few dozen rows for each of the 4,096 clusters of runs, however
many runs there are. Shared beginnings are constants put in front; values only ever travel as $parameters.
"""

from __future__ import annotations

from core.ledger.outcome_rows import LATEST_FIRST

LINES = """
with lines as (
    select *
    from attempts
    where day between $start and $end
        and import_id <= $as_of and superseded_by > $as_of
        and ($regions = '' or strpos($regions, concat(chr(31), cloud_region, chr(31))) > 0)
        and ($services = '' or strpos($services, concat(chr(31), service_name, chr(31))) > 0)
        and ($models = '' or strpos($models, concat(chr(31), model, chr(31))) > 0)
        and (removed_rule is null or $double_counting = 'kept')
),
"""
"""The attempt lines in scope; put in front of a question, which goes on after the comma."""

_RUN_FLAGS = f"""
stated as (
    select *
    from outcomes
    where import_id <= $as_of
        and import_id not in (select import_id from undone where undone_by <= $as_of)
        and lower(name) in ('conversion', 'converted', 'task_success', 'resolved')
),
revised as (
    select outcome_key
    from stated
    group by outcome_key
    having count(*) > 1
),
in_force as (
    select
        stated.*,
        1 as newest
    from stated
    left join revised on revised.outcome_key = stated.outcome_key
    where revised.outcome_key is null
    union all
    select
        stated.*,
        row_number() over (partition by stated.outcome_key order by {LATEST_FIRST}) as newest
    from stated
    inner join revised on revised.outcome_key = stated.outcome_key
),
verdicts as (
    select
        outcome_key,
        trace_id,
        response_id,
        conversation_id,
        at_ns,
        import_id,
        case
            when value is not null and value >= 0.5 then 1
            when value is null and lower(label) in ('pass', 'true', 'success', 'converted') then 1
            else 0
        end as converted
    from in_force
    where newest = 1 and (value is not null or label is not null)
),
linked as (
    select trace_id, outcome_key, at_ns, import_id, converted
    from verdicts
    where trace_id is not null
    union all
    select calls.trace_id, verdicts.outcome_key, verdicts.at_ns, verdicts.import_id, verdicts.converted
    from verdicts
    inner join calls on calls.response_id = verdicts.response_id
    where verdicts.trace_id is null
        and calls.import_id <= $as_of and calls.superseded_by > $as_of
    union all
    select ends.trace_id, verdicts.outcome_key, verdicts.at_ns, verdicts.import_id, verdicts.converted
    from verdicts
    inner join (
        select
            trace_id,
            conversation_id,
            row_number() over (partition by conversation_id order by started_at_ns desc, trace_id) as last_first
        from runs
        where conversation_id is not null and import_id <= $as_of and superseded_by > $as_of
    ) as ends on ends.conversation_id = verdicts.conversation_id
    where verdicts.trace_id is null and verdicts.response_id is null and ends.last_first = 1
),
several as (
    select trace_id
    from linked
    group by trace_id
    having count(*) > 1
),
latest as (
    select
        linked.trace_id,
        linked.converted,
        1 as newest
    from linked
    left join several on several.trace_id = linked.trace_id
    where several.trace_id is null
    union all
    select
        linked.trace_id,
        linked.converted,
        row_number() over (
            partition by linked.trace_id order by linked.at_ns desc, linked.import_id desc, linked.outcome_key desc
        ) as newest
    from linked
    inner join several on several.trace_id = linked.trace_id
),
run_flags as (
    select
        runs.trace_id,
        runs.day,
        runs.cloud_region,
        runs.service_name,
        case when runs.ok then 1 else 0 end as run_ok,
        coalesce(latest.converted, -1) as outcome
    from runs
    left join latest on latest.trace_id = runs.trace_id and latest.newest = 1
    where runs.import_id <= $as_of and runs.superseded_by > $as_of
)
"""

RUNS = (
    LINES
    + _RUN_FLAGS
    + """
select
    day,
    substr(trace_id, 30, 3) as cluster,
    run_ok,
    outcome,
    cast(count(*) as bigint) as runs
from run_flags
where day between $start and $end
    and ($regions = '' or strpos($regions, concat(chr(31), cloud_region, chr(31))) > 0)
    and ($services = '' or strpos($services, concat(chr(31), service_name, chr(31))) > 0)
    and ($models = '' or trace_id in (select trace_id from lines))
group by grouping sets ((day, run_ok, outcome), (substr(trace_id, 30, 3), run_ok, outcome))
"""
)
"""Runs by day and, again, by cluster (last three hex digits of the trace id); outcome -1 = none recorded."""

ATTEMPTS = (
    LINES
    + _RUN_FLAGS
    + """
, tried as (
    select
        trace_id,
        operation_id,
        attempt_number,
        min(day) as day,
        max(grade) as grade,
        cast(max(case when attempt_ok then 0 else 1 end) as integer) as failed,
        max(case when rescued then 1 else 0 end) as rescued,
        max(case when last_success then 1 else 0 end) as last_success,
        max(case when orphan then 1 else 0 end) as orphan,
        sum(case when line_kind = 'inference' then expected_usd end) as inference_usd,
        sum(case when line_kind = 'tool' then expected_usd end) as tool_usd,
        sum(case when line_kind = 'inference' then 1 else 0 end) as inference_lines,
        sum(case when line_kind = 'tool' then 1 else 0 end) as tool_lines,
        sum(case when line_kind = 'tool' and retry_kind <> 'first' then 1 else 0 end) as tool_retries,
        sum(case when expected_usd is null and billable <> 'no' then 1 else 0 end) as unpriced
    from lines
    group by trace_id, operation_id, attempt_number
),
repeated as (
    select
        trace_id,
        operation_id
    from tried
    where attempt_number > 1
    group by trace_id, operation_id
),
chained as (
    select
        tried.*,
        lag(failed, 1, -1) over (
            partition by tried.trace_id, tried.operation_id order by attempt_number
        ) as before,
        lead(failed, 1, -1) over (
            partition by tried.trace_id, tried.operation_id order by attempt_number
        ) as after
    from tried
    inner join repeated
        on repeated.trace_id = tried.trace_id and repeated.operation_id = tried.operation_id
),
ordered as (
    select * from chained
    union all
    select
        tried.*,
        -1 as before,
        -1 as after
    from tried
    left join repeated
        on repeated.trace_id = tried.trace_id and repeated.operation_id = tried.operation_id
    where repeated.trace_id is null
),
placed as (
    select
        ordered.*,
        substr(ordered.trace_id, 30, 3) as cluster,
        case when ordered.after = -1 then 1 else 0 end as is_last,
        case
            when ordered.orphan = 1 then 'orphans'
            when ordered.failed = 1 and ordered.rescued = 0 then 'unrescued'
            when ordered.failed = 1 then 'rescued'
            when ordered.last_success = 1 then 'last_success'
            else 'other_successful'
        end as bucket,
        coalesce(run_flags.run_ok, 0) as run_ok,
        coalesce(run_flags.outcome, -1) as outcome
    from ordered
    left join run_flags on run_flags.trace_id = ordered.trace_id
)
select
    day,
    grade,
    failed,
    before,
    is_last,
    cluster,
    bucket,
    run_ok,
    outcome,
    cast(count(*) as bigint) as attempts,
    cast(sum(inference_lines) as bigint) as inference_lines,
    cast(sum(tool_lines) as bigint) as tool_lines,
    cast(sum(tool_retries) as bigint) as tool_retries,
    cast(sum(unpriced) as bigint) as unpriced,
    cast(coalesce(sum(inference_usd), 0) as decimal(38, 12)) as inference_usd,
    cast(coalesce(sum(tool_usd), 0) as decimal(38, 12)) as tool_usd
from placed
group by grouping sets (
    (day, grade, failed, before, is_last, bucket, run_ok, outcome),
    (cluster, bucket, run_ok, outcome)
)
"""
)
"""Attempts by what became of them and, again, by cluster; `before` is the attempt before (-1 none, 1 failed)."""

CALLS = """
with known as (
    select
        *,
        case
            when waiting_ns > 0
                then cast(floor(ln(cast(waiting_ns as double) / 1000000) / ln(1.02)) as bigint)
        end as waiting_bucket
    from calls
    where day between $start and $end
        and import_id <= $as_of and superseded_by > $as_of
        and ($regions = '' or strpos($regions, concat(chr(31), cloud_region, chr(31))) > 0)
        and ($services = '' or strpos($services, concat(chr(31), service_name, chr(31))) > 0)
        and ($models = '' or strpos($models, concat(chr(31), coalesce(response_model, request_model), chr(31))) > 0)
)
select
    dialect,
    line_kind,
    grade,
    coalesce(removed_rule, '') as removed_rule,
    waiting_bucket,
    cast(count(*) as bigint) as calls,
    cast(sum(attempts) as bigint) as attempts,
    cast(sum(failed_attempts) as bigint) as failed_attempts,
    cast(coalesce(sum(waiting_ns), 0) as bigint) as waiting_ns
from known
group by dialect, line_kind, grade, coalesce(removed_rule, ''), waiting_bucket
"""
"""How well attempts are known, what was removed as counted twice, and how long calls waited on retries."""

"""The questions the retry audit asks the ledger: one text each, in the portable subset, shown on its page.

Each aggregates in the database: the largest answer has a few dozen rows for each of the 4,096 clusters of runs, however
many runs there are. Shared beginnings are constants put in front; values only ever travel as $parameters.

DuckDB holds a CTE that is named more than once whole in memory. So the many rows of attempts are filtered anew wherever they
are needed, and outcomes are cut down to the runs a question follows before anything else is made of them.
"""

from __future__ import annotations

from core.audits.retry_ledger_flags_sql import RUN_FLAGS

_LINES_IN_SCOPE = """
    where attempts.day between $start and $end
        and attempts.import_id <= $as_of and attempts.superseded_by > $as_of
        and ($regions = '' or strpos($regions, concat(chr(31), attempts.cloud_region, chr(31))) > 0)
        and ($services = '' or strpos($services, concat(chr(31), attempts.service_name, chr(31))) > 0)
        and ($models = '' or strpos($models, concat(chr(31), attempts.model, chr(31))) > 0)
        and (attempts.removed_rule is null or $double_counting = 'kept')
"""
"""Which attempts are in scope."""

LINES = f"""
with lines as (
    select *
    from attempts
    {_LINES_IN_SCOPE}
),
"""
"""The attempt lines in scope; put in front of a question, which goes on after the comma."""

RUNS = (
    LINES
    + """
followed as (
    select
        trace_id,
        day,
        ok
    from runs
    where import_id <= $as_of and superseded_by > $as_of
        and day between $start and $end
        and ($regions = '' or strpos($regions, concat(chr(31), cloud_region, chr(31))) > 0)
        and ($services = '' or strpos($services, concat(chr(31), service_name, chr(31))) > 0)
        and ($models = '' or trace_id in (select trace_id from lines))
),
"""
    + RUN_FLAGS
    + """
select
    day,
    substr(trace_id, 30, 3) as cluster,
    run_ok,
    outcome,
    cast(count(*) as bigint) as runs
from run_flags
group by grouping sets ((day, run_ok, outcome), (substr(trace_id, 30, 3), run_ok, outcome))
"""
)
"""Runs by day and, again, by cluster (last three hex digits of the trace id); outcome -1 = none recorded."""

ATTEMPTS = (
    f"""
with followed as (
    select
        trace_id,
        day,
        ok
    from runs
    where import_id <= $as_of and superseded_by > $as_of
        and trace_id in (select trace_id from attempts {_LINES_IN_SCOPE})
),
"""
    + RUN_FLAGS
    + f"""
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
        count(case when line_kind = 'inference' then 1 end) as inference_lines,
        count(case when line_kind = 'tool' then 1 end) as tool_lines,
        count(case when line_kind = 'tool' and retry_kind <> 'first' then 1 end) as tool_retries,
        count(case when expected_usd is null and billable <> 'no' then 1 end) as unpriced
    from attempts
    {_LINES_IN_SCOPE}
    group by trace_id, operation_id, attempt_number
),
repeated as (
    select
        trace_id,
        operation_id
    from attempts
    {_LINES_IN_SCOPE}
        and attempts.attempt_number > 1
    group by trace_id, operation_id
),
failures as (
    select
        attempts.trace_id,
        attempts.operation_id,
        attempts.attempt_number,
        cast(max(case when attempts.attempt_ok then 0 else 1 end) as integer) as failed
    from attempts
    inner join repeated
        on repeated.trace_id = attempts.trace_id and repeated.operation_id = attempts.operation_id
    {_LINES_IN_SCOPE}
    group by attempts.trace_id, attempts.operation_id, attempts.attempt_number
),
chained as (
    select
        trace_id,
        operation_id,
        attempt_number,
        lag(failed, 1, -1) over (partition by trace_id, operation_id order by attempt_number) as before,
        lead(failed, 1, -1) over (partition by trace_id, operation_id order by attempt_number) as after
    from failures
),
placed as (
    select
        tried.day as day,
        tried.grade as grade,
        tried.failed as failed,
        tried.inference_lines as inference_lines,
        tried.tool_lines as tool_lines,
        tried.tool_retries as tool_retries,
        tried.unpriced as unpriced,
        tried.inference_usd as inference_usd,
        tried.tool_usd as tool_usd,
        substr(tried.trace_id, 30, 3) as cluster,
        coalesce(chained.before, -1) as before,
        case when coalesce(chained.after, -1) = -1 then 1 else 0 end as is_last,
        case
            when tried.orphan = 1 then 'orphans'
            when tried.failed = 1 and tried.rescued = 0 then 'unrescued'
            when tried.failed = 1 then 'rescued'
            when tried.last_success = 1 then 'last_success'
            else 'other_successful'
        end as bucket,
        coalesce(run_flags.run_ok, 0) as run_ok,
        coalesce(run_flags.outcome, -1) as outcome
    from tried
    left join chained
        on chained.trace_id = tried.trace_id
        and chained.operation_id = tried.operation_id
        and chained.attempt_number = tried.attempt_number
    left join run_flags on run_flags.trace_id = tried.trace_id
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
"""Attempts by what became of them and, again, by cluster; `before` is the attempt before (-1 none, 1 failed).

`placed` names its columns: ClickHouse calls those of `tried.*` by their table's name where a joined one has the same.
"""

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

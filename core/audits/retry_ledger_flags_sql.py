"""How each run ended, for the retry audit's questions: completed or not, and its latest outcome."""

from __future__ import annotations

from core.ledger.outcome_rows import LATEST_FIRST

_CONVERSIONS = """
    where import_id <= $as_of
        and import_id not in (select import_id from undone where undone_by <= $as_of)
        and lower(name) in ('conversion', 'converted', 'task_success', 'resolved')
"""

RUN_FLAGS = f"""
touching as (
    select distinct outcome_key
    from outcomes
    {_CONVERSIONS}
        and (trace_id is null or trace_id in (select trace_id from followed))
),
stated as (
    select *
    from outcomes
    {_CONVERSIONS}
        and outcome_key in (select outcome_key from touching)
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
        followed.trace_id,
        followed.day,
        case when followed.ok then 1 else 0 end as run_ok,
        coalesce(latest.converted, -1) as outcome
    from followed
    left join latest on latest.trace_id = followed.trace_id and latest.newest = 1
)
"""
"""The runs that `followed` names, with ok and outcome as numbers; put behind it.

`touching` are the keys of which any row may be about such a run: of those all rows are read, because a revision may have moved
an outcome to another run.
"""

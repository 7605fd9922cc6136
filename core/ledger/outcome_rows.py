"""Outcomes as of a data version, and how many runs have one: coverage stands beside every rate of outcomes.

Thumbs are given by who likes to give them, so a rate without its coverage says little. Of each key the newest row counts:
the latest by its own time, among equals the latest import. Sources are never merged: a person and a judge who rate under
one name are two rows.
"""

from __future__ import annotations

import polars as pl

LATEST_FIRST = "at_ns desc, import_id desc, value desc nulls last, label desc nulls last"
"""The order of one key's rows, the one that counts first: an older file may be read later, so its own time goes first."""

LATEST = f"""
select
    outcome_key,
    at_ns,
    day,
    trace_id,
    span_id,
    response_id,
    conversation_id,
    subject_hash,
    name,
    value,
    label,
    source,
    actor_hash,
    error_type,
    import_id
from (
    select
        outcome_key,
        at_ns,
        day,
        trace_id,
        span_id,
        response_id,
        conversation_id,
        subject_hash,
        name,
        value,
        label,
        source,
        actor_hash,
        error_type,
        import_id,
        row_number() over (partition by outcome_key order by {LATEST_FIRST}) as newest
    from outcomes
    where import_id <= $as_of
        and import_id not in (select import_id from undone where undone_by <= $as_of)
) as told
where newest = 1
"""
"""The newest row of every outcome_key."""

_JOINED = f"""
with latest as (
{LATEST}
),
eligible as (
    select
        trace_id,
        day,
        started_at_ns,
        conversation_id
    from runs
    where import_id <= $as_of
        and superseded_by > $as_of
        and day between $start and $end
        and ($regions = '' or strpos($regions, concat(chr(31), cloud_region, chr(31))) > 0)
        and ($services = '' or strpos($services, concat(chr(31), service_name, chr(31))) > 0)
),
rated as (
    select name, source, value, label, outcome_key, trace_id
    from latest
    where trace_id is not null
    union all
    select latest.name, latest.source, latest.value, latest.label, latest.outcome_key, spans.trace_id
    from latest
    inner join spans on spans.span_id = latest.span_id
    where latest.trace_id is null
        and latest.response_id is null
        and spans.import_id <= $as_of
        and spans.import_id not in (select import_id from undone where undone_by <= $as_of)
    union all
    select latest.name, latest.source, latest.value, latest.label, latest.outcome_key, calls.trace_id
    from latest
    inner join calls on calls.response_id = latest.response_id
    where latest.trace_id is null
        and calls.import_id <= $as_of
        and calls.superseded_by > $as_of
    union all
    select name, source, value, label, outcome_key, trace_id
    from (
        select
            latest.name,
            latest.source,
            latest.value,
            latest.label,
            latest.outcome_key,
            eligible.trace_id,
            row_number() over (
                partition by latest.outcome_key order by eligible.started_at_ns desc, eligible.trace_id
            ) as place
        from latest
        inner join eligible on eligible.conversation_id = latest.conversation_id
            and eligible.started_at_ns <= latest.at_ns
        where latest.trace_id is null
            and latest.response_id is null
            and latest.span_id is null
    ) as turns
    where place = 1
)
"""

COVERAGE = f"""
{_JOINED}, days as (
    select day, cast(count(*) as bigint) as n_eligible
    from eligible
    group by day
),
kinds as (
    select distinct name, source
    from latest
    where value is not null or label is not null
),
counted as (
    select
        eligible.day,
        rated.name,
        rated.source,
        cast(count(distinct rated.trace_id) as bigint) as n_rated
    from rated
    inner join eligible on eligible.trace_id = rated.trace_id
    where rated.value is not null or rated.label is not null
    group by eligible.day, rated.name, rated.source
)
select
    days.day,
    kinds.name,
    kinds.source,
    coalesce(counted.n_rated, 0) as n_rated,
    days.n_eligible
from days
cross join kinds
left join counted on counted.day = days.day
    and counted.name = kinds.name
    and counted.source = kinds.source
order by days.day, kinds.name, kinds.source
"""
"""Runs rated and runs there were, by the run's UTC day, name and source; a day without a rating has zero.

An outcome belongs to a run by its trace, else by its span, else by the call with its response id; one of a conversation
belongs to the last run of the conversation before it in scope. Evaluators that failed rated nothing.
"""

UNJOINED = f"""
{_JOINED}
select
    latest.name,
    latest.source,
    cast(count(*) as bigint) as n_outcomes,
    cast(sum(case when joined.outcome_key is null then 1 else 0 end) as bigint) as n_unjoined
from latest
left join (
    select distinct rated.outcome_key
    from rated
    inner join runs on runs.trace_id = rated.trace_id
    where runs.import_id <= $as_of
        and runs.superseded_by > $as_of
) as joined on joined.outcome_key = latest.outcome_key
where latest.day >= $start
group by latest.name, latest.source
order by latest.name, latest.source
"""
"""Outcomes since the start of the scope, and those of them that no run in the ledger takes up."""


def coverage(daily: pl.DataFrame) -> pl.DataFrame:
    """Shares of runs rated, from the rows of COVERAGE: name, source, days, days_rated, n_rated, n_eligible, rated_share.

    `rated_share` is a count of all runs, no estimate, so it has no interval; null without a run. Sources stay apart.
    """
    totals = daily.group_by("name", "source").agg(
        pl.len().cast(pl.Int64).alias("days"),
        (pl.col("n_rated") > 0).sum().cast(pl.Int64).alias("days_rated"),
        pl.col("n_rated").sum(),
        pl.col("n_eligible").sum(),
    )
    share = pl.when(pl.col("n_eligible") > 0).then(pl.col("n_rated") / pl.col("n_eligible"))
    return totals.with_columns(share.alias("rated_share")).sort("name", "source")

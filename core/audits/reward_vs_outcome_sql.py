"""The questions the reward audit asks the ledger, in the portable subset; shown on its page.

Checkpoints need history: every question looks at all rows up to the end of the range, whatever its beginning. Where a
question would bring more than MOST_ROWS rows, whole prompts or whole users are sampled by a hash of their name, so that
the sample is the same for everybody and no prompt is torn apart.
"""

from __future__ import annotations

from core.ledger.change_rows import IN_SCOPE, STATED
from core.ledger.eval_rows import NEWEST_EVALS
from core.ledger.outcome_rows import LATEST

MOST_ROWS = 100_000

CHECKPOINTS = f"""
select
    kind,
    checkpoint,
    at_ns
from (
    select
        kind,
        coalesce(model, title) as checkpoint,
        min(at_ns)             as at_ns
    from (
{STATED}
    ) as stated
    where kind in ('checkpoint', 'release')
        and day <= $end
        and ($services = '' or service_name is null or strpos($services, concat(chr(31), service_name, chr(31))) > 0)
    group by kind, coalesce(model, title)
) as dated
order by at_ns, checkpoint
"""
"""When each checkpoint or release came into force."""

EVALS = f"""
with {NEWEST_EVALS},
placed as (
    select
        newest_eval_samples.model                                       as checkpoint,
        concat(
            coalesce(newest_eval_samples.task, ''), ' ', coalesce(newest_eval_samples.task_version, '')
        )                                                               as task,
        newest_eval_samples.scorer,
        newest_eval_samples.sample_id                                   as item,
        newest_eval_samples.verdict,
        coalesce(newest_eval_samples.started_at_ns, imports.at_ns)      as at_ns
    from newest_eval_samples
    left join imports on imports.import_id = newest_eval_samples.import_id
    where newest_eval_samples.model is not null
        and ($regions = '' or newest_eval_samples.region is null
            or strpos($regions, concat(chr(31), newest_eval_samples.region, chr(31))) > 0)
        and ($models = '' or strpos($models, concat(chr(31), newest_eval_samples.model, chr(31))) > 0)
)
select
    checkpoint,
    task,
    scorer,
    item,
    min(at_ns)                                                                      as at_ns,
    cast(sum(case when verdict = 'pass' then 1 else 0 end) as bigint)               as passed,
    cast(sum(case when verdict in ('pass', 'fail') then 1 else 0 end) as bigint)    as completed,
    cast(sum(case when verdict = 'error' then 1 else 0 end) as bigint)              as errored
from placed
where at_ns < $until_ns
group by checkpoint, task, scorer, item
order by task, scorer, item, checkpoint
"""
"""Of each checkpoint and test item: samples passed, completed and errored. An errored sample is not a failed one.

Items are the same by task, its version and the sample's id; the hash of a run's data is left out, because it changes with
every item added and the others would no longer be compared. A run that does not say when it ran is dated by its import.
"""

_SCORED = f"""
with stated as (
    select
        *,
        row_number() over (partition by response_key order by import_id desc) as newest
    from responses
    where import_id <= $as_of
        and import_id not in (select import_id from undone where undone_by <= $as_of)
),
scored as (
    select *
    from stated
    where newest = 1
        and day <= $end
        and {IN_SCOPE}
        and coalesce(checkpoint, model) is not null
        and (reward is not null or chosen is not null)
)
"""

RESPONSES_SIZE = _SCORED + "select cast(count(*) as bigint) as scored from scored"

RESPONSES = (
    _SCORED
    + """
select
    response_key,
    coalesce(checkpoint, model) as checkpoint,
    at_ns,
    coalesce(prompt_id, response_key) as prompt,
    pair_id,
    chosen,
    chosen_by,
    reward,
    kl,
    correct,
    length_chars,
    apologies,
    caveats,
    hedges,
    refusals,
    bullets,
    boxed,
    agreements,
    word_list
from scored
where substr(md5(coalesce(prompt_id, response_key)), 1, 4) < $keep
order by response_key
"""
)
"""Scored answers with their features; all answers to a prompt are in the sample, or none."""

_RATED = f"""
with latest as (
{LATEST}
),
placed as (
    select
        latest.outcome_key,
        lower(latest.name) as name,
        latest.source,
        latest.at_ns,
        latest.value,
        lower(coalesce(latest.label, '')) as label,
        coalesce(latest.trace_id, latest.response_id, latest.conversation_id, latest.outcome_key) as target,
        coalesce(latest.subject_hash, latest.conversation_id, latest.trace_id, latest.outcome_key) as cluster,
        coalesce(runs.cloud_region, '') as region,
        coalesce(runs.service_name, '') as service
    from latest
    left join runs on runs.trace_id = latest.trace_id and runs.import_id <= $as_of and runs.superseded_by > $as_of
    where latest.day <= $end
        and latest.error_type is null
        and lower(latest.name) in (
            'user_feedback', 'thumbs', 'thumbs_up', 'feedback', 'user_rating', 'rating',
            'conversion', 'converted', 'task_success', 'resolved'
        )
),
scoped as (
    select *
    from placed
    where ($regions = '' or strpos($regions, concat(chr(31), region, chr(31))) > 0)
        and ($services = '' or strpos($services, concat(chr(31), service, chr(31))) > 0)
)
"""

RATINGS_SIZE = _RATED + "select cast(count(*) as bigint) as rated from scoped"

RATINGS = (
    _RATED
    + """
select
    outcome_key,
    name,
    source,
    at_ns,
    target,
    cluster,
    concat(region, ' ', service) as stratum,
    case
        when value between -1 and 1 and value > 0.5 then 1
        when value between -1 and 1 then 0
        when value is null
            and label in ('up', 'thumbs_up', 'positive', 'good', 'yes', 'pass', 'true', 'correct', 'success') then 1
        when value is null
            and label in ('down', 'thumbs_down', 'negative', 'bad', 'no', 'fail', 'false', 'incorrect', 'failure') then 0
    end as positive
from scoped
where substr(md5(cluster), 1, 4) < $keep
order by outcome_key
"""
)
"""Latest ratings and outcomes of runs, human and judge apart; what is neither a yes nor a no has no `positive`."""

ELIGIBLE = """
select
    day,
    concat(coalesce(cloud_region, ''), ' ', coalesce(service_name, '')) as stratum,
    cast(count(*) as bigint) as eligible
from runs
where day <= $end
    and import_id <= $as_of and superseded_by > $as_of
    and ($regions = '' or strpos($regions, concat(chr(31), cloud_region, chr(31))) > 0)
    and ($services = '' or strpos($services, concat(chr(31), service_name, chr(31))) > 0)
group by day, concat(coalesce(cloud_region, ''), ' ', coalesce(service_name, ''))
order by day, stratum
"""
"""Runs that could have been rated."""

"""What the regional drift audit asks the ledger: probes, evals and passive traffic by region, and what was released."""

from __future__ import annotations

from core.ledger.change_rows import IN_SCOPE, STATED
from core.ledger.eval_rows import NEWEST_EVALS

_ARRIVED = """
with arrived as (
    select
        *,
        row_number() over (partition by probe_id order by import_id desc) as revision
    from probes
    where import_id <= $as_of
        and import_id not in (select import_id from undone where undone_by <= $as_of)
),
answers as (
    select
        *,
        row_number() over (partition by region, day, prompt_id order by at_ns, probe_id) as completion,
        dense_rank() over (order by md5(prompt_id))                                      as prompt_number
    from arrived
    where revision = 1
        and kind = 'model'
        and day between $start and $end
        and region is not null
        and prompt_id is not null
        and ($models = '' or strpos($models, concat(chr(31), request_model, chr(31))) > 0)
)
"""

COUNTS = (
    _ARRIVED
    + """
select
    region,
    cast(count(*) as bigint)                                        as answers,
    cast(count(distinct concat(prompt_id, chr(31), day)) as bigint) as cells,
    cast(count(distinct prompt_id) as bigint)                       as prompts
from answers
group by region
order by region
"""
)
"""Answers of each region: what the design of the sample and the choice of the reference start from."""

PROBES = (
    _ARRIVED
    + """
select
    probe_id,
    prompt_id,
    region,
    day,
    completion,
    request_model,
    response_model,
    system_fingerprint,
    input_tokens,
    output_tokens,
    first_chunk_ms,
    last_chunk_ms,
    finish_reason,
    refusal,
    format_ok,
    score,
    scorer,
    coalesce(text, text_hash) as text,
    text_chars,
    header_names
from answers
where completion <= $completions
    and prompt_number <= $prompts
"""
)
"""One row an answer: of each region, day and prompt the first $completions by time; $prompts prompts, by hash."""

CALLS = """
select
    cloud_region                                      as region,
    request_model,
    response_model,
    cast(count(*) as bigint)                          as calls
from calls
where line_kind = 'inference'
    and ok
    and removed_rule is null
    and cloud_region is not null
    and request_model is not null
    and response_model is not null
    and day between $start and $end
    and import_id <= $as_of
    and superseded_by > $as_of
    and ($models = '' or strpos($models, concat(chr(31), request_model, chr(31))) > 0)
    and ($services = '' or strpos($services, concat(chr(31), service_name, chr(31))) > 0)
group by cloud_region, request_model, response_model
"""
"""Ordinary traffic: which snapshot answered a requested model, by region."""

LENGTHS = """
select
    cloud_region                                                  as region,
    service_name                                                  as service,
    model,
    cast(floor(ln(output_tokens + 1.0) / ln(1.1)) as bigint)      as length_bucket,
    cast(count(*) as bigint)                                      as calls
from attempts
where line_kind = 'inference'
    and ok
    and removed_rule is null
    and cloud_region is not null
    and output_tokens is not null
    and model is not null
    and service_name is not null
    and day between $start and $end
    and import_id <= $as_of
    and superseded_by > $as_of
    and ($models = '' or strpos($models, concat(chr(31), model, chr(31))) > 0)
    and ($services = '' or strpos($services, concat(chr(31), service_name, chr(31))) > 0)
group by 1, 2, 3, 4
"""
"""Ordinary traffic: how long answers are, in buckets a tenth wide, by service, model and region."""

EVALS = f"""
with {NEWEST_EVALS},
ranked_runs as (
    select
        *,
        row_number() over (
            partition by task, task_version, dataset_hash, model, region order by started_at_ns desc, import_id desc, run_id
        ) as place
    from newest_eval_runs
    where region is not null
        and started_at_ns >= $start_ns
        and started_at_ns < $until_ns
        and ($models = '' or strpos($models, concat(chr(31), model, chr(31))) > 0)
),
verdicts as (
    select
        ranked_runs.region as region,
        ranked_runs.task as task,
        ranked_runs.task_version as task_version,
        ranked_runs.dataset_hash as dataset_hash,
        ranked_runs.model as model,
        newest_eval_samples.sample_id as sample_id,
        newest_eval_samples.epoch as epoch,
        newest_eval_samples.scorer as scorer,
        newest_eval_samples.verdict as verdict
    from newest_eval_samples
    join ranked_runs on ranked_runs.run_id = newest_eval_samples.run_id and ranked_runs.place = 1
    where newest_eval_samples.verdict in ('pass', 'fail')
)
select
    other.region,
    other.verdict     as verdict,
    reference.verdict as verdict_ref,
    cast(count(*) as bigint) as samples
from verdicts as other
join verdicts as reference
    on reference.task is not distinct from other.task
    and reference.task_version is not distinct from other.task_version
    and reference.dataset_hash is not distinct from other.dataset_hash
    and reference.model is not distinct from other.model
    and reference.sample_id = other.sample_id
    and reference.epoch = other.epoch
    and reference.scorer = other.scorer
    and reference.region = $reference
where other.region <> $reference
group by 1, 2, 3
"""
"""The newest eval run of each region, sample by sample beside the reference's run of the same task and data."""

CHANGES = f"""
select
    day,
    kind,
    title,
    region
from (
{STATED}
) as stated
where day between $start and $end
    and kind in ('release', 'deploy', 'checkpoint', 'incident')
    and (model is null or model in (
        select request_model
        from probes
        where request_model is not null
            and import_id <= $as_of
            and import_id not in (select import_id from undone where undone_by <= $as_of)
    ))
    and {IN_SCOPE}
order by day, title
limit 200
"""
"""What was released, changed or broke in scope: what a date of drift is laid beside."""

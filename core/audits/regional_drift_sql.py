"""What the regional drift audit asks the ledger: probes, passive traffic by region, and what was released."""

from __future__ import annotations

_ARRIVED = """
with arrived as (
    select
        *,
        row_number() over (partition by probe_id order by import_id desc) as revision
    from probes
    where kind = 'model'
        and day between $start and $end
        and import_id <= $as_of
),
answers as (
    select
        *,
        row_number() over (partition by region, day, prompt_id order by at_ns, probe_id) as completion
    from arrived
    where revision = 1
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
    cast(count(*) as bigint)                            as answers,
    cast(count(distinct concat(prompt_id, day)) as bigint) as cells
from answers
group by region
order by region
"""
)
"""Answers of each region: what the design of the sample starts from."""

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
"""
)
"""One row an answer, at most $completions of each region, day and prompt, the first ones by time."""

PASSIVE = """
select
    cloud_region                             as region,
    gen_ai_request_model                     as request_model,
    gen_ai_response_model                    as response_model,
    day,
    floor(ln(gen_ai_usage_output_tokens + 1) / ln(1.1)) as length_bucket,
    cast(count(*) as bigint)                 as calls
from spans
where span_role = 'inference'
    and status_code <> 'ERROR'
    and cloud_region is not null
    and gen_ai_request_model is not null
    and gen_ai_response_model is not null
    and day between $start and $end
    and import_id <= $as_of
    and ($models = '' or strpos($models, concat(chr(31), gen_ai_request_model, chr(31))) > 0)
group by 1, 2, 3, 4, 5
"""
"""Ordinary traffic: which snapshot answered, and how long answers are, in buckets of a tenth."""

CHANGES = """
with newest as (
    select
        *,
        row_number() over (partition by event_id order by import_id desc) as revision
    from change_events
    where day between $start and $end
        and import_id <= $as_of
)
select
    day,
    kind,
    title,
    region
from newest
where revision = 1
    and kind in ('release', 'deploy', 'checkpoint', 'incident')
order by day, title
"""

EVIDENCE = (
    _ARRIVED
    + """
,
pairs as (
    select
        other.region,
        other.day,
        other.prompt_id,
        other.completion,
        other.response_model                              as response_model,
        reference.response_model                          as reference_response_model,
        other.score                                       as score,
        reference.score                                   as reference_score,
        other.text_chars                                  as text_chars,
        reference.text_chars                              as reference_text_chars,
        other.input_tokens                                as input_tokens,
        reference.input_tokens                            as reference_input_tokens,
        other.refusal                                     as refusal,
        reference.refusal                                 as reference_refusal,
        other.text                                        as text,
        reference.text                                    as reference_text
    from answers as other
    join answers as reference
        on reference.prompt_id = other.prompt_id
        and reference.day = other.day
        and reference.completion = other.completion
        and reference.region = $reference
    where other.region <> $reference
        and ($regions = '' or strpos($regions, concat(chr(31), other.region, chr(31))) > 0)
)
select
    *
from pairs
order by
    abs(coalesce(score, 0) - coalesce(reference_score, 0)) desc,
    abs(coalesce(text_chars, 0) - coalesce(reference_text_chars, 0)) desc,
    day desc,
    region,
    prompt_id,
    completion
limit 500
"""
)
"""Pairs of answers to one prompt on one day, those that differ most first."""

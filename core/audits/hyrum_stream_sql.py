"""What the audit of unwritten stream contracts asks the ledger: streams by version, what stands alone, lists of a few."""

from __future__ import annotations

from core.audits.tps_chunking_sql import ALONE as NEVER_RECORDED
from core.ledger.change_rows import MARKS
from core.ledger.stream_rows import COUNTING

_STREAMS = f"""
with counting as (
{COUNTING}
),
told as (
    select
        coalesce(source, '')                        as source,
        coalesce(provider_name, '')                 as provider,
        coalesce(request_model, '')                 as model,
        coalesce(cloud_region, '')                  as region,
        coalesce(version_label, response_model, '') as version,
        coalesce(prompt_id, '')                     as prompt,
        stream_key,
        trace_id,
        response_id,
        day,
        hour,
        chunk_count,
        shown_tokens,
        first_chunk_ms,
        tokens_per_s,
        gap_p50_ms,
        gap_p99_ms,
        slow_gap_share,
        tool_pause_ms,
        preamble_chars,
        reasoning_tokens,
        sentence_gap_ratio,
        t_ms,
        kind
    from counting
    where newest = 1
        and (chunk_count >= 2 or preamble_chars is not null)
)
"""
"""Streams with chunk times, and turns whose messages tell at least whether text stood before a tool call."""

COUNT = (
    _STREAMS
    + """
select cast(count(*) as bigint) as streams
from told
"""
)
"""Sizes the sample."""

STREAMS = (
    _STREAMS
    + """
select
    source,
    provider,
    model,
    region,
    version,
    prompt,
    stream_key,
    trace_id,
    response_id,
    day,
    hour,
    chunk_count,
    shown_tokens,
    first_chunk_ms,
    tokens_per_s,
    gap_p50_ms,
    gap_p99_ms,
    slow_gap_share,
    tool_pause_ms,
    preamble_chars,
    reasoning_tokens,
    sentence_gap_ratio
from told
where substr(md5(case when prompt = '' then stream_key else prompt end), 1, 4) < $keep
"""
)
"""One row a stream; where they are too many a sample by hash of the prompt, so that pairs stay together."""

LISTS = (
    _STREAMS
    + """
, drawn as (
    select
        *,
        row_number() over (
            partition by source, provider, model, region, version
            order by case when tool_pause_ms is null then 1 else 0 end, md5(stream_key), stream_key
        ) as place
    from told
    where chunk_count between 2 and $longest
)
select
    source,
    provider,
    model,
    region,
    version,
    stream_key,
    tool_pause_ms,
    cast(t_ms as varchar) as arrivals
from drawn
where place <= $lists
"""
)
"""Arrivals of a few streams of each version, those that call a tool first: what is replayed."""

ALONE, CHANGES = NEVER_RECORDED, MARKS

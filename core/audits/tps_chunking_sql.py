"""What the chunking audit asks the ledger: streams by hour, a row a stream, lists of a few, averages where lists lack."""

from __future__ import annotations

from core.ledger.change_rows import MARKS
from core.ledger.stream_rows import COUNTING

_STREAMS = f"""
with counting as (
{COUNTING}
),
sized as (
    select
        coalesce(source, '')         as source,
        coalesce(provider_name, '')  as provider,
        coalesce(request_model, '')  as model,
        coalesce(cloud_region, '')   as region,
        stream_key,
        trace_id,
        response_id,
        day,
        hour,
        chunk_count,
        shown_tokens,
        char_count,
        first_chunk_ms,
        last_chunk_ms,
        tokens_per_s,
        chars_per_s,
        gap_p95_ms,
        longest_gap_ms,
        t_ms,
        tokens
    from counting
    where newest = 1
        and chunk_count >= 1
        and last_chunk_ms > 0
)
"""
"""A stream of one chunk has a unit and no rate; shown_tokens are those of the chunks, else those billed less hidden reasoning."""

HOURS = (
    _STREAMS
    + """
select
    source,
    provider,
    model,
    region,
    day,
    hour,
    cast(count(*) as bigint) as streams
from sized
group by source, provider, model, region, day, hour
"""
)
"""Sizes the sample, and says which hours have enough streams."""

STREAMS = (
    _STREAMS
    + """
select
    source,
    provider,
    model,
    region,
    stream_key,
    trace_id,
    response_id,
    day,
    hour,
    chunk_count,
    shown_tokens,
    char_count,
    first_chunk_ms,
    last_chunk_ms,
    tokens_per_s,
    chars_per_s,
    gap_p95_ms,
    longest_gap_ms
from sized
where substr(md5(stream_key), 1, 4) < $keep
"""
)
"""One row a stream; a sample by hash of its key where they are too many."""

LISTS = (
    _STREAMS
    + """
, drawn as (
    select
        source,
        provider,
        model,
        region,
        stream_key,
        day,
        shown_tokens,
        char_count,
        t_ms,
        tokens,
        row_number() over (
            partition by source, provider, model, region, case when day >= $since then 1 else 0 end
            order by md5(stream_key), stream_key
        ) as place
    from sized
    where chunk_count <= $longest
        and coalesce(shown_tokens, char_count) is not null
)
select
    source,
    provider,
    model,
    region,
    stream_key,
    day,
    shown_tokens,
    char_count,
    cast(t_ms as varchar)   as arrivals,
    cast(tokens as varchar) as sizes
from drawn
where place <= $lists
"""
)
"""Lists of a few streams of either side, as text: what a reader lived through, and what a staircase is drawn of."""

ALONE = """
select
    cast((
        select count(*) from streams
        where day between $start and $end and import_id <= $as_of
            and import_id not in (select import_id from undone where undone_by <= $as_of)
            and source in ('first_token', 'messages')
    ) as bigint) as first_only,
    cast((
        select count(*) from spans
        where day between $start and $end and import_id <= $as_of
            and import_id not in (select import_id from undone where undone_by <= $as_of)
            and span_role = 'inference'
            and (gen_ai_request_stream or gen_ai_response_time_to_first_chunk_ns is not null)
    ) as bigint) as streamed_spans,
    cast((
        select count(*) from metric_points
        where day between $start and $end and import_id <= $as_of
            and import_id not in (select import_id from undone where undone_by <= $as_of)
            and name in ('gen_ai.client.operation.time_per_output_chunk', 'gen_ai.client.inference.time_per_output_chunk')
    ) as bigint) as averages,
    cast((
        select count(*) from streams
        where day between $start and $end and import_id <= $as_of
            and import_id not in (select import_id from undone where undone_by <= $as_of)
            and chunk_count >= 1
    ) as bigint) as outside
"""
"""What there is where no stream in scope has chunk times: first tokens alone, averages, streams of other services."""

TICKETS = """
select
    day,
    cast(count(*) as bigint) as tickets,
    cast(sum(case
        when strpos(lower(coalesce(category, '')), 'stutter') > 0 or strpos(lower(coalesce(category, '')), 'stream') > 0
        then 1 else 0
    end) as bigint)          as complaints
from (
    select
        day,
        category,
        row_number() over (partition by ticket_id order by import_id desc) as newest
    from tickets
    where day between $start and $end
        and import_id <= $as_of
        and import_id not in (select import_id from undone where undone_by <= $as_of)
) as told
where newest = 1
group by day
"""
"""Whether a stream stutters is what people say of it: tickets whose category says stutter or stream."""

CHANGES = MARKS
"""Deploys and the like, for the marks on the time axis."""

"""What the voice audit asks the ledger: how many spans a day has, the spans and instants of turns with a voice, and changes."""

from __future__ import annotations

from core.ledger.change_rows import MARKS

_SPOKEN = """
with called as (
    select distinct trace_id
    from spans
    where (
            gen_ai_operation_name in ('speech_to_text', 'text_to_speech')
            or name in ('voice_turn', 'agent_turn', 'speech_to_text', 'text_to_speech')
        )
        and day between $start and $end
        and import_id <= $as_of
        and import_id not in (select import_id from undone where undone_by <= $as_of)
        and ($services = '' or strpos($services, concat(chr(31), service_name, chr(31))) > 0)
        and ($regions = '' or strpos($regions, concat(chr(31), cloud_region, chr(31))) > 0)
),
seen as (
    select
        spans.*,
        row_number() over (partition by spans.trace_id, spans.span_id order by spans.import_id desc) as newest
    from spans
    inner join called on called.trace_id = spans.trace_id
    where (
            gen_ai_operation_name in (
                'invoke_agent', 'chat', 'generate_content', 'execute_tool', 'speech_to_text', 'text_to_speech'
            )
            or name in (
                'voice_turn', 'agent_turn', 'speech_to_text', 'chat', 'text_to_speech', 'audio_output', 'agent_speaking',
                'llm_node', 'tts_node', 'llm_request', 'tts_request', 'llm_fallback_adapter', 'tts_fallback_adapter'
            )
        )
        and day between $start and $end
        and import_id <= $as_of
        and import_id not in (select import_id from undone where undone_by <= $as_of)
),
spoken as (
    select *
    from seen
    where newest = 1
)
"""
"""Newest revision of the spans of voice calls: by the two operations of speech, or by the names of Trueup and LiveKit.

Joined rather than `in`: for that DuckDB held the spans of all calls with their attributes, 580 MiB at ten million spans, to look
up the few traces."""

DAYS = (
    _SPOKEN
    + """
select
    day,
    cast(count(*) as bigint) as spans
from spoken
group by day
order by day
"""
)
"""Spans of voice calls by day: sizes the sample, which is whole days, the newest first."""

SPANS = (
    _SPOKEN
    + """
select
    trace_id,
    span_id,
    parent_span_id,
    name,
    gen_ai_operation_name                  as operation,
    service_name                           as service,
    gen_ai_conversation_id                 as call,
    started_at_ns,
    ended_at_ns,
    gen_ai_response_time_to_first_chunk_ns as first_chunk_ns,
    day,
    cast(attributes as varchar)            as attributes
from spoken
where day >= $since
"""
)
"""One row a span; attributes as text: durations that LiveKit and Trueup's shape keep there are read from them."""

EVENTS = """
select distinct
    trace_id,
    span_id,
    name,
    at_ns
from span_events
where name in (
        'trueup.voice.vad_stop', 'trueup.voice.eou_decided', 'trueup.voice.agent_started_speaking',
        'trueup.voice.first_answer_token', 'trueup.voice.first_audible'
    )
    and day between $since and $end
    and import_id <= $as_of
    and import_id not in (select import_id from undone where undone_by <= $as_of)
"""
"""Instants of turns and stages."""

CHANGES = MARKS
"""Deploys and the like, for the marks on the time axis."""

"""Which rows of `streams` count: of one stream the newest import's, none of an undone import."""

from __future__ import annotations

IN_SCOPE = """(
        ($services = '' or strpos($services, concat(chr(31), service_name, chr(31))) > 0)
        and ($regions = '' or strpos($regions, concat(chr(31), cloud_region, chr(31))) > 0)
        and ($models = '' or strpos($models, concat(chr(31), request_model, chr(31))) > 0
            or strpos($models, concat(chr(31), response_model, chr(31))) > 0)
    )"""
"""Whether a stream is of the scope's services, regions and models."""

COUNTING = f"""
    select
        *,
        coalesce(token_count, output_tokens) as shown_tokens,
        row_number() over (partition by stream_key order by import_id desc) as newest
    from streams
    where day between $start and $end
        and import_id <= $as_of
        and import_id not in (select import_id from undone where undone_by <= $as_of)
        and {IN_SCOPE}
"""
"""Of these the rows with newest = 1 count. shown_tokens: tokens that were streamed, by the chunks, else as billed."""

OF_OLDER = (
    """
    update streams
    set stream_key = concat(trace_id, '/', span_id),
        source = 'chunk_events',
        hour = started_at_ns // 3600000000000
    where stream_key is null
    """,
    """
    update streams
    set provider_name = spans.gen_ai_provider_name,
        request_model = spans.gen_ai_request_model,
        response_model = spans.gen_ai_response_model,
        cloud_region = spans.cloud_region,
        service_name = spans.service_name,
        finish_reason = spans.gen_ai_response_finish_reasons,
        output_tokens = greatest(
            spans.gen_ai_usage_output_tokens - coalesce(spans.gen_ai_usage_reasoning_output_tokens, 0), 0
        )
    from spans
    where spans.trace_id = streams.trace_id
        and spans.span_id = streams.span_id
        and streams.source = 'chunk_events'
        and streams.request_model is null
    """,
    """
    update streams
    set tokens_per_s = case
            when last_chunk_ms > first_chunk_ms
            then output_tokens * (chunk_count - 1) / chunk_count * 1000.0 / (last_chunk_ms - first_chunk_ms)
        end
    where tokens_per_s is null
        and chunk_count > 1
    """,
)
"""What a ledger of version 4 knows of its streams: the span's names, usage and rate."""

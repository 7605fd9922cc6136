"""Decoded rows to frames of the ledger's tables, with explicit types and the derived time columns."""

from __future__ import annotations

import math

import polars as pl

from core.ingest.cells import HOUR_NS
from core.ingest.frames import day_of, frame
from core.ingest.otlp.span_cells import HEAD, STORED
from core.ingest.otlp.spans import SpanRows
from core.ingest.responses import RESPONSE_SCHEMA
from core.ingest.streams import stream_frame

BUCKET_BASE = 1.02
"""duration_bucket = floor(ln(ms) / ln(1.02)): quantiles from counts are at most 1 % off (half a bucket)."""

MONEY = pl.Decimal(24, 12)

_TYPES: dict[str, pl.DataType | type[pl.DataType]] = {
    "started_at_ns": pl.Int64,
    "ended_at_ns": pl.Int64,
    "gen_ai_request_stream": pl.Boolean,
    "gen_ai_response_time_to_first_chunk_ns": pl.Int64,
    "gen_ai_usage_input_tokens": pl.Int64,
    "gen_ai_usage_output_tokens": pl.Int64,
    "gen_ai_usage_cache_read_input_tokens": pl.Int64,
    "gen_ai_usage_cache_write_input_tokens": pl.Int64,
    "gen_ai_usage_reasoning_output_tokens": pl.Int64,
    "reported_cost_usd": MONEY,
    "max_retries_setting": pl.Int64,
    "http_response_status_code": pl.Int32,
    "http_request_resend_count": pl.Int32,
    "retry_after_ns": pl.Int64,
}
SPAN_COLUMNS = (*HEAD, *STORED, "content_hash", "attributes")
SPAN_SCHEMA = {name: _TYPES.get(name, pl.String) for name in SPAN_COLUMNS}
EVENT_SCHEMA = {
    "trace_id": pl.String,
    "span_id": pl.String,
    "name": pl.String,
    "at_ns": pl.Int64,
    "attributes": pl.String,
}


def span_frames(found: SpanRows) -> dict[str, pl.DataFrame]:
    """Frames of spans, span_events, streams and responses; a table without rows is left out."""
    frames: dict[str, pl.DataFrame] = {}
    if found.rows:
        duration = pl.col("ended_at_ns") - pl.col("started_at_ns")
        milliseconds = pl.max_horizontal(duration / 1e6, pl.lit(0.001))
        frames["spans"] = frame(found.rows, SPAN_SCHEMA).with_columns_seq(
            duration.alias("duration_ns"),
            (milliseconds.log() / math.log(BUCKET_BASE)).floor().cast(pl.Int32).alias("duration_bucket"),
            day_of("started_at_ns"),
            (pl.col("started_at_ns") // HOUR_NS).alias("hour"),
        )
    if found.events:
        frames["span_events"] = frame(found.events, EVENT_SCHEMA).with_columns(day_of("at_ns"))
    if found.streams:
        frames["streams"] = stream_frame(found.streams)
    if found.responses:
        frames["responses"] = frame(found.responses, RESPONSE_SCHEMA).with_columns(day_of("at_ns"))
    return frames

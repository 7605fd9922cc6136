"""How a response streamed, read from the chunk events a span carries; all times from the span's own clock."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from core.ingest.otlp.wire import WireSpan

CHUNK_EVENT = "gen_ai.content.completion.chunk"
MOST_CHUNKS = 20_000
"""Arrivals kept of one stream; the scalars count them all."""


def stream_row(span: WireSpan, response_id: str | None) -> dict[str, Any] | None:
    """Row of `streams` for a span with chunk events, None without; gaps between neighbouring chunks in ms."""
    times = sorted(
        (event.at_ns - span.started_at_ns) / 1e6
        for event in span.events
        if event.name == CHUNK_EVENT and event.at_ns >= span.started_at_ns
    )
    if not times:
        return None
    gaps = sorted(after - before for before, after in pairwise(times))
    return {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "response_id": response_id,
        "started_at_ns": span.started_at_ns,
        "chunk_count": len(times),
        "first_chunk_ms": times[0],
        "last_chunk_ms": times[-1],
        "gap_p95_ms": gaps[min(len(gaps) - 1, int(0.95 * len(gaps)))] if gaps else None,
        "longest_gap_ms": gaps[-1] if gaps else None,
        "t_ms": times[:MOST_CHUNKS],
    }

"""How a response streamed: the lists of its chunks, and the numbers audits compare, worked out once at ingest.

Rows come in by three doors (chunk events of spans, recordings, vLLM's benchmark) and are the same rows: a chunk is what
arrived in one piece, its time is after the request was sent. What a sender does not say is null, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import polars as pl

from core.ingest.cells import HOUR_NS
from core.ingest.frames import day_of

MOST_CHUNKS = 20_000
"""Arrivals kept of one stream; the scalars count them all."""
SLOW_GAP_MS = 500.0
"""A pause that a reader notices as one (Nielsen 1993 has a second for the flow of thought, 0.1 s for "at once")."""
FEWEST_GAPS = 3
"""Gaps at the ends of sentences, and elsewhere, before their ratio is told."""
KINDS = ("text", "reasoning", "tool_call")

_TEXTS = (
    "stream_key", "source", "trace_id", "span_id", "response_id", "provider_name", "request_model", "response_model",
    "version_label", "cloud_region", "service_name", "prompt_id", "finish_reason",
)  # fmt: skip
_COUNTS = ("chunk_count", "token_count", "output_tokens", "char_count", "preamble_chars", "reasoning_tokens")
_NUMBERS = (
    "first_chunk_ms", "last_chunk_ms", "tokens_per_s", "chars_per_s", "gap_p50_ms", "gap_p95_ms", "gap_p99_ms",
    "longest_gap_ms", "slow_gap_share", "tool_pause_ms", "sentence_gap_ratio",
)  # fmt: skip
STREAM_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(_TEXTS, pl.String),
    "started_at_ns": pl.Int64,
    **dict.fromkeys(_COUNTS, pl.Int64),
    **dict.fromkeys(_NUMBERS, pl.Float64),
    "t_ms": pl.List(pl.Float64),
    "tokens": pl.List(pl.Int32),
    "chars": pl.List(pl.Int32),
    "kind": pl.List(pl.String),
}


class Chunks(NamedTuple):
    """One stream's chunks in order of arrival. A list is None where the sender does not say; else as long as t_ms."""

    t_ms: Sequence[float]
    """After the request was sent."""
    tokens: Sequence[int] | None = None
    chars: Sequence[int] | None = None
    kind: Sequence[str] | None = None
    """Of KINDS."""
    sentence_end: Sequence[bool] | None = None
    """Whether a sentence ends with the chunk."""


def measured(
    chunks: Chunks, output_tokens: int | None = None, reasoning_tokens: int | None = None
) -> dict[str, Any]:
    """Columns of `streams` that follow from the chunks and the usage reported; needs one chunk.

    Reasoning that was billed and not streamed is taken off output_tokens: it came in no chunk.
    """
    times, kinds = chunks.t_ms, chunks.kind
    gaps = [after - before for before, after in pairwise(times)]
    streamed_reasoning = kinds is not None and "reasoning" in kinds
    hidden = 0 if streamed_reasoning else reasoning_tokens or 0
    shown = None if output_tokens is None else max(output_tokens - hidden, 0)
    tokens = None if chunks.tokens is None else sum(chunks.tokens)
    chars = None if chunks.chars is None else sum(chunks.chars)
    long_s = (times[-1] - times[0]) / 1000
    return {
        "chunk_count": len(times),
        "token_count": tokens,
        "output_tokens": shown,
        "char_count": chars,
        "first_chunk_ms": times[0],
        "last_chunk_ms": times[-1],
        "tokens_per_s": _rate(shown if tokens is None else tokens, chunks.tokens, len(times), long_s),
        "chars_per_s": _rate(chars, chunks.chars, len(times), long_s),
        **_gaps(gaps),
        "tool_pause_ms": _pause(times, kinds),
        "preamble_chars": _preamble(chunks),
        "reasoning_tokens": _reasoning(chunks, reasoning_tokens),
        "sentence_gap_ratio": _sentences(gaps, chunks.sentence_end),
        "t_ms": [round(time, 3) for time in times[:MOST_CHUNKS]],
        "tokens": None if chunks.tokens is None else list(chunks.tokens[:MOST_CHUNKS]),
        "chars": None if chunks.chars is None else list(chunks.chars[:MOST_CHUNKS]),
        "kind": None if kinds is None else list(kinds[:MOST_CHUNKS]),
    }


def _rate(whole: int | None, sizes: Sequence[int] | None, count: int, long_s: float) -> float | None:
    """A second, after the first chunk: what that one held took no time that could be seen."""
    if whole is None or count < 2 or long_s <= 0:
        return None
    first = whole / count if sizes is None else sizes[0]
    return (whole - first) / long_s


def _gaps(gaps: Sequence[float]) -> dict[str, float | None]:
    ordered = sorted(gaps)
    if not ordered:
        return dict.fromkeys(("gap_p50_ms", "gap_p95_ms", "gap_p99_ms", "longest_gap_ms", "slow_gap_share"))

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    slow = sum(gap > SLOW_GAP_MS for gap in ordered) / len(ordered)
    return {
        "gap_p50_ms": at(0.5), "gap_p95_ms": at(0.95), "gap_p99_ms": at(0.99), "longest_gap_ms": ordered[-1],
        "slow_gap_share": slow,
    }  # fmt: skip


def _pause(times: Sequence[float], kinds: Sequence[str] | None) -> float | None:
    """The gap before the first chunk of a tool call; a stream that begins with one waits in first_chunk_ms."""
    if kinds is None or "tool_call" not in kinds:
        return None
    first = list(kinds).index("tool_call")
    return times[first] - times[first - 1] if first else None


def _preamble(chunks: Chunks) -> int | None:
    if chunks.kind is None or "tool_call" not in chunks.kind or chunks.chars is None:
        return None
    first = list(chunks.kind).index("tool_call")
    before = zip(chunks.kind[:first], chunks.chars[:first], strict=True)
    return sum(chars for kind, chars in before if kind == "text")


def _reasoning(chunks: Chunks, reported: int | None) -> int | None:
    kinds = chunks.kind
    if kinds is None or ("reasoning" in kinds and chunks.tokens is None):
        return reported
    if "reasoning" not in kinds:
        return reported or 0
    tokens = chunks.tokens or ()
    first = next((at for at, kind in enumerate(kinds) if kind != "reasoning"), len(kinds))
    return sum(tokens[:first])


def _sentences(gaps: Sequence[float], ends: Sequence[bool] | None) -> float | None:
    if ends is None:
        return None
    after = sorted(gap for gap, end in zip(gaps, ends, strict=False) if end)
    other = sorted(gap for gap, end in zip(gaps, ends, strict=False) if not end)
    if min(len(after), len(other)) < FEWEST_GAPS or other[len(other) // 2] <= 0:
        return None
    return after[len(after) // 2] / other[len(other) // 2]


def stream_frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows of `streams` with their types, UTC day and hour; a column that a row lacks is null."""
    whole = [dict.fromkeys(STREAM_SCHEMA) | dict(row) for row in rows]
    hour = (pl.col("started_at_ns") // HOUR_NS).alias("hour")
    return pl.DataFrame(whole, schema=STREAM_SCHEMA).with_columns(day_of("started_at_ns"), hour)

"""Recorded streams: when each chunk of a response arrived and how large it was, a response a line (JSON lines).

The recorder of docs/recipes/stream_recorder writes it from a team's own client; the dashboard calls no model. One row:

    {"stream_id": "3f…", "at": "2026-11-02T04:00:07.120Z", "provider": "openai", "model": "gpt-4o",
     "response_model": "gpt-4o-2024-08-06", "version": "blue", "region": "eu-central-1", "service_name": "assist",
     "prompt_id": "p-017", "response_id": "chatcmpl-9", "trace_id": "858b…", "span_id": "00f0…", "finish_reason": "stop",
     "output_tokens": 212, "reasoning_tokens": 0, "t_ms": [412.0, 431.5], "tokens": null, "chars": [4, 19],
     "kind": ["text", "text"], "sentence_end": [0, 1]}

at, provider, model and t_ms (ms after the request was sent, never falling) are required. tokens, chars, kind (text,
reasoning, tool_call) and sentence_end are as long as t_ms or absent: absent is unknown, never zero. A stream_id that comes
again restates its row. No text is kept: a recorder writes none, and one that stands in a row is dropped.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

from core.ingest import values
from core.ingest.bills import cost_lines
from core.ingest.cells import Unreadable
from core.ingest.options import ReadOptions
from core.ingest.own_tables import table_cells
from core.ingest.streams import KINDS, Chunks, measured, stream_frame
from core.ledger.batch import Batch

NAME = "streams"
COLUMNS = (
    "stream_id", "at", "provider", "model", "response_model", "version", "region", "service_name", "prompt_id", "response_id",
    "trace_id", "span_id", "finish_reason", "output_tokens", "reasoning_tokens", "t_ms", "tokens", "chars", "kind",
    "sentence_end",
)  # fmt: skip
LONGEST_STREAM_MS = 86_400_000.0
"""A day: longer is a time of another unit."""
LARGEST_CHUNK = 2**31 - 1


class Recording(NamedTuple):
    """One row, known by its key."""

    stream_key: str
    row: dict[str, Any]


def detect(head: bytes, name: str) -> bool:
    """JSON that names t_ms, a provider and a model."""
    return head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"[") and all(
        f'"{field}"'.encode() in head for field in ("t_ms", "provider", "model")
    )


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the file; a row that cannot be read is refused alone."""
    content = stream.read()
    rows_read, found, refused = table_cells.read_keyed(
        content, _recording, "stream_key", COLUMNS, options.capture_content
    )
    frames = {"streams": stream_frame([one.row for one in found])}
    sha256 = hashlib.sha256(content).hexdigest()
    yield Batch(source, NAME, sha256, rows_read, frames, refused, demo=options.demo)


def _recording(row: dict[str, Any], capture: bool) -> Recording:
    """One row; raises Unreadable naming the field."""
    at_ns, times = table_cells.instant(row, "at"), _times(row)
    whole = {name: table_cells.whole(row, name) for name in ("output_tokens", "reasoning_tokens")}
    words = {
        column: table_cells.word(row, name)
        for column, name in (
            ("response_model", "response_model"), ("version_label", "version"), ("cloud_region", "region"),
            ("service_name", "service_name"), ("prompt_id", "prompt_id"), ("response_id", "response_id"),
        )
    }  # fmt: skip
    chunks = Chunks(
        times, _sizes(row, "tokens", len(times)), _sizes(row, "chars", len(times)),
        _listed(row, "kind", len(times), _kind), _listed(row, "sentence_end", len(times), _end),
    )  # fmt: skip
    given = table_cells.word(row, "stream_id") or words["response_id"]
    provider, model = values.provider(table_cells.needed(row, "provider")), table_cells.needed(row, "model")
    key = given or cost_lines.key(NAME, at_ns, provider, model, words["prompt_id"], *map(repr, times[:50]))
    return Recording(key, {
        "stream_key": key, "source": "recorder", "started_at_ns": at_ns, **words,
        "trace_id": table_cells.hex_id(row, "trace_id", 32), "span_id": table_cells.hex_id(row, "span_id", 16),
        "provider_name": provider, "request_model": model,
        "finish_reason": values.finish_reasons(table_cells.word(row, "finish_reason")),
        **measured(chunks, whole["output_tokens"], whole["reasoning_tokens"]),
    })  # fmt: skip


def _times(row: dict[str, Any]) -> list[float]:
    held = row.get("t_ms")
    if not isinstance(held, list) or not held:
        raise Unreadable("t_ms", held, "write a list with the ms of each chunk after the request was sent.")
    times: list[float] = []
    for value in held:
        sound = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not sound or not 0 <= value <= LONGEST_STREAM_MS or (times and value < times[-1]):
            raise Unreadable(
                "t_ms", value, "write ms after the request was sent, each no less than the one before."
            )
        times.append(float(value))
    return times


def _listed(
    row: dict[str, Any], column: str, length: int, read: Callable[[str, Any], Any]
) -> list[Any] | None:
    """A list as long as t_ms; None where the row has none."""
    held = row.get(column)
    if held is None or held == []:
        return None
    if not isinstance(held, list) or len(held) != length:
        raise Unreadable(column, held, f"write a list as long as t_ms ({length:,}), or leave it out.")
    return [read(column, value) for value in held]


def _sizes(row: dict[str, Any], column: str, length: int) -> list[int] | None:
    return _listed(row, column, length, _size)


def _size(column: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_CHUNK:
        raise Unreadable(column, value, "write whole numbers of zero or more.")
    return value


def _kind(column: str, value: Any) -> str:
    if value not in KINDS:
        raise Unreadable(column, value, f"write one of {', '.join(KINDS)}.")
    return str(value)


def _end(column: str, value: Any) -> bool:
    if value not in (0, 1):
        raise Unreadable(column, value, "write 0 or 1: whether a sentence ends with the chunk.")
    return bool(value)

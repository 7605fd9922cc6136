"""How a response streamed, read from the events and messages a span carries; all times from the span's own clock.

Chunk events give every chunk's time: OpenLLMetry's, which say nothing else, and `gen_ai.stream.chunk` of
docs/formats.md, which say how large a chunk was and of what kind. A first-token event gives one time. Messages of a turn
with a tool call tell whether text stood before it, also without any times; of the text the length is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from core.ingest.otlp.fates import SLOTS
from core.ingest.otlp.span_cells import HEAD
from core.ingest.otlp.wire import WireEvent, WireSpan
from core.ingest.streams import KINDS, Chunks, measured

CHUNK_EVENTS = ("gen_ai.stream.chunk", "gen_ai.content.completion.chunk")
FIRST_EVENTS = ("First Token Stream Event", "ai.stream.firstChunk")
LONGEST_MESSAGES = 2_000_000
_MESSAGES, _COMPLETION = "gen_ai.output.messages", "gen_ai.completion.0"
_OPENINFERENCE, _VERCEL = "llm.output_messages.0.message", "ai.response.toolCalls"
_CALLS = (
    f"{_OPENINFERENCE}.tool_calls.0.tool_call.function.name",
    f"{_COMPLETION}.tool_calls.0.name",
    _VERCEL,
)
_TEXT_OF = dict(
    zip(_CALLS, (f"{_OPENINFERENCE}.content", f"{_COMPLETION}.content", "ai.response.text"), strict=True)
)
_PROMPT = ("trueup.prompt_id", "trueup.prompt.id")
_VERSION = "trueup.version"
_MOST_PARTS = 100


def _at(name: str) -> int:
    return HEAD.index(name) if name in HEAD else len(HEAD) + SLOTS[name]


_CELLS = {
    "response_id": _at("gen_ai_response_id"),
    "provider_name": _at("gen_ai_provider_name"),
    "request_model": _at("gen_ai_request_model"),
    "response_model": _at("gen_ai_response_model"),
    "cloud_region": _at("cloud_region"),
    "service_name": _at("service_name"),
    "finish_reason": _at("gen_ai_response_finish_reasons"),
}
_OUTPUT = _at("gen_ai_usage_output_tokens")
_REASONING = _at("gen_ai_usage_reasoning_output_tokens")
_ROLE = _at("span_role")


def stream_row(span: WireSpan, row: Sequence[Any]) -> dict[str, Any] | None:
    """Row of `streams` for an inference with chunk or first-token events or a tool call in its messages, else None.

    `row` is the span's, in the order of HEAD and STORED.
    """
    said = _said(span.attributes) if row[_ROLE] == "inference" else None
    if said is None and not span.events:
        return None  # the quick way for almost every span
    chunks = [event for event in span.events if event.name in CHUNK_EVENTS]
    output, reasoning = row[_OUTPUT], row[_REASONING]
    if chunks and (found := _chunks(chunks, span)):
        told = {"source": "chunk_events", **measured(found, output, reasoning)}
    elif first := next((one for one in span.events if one.name in FIRST_EVENTS), None):
        told = {"source": "first_token", **_first(first, span, output, reasoning)}
    elif said is not None:
        told = {"source": "messages", "output_tokens": output}
    else:
        return None
    if told.get("preamble_chars") is None:
        told["preamble_chars"] = said
    attributes = span.attributes
    prompt = next((attributes[key] for key in _PROMPT if attributes.get(key)), None)
    return {
        "stream_key": f"{span.trace_id}/{span.span_id}",
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "started_at_ns": span.started_at_ns,
        **{name: row[at] for name, at in _CELLS.items()},
        "prompt_id": None if prompt is None else str(prompt)[:400],
        "version_label": str(attributes[_VERSION])[:400] if attributes.get(_VERSION) else None,
        **told,
    }


def _chunks(events: Sequence[WireEvent], span: WireSpan) -> Chunks | None:
    """Chunks in order of arrival; those before the request are no chunks."""
    rows = []
    for event in events:
        held = event.attributes
        at = _number(held, "t_ms", "t")
        at = (event.at_ns - span.started_at_ns) / 1e6 if at is None else at
        if at >= 0:
            rows.append(
                (
                    at,
                    _whole(held, "tokens"),
                    _whole(held, "chars"),
                    _of(held, "kind"),
                    _of(held, "sentence_end"),
                )
            )
    if not rows:
        return None
    rows.sort(key=lambda row: row[0])
    times, tokens, chars, kinds, ends = (list(column) for column in zip(*rows, strict=True))
    known = all(kind in KINDS for kind in kinds)
    return Chunks(
        times, None if None in tokens else tokens, None if None in chars else chars, kinds if known else None,
        None if None in ends else [end in (True, 1, "true") for end in ends],
    )  # fmt: skip


def _of(held: Mapping[str, Any], name: str) -> Any:
    """An attribute of a chunk by its full or its short name."""
    return held.get(f"gen_ai.stream.chunk.{name}", held.get(name))


def _number(held: Mapping[str, Any], *names: str) -> float | None:
    for name in names:
        value = _of(held, name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9:
            return float(value)
    return None


def _whole(held: Mapping[str, Any], name: str) -> int | None:
    value = _number(held, name)
    return int(value) if value is not None and value < 2**31 else None


def _first(event: WireEvent, span: WireSpan, output: int | None, reasoning: int | None) -> dict[str, Any]:
    """One time, and the rate from there to the span's end, which is when the application had read it all."""
    first = (event.at_ns - span.started_at_ns) / 1e6
    if first < 0:
        return {"output_tokens": output}
    left = (span.ended_at_ns - event.at_ns) / 1e9
    shown = None if output is None else max(output - (reasoning or 0), 0)
    return {
        "first_chunk_ms": first,
        "output_tokens": shown,
        "tokens_per_s": max(shown - 1, 0) / left if shown and left > 0 else None,
        "reasoning_tokens": reasoning,
    }


def _said(attributes: Mapping[str, Any]) -> int | None:
    """Characters of text in a message that calls a tool; None where none is called or messages are not sent."""
    for key in _CALLS:
        if attributes.get(key) not in (None, "", "[]"):
            text = attributes.get(_TEXT_OF[key])
            return len(text.strip()) if isinstance(text, str) else 0
    if f"{_OPENINFERENCE}.contents.0.message_content.type" in attributes:
        return _numbered(attributes)
    held = attributes.get(_MESSAGES)
    if not isinstance(held, str) or "tool_call" not in held or len(held) > LONGEST_MESSAGES:
        return None
    try:
        parts = [part for message in orjson.loads(held)[:1] for part in message["parts"]]
        kinds = [part.get("type") for part in parts]
        if "tool_call" not in kinds:
            return None
        return sum(
            len(part["content"].strip())
            for part in parts[: kinds.index("tool_call")]
            if part.get("type") == "text"
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None


def _numbered(attributes: Mapping[str, Any]) -> int | None:
    """OpenInference's parts, each in keys of its own: text until the first that is a tool call."""
    chars = 0
    for at in range(_MOST_PARTS):
        part = f"{_OPENINFERENCE}.contents.{at}"
        if attributes.get(f"{part}.tool_call.function.name"):
            return chars
        text = attributes.get(f"{part}.message_content.text")
        chars += len(text.strip()) if isinstance(text, str) else 0
        if text is None and f"{part}.message_content.type" not in attributes:
            break
    return None

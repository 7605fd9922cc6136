"""The text a model answered with, out of a span's attributes and events, in every dialect that carries it.

Only for spans whose content is kept. Of several answers to one question the first counts; tool calls and reasoning are
no text of the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from core.ingest.otlp.wire import WireEvent

TEXT_TYPES = ("text", "output_text", None)
MOST_PARTS = 100
LONGEST_TEXT = 2_000_000
_CHOICES = ("gen_ai.choice", "gen_ai.content.completion")
_MESSAGES = ("gen_ai.output.messages", "gen_ai.completion", "langfuse.observation.output")
_PLAIN = ("ai.response.text", "gen_ai.completion.0.content", "llm.output_messages.0.message.content")
_NUMBERED = "llm.output_messages.0.message.contents."


def answer_text(attributes: Mapping[str, Any], events: Iterable[WireEvent]) -> str | None:
    """The answer of one span, at most LONGEST_TEXT characters; None where no text is carried."""
    for key in _PLAIN:
        if text := _text(attributes.get(key)):
            return text
    for key in _MESSAGES:
        if key in attributes and (text := _text(_first(_parsed(attributes[key])))):
            return text
    if f"{_NUMBERED}0.message_content.type" in attributes and (text := _numbered(attributes)):
        return text
    for event in events:
        if event.name in _CHOICES:
            held = event.attributes
            said = held.get("gen_ai.event.content", held.get("message", held.get("content")))
            return _text(_first(_parsed(said)))
    return None


def _numbered(attributes: Mapping[str, Any]) -> str | None:
    """OpenInference's parts, each in keys of its own."""
    texts = []
    for at in range(MOST_PARTS):
        kind = attributes.get(f"{_NUMBERED}{at}.message_content.type")
        if kind is None:
            break
        if kind in TEXT_TYPES:
            texts.append(attributes.get(f"{_NUMBERED}{at}.message_content.text"))
    return _text([text for text in texts if isinstance(text, str)])


def _parsed(value: Any) -> Any:
    """The JSON in a text, or the text itself, which is what a plain answer is."""
    if isinstance(value, str) and value[:1] in ("{", "[") and len(value) <= LONGEST_TEXT:
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def _first(held: Any) -> Any:
    """The first message of a list, by its content or parts; a text stays one."""
    if isinstance(held, list) and held and isinstance(held[0], Mapping):
        held = held[0]
    if isinstance(held, Mapping):
        inner = held.get("message")
        held = inner if isinstance(inner, Mapping) else held
        return held.get("parts", held.get("content"))
    return held if isinstance(held, str) else None


def _text(held: Any) -> str | None:
    """A text, or the texts among parts, one a line."""
    if isinstance(held, list):
        parts = (_part(one) for one in held[:MOST_PARTS])
        held = "\n".join(part for part in parts if part)
    return held[:LONGEST_TEXT] if isinstance(held, str) and held else None


def _part(one: Any) -> str | None:
    if isinstance(one, Mapping):
        said = one.get("content", one.get("text")) if one.get("type") in TEXT_TYPES else None
        return said if isinstance(said, str) else None
    return one if isinstance(one, str) else None

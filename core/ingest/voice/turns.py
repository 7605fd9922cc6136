"""A voice turn as spans: from the caller's last word to the first sound of the answer, a child span a stage.

The turn is an `invoke_agent` span named voice_turn that starts where the caller stopped speaking and ends where the agent
started. Instants are its events, what a client or a recording measured are its attributes. Children are speech_to_text,
chat, execute_tool, text_to_speech and audio_output. First tokens and bytes are `gen_ai.response.time_to_first_chunk`, as
everywhere. A chat span made of metrics names no operation and no model of its own, or it would count as a call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from core.ingest.otlp.wire import Attributes, WireEvent, WireGroup, WireSpan
from core.ingest.row_texts import json_text
from core.voice_turns import (
    EOU_DECIDED,
    FIRST_ANSWER,
    FIRST_AUDIBLE,
    HEARD_AFTER,
    JITTER_BUFFER,
    PREFIX,
    SPEECH_TO_TEXT,
    STARTED,
    TEXT_TO_SPEECH,
    TOOL,
    TRANSPORT,
    TURN,
    VAD_STOP,
    Stage,
)  # fmt: skip

SCOPE = "trueup.voice"
OPERATIONS = (SPEECH_TO_TEXT, TEXT_TO_SPEECH, TOOL)
"""Stages whose name is their operation; GenAI conventions propose the two of speech (Development)."""

_INTERNAL = 1
_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"


class Turn(NamedTuple):
    """One answer of an agent to a caller."""

    call: str
    turn: str
    stopped_ns: int
    """The caller's last word."""
    started_ns: int | None
    """The agent's first sound as the server sent it."""
    vad_stop_ns: int | None
    eou_ns: int | None
    stages: tuple[Stage, ...]
    transport_s: float | None = None
    jitter_buffer_s: float | None = None
    heard_after_s: float | None = None
    service: str | None = None
    region: str | None = None


def groups(dialect: str, turns: Iterable[Turn]) -> list[WireGroup]:
    """Spans of turns by their resource, for the ordinary reading of OTLP."""
    found: dict[str, WireGroup] = {}
    for turn in turns:
        named = {"service.name": turn.service, "cloud.region": turn.region}
        resource: Attributes = {key: value for key, value in named.items() if value}
        group = found.setdefault(json_text(resource), WireGroup(resource, SCOPE, "", {}, []))
        group.items.extend(_spans(dialect, turn))
    return list(found.values())


def _spans(dialect: str, turn: Turn) -> list[WireSpan]:
    trace_id = _hex(32, dialect, turn.call)
    own = _hex(16, dialect, turn.call, turn.turn)
    ends = [stage.first_ns or stage.ended_ns for stage in turn.stages]
    attributes: Attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.conversation.id": turn.call,
        PREFIX + "turn": turn.turn,
    }
    measured = (
        (TRANSPORT, turn.transport_s),
        (JITTER_BUFFER, turn.jitter_buffer_s),
        (HEARD_AFTER, turn.heard_after_s),
    )
    attributes |= {name: value for name, value in measured if value is not None}
    instants = ((VAD_STOP, turn.vad_stop_ns), (EOU_DECIDED, turn.eou_ns), (STARTED, turn.started_ns))
    ended = turn.started_ns or max([turn.stopped_ns, *ends])
    root = _span(
        trace_id, own, "", TURN, turn.stopped_ns, max(ended, turn.stopped_ns), attributes, _events(instants)
    )
    return [root, *(_stage(trace_id, own, at, stage) for at, stage in enumerate(turn.stages))]


def _stage(trace_id: str, parent: str, at: int, stage: Stage) -> WireSpan:
    attributes: Attributes = {"gen_ai.operation.name": stage.kind} if stage.kind in OPERATIONS else {}
    if stage.by:
        attributes[PREFIX + "by"] = stage.by
    if stage.first_ns is not None:
        attributes[_FIRST_CHUNK] = (stage.first_ns - stage.started_ns) / 1e9
    instants = ((FIRST_ANSWER, stage.answer_ns), (FIRST_AUDIBLE, stage.audible_ns))
    last = max(stage.started_ns, stage.ended_ns, stage.first_ns or 0)
    span_id = _hex(16, parent, stage.kind, str(at))
    return _span(trace_id, span_id, parent, stage.kind, stage.started_ns, last, attributes, _events(instants))


def _events(instants: Iterable[tuple[str, int | None]]) -> list[WireEvent]:
    return [WireEvent(name, at_ns, {}) for name, at_ns in instants if at_ns is not None]


def _span(
    trace_id: str, span_id: str, parent: str, name: str, start: int, end: int,
    attributes: Attributes, events: list[WireEvent],
) -> WireSpan:  # fmt: skip
    return WireSpan(trace_id, span_id, parent, name, _INTERNAL, start, end, attributes, 0, "", events)


def _hex(digits: int, *parts: str) -> str:
    return hashlib.sha256("\x1f".join(("voice", *parts)).encode()).hexdigest()[:digits]

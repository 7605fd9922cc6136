"""Words that ingest and audits share for a voice turn: names of spans and instants, and one stage of the work.

core/ingest/voice writes spans of this shape, the voice audit reads them; docs/formats.md describes it to whoever sends
spans of their own.
"""

from __future__ import annotations

from typing import NamedTuple

TURN = "voice_turn"
SPEECH_TO_TEXT, CHAT, TOOL = "speech_to_text", "chat", "execute_tool"
TEXT_TO_SPEECH, OUTPUT = "text_to_speech", "audio_output"

PREFIX = "trueup.voice."
VAD_STOP, EOU_DECIDED = PREFIX + "vad_stop", PREFIX + "eou_decided"
STARTED = PREFIX + "agent_started_speaking"
FIRST_ANSWER, FIRST_AUDIBLE = PREFIX + "first_answer_token", PREFIX + "first_audible"
EVENTS = (VAD_STOP, EOU_DECIDED, STARTED, FIRST_ANSWER, FIRST_AUDIBLE)
TRANSPORT, JITTER_BUFFER = PREFIX + "transport_s", PREFIX + "jitter_buffer_s"
HEARD_AFTER = PREFIX + "heard_after_s"
"""Seconds from the caller's last word to the first sound of the answer, measured at the caller or on a recording."""


class Stage(NamedTuple):
    """One part of the work; times in UTC ns, None where nothing measured it."""

    kind: str
    started_ns: int
    ended_ns: int
    first_ns: int | None = None
    """First token of a chat, first byte of speech."""
    answer_ns: int | None = None
    """First token of the answer, after what the model thought."""
    audible_ns: int | None = None
    """First byte of speech that is no silence."""
    by: str | None = None
    """Who did it: processor, provider or model, for people to read."""


def began(stage: Stage) -> tuple[int, int, str]:
    """Order of stages."""
    return stage.started_ns, stage.ended_ns, stage.kind

"""Spans to turns: what each stage of an answer began with and ended with, from Trueup's shape or LiveKit's own spans.

Trueup's shape is core.voice_turns; spans of anybody's that keep to it are read alike. LiveKit's agent_turn says
how long after the caller's last word the agent spoke (lk.e2e_latency), agent_speaking when; its requests keep the metrics
that its JSON has (lk.llm_metrics, lk.tts_metrics), so both doors are read by the same words.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
import polars as pl

from core import voice_turns as turns
from core.voice_turns import Stage

NS = 1_000_000_000
Row = Mapping[str, Any]
_KINDS = {
    "speech_to_text": turns.SPEECH_TO_TEXT, "text_to_speech": turns.TEXT_TO_SPEECH, "chat": turns.CHAT,
    "generate_content": turns.CHAT, "execute_tool": turns.TOOL, "audio_output": turns.OUTPUT,
}  # fmt: skip
_LIVEKIT = "agent_turn"
_DEEPEST = 8
"""Spans between a stage and its turn: LiveKit has two."""


class VoiceTurn(NamedTuple):
    """One answer to a caller; instants in UTC ns of the server's clock, waits in seconds."""

    trace_id: str
    span_id: str
    call: str
    day: dt.date
    service: str
    stopped_ns: int
    """The caller's last word."""
    spoke_ns: int
    """The agent's first sound, as the server sent it."""
    vad_stop_ns: int | None
    eou_ns: int | None
    stages: tuple[Stage, ...]
    transport_s: float | None
    jitter_buffer_s: float | None
    heard_after_s: float | None


class Read(NamedTuple):
    """Turns, and how many had no beginning or no end that anything measured."""

    turns: tuple[VoiceTurn, ...]
    unmeasured: int


def read(spans: pl.DataFrame, events: pl.DataFrame, since: dt.date) -> Read:
    """Every turn from `since` on, in an order of its own; times that cannot be are counted as unmeasured."""
    rows = {(row["trace_id"], row["span_id"]): row for row in spans.to_dicts()}
    instants: dict[tuple[str, str], dict[str, int]] = {}
    for row in events.sort("at_ns").to_dicts():
        instants.setdefault((row["trace_id"], row["span_id"]), {}).setdefault(row["name"], row["at_ns"])
    owned: dict[tuple[str, str], list[Row]] = {}
    for row in rows.values():
        owner = _owner(row, rows)
        if owner is not None:
            owned.setdefault(owner, []).append(row)
    found, unmeasured = [], 0
    for key, row in sorted(rows.items()):
        if not _is_turn(row) or row["day"] < since:
            continue
        children = sorted(owned.get(key, []), key=lambda one: (one["started_at_ns"], one["span_id"]))
        if not _has_voice(row, children):
            continue
        turn = (_of_livekit if row["name"] == _LIVEKIT else _of_shape)(row, children, instants)
        if turn is None or turn.spoke_ns <= turn.stopped_ns:
            unmeasured += 1
        else:
            found.append(turn)
    return Read(tuple(found), unmeasured)


def _is_turn(row: Row) -> bool:
    return row["operation"] == "invoke_agent" or row["name"] in (turns.TURN, _LIVEKIT)


def _has_voice(row: Row, children: list[Row]) -> bool:
    """An agent's span in a voice call may be a hand-over that speaks to nobody."""
    speech = (turns.SPEECH_TO_TEXT, turns.TEXT_TO_SPEECH)
    return row["name"] in (turns.TURN, _LIVEKIT) or any(_kind(one) in speech for one in children)


def _kind(row: Row) -> str | None:
    return _KINDS.get(row["operation"] or "") or _KINDS.get(row["name"])


def _owner(row: Row, rows: Mapping[tuple[str, str], Row]) -> tuple[str, str] | None:
    """The turn around a span; None for one outside any."""
    trace, parent = row["trace_id"], row["parent_span_id"]
    for _ in range(_DEEPEST):
        above = rows.get((trace, parent or ""))
        if above is None:
            return None
        if _is_turn(above):
            return trace, parent
        parent = above["parent_span_id"]
    return None


def _attributes(row: Row) -> dict[str, Any]:
    return _object(row["attributes"])


def _object(text: object) -> dict[str, Any]:
    """What a text of JSON says; nothing where it is no object."""
    try:
        found = orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(found: Mapping[str, Any], name: str) -> float | None:
    """A wait of 0 to 3,600 s; anything else is unknown."""
    value = found.get(name)
    fine = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 3600
    return float(value) if fine and value is not None else None


def _of_shape(
    row: Row, children: list[Row], instants: Mapping[tuple[str, str], Mapping[str, int]]
) -> VoiceTurn | None:
    said, own = instants.get((row["trace_id"], row["span_id"]), {}), _attributes(row)
    stages = []
    for one in children:
        kind = _kind(one)
        if kind is not None:
            at = instants.get((one["trace_id"], one["span_id"]), {})
            first = one["first_chunk_ns"]
            stages.append(
                Stage(
                    kind, one["started_at_ns"], one["ended_at_ns"], None if first is None else one["started_at_ns"] + first,
                    at.get(turns.FIRST_ANSWER), at.get(turns.FIRST_AUDIBLE),
                )
            )  # fmt: skip
    heard = _seconds(own, turns.HEARD_AFTER)
    spoke = said.get(turns.STARTED) or _first_sound(stages)
    if spoke is None and heard is not None:
        spoke = row["started_at_ns"] + round(heard * NS)
    if spoke is None:
        return None
    return _turn(
        row, row["started_at_ns"], spoke, said.get(turns.VAD_STOP), said.get(turns.EOU_DECIDED), stages,
        _seconds(own, turns.TRANSPORT), _seconds(own, turns.JITTER_BUFFER), heard,
    )  # fmt: skip


def _first_sound(stages: list[Stage]) -> int | None:
    """The first byte of speech: where nothing says when the agent spoke, it spoke no sooner."""
    speech = [one.first_ns for one in stages if one.kind == turns.TEXT_TO_SPEECH and one.first_ns is not None]
    return min(speech, default=None)


def _of_livekit(
    row: Row, children: list[Row], instants: Mapping[tuple[str, str], Mapping[str, int]]
) -> VoiceTurn | None:
    own = _attributes(row)
    e2e = _seconds(own, "lk.e2e_latency")
    stages = [stage for one in children for stage in _requests(one)]
    nodes = [_node(one) for one in children if one["name"] == "llm_node"]
    if not any(stage.kind == turns.CHAT for stage in stages):
        stages += [stage for stage in nodes if stage is not None]
    spoke = next(
        (one["started_at_ns"] for one in children if one["name"] == "agent_speaking"), _first_sound(stages)
    )
    if e2e is None or spoke is None:
        return None
    stopped = spoke - round(e2e * NS)
    transcript, eou = _seconds(own, "lk.transcription_delay"), _seconds(own, "lk.end_of_turn_delay")
    if transcript:
        stages.append(Stage(turns.SPEECH_TO_TEXT, stopped, stopped + round(transcript * NS)))
    said = instants.get((row["trace_id"], row["span_id"]), {})
    eou_ns = stopped + round(eou * NS) if eou else None
    return _turn(
        row, stopped, spoke, said.get(turns.VAD_STOP), eou_ns, stages,
        _seconds(own, turns.TRANSPORT), _seconds(own, turns.JITTER_BUFFER), _seconds(own, turns.HEARD_AFTER),
    )  # fmt: skip


def _requests(row: Row) -> list[Stage]:
    """The metrics that a request's span keeps, as the JSON lines have them; cut or changed ones are none.

    The node around a request may still say when its first token came.
    """
    own = _attributes(row)
    for name, kind, first in (
        ("lk.llm_metrics", turns.CHAT, "ttft"),
        ("lk.tts_metrics", turns.TEXT_TO_SPEECH, "ttfb"),
    ):
        said = _object(own.get(name))
        ended, lasted, waited = said.get("timestamp"), _seconds(said, "duration"), _seconds(said, first)
        if isinstance(ended, int | float) and lasted is not None:
            start = round(ended * NS) - round(lasted * NS)
            came = None if waited is None else start + round(waited * NS)
            return [Stage(kind, start, start + round(lasted * NS), came)]
    return []


def _node(row: Row) -> Stage | None:
    first = _seconds(_attributes(row), "lk.response.ttft")
    if first is None:
        return None
    return Stage(
        turns.CHAT, row["started_at_ns"], row["ended_at_ns"], row["started_at_ns"] + round(first * NS)
    )


def _turn(
    row: Row, stopped: int, spoke: int, vad_stop: int | None, eou: int | None, stages: list[Stage],
    transport: float | None, jitter: float | None, heard: float | None,
) -> VoiceTurn:  # fmt: skip
    return VoiceTurn(
        row["trace_id"], row["span_id"], row["call"] or row["trace_id"], row["day"], row["service"] or "", stopped, spoke,
        vad_stop, eou, tuple(sorted(stages, key=turns.began)), transport, jitter, heard,
    )  # fmt: skip

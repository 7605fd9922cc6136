"""What a caller's wait went to: the critical path of one turn, split into parts that add up, and what is left over.

Walked backwards from the agent's first sound: the stage that ended last before it is what it waited for, then what that
stage waited for, to the caller's last word. A stage that ran beside a longer one is not on the path and counts nothing, so
parts never add up to more than the wait. A gap has a name only where both its ends were measured and mean something.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from core.audits.voice_slo_turns import NS, VoiceTurn
from core.voice_turns import CHAT, OUTPUT, SPEECH_TO_TEXT, TEXT_TO_SPEECH, TOOL, Stage

PARTS = (
    "endpointing", "final transcript", "orchestration and tools", "first LLM token", "thinking", "first token to sentence",
    "sentence", "first TTS byte", "leading silence", "transport", "jitter buffer", "remainder",
)  # fmt: skip
"""In the order they are waited for. A chat whose first answer token is unknown has thinking and sentence in one."""
VISIBLE = ("final transcript", "first LLM token", "first TTS byte")
"""What a provider of speech or of a model shows of its own work; the rest stands on nobody's dashboard."""
REMAINDER = "remainder"
_SLACK_NS = 1_000_000
"""Instants of one event by two clocks of a process, and floats of seconds since 1970, differ by less."""
_ORDER = {"user": 0, SPEECH_TO_TEXT: 0, CHAT: 1, TOOL: 2, TEXT_TO_SPEECH: 3, OUTPUT: 4}


class Waited(NamedTuple):
    """One turn's wait, in seconds."""

    total_s: float
    parts: tuple[float, ...]
    """By PARTS; they add up to the total, because the remainder is what is left."""
    heard: bool
    """Whether the total is what the caller heard; False: a lower bound from the server."""
    ttft_s: float | None
    """First token of the first model call, which dashboards report."""
    answer_s: float | None
    """First token of the answer, from the start of its model call; None where nothing tells it from a thought."""


class _Block(NamedTuple):
    """A stage as the path sees it: when it could begin, when its result was there, and its named pieces."""

    kind: str
    start: int
    end: int
    pieces: tuple[tuple[str, int, int], ...]
    whole: bool = True
    """Whether a gap before it has a name: a chat with a first answer token tells thinking from the sentence."""


def waited(turn: VoiceTurn) -> Waited:
    """The parts of a turn."""
    found = dict.fromkeys(PARTS, 0.0)
    _walk(turn, found)
    silence = _silence(turn.stages)
    found["leading silence"] = silence or 0.0
    found["transport"] += turn.transport_s or 0.0
    found["jitter buffer"] = turn.jitter_buffer_s or 0.0
    server = (turn.spoke_ns - turn.stopped_ns) / NS
    reached = server + sum((silence or 0.0, turn.transport_s or 0.0, turn.jitter_buffer_s or 0.0))
    total = reached if turn.heard_after_s is None else turn.heard_after_s
    known = None not in (silence, turn.transport_s, turn.jitter_buffer_s)
    found[REMAINDER] = total - sum(value for name, value in found.items() if name != REMAINDER)
    chats = [one for one in turn.stages if one.kind == CHAT and one.first_ns is not None]
    ttft = ((chats[0].first_ns or 0) - chats[0].started_ns) / NS if chats else None
    answers = [one.answer_ns - one.started_ns for one in chats if one.answer_ns is not None]
    heard = turn.heard_after_s is not None or known
    return Waited(total, tuple(found.values()), heard, ttft, answers[0] / NS if answers else None)


def _silence(stages: Sequence[Stage]) -> float | None:
    """Silence at the head of the first speech; None where nobody listened for it."""
    for one in stages:
        if one.kind == TEXT_TO_SPEECH and one.first_ns is not None and one.audible_ns is not None:
            return max(one.audible_ns - one.first_ns, 0) / NS
    return None


def _walk(turn: VoiceTurn, found: dict[str, float]) -> None:
    """Add the pieces of the critical path; gaps without a name are left to the remainder."""
    blocks = _blocks(turn)
    at, later = turn.spoke_ns, "sound"
    while at > turn.stopped_ns:
        held = [one for one in blocks if one.end <= at + _SLACK_NS and one.start < min(one.end, at)]
        if not held:
            return
        block = max(held, key=lambda one: (one.end, _ORDER[one.kind], one.start))
        name = _gap(block, later)
        if name is not None:
            found[name] += max(at - block.end, 0) / NS
        for piece, start, end in block.pieces:
            found[piece] += max(min(end, at) - max(start, turn.stopped_ns), 0) / NS
        at, later = block.start, block.kind


def _gap(block: _Block, later: str) -> str | None:
    if block.kind == CHAT and later == TEXT_TO_SPEECH:
        return "sentence" if block.whole else "first token to sentence"
    if (later == CHAT and block.kind in ("user", TOOL)) or (later == TOOL and block.kind == CHAT):
        return "orchestration and tools"
    return None


def _blocks(turn: VoiceTurn) -> list[_Block]:
    blocks = []
    transcripts = [one.ended_ns for one in turn.stages if one.kind == SPEECH_TO_TEXT]
    final = min(transcripts, default=None)
    if final is not None:
        blocks.append(_user(turn, final, final))
    if turn.eou_ns is not None:
        blocks.append(_user(turn, turn.eou_ns, final))
    for one in turn.stages:
        if one.kind == CHAT and one.first_ns is not None:
            answer = one.answer_ns if one.answer_ns is not None and one.answer_ns >= one.first_ns else None
            pieces = [("first LLM token", one.started_ns, one.first_ns)]
            if answer is not None:
                pieces.append(("thinking", one.first_ns, answer))
            blocks.append(
                _Block(CHAT, one.started_ns, answer or one.first_ns, tuple(pieces), answer is not None)
            )
        elif one.kind == TEXT_TO_SPEECH and one.first_ns is not None:
            blocks.append(_block(one, "first TTS byte", one.first_ns))
        elif one.kind == TOOL:
            blocks.append(_block(one, "orchestration and tools", one.ended_ns))
        elif one.kind == OUTPUT:
            blocks.append(_block(one, "transport", one.ended_ns))
    return blocks


def _block(one: Stage, piece: str, end: int) -> _Block:
    return _Block(one.kind, one.started_ns, end, ((piece, one.started_ns, end),))


def _user(turn: VoiceTurn, end: int, final: int | None) -> _Block:
    """From the last word to `end`: silence that was waited out, the transcript, and what decided that the turn is over."""
    stopped = turn.stopped_ns
    if final is None:
        return _Block("user", stopped, end, (("endpointing", stopped, end),))
    heard = min(max(turn.vad_stop_ns or stopped, stopped), end)
    final = min(max(final, heard), end)
    pieces = (
        ("endpointing", stopped, heard), ("final transcript", heard, final), ("endpointing", final, end),
    )  # fmt: skip
    return _Block("user", stopped, end, pieces)

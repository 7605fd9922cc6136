"""Pipecat's latency metrics as JSON lines, gathered by turn.

A line is `model_dump()` of what UserBotLatencyObserver and MetricsFrame hand over, beside `type` (the class's name),
`conversation_id` and `turn`; docs/recipes/voice writes them. Source: pipecat-ai 1.14.0, metrics/metrics.py,
observers/user_bot_latency_observer.py. TTFA and TTFAT repeat the first byte they build on: only what they add is taken.
Contributions that no moment of their own bounds ("pipeline") are what the audit calls the remainder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from core.ingest.cells import Unreadable
from core.ingest.options import ReadOptions
from core.ingest.own_tables import table_cells
from core.ingest.voice import lines
from core.ingest.voice.lines import Heard, Row, Source, after, seconds
from core.ingest.voice.turns import Turn
from core.ledger.batch import Batch
from core.voice_turns import CHAT, OUTPUT, SPEECH_TO_TEXT, TEXT_TO_SPEECH, TOOL, Stage, began

NAME = "pipecat_metrics"
BREAKDOWN, TTFA, TTFAT = "LatencyBreakdown", "TTFAMetricsData", "TTFATMetricsData"
READ = (BREAKDOWN, TTFA, TTFAT, lines.CLIENT)
SHOWN = (
    "type", "conversation_id", "session_id", "room", "turn", "processor", "model", "ttfa", "ttfat", "ttfb", "leading_silence",
    "thinking_time", "user_turn_start_time", "user_turn_secs", "total_secs", "measured_from", "text_aggregation",
    "contributions", "function_calls", "transport_secs", "jitter_buffer_secs", "voice_to_voice_secs", "leading_silence_secs",
)  # fmt: skip
_KINDS = (("stt", SPEECH_TO_TEXT), ("tts", TEXT_TO_SPEECH), ("llm", CHAT))
_SAME_S = 0.001
"""TTFAT is of the chat whose first byte took as long; floats travel through JSON."""


class _Added(NamedTuple):
    """What a TTFA or TTFAT line adds to a first byte: seconds, and the first byte they build on."""

    ttfb_s: float
    total_s: float


class Cycle:
    """Lines of one turn, as they come."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.breakdown: Turn | None = None
        self.answers: list[_Added] = []
        self.sounds: list[_Added] = []
        self.heard: Heard | None = None


def detect(head: bytes, name: str) -> bool:
    """JSON with the name of one of Pipecat's classes as its type."""
    return b'"type"' in head and any(f'"{one}"'.encode() in head for one in READ[:3])


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the file: a turn a breakdown that begins with a caller's silence; a bad line is refused alone."""
    content = stream.read()
    cycles: dict[tuple[str, str], Cycle] = {}
    left_out: Counter[str] = Counter()

    def take(row: dict[str, Any], number: int) -> None:
        kind = table_cells.needed(row, "type")
        if kind not in READ:
            raise Unreadable("type", kind, f"write one of {', '.join(READ)}.")
        key = (lines.call_of(row, source), table_cells.needed(row, "turn"))
        held = cycles.setdefault(key, Cycle(lines.source_of(row)))
        if kind == lines.CLIENT:
            held.heard = lines.heard(row)
        elif kind == BREAKDOWN:
            held.breakdown = _breakdown(key, row, left_out)
        else:
            total = "ttfa" if kind == TTFA else "ttfat"
            added = _Added(lines.needed_seconds(row, "ttfb"), lines.needed_seconds(row, total))
            (held.sounds if kind == TTFA else held.answers).append(added)

    def made() -> Iterator[Turn]:
        for held in cycles.values():
            if held.breakdown is None:
                left_out["turns without a LatencyBreakdown"] += 1
            else:
                yield _completed(held.breakdown, held)

    yield lines.batch(content, source, NAME, options, SHOWN, take, made, left_out)


def _breakdown(key: tuple[str, str], row: Row, left_out: Counter[str]) -> Turn | None:
    """The turn without what other lines add; None for a greeting, which nobody waited for after speaking."""
    if row.get("user_turn_start_time") is None or row.get("measured_from") == "client_connected":
        left_out["greetings"] += 1
        return None
    stopped = table_cells.instant(row, "user_turn_start_time")
    total = seconds(row, "total_secs") or seconds(row, "latency_secs")
    named = _intervals(row, "contributions", "key")
    stages = [
        Stage(TOOL, start, end, by=name)
        for name, start, end in _intervals(row, "function_calls", "function_name")
    ]
    stages += [Stage(OUTPUT, start, end) for name, start, end in named if name == "output_transport"]
    heard = [Stage(SPEECH_TO_TEXT, start, end) for name, start, end in named if name == "transcription"]
    stages += heard + [one for one in _services(row) if one.kind != SPEECH_TO_TEXT or not heard]
    vad = [end for name, _, end in named if name == "endpointing_wait"]
    eou = after(stopped, seconds(row, "user_turn_secs"))
    if eou is None:
        eou = max((end for name, _, end in named if name == "turn_detection"), default=None)
    return Turn(
        *key, stopped, after(stopped, total), min(vad, default=None), eou, tuple(sorted(stages, key=began))
    )


def _services(row: Row) -> list[Stage]:
    """First bytes by service; the first sentence began with the answer's first token."""
    aggregated = row.get("text_aggregation")
    answer = table_cells.instant(aggregated, "start_time") if isinstance(aggregated, dict) else None
    found = []
    for name, start, end in _intervals(row, "ttfb", "processor"):
        kind = next((kind for word, kind in _KINDS if word in name.lower()), None)
        if kind == SPEECH_TO_TEXT:
            found.append(Stage(kind, start, end, by=name))
        elif kind is not None:
            found.append(Stage(kind, start, end, end, by=name))
    chats = [
        one for one in found if one.kind == CHAT and answer is not None and (one.first_ns or 0) <= answer
    ]
    last = max(chats, key=began, default=None)
    return [one._replace(answer_ns=answer) if one is last else one for one in found]


def _intervals(row: Row, field: str, name: str) -> list[tuple[str, int, int]]:
    """(name, start, end) of every entry of a list; raises Unreadable naming the list's field."""
    entries = row.get(field)
    if entries is None:
        return []
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise Unreadable(field, entries, "write a list of objects, as model_dump() does.")
    found = []
    for one in entries:
        start = table_cells.instant(one, "start_time")
        found.append(
            (
                table_cells.needed(one, name),
                start,
                start + round(lines.needed_seconds(one, "duration_secs") * lines.NS),
            )
        )
    return found


def _completed(turn: Turn, held: Cycle) -> Turn:
    """The turn with first answer tokens, silences and what the client measured."""
    stages = list(turn.stages)
    for added in held.answers:
        at = _match(stages, CHAT, added)
        if at is not None:
            stages[at] = stages[at]._replace(answer_ns=after(stages[at].started_ns, added.total_s))
    for added in held.sounds[:1]:
        at = _match(stages, TEXT_TO_SPEECH, added)
        if at is not None:
            stages[at] = stages[at]._replace(audible_ns=after(stages[at].started_ns, added.total_s))
    client = held.heard[:3] if held.heard else (None, None, None)
    return turn._replace(
        stages=tuple(stages), transport_s=client[0], jitter_buffer_s=client[1], heard_after_s=client[2],
        service=held.source.service, region=held.source.region,
    )  # fmt: skip


def _match(stages: list[Stage], kind: str, added: _Added) -> int | None:
    """Which stage a line adds to: the one whose first byte took as long."""
    held = [at for at, one in enumerate(stages) if one.kind == kind and one.first_ns is not None]
    near = [
        at for at in held
        if abs((stages[at].first_ns or 0) - stages[at].started_ns - added.ttfb_s * lines.NS) <= _SAME_S * lines.NS
    ]  # fmt: skip
    return near[0] if near else None

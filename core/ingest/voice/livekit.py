"""LiveKit Agents' metrics as JSON lines, gathered by speech into turns.

Every line is what `metrics_collected` hands over (`metrics.model_dump()`), beside `room`; docs/recipes/voice writes them.
`message_metrics` is the report on the answer's ChatMessage, where end-to-end latency (`lk.e2e_latency` in traces) stands,
and `client_audio` what the caller's browser or a recording measured. Source: livekit-agents 1.8.9, metrics/base.py,
llm/chat_context.py. Timestamps are the ends of what they measure, but for the realtime model's and for the end of an
utterance's, which comes once the hook on_user_turn_completed is through.
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
from core.voice_turns import CHAT, SPEECH_TO_TEXT, TEXT_TO_SPEECH, Stage, began

NAME = "livekit_metrics"
EOU, LLM, TTS = "eou_metrics", "llm_metrics", "tts_metrics"
REALTIME, MESSAGE = "realtime_model_metrics", "message_metrics"
READ = (EOU, LLM, TTS, REALTIME, MESSAGE, lines.CLIENT)
BESIDE = (
    "stt_metrics", "vad_metrics", "decision_metrics", "eot_inference_metrics", "interruption_metrics", "avatar_metrics",
)  # fmt: skip
"""Measured by LiveKit and no wait of a turn: they are counted and left out."""
SHOWN = (
    "type", "room", "session_id", "conversation_id", "speech_id", "timestamp", "duration", "ttft", "ttfb",
    "end_of_utterance_delay", "transcription_delay", "on_user_turn_completed_delay", "metrics", "e2e_latency",
    "transport_secs", "jitter_buffer_secs", "voice_to_voice_secs", "leading_silence_secs",
)  # fmt: skip
_NOTHING = 0.0
"""LiveKit writes -1 where no token or byte came."""


class _Eou(NamedTuple):
    """End of the caller's turn; seconds, None where the end of speech was not heard."""

    at_ns: int
    delay_s: float | None
    transcript_s: float | None
    hook_s: float


class _Spoken(NamedTuple):
    """The answer's report: when the agent spoke, and how long after the caller's last word."""

    started_ns: int | None
    e2e_s: float | None


class Speech:
    """Lines of one speech, as they come."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.stages: list[Stage] = []
        self.eou: _Eou | None = None
        self.spoken: _Spoken | None = None
        self.heard: Heard | None = None


def detect(head: bytes, name: str) -> bool:
    """JSON with a type of LiveKit's metrics and the fields that go with it."""
    types = (EOU, LLM, TTS, REALTIME, MESSAGE)
    named = any(f'"{one}"'.encode() in head for one in types)
    return named and (b'"speech_id"' in head or b'"timestamp"' in head) and b'"resourceSpans"' not in head


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the file: a turn a speech that answers a caller; a bad line is refused alone."""
    content = stream.read()
    speeches: dict[tuple[str, str], Speech] = {}
    left_out: Counter[str] = Counter()

    def take(row: dict[str, Any], number: int) -> None:
        kind = table_cells.needed(row, "type")
        if kind in BESIDE:
            left_out[kind] += 1
            return
        if kind not in READ:
            raise Unreadable("type", kind, f"write one of {', '.join(READ)}.")
        speech = table_cells.word(row, "speech_id")
        if speech is None:
            left_out[f"{kind} without speech_id"] += 1
            return
        key = (lines.call_of(row, source), speech)
        _add(speeches.setdefault(key, Speech(lines.source_of(row))), kind, row)

    def made() -> Iterator[Turn]:
        for (call, speech), held in speeches.items():
            turn = turn_of(call, speech, held)
            if turn is None:
                left_out["speeches that answer nobody's words"] += 1
            else:
                yield turn

    yield lines.batch(content, source, NAME, options, SHOWN, take, made, left_out)


def _add(held: Speech, kind: str, row: Row) -> None:
    """One line; raises Unreadable before anything of it is kept."""
    if kind == EOU:
        held.eou = _eou(row)
    elif kind == MESSAGE:
        held.spoken = _spoken(row)
    elif kind == lines.CLIENT:
        held.heard = lines.heard(row)
    else:
        held.stages.append(stage_of(kind, row))


def stage_of(kind: str, row: Row) -> Stage:
    """A chat or a synthesis; its timestamp is its end, the realtime model's its start. Raises Unreadable."""
    at_ns = table_cells.instant(row, "timestamp")
    lasted_ns = round(lines.needed_seconds(row, "duration") * lines.NS)
    first = seconds(row, "ttfb" if kind == TTS else "ttft", _NOTHING)
    start = at_ns if kind == REALTIME else at_ns - lasted_ns
    metadata = row.get("metadata")
    by = table_cells.word(metadata, "model_name") if isinstance(metadata, dict) else None
    by = by or table_cells.word(row, "label")
    return Stage(
        TEXT_TO_SPEECH if kind == TTS else CHAT, start, start + lasted_ns, after(start, first), by=by
    )


def _eou(row: Row) -> _Eou:
    delay = lines.needed_seconds(row, "end_of_utterance_delay")
    transcript = lines.needed_seconds(row, "transcription_delay")
    hook = seconds(row, "on_user_turn_completed_delay") or 0.0
    known = delay > 0 or transcript > 0
    return _Eou(
        table_cells.instant(row, "timestamp"),
        delay if known else None,
        transcript if transcript > 0 else None,
        hook,
    )


def _spoken(row: Row) -> _Spoken:
    """`e2e_latency` may be absent: of an answer that was never heard."""
    report = row.get("metrics")
    if report is not None and not isinstance(report, dict):
        raise Unreadable("metrics", report, "write the report as an object, or its fields beside the type.")
    found: dict[str, Any] = {**row, **(report or {})}
    started = table_cells.instant(found, "started_speaking_at") if found.get("started_speaking_at") else None
    return _Spoken(started, seconds(found, "lk.e2e_latency" if "lk.e2e_latency" in found else "e2e_latency"))


def turn_of(call: str, speech: str, held: Speech) -> Turn | None:
    """The turn that lines make; None where no caller's last word is known.

    The caller stopped `e2e_latency` before the agent started; without that, before the end of the utterance was known.
    """
    eou, spoken, client = held.eou, held.spoken, held.heard
    stopped = None
    if spoken is not None and spoken.started_ns is not None and spoken.e2e_s is not None:
        stopped = spoken.started_ns - round(spoken.e2e_s * lines.NS)
    elif eou is not None and eou.delay_s is not None:
        stopped = eou.at_ns - round((eou.hook_s + eou.delay_s) * lines.NS)
    if stopped is None:
        return None
    stages = [*held.stages]
    if eou is not None and eou.transcript_s is not None:
        stages.append(Stage(SPEECH_TO_TEXT, stopped, stopped + round(eou.transcript_s * lines.NS)))
    if client is not None and client.leading_silence_s is not None:
        stages = _silent(stages, client.leading_silence_s)
    return Turn(
        call, speech, stopped, after(stopped, spoken.e2e_s if spoken else None), None,
        after(stopped, eou.delay_s if eou else None), tuple(sorted(stages, key=began)),
        *(client[:3] if client else (None, None, None)), held.source.service, held.source.region,
    )  # fmt: skip


def _silent(stages: list[Stage], silence_s: float) -> list[Stage]:
    """The first synthesis with the silence that a recording heard at its head."""
    speech = [stage for stage in stages if stage.kind == TEXT_TO_SPEECH and stage.first_ns is not None]
    if not speech:
        return stages
    first = min(speech, key=began)
    told = first._replace(audible_ns=after(first.first_ns or 0, silence_s))
    return [told if stage is first else stage for stage in stages]

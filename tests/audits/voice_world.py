"""Voice turns for tests, as the lines that Pipecat's and LiveKit's metrics are: seconds from the caller's last word."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from random import Random
from typing import Any

from core.ingest.options import ReadOptions
from core.ingest.voice import livekit, pipecat
from core.ledger.store import Store
from tests.audits.retry_world import DAY, at_ns

AT = at_ns(DAY) / 1e9 + 36_000
Line = dict[str, Any]


def pipecat_turn(
    call: str, turn: int, stopped: float, *, vad: float = 0.2, transcript: float = 0.1, decided: float = 0.4,
    llm: float = 0.42, token: float = 0.2, thought: float | None = 0.0, sentence: float = 0.1, byte: float = 0.1,
    spoke: float | None = None, silence: float = 0.05, client: Line | None = None, heard: float | None = None,
) -> list[Line]:  # fmt: skip
    """A turn; the default is 0.87 s to the first sound at the caller: 0.82 s of the server's and 0.05 s of silence."""
    named = {"conversation_id": call, "turn": turn, "service_name": "concierge", "region": "eu-west-1"}
    answer = llm + token + (thought or 0.0)
    speech = answer + sentence
    spoke = speech + byte if spoke is None else spoke
    lines: list[Line] = [
        {
            "type": "LatencyBreakdown", **named, "measured_from": "user_silence", "total_secs": spoke,
            "user_turn_start_time": stopped, "user_turn_secs": decided,
            "ttfb": [_part("processor", "OpenAILLMService#0", stopped + llm, token),
                     _part("processor", "CartesiaTTSService#0", stopped + speech, byte)],
            "contributions": [_part("key", "endpointing_wait", stopped, vad),
                              _part("key", "transcription", stopped + vad, transcript)],
            "function_calls": [],
        },
        {"type": "TTFAMetricsData", **named, "ttfa": byte + silence, "ttfb": byte, "leading_silence": silence},
    ]  # fmt: skip
    if thought is not None:
        lines.append(
            {
                "type": "TTFATMetricsData",
                **named,
                "ttfat": token + thought,
                "ttfb": token,
                "thinking_time": thought,
            }
        )
    if client is not None or heard is not None:
        lines.append({"type": "client_audio", **named, **(client or {}), "voice_to_voice_secs": heard})
    return lines


def _part(name: str, value: str, start: float, lasted: float) -> Line:
    return {name: value, "start_time": start, "duration_secs": lasted}


def livekit_turn(
    call: str, speech: str, stopped: float, e2e: float | None = 0.9, **client: float
) -> list[Line]:
    """End of the utterance after 0.4 s, first token after 0.25 s more, first byte 0.15 s after the sentence."""
    named = {"room": call, "speech_id": speech}
    spoken: Line = {"started_speaking_at": stopped + (e2e or 0.0)}
    lines: list[Line] = [
        {"type": "eou_metrics", **named, "timestamp": stopped + 0.4, "end_of_utterance_delay": 0.4,
         "transcription_delay": 0.3, "on_user_turn_completed_delay": 0.0},
        {"type": "llm_metrics", **named, "label": "openai.LLM", "timestamp": stopped + 1.42, "duration": 1.0, "ttft": 0.25},
        {"type": "tts_metrics", **named, "label": "cartesia.TTS", "timestamp": stopped + 1.73, "duration": 1.0, "ttfb": 0.15},
        {"type": "message_metrics", **named, "metrics": spoken if e2e is None else spoken | {"e2e_latency": e2e}},
    ]  # fmt: skip
    return lines + ([{"type": "client_audio", **named, **client}] if client else [])


def body(lines: Iterable[Line]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def load(store: Store, lines: Iterable[Line], name: str = "voice.jsonl") -> None:
    """Lines into the ledger, through their own reader."""
    content = body(lines)
    reader = livekit if livekit.detect(content[:4096], name) else pipecat
    store.submit_many(list(reader.read(io.BytesIO(content), name, ReadOptions())))


def calls(
    number: int, turns: int, seed: int = 1, slow: float = 0.0, alike: float = 0.5, at: float = AT
) -> list[Line]:
    """Calls of `turns` turns each, heard by the client after about 0.9 s; a share `slow` of calls thinks a second or two.

    `alike` 0 to 1: how much of the spread is of the call, not of the turn.
    """
    random, lines = Random(seed), []
    for call in range(number):
        own, thinks = random.gauss(0, 1), random.random() < slow
        for turn in range(turns):
            z = alike**0.5 * own + (1 - alike) ** 0.5 * random.gauss(0, 1)
            token = min(max(0.25 + 0.06 * z, 0.05), 0.6)
            thought = random.uniform(1.0, 2.0) if thinks else 0.0
            heard = 0.82 + token - 0.2 + thought + 0.05 + 0.1
            lines += pipecat_turn(
                f"call-{seed}-{call}", turn, at + 60 * call + 8 * turn, token=token, thought=thought, heard=heard,
                client={"transport_secs": 0.06, "jitter_buffer_secs": 0.04},
            )  # fmt: skip
    return lines

"""Voice calls: a concierge on Pipecat whose callers' clients report what they heard, as lines of its own metrics.

Written beside the runs, in files of their own, with truth in `voice.json`. Planted: from a deploy on the model thinks
before it answers. Its first token comes as fast as before, so a dashboard of first tokens stays green.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from data.demo.plan import SECOND_NS, day_start_ns, first_day

CONCIERGE, REGION = "voice-concierge", "eu-west-1"
LAST_DAYS = 45
CALLS_A_DAY, TURNS = 4, 5
STT, LLM, TTS = "DeepgramSTTService#0", "OpenAILLMService#0", "CartesiaTTSService#0"
PARTS = {
    "endpointing_wait": (0.18, 0.24), "transcription": (0.06, 0.14), "turn_detection": (0.05, 0.13),
    "orchestration": (0.015, 0.04), "first_token": (0.14, 0.26), "thinking": (0.0, 0.0), "sentence": (0.06, 0.13),
    "first_byte": (0.08, 0.14), "output_transport": (0.015, 0.03), "silence": (0.03, 0.09), "network": (0.03, 0.07),
    "jitter_buffer": (0.03, 0.06), "unexplained": (0.0, 0.02),
}  # fmt: skip
"""Seconds of each part of a wait, in order; a call has its own pace, which is why turns of one call are alike."""


class VoicePlan(NamedTuple):
    """What is planted; days are counted from the world's first day (0)."""

    days: int
    from_day: int
    thinking_from_day: int
    thinking_s: tuple[float, float]


def voice_plan(days: int, quiet: bool) -> VoicePlan:
    """The planted effect for a world of `days` days; in the quiet one the model never thinks aloud before it answers."""
    return VoicePlan(days, max(days - LAST_DAYS, 0), days if quiet else int(days * 0.9), (0.4, 1.9))


def write_voice(out_dir: Path, days: int, quiet: bool, seed: int, truth_dir: Path | None) -> list[Path]:
    """`voice-DAY.jsonl` a day, and `concierge.csv` with the deploy; the same arguments give the same bytes."""
    plan = voice_plan(days, quiet)
    truth: list[dict[str, float]] = []
    paths = []
    for number in range(plan.from_day, days):
        random = Random(f"{seed}/voice/{number}")
        day = first_day(days) + dt.timedelta(days=number)
        lines = [json.dumps(line) for line in _calls(random, plan, number, day_start_ns(day), truth)]
        paths.append(out_dir / f"voice-{day}.jsonl")
        paths[-1].write_text("\n".join(lines) + "\n")
    if truth_dir is not None:
        truth_dir.mkdir(parents=True, exist_ok=True)
        document = {"planted": plan._asdict(), "turns": truth}
        (truth_dir / "voice.json").write_text(json.dumps(document, indent=1) + "\n")
    if plan.thinking_from_day >= days:
        return paths
    day = first_day(days) + dt.timedelta(days=plan.thinking_from_day)
    path = out_dir / "concierge.csv"
    path.write_text(
        "event_id,ts,kind,title,service_name\n"
        f"concierge-1.8.0,{day}T00:20:00Z,deploy,{CONCIERGE} 1.8.0: reasoning on,{CONCIERGE}\n"
    )
    return [*paths, path]


def _calls(
    random: Random, plan: VoicePlan, number: int, midnight_ns: int, truth: list[dict[str, float]]
) -> Iterator[dict[str, Any]]:
    for call in range(CALLS_A_DAY):
        at = midnight_ns / SECOND_NS + random.randrange(9 * 3600, 19 * 3600)
        pace = random.uniform(0.92, 1.08)
        named = {"conversation_id": f"call-{number}-{call}", "service_name": CONCIERGE, "region": REGION}
        for turn in range(1, TURNS + 1):
            took = {name: pace * random.uniform(*ends) for name, ends in PARTS.items()}
            if number >= plan.thinking_from_day:
                took["thinking"] = random.uniform(*plan.thinking_s)
            truth.append(took)
            at += random.uniform(6, 20)
            yield from _turn({**named, "turn": turn}, at, took)


def _turn(named: dict[str, Any], stopped: float, took: dict[str, float]) -> Iterator[dict[str, Any]]:
    """The lines of one turn, as the recipe writes them; instants are seconds since 1970."""
    at: dict[str, float] = {}
    now = stopped
    for name in PARTS:
        at[name] = now
        now += took[name]
    spoke = at["silence"]
    said = [
        {"key": name, "label": name.replace("_", " "), "owner": "", "start_time": at[name], "duration_secs": took[name]}
        for name in ("endpointing_wait", "transcription", "turn_detection", "output_transport")
    ]  # fmt: skip
    first = [
        {"processor": who, "model": None, "start_time": at[name], "duration_secs": took[name]}
        for who, name in ((LLM, "first_token"), (TTS, "first_byte"))
    ]
    yield {
        "type": "LatencyBreakdown", **named, "ttfb": first, "contributions": said, "measured_from": "user_silence",
        "total_secs": spoke - stopped, "user_turn_start_time": stopped, "user_turn_secs": at["orchestration"] - stopped,
        "text_aggregation": {"processor": TTS, "start_time": at["sentence"], "duration_secs": took["sentence"]},
        "function_calls": [],
    }  # fmt: skip
    thought, silent, token, byte = (
        took[name] for name in ("thinking", "silence", "first_token", "first_byte")
    )
    yield {"type": "TTFATMetricsData", **named, "processor": LLM, "ttfat": token + thought, "ttfb": token,
           "thinking_time": thought}  # fmt: skip
    yield {"type": "TTFAMetricsData", **named, "processor": TTS, "ttfa": byte + silent, "ttfb": byte,
           "leading_silence": silent}  # fmt: skip
    yield {"type": "client_audio", **named, "transport_secs": took["network"], "jitter_buffer_secs": took["jitter_buffer"],
           "voice_to_voice_secs": sum(took.values())}  # fmt: skip

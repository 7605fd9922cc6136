"""Streams as a recorder around the assistant's client writes them: ordinary traffic, and a fixed set of prompts by version.

Written beside the runs, with truth in `streams.json`. Planted: from one day on a provider cuts its stream smaller at the same
rate; a new version pauses no longer before it calls a tool and seldom says first what it will do.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from data.demo.plan import GPT_41, HAIKU, first_day

SERVICE = "assist-gateway"
CHUNKED_REGION, PROMPTED_REGION = "eu-central-1", "us-east-1"
LAST_DAYS, HOURS, AN_HOUR = 21, (9, 15), 32
"""Days and UTC hours in which traffic is recorded, and responses of such an hour."""
PROMPTS, PROMPT_HOURS = 120, (8, 10, 13, 16)
"""The fixed prompts, a quarter of them at each of these hours."""
OLD_DAYS, NEW_DAYS = (26, 19, 12), (5, 3)
"""Days before the last on which the set was sent to either version."""
OLD, NEW = "assist-7", "assist-8"
SENTENCE_TOKENS, SENTENCE_MS = 14, 30.0
"""A sentence's length, and what its end adds to the gap however large chunks are: the rate must not follow their size."""


class StreamPlan(NamedTuple):
    """What is planted; days are counted from the world's first day (0)."""

    days: int
    cut_from_day: int
    """from this day on traffic comes in chunks of cut_tokens"""
    chunk_tokens: int
    cut_tokens: int
    pause_ms: tuple[float, float]
    """median pause before a tool call, of the old version and of the new"""
    preamble_share: tuple[float, float]
    """how often text stands before a tool call, likewise"""


def stream_plan(days: int, quiet: bool) -> StreamPlan:
    """The planted effects for a world of `days` days; in the quiet one neither the unit nor the version changes anything."""
    if quiet:
        return StreamPlan(days, days, 4, 4, (810.0, 810.0), (0.6, 0.6))
    return StreamPlan(days, max(days - 7, 0), 4, 1, (810.0, 35.0), (0.6, 0.15))


class _Part(NamedTuple):
    """A stretch of one kind, in chunks of `size` tokens, after a pause."""

    kind: str
    tokens: int
    size: int
    pause_ms: float = 0.0


def write_streams(out_dir: Path, days: int, quiet: bool, seed: int, truth_dir: Path | None) -> list[Path]:
    """`streams.jsonl.gz`, and `streams.csv` with the new version's day; the same arguments give the same bytes."""
    plan = stream_plan(days, quiet)
    lines = [
        json.dumps(row, separators=(",", ":")) + "\n"
        for row in (*_traffic(plan, seed), *_prompted(plan, seed))
    ]
    path = out_dir / "streams.jsonl.gz"
    path.write_bytes(gzip.compress("".join(lines).encode(), compresslevel=6, mtime=0))
    if truth_dir is not None:
        truth_dir.mkdir(parents=True, exist_ok=True)
        document = {"planted": plan._asdict(), "streams": len(lines)}
        (truth_dir / "streams.json").write_text(json.dumps(document, indent=1) + "\n")
    if quiet:
        return [path]
    change = out_dir / "streams.csv"
    day = first_day(days) + dt.timedelta(days=days - 1 - NEW_DAYS[0])
    change.write_text(
        f"event_id,ts,kind,title,service_name\n{NEW},{day}T00:40:00Z,deploy,{NEW} answers,{SERVICE}\n"
    )
    return [path, change]


def _at(plan: StreamPlan, number: int, hour: int, random: Random) -> dt.datetime:
    midnight = dt.datetime.combine(first_day(plan.days) + dt.timedelta(days=number), dt.time(), dt.UTC)
    return midnight + dt.timedelta(hours=hour, seconds=random.randrange(3600))


def _traffic(plan: StreamPlan, seed: int) -> Iterator[dict[str, object]]:
    """Plain answers at 45 tokens a second; an hour's load moves them by a few percent."""
    for number in range(max(plan.days - LAST_DAYS, 0), plan.days):
        random = Random(f"{seed}/streams/{number}")
        size = plan.cut_tokens if number >= plan.cut_from_day else plan.chunk_tokens
        for hour in HOURS:
            pace = 45 * random.lognormvariate(0, 0.02)
            for place in range(AN_HOUR):
                at = _at(plan, number, hour, random)
                lists = _lists(random, [_Part("text", random.randint(60, 130), size)], pace, 380)
                yield {
                    "stream_id": f"traffic-{number}-{hour}-{place}", "at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "provider": "openai",
                    "model": GPT_41.request_name, "response_model": GPT_41.snapshot, "region": CHUNKED_REGION,
                    "service_name": SERVICE, "finish_reason": "stop", "output_tokens": sum(lists["tokens"]), **lists,
                }  # fmt: skip


def _prompted(plan: StreamPlan, seed: int) -> Iterator[dict[str, object]]:
    """The set of prompts, once a recorded day: two thirds call a tool."""
    for later, back_days in enumerate((OLD_DAYS, NEW_DAYS)):
        for back in back_days:
            number = plan.days - 1 - back
            if number < 0:
                continue
            random = Random(f"{seed}/prompted/{number}")
            pace = 70 * random.lognormvariate(0, 0.03)
            for prompt in range(PROMPTS):
                yield _prompt(plan, random, number, prompt, later, pace)


def _prompt(
    plan: StreamPlan, random: Random, number: int, prompt: int, later: int, pace: float
) -> dict[str, object]:
    long = Random(f"prompt/{prompt}").randint(60, 160)
    parts = [_Part("reasoning", int(40 * random.lognormvariate(0, 0.3)) + 3, 3)]
    if prompt % 3 == 0:
        parts.append(_Part("text", int(long * random.uniform(0.9, 1.1)), 3))
    else:
        if (prompt * 0.618 + random.uniform(-0.05, 0.05)) % 1 < plan.preamble_share[
            later
        ]:  # a habit of prompts
            parts.append(_Part("text", random.randint(14, 18), 3))
        parts.append(
            _Part(
                "tool_call", random.randint(24, 60), 3, plan.pause_ms[later] * random.lognormvariate(0, 0.25)
            )
        )
    at = _at(plan, number, PROMPT_HOURS[prompt % len(PROMPT_HOURS)], random)
    lists = _lists(random, parts, pace, 520)
    return {
        "stream_id": f"prompted-{number}-{prompt}", "at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "provider": "anthropic",
        "model": HAIKU.request_name, "response_model": HAIKU.snapshot, "version": (OLD, NEW)[later],
        "region": PROMPTED_REGION, "service_name": SERVICE, "prompt_id": f"set-{prompt:03d}",
        "finish_reason": "tool_use" if prompt % 3 else "end_turn", "output_tokens": sum(lists["tokens"]), **lists,
    }  # fmt: skip


def _lists(random: Random, parts: Sequence[_Part], pace: float, first_ms: float) -> dict[str, list[Any]]:
    """Chunks of the parts one after the other; a sentence's end is followed by a longer gap."""
    found: dict[str, list[Any]] = {"t_ms": [], "tokens": [], "chars": [], "kind": [], "sentence_end": []}
    at, told = first_ms * random.lognormvariate(0, 0.2), 0
    for part in parts:
        left, waited = part.tokens, part.pause_ms
        while left > 0:
            size = min(part.size, left)
            at, waited, left, told = at + waited, 0.0, left - size, told + size
            end = int(part.kind == "text" and told >= SENTENCE_TOKENS)
            told = 0 if end else told
            values = (round(at), size, 4 * size + random.randrange(size + 1), part.kind, end)
            for name, value in zip(found, values, strict=True):
                found[name].append(value)
            at += size / pace * 1000 * random.gammavariate(11, 1 / 11) + SENTENCE_MS * end
    return found

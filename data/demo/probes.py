"""Fixed prompts sent to every region twice a day, as the probe runner of docs/recipes/regional_probes writes them.

The provider names one snapshot throughout. A release on probe_release_day brings every region to the next generation
at once; from probe_drift_day on one region answers as the generation before, under the unchanged name. Another
region's network gets slower. All texts are invented.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
from pathlib import Path
from random import Random
from typing import NamedTuple

from data.demo.plan import GPT_41, REGIONS, Plan, first_day

HOURS = (6, 18)
COMPLETIONS = 2
HEADERS = ("content-type", "date", "server", "x-request-id")
FIRST_CHUNK_MS = {"us-east-1": 320.0, "eu-central-1": 345.0, "eu-west-1": 335.0, "ap-southeast-1": 470.0}


class Prompt(NamedTuple):
    """A fixed prompt: its answer, the tokens of its text, and how much easier than the others it is."""

    name: str
    answer: str
    tokens: int
    easier: float


PROMPTS = (
    Prompt("refund-total-1", "41.80", 212, 0.04), Prompt("refund-total-2", "17.25", 219, -0.06),
    Prompt("ship-date-1", "14 March", 168, 0.02), Prompt("ship-date-2", "2 June", 171, -0.03),
    Prompt("route-ticket-1", "billing", 254, 0.05), Prompt("route-ticket-2", "returns", 247, -0.02),
    Prompt("count-items-1", "7", 143, 0.03), Prompt("count-items-2", "12", 149, -0.03),
)  # fmt: skip


class Generation(NamedTuple):
    """How one generation answers: chances, and sentences before the answer."""

    success: float
    well_formed: float
    refusal: float
    fewest: int
    most: int
    openers: tuple[str, ...]
    sentences: tuple[str, ...]


SHARED = (
    "The order lists each item with its price.", "The policy counts from the day of delivery.",
    "One line of the order was cancelled before it shipped.", "The customer asks about one parcel only.",
)  # fmt: skip
EARLIER = Generation(
    0.74, 0.92, 0.05, 1, 3, ("Sure, here it is.", "Of course.", "Happy to help."),
    (*SHARED, "I looked at the rows you gave.", "That gives the number below."),
)  # fmt: skip
LATER = Generation(
    0.91, 0.98, 0.02, 2, 4, ("Step by step.", "Reading the rows first."),
    (*SHARED, "Checking it against the second table gives the same value.", "Nothing else in the rows changes it."),
)  # fmt: skip


def write_probes(path: Path, plan: Plan, seed: int) -> Path:
    """JSON lines, gzip: an answer a line, in the order of time. The same arguments give the same bytes."""
    lines = []
    for number in range(plan.probe_from_day, plan.days):
        rng = Random(f"{seed}/probes/{number}")
        day = first_day(plan.days) + dt.timedelta(days=number)
        for hour in HOURS:
            at = dt.datetime(day.year, day.month, day.day, hour, tzinfo=dt.UTC)
            for place, prompt in enumerate(PROMPTS):
                lines += _round(rng, plan, number, at + dt.timedelta(minutes=place), prompt)
    path.write_bytes(gzip.compress("".join(lines).encode(), compresslevel=6, mtime=0))
    return path


def _round(rng: Random, plan: Plan, number: int, at: dt.datetime, prompt: Prompt) -> list[str]:
    """One prompt to every region, completion by completion, so that time falls on all alike."""
    lines = []
    for completion in range(COMPLETIONS):
        for place, region in enumerate(REGIONS):
            sent = at + dt.timedelta(seconds=20 * completion + 4 * place)
            row = _answer(rng, plan, number, region.name, prompt)
            row |= {
                "probe_id": f"{region.name}/{prompt.name}/{sent:%m%dT%H%M%S}", "prompt_id": prompt.name,
                "region": region.name, "at": f"{sent:%Y-%m-%dT%H:%M:%SZ}",
            }  # fmt: skip
            lines.append(json.dumps(row, separators=(",", ":")) + "\n")
    return lines


def generation(plan: Plan, number: int, region: str) -> Generation:
    """Which generation a region serves on a day."""
    behind = region == plan.probe_drift_region and number >= plan.probe_drift_day
    return EARLIER if behind or number < plan.probe_release_day else LATER


def _answer(rng: Random, plan: Plan, number: int, region: str, prompt: Prompt) -> dict[str, object]:
    how = generation(plan, number, region)
    refused = rng.random() < how.refusal
    right = not refused and rng.random() < how.success + prompt.easier
    well_formed = not refused and rng.random() < how.well_formed
    text = (
        "I cannot say that from the rows that were given."
        if refused
        else _text(rng, how, prompt, right, well_formed)
    )
    output_tokens = len(text) // 4 + 1
    first = FIRST_CHUNK_MS[region] * rng.lognormvariate(0, 0.2)
    if region == plan.probe_slow_region and number >= plan.probe_slow_day:
        first *= plan.probe_slow_factor
    return {
        "request_model": GPT_41.request_name, "response_model": GPT_41.snapshot, "input_tokens": prompt.tokens,
        "output_tokens": output_tokens, "first_chunk_ms": round(first, 1),
        "last_chunk_ms": round(first + output_tokens * 12 * rng.lognormvariate(0, 0.15), 1), "finish_reason": "stop",
        "refusal": refused, "format_ok": well_formed, "score": int(right), "scorer": "last-line 1", "text": text,
        "header_names": HEADERS,
    }  # fmt: skip


def _text(rng: Random, how: Generation, prompt: Prompt, right: bool, well_formed: bool) -> str:
    answer = prompt.answer if right else f"not {prompt.answer}"
    told = rng.sample(how.sentences, rng.randint(how.fewest, how.most))
    last = f"Answer: {answer}" if well_formed else f"so I would say {answer}, more or less"
    return " ".join([rng.choice(how.openers), *told, last])

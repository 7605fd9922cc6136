"""Literal probes for the regional drift audit's tests: fixed prompts answered by invented regions, seeded."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from random import Random
from typing import Any

from core.audit import Scope
from core.audits import regional_drift as audit
from core.audits.regional_drift_measure import Drift
from core.ledger.store import Store
from tests.audits.retry_world import DAY, Row, at_ns, send

PROMPTS = tuple(f"prompt-{n}" for n in range(6))
WORDS = ("red", "green", "blue", "black", "white", "grey")
REFERENCE, OTHER = "us-east-1", "eu-central-1"
Change = Callable[[int, str], dict[str, Any]]
"""Day number and region to what differs there: success, words, chars, and any column of a probe."""

_serial = itertools.count(1)


def probe(region: str, prompt: str, day: dt.date, place: int = 0, **more: Any) -> Row:
    """One probe; `place` orders the day's answers to the prompt."""
    row: Row = {
        "probe_id": f"p{next(_serial)}", "kind": "model", "prompt_id": prompt, "region": region,
        "at_ns": at_ns(day, 6) + place * 10**9, "day": day, "request_model": "m", "response_model": "m-1",
        "system_fingerprint": None, "input_tokens": 100, "output_tokens": 40, "first_chunk_ms": 300.0,
        "last_chunk_ms": 900.0, "finish_reason": "stop", "refusal": False, "format_ok": True, "score": 1.0,
        "scorer": "exact 1", "text": "red", "text_chars": 3, "text_hash": "0", "header_names": "date",
    }  # fmt: skip
    return row | more


def drawn(random: Random, region: str, prompt: str, day: dt.date, place: int, **how: Any) -> Row:
    """A probe whose answer is drawn: success (chance), words (vocabulary), longer (factor of its length)."""
    success, words, longer = how.pop("success", 0.8), how.pop("words", WORDS), how.pop("longer", 1.0)
    text = " ".join(random.choice(words) for _ in range(random.randint(4, 8)))
    slow = how.pop("slow", 1.0)
    first = 300.0 * slow * random.lognormvariate(0, 0.1)
    row = {
        "score": float(random.random() < success), "format_ok": random.random() < 0.95,
        "refusal": random.random() < 0.03, "text": text, "text_chars": int(len(text) * longer),
        "first_chunk_ms": first, "last_chunk_ms": first + 600 * random.lognormvariate(0, 0.1),
    }  # fmt: skip
    return probe(region, prompt, day, place, **(row | how))


def world(
    days: int = 30,
    regions: tuple[str, ...] = (REFERENCE, OTHER, "eu-west-1"),
    change: Change | None = None,
    k: int = 2,
    seed: int = 1,
    prompts: tuple[str, ...] = PROMPTS,
) -> list[Row]:
    """Every prompt to every region every day, k completions; `change` says what differs when and where."""
    random = Random(seed)
    return [
        drawn(random, region, prompt, DAY + dt.timedelta(days=number), place, **(change(number, region) if change else {}))
        for number in range(days)
        for prompt in prompts
        for place in range(k)
        for region in regions
    ]  # fmt: skip


def release(day: dt.date, title: str = "release 2", **more: Any) -> Row:
    """One change event."""
    return {
        "event_id": f"e{next(_serial)}", "at_ns": at_ns(day), "day": day, "kind": "release", "title": title,
    } | more  # fmt: skip


def scope(days: int = 90, **more: Any) -> Scope:
    return Scope(DAY, DAY + dt.timedelta(days=days - 1), **more)


def measured(store: Store, within: Scope | None = None, **tables: list[Row]) -> Drift:
    """Send the tables and measure; fails when there is too little."""
    if tables:
        send(store, **tables)
    within = within or scope()
    found = audit.measure(audit.load(store.ask, within), within)
    assert isinstance(found, Drift), found
    return found


def verdicts(found: Drift) -> dict[str, str]:
    return {one.region: one.verdict for one in found.regions}


def two_regions() -> list[Row]:
    """A week of probes of two regions, for tests that only need the audit to have something to say."""
    return world(days=7, regions=(REFERENCE, OTHER))

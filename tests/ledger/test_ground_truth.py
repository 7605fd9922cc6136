"""Attempts against what the provider really received, for every call of every captured instrumentation.

Each `ground_truth.json` lists the requests a fake provider saw, by trace. A call is right when the ledger's attempts
equal it, unknown when the ledger says it cannot know, wrong otherwise. Wrong must be none.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from core.ingest.files import read_path
from core.ingest.options import ReadOptions
from core.ledger.store import Store

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures" / "otel"
README = Path(__file__).parents[2] / "README.md"
CAPTURES = sorted(path.parent.name for path in FIXTURES.glob("*/ground_truth.json"))

pytestmark = pytest.mark.skipif(not CAPTURES, reason="../shared/fixtures/otel is not beside this checkout")

CALLS = """
    select
        trace_id,
        attempts,
        grade
    from calls
    where superseded_by > $as_of and removed_rule is null and line_kind = 'inference'
    order by trace_id, started_at_ns
"""


class Verdict(NamedTuple):
    capture: str
    scenario: str
    expected: list[int]
    found: list[int | None]

    @property
    def word(self) -> str:
        """right, unknown or wrong; calls that left no span at all are unknown."""
        if not self.found or None in self.found:
            known = [attempts for attempts in self.found if attempts is not None]
            return "unknown" if not Counter(known) - Counter(self.expected) else "wrong"
        return "right" if sorted(self.found, key=str) == sorted(self.expected, key=str) else "wrong"


def requests_by_call(provider_saw: list[dict[str, object]]) -> list[int]:
    """Requests of each logical call: the SDK numbers its resends, so a 0 begins a call; the AI SDK and undici send
    no number, there every request after a failure continues the call."""
    counts: list[int] = []
    failed = False
    for request in provider_saw:
        number = request.get("stainless_retry")
        continues = failed if number is None else int(str(number)) > 0
        if continues and counts:
            counts[-1] += 1
        else:
            counts.append(1)
        failed = request["status"] != 200
    return counts


def verdicts(capture: str) -> list[Verdict]:
    store = Store.open(":memory:")
    store.submit_many(read_path(FIXTURES / capture / "traces.otlp.jsonl", ReadOptions()))
    as_of = store.derive()
    found: dict[str, list[int | None]] = {}
    for trace_id, attempts, _ in store.ask(CALLS, as_of=as_of).rows():
        found.setdefault(trace_id, []).append(attempts)
    store.close()
    truth = json.loads((FIXTURES / capture / "ground_truth.json").read_text())
    return [
        Verdict(
            capture,
            call["scenario"],
            requests_by_call(call["provider_saw"]),
            found.get(call["trace_id"], []),
        )
        for call in truth
        if call["provider_saw"]
    ]


@pytest.fixture(scope="module")
def table() -> list[Verdict]:
    return [verdict for capture in CAPTURES for verdict in verdicts(capture)]


def test_no_wrong_number(table: list[Verdict]) -> None:
    assert [verdict for verdict in table if verdict.word == "wrong"] == []


def test_most_calls_are_known(table: list[Verdict]) -> None:
    """Unknown is honest but not an aim: these captures hold HTTP spans or resend counts for nearly every call."""
    right = sum(verdict.word == "right" for verdict in table)
    assert right >= 0.97 * len(table), [verdict for verdict in table if verdict.word != "right"]


def as_markdown(table: list[Verdict]) -> str:
    counts: dict[str, Counter[str]] = {}
    for verdict in table:
        counts.setdefault(verdict.capture, Counter())[verdict.word] += 1
    lines = ["| instrumentation | calls right | unknown | wrong |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {n['right']} | {n['unknown']} | {n['wrong']} |" for name, n in sorted(counts.items())
    ]
    total = sum(counts.values(), Counter())
    return "\n".join([*lines, f"| **all** | {total['right']} | {total['unknown']} | {total['wrong']} |"])


def test_readme_shows_this_table(
    table: list[Verdict], record_property: Callable[[str, object], None]
) -> None:
    record_property("attempts against ground truth", as_markdown(table))
    assert as_markdown(table) in README.read_text()

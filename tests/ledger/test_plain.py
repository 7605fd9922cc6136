"""Plain traces derived in columns: the same rows as trace by trace, and none is taken for plain that is not."""

from __future__ import annotations

import random
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ledger.cost import Costing
from core.ledger.derived import derived_frames
from core.ledger.plain import DEEPEST, plain_traces
from core.ledger.rows import SCHEMAS, TOLD_BY_START, trace_rows
from core.ledger.trace import Span
from tests.ledger.make import http, span, span_frame

COSTING = Costing.load(None)


def in_columns(spans: list[Span]) -> dict[str, list[str]]:
    """Rows of each table, in an order of their own, without what only their start decides."""
    found: dict[str, list[str]] = {"runs": [], "calls": [], "attempts": []}
    for table, rows in derived_frames(span_frame(spans), COSTING, 1):
        kept = rows.drop(*TOLD_BY_START, "import_id", "superseded_by")
        found[table] += map(repr, kept.rows())
    return {table: sorted(rows) for table, rows in found.items()}


def one_by_one(spans: list[Span]) -> dict[str, list[str]]:
    """The same by trace_rows, as the schemas hold it."""
    traces: dict[str, list[Span]] = {}
    for one in spans:
        traces.setdefault(one.trace_id, []).append(one)
    rows = [trace_rows(members, COSTING) for members in traces.values()]
    told = {
        "runs": [run for run, _, _ in rows],
        "calls": [call for _, calls, _ in rows for call in calls],
        "attempts": [line for _, _, lines in rows for line in lines],
    }
    return {table: sorted(map(repr, as_stored(table, told[table]))) for table in told}


def as_stored(table: str, rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    schema = {name: kind for name, kind in SCHEMAS[table].items() if name not in TOLD_BY_START}
    return pl.DataFrame(rows, schema, orient="row").rows()


def plain(spans: list[Span]) -> set[str]:
    return set(plain_traces(span_frame(spans)).spans["trace_id"].to_list())


AGENT = span("root", 0, 900, "agent")
ASKED = span("a", 10, 100, parent="root")
TOOL = span("b", 110, 200, "tool", parent="root", tool_name="search")
FAILED = span("a", 10, 100, parent="root", status="ERROR", error_class="timeout")
AGAIN = span("a2", 200, 300, parent="root", resend_count=1)

PLAIN = {
    "an agent with a model call and a tool": [AGENT, ASKED, TOOL],
    "a model call alone": [ASKED._replace(parent_span_id=None)],
    "whose parent has not come": [ASKED, TOOL],
    "without any call": [AGENT],
    "a failure and its numbered resend": [AGENT, FAILED, AGAIN],
    "a failure and nothing after it": [
        AGENT,
        ASKED,
        FAILED._replace(span_id="c", started_at_ns=ASKED.ended_at_ns + 9),
    ],
    "one tool that failed": [AGENT, ASKED, TOOL._replace(status_code="ERROR")],
    "HTTP to somewhere else": [AGENT, ASKED, http("h", 120, 130, parent="root", url_path="/search")],
}
NOT_PLAIN = {
    "HTTP to a model": [AGENT, ASKED, http("h", 20, 90, parent="a")],
    "a call within a call": [AGENT, ASKED, TOOL._replace(parent_span_id="a")],
    "one answer told by two spans": [
        AGENT,
        ASKED._replace(response_id="r"),
        span("c", 300, 400, parent="root", response_id="r"),
    ],
    "one tool call told by two spans": [AGENT, TOOL._replace(tool_call_id="t"), TOOL._replace(span_id="c", tool_call_id="t")],
    "two instrumentations": [AGENT, ASKED, span("c", 300, 400, parent="root", scope_name="other")],
    "a failure repeated without a number": [AGENT, FAILED, AGAIN._replace(resend_count=None)],
    "a resend whose first attempt is lost": [AGENT, AGAIN],
    "an agent that failed": [AGENT._replace(status_code="ERROR"), ASKED],
    "a failed tool and another one": [AGENT, TOOL._replace(error_class="x"), span("c", 300, 400, "tool", parent="root")],
    "parents in a circle": [ASKED._replace(parent_span_id="c"), AGENT._replace(span_id="c", parent_span_id="c")],
    "parents without end": [AGENT._replace(span_id="0", parent_span_id=None)]
    + [AGENT._replace(span_id=str(n), parent_span_id=str(n - 1)) for n in range(1, DEEPEST + 2)],
}  # fmt: skip


@pytest.mark.parametrize("case", [*PLAIN, *NOT_PLAIN])
def test_which_traces_are_plain(case: str) -> None:
    spans = (PLAIN | NOT_PLAIN)[case]
    assert plain(spans) == ({"t"} if case in PLAIN else set())
    assert in_columns(spans) == one_by_one(spans)


def test_one_trace_that_is_not_plain_does_not_touch_its_neighbours() -> None:
    spans = [
        one._replace(trace_id=f"{n:03d}")
        for n, case in enumerate([*NOT_PLAIN.values(), *PLAIN.values()])
        for one in case
    ]
    assert len(plain(spans)) == len(PLAIN)
    assert in_columns(spans) == one_by_one(spans)


class Made:
    """Traces out of one random source: mostly sound ones, with everything a trace can have now and then."""

    def __init__(self, source: random.Random, oddness: float) -> None:
        self.of, self.oddness = source, oddness

    def odd(self) -> bool:
        return self.of.random() < self.oddness

    def trace(self, trace_id: str) -> list[Span]:
        spans = [span("0", 0, 500, self.of.choice(["agent", "workflow", "app", "chain"]), trace_id=trace_id)]
        at_ms = 0
        for n in range(1, self.of.randint(1, 8)):
            at_ms += self.of.choice([0, 1, 5, 60, 200]) if not self.odd() else self.of.randint(-50, 130_000)
            made = self.one(str(n), at_ms, self.of.choice(spans) if self.odd() else spans[0], spans)
            at_ms += self.of.choice([0, 20, 40])
            spans.append(made)
        if self.odd():
            spans.pop(self.of.randrange(len(spans)))
        self.of.shuffle(spans)
        return spans

    def one(self, span_id: str, at_ms: int, parent: Span, earlier: list[Span]) -> Span:
        before = next((one for one in reversed(earlier) if one.span_role == "inference"), None)
        resends = before is not None and before is earlier[-1] and before.failed and not self.odd()
        role = self.of.choice(
            ["inference", "inference", "inference", "tool", "tool", "agent", "chain", "http"]
        )
        role = "inference" if resends else role
        failed = self.of.random() < (0.3 if role == "inference" else self.oddness)
        fields: dict[str, object] = {
            "trace_id": parent.trace_id, "parent": parent.span_id,
            "name": f"{role} {self.of.choice('xy') if self.odd() else 'x'}",
            "status": "ERROR" if failed else self.of.choice(["UNSET", "OK"]),
            "error_class": self.of.choice([None, "timeout", "parse"]) if failed else None,
            "service_name": self.of.choice([None, "s"]), "cloud_region": self.of.choice([None, "", "eu"]),
            "conversation_id": self.of.choice([None, "c1", "c2"]), "enduser_hash": self.of.choice([None, "u"]),
            "response_model": self.of.choice([None, "", "gpt-4o-mini-2024-07-18"]),
            "request_model": self.of.choice([None, "gpt-4o"]) if self.odd() else "gpt-4o-mini",
            "provider_request_id": self.of.choice([None, "", "q"]), "operation": self.of.choice([None, "", "chat"]),
            "http_status_code": self.of.choice([None, 200, 429]), "service_tier": self.of.choice([None, "flex"]),
            "scope_name": self.of.choice([None, "other"]) if self.odd() else "scope",
            "dialect": self.of.choice(["vercel_ai", "anthropic_native", "genai"]) if self.odd() else "genai",
            "response_id": self.of.choice([None, "", "r1", f"r{span_id}"]) if self.odd() else f"r{span_id}",
            "tool_call_id": self.of.choice([None, "", "k"]) if self.odd() else None,
            "tool_name": self.of.choice(["a", "b", None]), "agent_name": "g" if self.odd() else None,
            "arguments_hash": self.of.choice([None, "h1", "h2"]) if self.odd() else None,
            "url_path": self.of.choice(["/v1/Responses/", "/search", None]),
        } | self.usage()  # fmt: skip
        made = span(span_id, at_ms, at_ms + self.of.choice([0, 20, 40]), role, **fields)
        if resends and before is not None:
            like = {
                name: getattr(before, name)
                for name in ("parent_span_id", "name", "operation", "request_model")
            }
            made = made._replace(**like, resend_count=(before.resend_count or 0) + 1)  # type: ignore[arg-type]
        elif role == "inference" and self.odd():
            made = made._replace(resend_count=self.of.choice([0, 1, 2]))
        return made

    def usage(self) -> dict[str, object]:
        return {
            "input_tokens": self.of.choice([None, 100, 12_345]),
            "output_tokens": self.of.choice([None, 0, 77]),
            "cache_read_tokens": self.of.choice([None, 0, 50]),
            "reasoning_tokens": self.of.choice([None, 5]),
            "reported_cost_usd": self.of.choice([None, Decimal("0.000123456789")]),
        }


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.05, 0.2, 0.5]))
def test_the_same_rows_as_trace_by_trace(seed: int, oddness: float) -> None:
    made = Made(random.Random(seed), oddness)
    spans = [one for n in range(12) for one in made.trace(f"{n:02d}")]
    assert in_columns(spans) == one_by_one(spans)


def test_random_traces_are_of_both_kinds() -> None:
    """Else the comparison above would compare one way with itself."""
    made = Made(random.Random(1), 0.1)
    spans = [one for n in range(300) for one in made.trace(f"{n:03d}")]
    assert 50 <= len(plain(spans)) <= 250
    resent = [one.trace_id for one in spans if one.resend_count and one.trace_id in plain(spans)]
    assert len(set(resent)) >= 10

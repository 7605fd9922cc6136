"""Grades: each row is a shape that a real instrumentation emits (FORMATS 1.3), with the count worked out."""

from __future__ import annotations

import pytest

from core.ledger.calls import Call, calls_of
from core.ledger.dedup import removals
from core.ledger.trace import Span, Trace
from tests.ledger.make import http, span

ROOT = span("root", 0, 9_000, "app")


def graded(*spans: Span) -> list[tuple[int | None, int | None, str]]:
    trace = Trace([ROOT, *spans])
    calls = [call for call in calls_of(trace, removals(trace)) if call.removal is None]
    return [(call.attempts, call.failed_attempts, call.grade) for call in calls]


def calls(*spans: Span) -> list[Call]:
    trace = Trace([ROOT, *spans])
    return calls_of(trace, removals(trace))


CASES = {
    "three HTTP children of one call: two failed, the last answered": (
        [
            span("c", 10, 500, parent="root"),
            http("h1", 11, 20, 503, parent="c"),
            http("h2", 200, 210, 429, parent="c"),
            http("h3", 300, 490, parent="c"),
        ],
        [(3, 2, "observed")],
    ),
    "a 200 whose body broke is an attempt too: two HTTP spans, both 200": (
        [
            span("c", 10, 500, parent="root"),
            http("h1", 11, 20, parent="c"),
            http("h2", 400, 490, parent="c"),
        ],
        [(2, 1, "observed")],
    ),
    "HTTP spans beside the call and inside it in time (the call's span was not made current)": (
        [
            span("c", 10, 500, parent="root"),
            http("h1", 11, 20, 500, parent="root"),
            http("h2", 400, 490, parent="root"),
        ],
        [(2, 1, "observed")],
    ),
    "two calls at once with HTTP spans beside them: nobody can say whose they are": (
        [
            span("a", 10, 500, parent="root"),
            span("b", 10, 505, parent="root", arguments_hash="b"),
            http("h1", 20, 300, parent="root"),
            http("h2", 25, 310, parent="root"),
        ],
        [(None, None, "unobservable"), (None, None, "unobservable")],
    ),
    "HTTP spans under the run, the call deep under an agent: linked by time, being the only call around them": (
        [
            span("agent", 5, 600, "agent", parent="root"),
            span("c", 10, 500, parent="agent"),
            http("h1", 11, 20, 500, parent="root"),
            http("h2", 400, 490, parent="root"),
        ],
        [(2, 1, "observed")],
    ),
    "two HTTP libraries in one process: the inner span is the same send": (
        [
            span("c", 10, 500, parent="root"),
            http("h1", 11, 20, 500, parent="c"),
            http("h1-inner", 12, 19, 500, parent="h1"),
            http("h2", 400, 490, parent="c"),
            http("h2-inner", 401, 489, parent="h2"),
        ],
        [(2, 1, "observed")],
    ),
    "through a gateway: the provider got the gateway's three sends, not the one that reached the gateway": (
        [
            span("c", 10, 900, parent="root"),
            http("to-gateway", 11, 890, parent="c"),
            span("server", 12, 889, "app", parent="to-gateway", kind="server"),
            span("upstream", 13, 888, parent="server", scope_name="gateway"),
            http("u1", 14, 20, 503, parent="upstream"),
            http("u2", 300, 310, 429, parent="upstream"),
            http("u3", 600, 880, parent="upstream"),
        ],
        [(3, 2, "observed")],
    ),
    "no HTTP spans, no resend count: unknown, never zero": (
        [span("c", 10, 500, parent="root")],
        [(None, None, "unobservable")],
    ),
    "the vendor SDK declares two resends: three attempts, all failed": (
        [span("c", 10, 500, parent="root", resend_count=2, status="ERROR")],
        [(3, 3, "declared")],
    ),
    "the vendor SDK declares none by leaving the attribute out": (
        [span("c", 10, 500, parent="root", dialect="anthropic_native")],
        [(1, 0, "declared")],
    ),
    "retry-count headers number the HTTP spans; the first was sampled away": (
        [
            span("c", 10, 500, parent="root"),
            http("h2", 200, 210, 429, parent="c", resend_count=1),
            http("h3", 300, 490, parent="c", resend_count=2),
        ],
        [(3, 2, "declared")],
    ),
    "one span per attempt, each with its own resend count": (
        [
            span("a1", 10, 50, parent="root", status="ERROR", resend_count=0),
            span("a2", 100, 150, parent="root", resend_count=1),
        ],
        [(2, 1, "declared")],
    ),
    "AI SDK: one doGenerate per attempt, then a second step": (
        [
            span("g", 5, 900, "chain", parent="root"),
            span("d1", 10, 50, parent="g", status="ERROR", dialect="vercel_ai"),
            span("d2", 300, 350, parent="g", dialect="vercel_ai"),
            span("d3", 400, 450, parent="g", dialect="vercel_ai"),
        ],
        [(2, 1, "observed"), (1, 0, "observed")],
    ),
    "bare HTTP: a 500, then 200 within the back-off window": (
        [http("h1", 10, 20, 500, parent="root"), http("h2", 450, 500, parent="root")],
        [(2, 1, "observed")],
    ),
    "bare HTTP: two 200 at once after each other are two calls": (
        [http("h1", 10, 20, parent="root"), http("h2", 25, 60, parent="root")],
        [(1, 0, "observed"), (1, 0, "observed")],
    ),
    "bare HTTP: a 200 and, a back-off later, another: a broken body or a second call": (
        [http("h1", 10, 20, parent="root"), http("h2", 430, 500, parent="root")],
        [(None, None, "unobservable"), (None, None, "unobservable")],
    ),
    "an application repeats a failed call whose attempts are not visible": (
        [span("c1", 10, 50, parent="root", status="ERROR"), span("c2", 100, 150, parent="root")],
        [(2, 1, "inferred")],
    ),
    "the same, with other arguments: another call": (
        [
            span("c1", 10, 50, parent="root", status="ERROR", arguments_hash="x"),
            span("c2", 100, 150, parent="root", arguments_hash="y"),
        ],
        [(None, None, "unobservable"), (None, None, "unobservable")],
    ),
    "the same, three minutes later: beyond the back-off window": (
        [span("c1", 10, 50, parent="root", status="ERROR"), span("c2", 180_060, 180_100, parent="root")],
        [(None, None, "unobservable"), (None, None, "unobservable")],
    ),
    "a fallback to another model is another call": (
        [
            span("c1", 10, 50, parent="root", status="ERROR", request_model="gpt-5-mini"),
            http("h1", 12, 40, 500, parent="c1"),
            span("c2", 60, 150, parent="root"),
            http("h2", 62, 140, parent="c2"),
        ],
        [(1, 1, "observed"), (1, 0, "observed")],
    ),
    "a failed tool and the next call of that tool, another one between": (
        [
            span("t1", 10, 20, "tool", parent="root", tool_name="book", status="ERROR"),
            span("t2", 30, 40, "tool", parent="root", tool_name="think"),
            span("t3", 50, 60, "tool", parent="root", tool_name="book"),
        ],
        [(2, 1, "inferred"), (None, None, "unobservable")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_attempts_and_grade(case: str) -> None:
    spans, expected = CASES[case]
    assert graded(*spans) == expected


def test_orphan_http_spans_of_a_lost_call_are_one_call() -> None:
    """otel-JS never exports the call's span on a broken stream: its HTTP spans name a parent that is not there."""
    found = calls(http("h1", 10, 20, 500, parent="lost"), http("h2", 450, 900, None, parent="lost"))
    assert [(call.attempts, call.failed_attempts, call.grade) for call in found] == [(2, 2, "observed")]


def test_order_of_rows_does_not_matter() -> None:
    spans, expected = CASES["three HTTP children of one call: two failed, the last answered"]
    assert graded(*reversed(spans)) == expected

"""Family relations of hostile traces: ancestors are kept by parent, so siblings must not get each other's."""

from __future__ import annotations

import pytest

from core.ledger.trace import DEEPEST, Span, Trace
from tests.ledger.make import span


def walked_up(spans: list[Span], below: Span) -> list[str]:
    """The ids above a span, told by the definition alone."""
    by_id = {one.span_id: one for one in spans}
    found: list[str] = []
    parent = by_id.get(below.parent_span_id or "")
    while parent and parent.span_id not in {below.span_id, *found} and len(found) < DEEPEST:
        found.append(parent.span_id)
        parent = by_id.get(parent.parent_span_id or "")
    return found


def family(depth: int, top: str | None) -> list[Span]:
    """A chain of agents and steps below `top`, two calls below each of the last three, and one without a parent."""
    chain = [
        span(f"s{n}", n, 9_000, "chain" if n % 3 else "agent", parent=f"s{n - 1}" if n else top)
        for n in range(depth)
    ]
    calls = [
        span(f"c{n}{twin}", 9_000 + n, 9_500, parent=f"s{n}")
        for n in range(max(0, depth - 3), depth)
        for twin in "ab"
    ]
    return [*chain, *calls, span("alone", 0, 1)]


@pytest.mark.parametrize("depth", [1, 2, 3, 20, DEEPEST - 1, DEEPEST, DEEPEST + 1, DEEPEST + 2, 2 * DEEPEST])
@pytest.mark.parametrize("top", ["nothing", "unknown", "the last", "the middle"])
def test_ancestors_and_containers_do_not_depend_on_who_was_asked_before(depth: int, top: str) -> None:
    parents = {"nothing": None, "unknown": "x", "the last": f"s{depth - 1}", "the middle": f"s{depth // 2}"}
    spans = family(depth, parents[top])
    trace = Trace(spans)
    for one in [*reversed(spans), *spans]:
        assert [above.span_id for above in trace.ancestors(one)] == walked_up(spans, one)
        assert trace.orphaned(one) == (top != "nothing" and one.span_id != "alone")
    for call in spans[depth:]:
        assert trace.container(call) == Trace(spans).container(call)

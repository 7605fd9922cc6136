"""Double counting: which spans tell of a call that another span tells better.

Instrumentations overlap: a vendor SDK's own span inside a contributed one, LangChain beside OpenAI, an agent
span holding the sum of its calls (FORMATS: "double counting is the norm"). Rules, in order:

response_id   two spans of one trace carry the same response id
tool_call_id  two tool spans carry the same call id
ancestry      a span of a model call holds exactly one other span of a model call: a wrapper
roll_up       it holds several: it is their sum
containment   two scopes saw the same failed or id-less call side by side, one inside the other in time

The span kept is the one closest to the wire. A removed span stays in the ledger with its rule and the span that
was kept, and every page that removes offers to put them back.
"""

from __future__ import annotations

from operator import attrgetter
from typing import NamedTuple

from core.ledger.trace import CLOCK_TOLERANCE_NS, Span, Trace, contains

CROWD = 64
"""Calls at once beyond which no two of them are taken for one call."""


class Removal(NamedTuple):
    """Why a span is not counted, and which one is counted in its place."""

    rule: str
    kept_span_id: str


def removals(trace: Trace) -> dict[str, Removal]:
    """Spans not to be counted, by span id. Chains end at a kept span."""
    removed: dict[str, Removal] = {}
    inferences = trace.of_role("inference")
    tools = trace.of_role("tool")
    if len(inferences) > 1:
        _same_id(trace, inferences, "response_id", removed)
        _ancestry(trace, inferences, removed, same_name=False)
        _containment(trace, inferences, removed)
    if len(tools) > 1:
        _same_id(trace, tools, "tool_call_id", removed)
        _ancestry(trace, tools, removed, same_name=True)
    return {span_id: Removal(found.rule, _end(found, removed)) for span_id, found in removed.items()}


def _end(removal: Removal, removed: dict[str, Removal]) -> str:
    kept = removal.kept_span_id
    for _ in removed:
        if kept not in removed:
            break
        kept = removed[kept].kept_span_id
    return kept


def _closeness(trace: Trace, span: Span) -> tuple[bool, bool, int, str]:
    """Order of evidence: a declared resend count, HTTP spans beneath, depth; the id only breaks ties."""
    holds_http = any(child.to_model_host for child in trace.children.get(span.span_id, []))
    native = span.dialect == "anthropic_native" or span.resend_count is not None
    return native, holds_http, len(trace.ancestors(span)), span.span_id


def _same_id(trace: Trace, spans: list[Span], column: str, removed: dict[str, Removal]) -> None:
    values = [value for value in map(attrgetter(column), spans) if value]
    if len(set(values)) == len(values):
        return
    groups: dict[str, list[Span]] = {}
    for span in spans:
        value = getattr(span, column)
        if value:
            groups.setdefault(value, []).append(span)
    for group in groups.values():
        if len(group) < 2:
            continue
        kept = max(group, key=lambda span: _closeness(trace, span))
        for span in group:
            if span is not kept:
                removed[span.span_id] = Removal(column, kept.span_id)


def _ancestry(trace: Trace, spans: list[Span], removed: dict[str, Removal], *, same_name: bool) -> None:
    """A call does not contain a call: the outer span is a wrapper, or the sum of several."""
    held: dict[str, list[Span]] = {}
    ids = {span.span_id for span in spans}
    boundary = ("agent", "workflow") if same_name else ("agent", "workflow", "tool")
    for span in spans:
        if span.span_id in removed:
            continue
        for ancestor in trace.ancestors(span):
            if ancestor.span_role in boundary:
                break
            if ancestor.span_id in ids and (not same_name or ancestor.tool_name == span.tool_name):
                held.setdefault(ancestor.span_id, []).append(span)
                break
    for outer, inner in held.items():
        if outer not in removed:
            removed[outer] = Removal("ancestry" if len(inner) == 1 else "roll_up", inner[-1].span_id)


def _containment(trace: Trace, spans: list[Span], removed: dict[str, Removal]) -> None:
    """Two scopes, no shared id: one call when each has no other candidate and one lies inside the other."""
    left = [span for span in spans if span.span_id not in removed]
    if len({span.scope_name for span in left}) < 2:
        return  # of one scope no two are one call: _may_be_one_call
    partners: dict[str, set[str]] = {span.span_id: set() for span in left}
    crowded_until_ns = 0
    for at, outer in enumerate(left):  # by start: the outer one comes first, or within the tolerance
        if outer.started_at_ns < crowded_until_ns:
            partners[outer.span_id] |= {"", outer.span_id}
        for seen, inner in enumerate(left[at + 1 : at + 1 + CROWD]):
            if inner.started_at_ns > outer.ended_at_ns + CLOCK_TOLERANCE_NS:
                break
            if seen == CROWD - 1:
                crowded_until_ns = max(crowded_until_ns, outer.ended_at_ns)
            if _may_be_one_call(trace, outer, inner) or _may_be_one_call(trace, inner, outer):
                partners[outer.span_id].add(inner.span_id)
                partners[inner.span_id].add(outer.span_id)
    for span_id, others in partners.items():
        other_id = next(iter(others)) if len(others) == 1 else ""
        if partners.get(other_id) == {span_id} and not {span_id, other_id} & set(removed):
            pair = (trace.by_id[span_id], trace.by_id[other_id])
            kept, gone = sorted(pair, key=lambda span: _closeness(trace, span), reverse=True)
            removed[gone.span_id] = Removal("containment", kept.span_id)


def _may_be_one_call(trace: Trace, outer: Span, inner: Span) -> bool:
    if outer is inner or outer.scope_name == inner.scope_name or (outer.response_id and inner.response_id):
        return False
    if outer.model and inner.model and not _same_model(outer, inner):
        return False
    return contains(outer, inner) and outer not in trace.ancestors(inner)


def _same_model(one: Span, other: Span) -> bool:
    """An alias and its dated snapshot are one model: compared by either name being a prefix of the other."""
    names = {one.request_model, one.response_model} - {None}
    others = {other.request_model, other.response_model} - {None}
    return any(str(a).startswith(str(b)) or str(b).startswith(str(a)) for a in names for b in others)

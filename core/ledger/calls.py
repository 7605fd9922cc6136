"""Logical calls of a trace and how often each was sent: the grades of the retry ledger.

declared      an attribute says so: http.request.resend_count, a captured retry-count header
observed      one HTTP client span, or one SDK span, per attempt
inferred      the same operation repeated after an error, in the same container, within the back-off window
unobservable  none of these: the count is unknown, never zero

Source: what each instrumentation emits, measured (FORMATS 1.3); OpenTelemetry HTTP conventions for
resend_count ("ordinal number of request resending attempt").
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import NamedTuple

from core.ledger.dedup import Removal
from core.ledger.trace import Around, Span, Trace

BACKOFF_WINDOW_NS = 120 * 10**9
"""Longest pause between an error and its retry: SDKs back off up to 8 s, servers ask for up to 60 s, and
application loops double once more."""
RECALL_WINDOW_NS = 900 * 10**9
"""Longest pause between a failed tool call and the next call of that tool: a model thinks in between."""
SHORTEST_BACKOFF_NS = 300_000_000
"""SDKs wait at least 0.5 s x 0.75 before the first retry. A 200 followed sooner by another request is a new
call; followed later, it may be the retry of a body that broke: then nobody can say."""

LONGEST_SDK_BACKOFF_NS = 10 * 10**9
"""SDKs cap their own back-off at 8 s; a later request is not theirs."""
BY_RESENDS = "each attempt has a span with its own resend_count"
BY_RESEND_COUNT = "http.request.resend_count on the call's span"
BY_SDK_SPANS = "the SDK opens one span per attempt"
BY_NOTHING = "no HTTP spans and no resend count: attempts unknown"
OF_A_TOOL = "a tool span does not say how often the tool tried"
"""Evidence of a call's attempts, as a reader sees it."""


@dataclass(slots=True)
class Call:
    """One logical call. `members` are its spans in time order, the last one stands for it; `sends` are the HTTP
    spans of each member. `attempts` None means unobservable."""

    members: tuple[Span, ...]
    sends: tuple[tuple[Span, ...], ...]
    attempts: int | None
    grade: str
    evidence: str
    removal: Removal | None = None
    span: Span = field(init=False)
    """Stands for the call: its last attempt as the client saw it."""
    ok: bool = field(init=False)
    """Whether the call as a whole succeeded."""
    line_kind: str = field(init=False)
    """'tool' or 'inference'."""

    def __post_init__(self) -> None:
        self.span = self.members[-1]
        self.ok = not self.span.failed
        self.line_kind = "tool" if self.span.span_role == "tool" else "inference"

    @property
    def failed_attempts(self) -> int | None:
        """Attempts that did not answer: all but the last of a call that succeeded, else all."""
        return None if self.attempts is None else self.attempts - self.ok


def calls_of(trace: Trace, removed: dict[str, Removal]) -> list[Call]:
    """Every logical call of a trace, kept and removed ones, in order of start."""
    links = _link_http(trace, removed)
    inferences = [span for span in trace.of_role("inference") if span.span_id not in removed]
    found = [_graded(chain, links) for chain in _resend_chains(inferences)]
    found = _merge_inferred(trace, found, BACKOFF_WINDOW_NS)
    tools = [
        Call((span,), ((),), None, "unobservable", OF_A_TOOL)
        for span in trace.of_role("tool")
        if span.span_id not in removed
    ]
    found += _merge_inferred(trace, tools, RECALL_WINDOW_NS)
    found += _bare_http_calls(links.unlinked)
    found += [_removed_call(trace.by_id[span_id], removal) for span_id, removal in removed.items()]
    return sorted(found, key=lambda call: (call.members[0].started_at_ns, call.span.span_id))


class _Links(NamedTuple):
    by_call: dict[str, list[Span]]
    ambiguous: set[str]
    unlinked: list[Span]


def _link_http(trace: Trace, removed: dict[str, Removal]) -> _Links:
    """HTTP client spans to the call they served: by descent, else beside it, else by time alone; never by guess."""
    by_call: dict[str, list[Span]] = {}
    ambiguous: set[str] = set()
    unlinked: list[Span] = []
    for send, owners in _owners(trace, _sends(trace)):
        kept = {
            removed[one.span_id].kept_span_id if one.span_id in removed else one.span_id for one in owners
        }
        if len(kept) == 1:
            by_call.setdefault(kept.pop(), []).append(send)
        elif kept:
            ambiguous |= kept
        else:
            unlinked.append(send)
    return _Links(by_call, ambiguous, unlinked)


def _owners(trace: Trace, sends: list[Span]) -> list[tuple[Span, list[Span]]]:
    """Each send with the calls it may belong to: above it, beside and around it, or around it and without sends."""
    if not sends:
        return []
    beside: dict[str | None, Around] = {}
    owners: list[tuple[Span, list[Span]]] = []
    for send in sends:
        roles = [
            ancestor for ancestor in trace.ancestors(send) if ancestor.span_role in ("inference", "tool")
        ]
        if not roles:
            parent = send.parent_span_id
            if parent not in beside:
                siblings = trace.children[parent]
                beside[parent] = Around([span for span in siblings if span.span_role == "inference"])
            owners.append((send, beside[parent](send)))
        else:
            owners.append((send, roles[:1] if roles[0].span_role == "inference" else []))
    if all(found for _, found in owners):
        return owners
    held = {owner.span_id for _, found in owners for owner in found}
    anywhere = Around([span for span in trace.of_role("inference") if span.span_id not in held])
    return [(send, found or ([] if _in_tool(trace, send) else anywhere(send))) for send, found in owners]


def _in_tool(trace: Trace, span: Span) -> bool:
    return any(ancestor.span_role == "tool" for ancestor in trace.ancestors(span))


def _sends(trace: Trace) -> list[Span]:
    """HTTP client spans to model endpoints, each send once.

    Two libraries in one process nest (requests over urllib3): the outer one is the send. Across a gateway the
    outer one is the way to it, and the gateway's own client spans are the sends.
    """
    sends = [span for span in trace.of_role("http") if span.to_model_host]
    ids = {span.span_id for span in sends}
    not_sends: set[str] = set()
    for span in sends:
        between: list[Span] = []
        for ancestor in trace.ancestors(span):
            if ancestor.span_id in ids:
                crossed = any(one.kind == "server" or one.span_role == "inference" for one in between)
                not_sends.add(ancestor.span_id if crossed else span.span_id)
                break
            between.append(ancestor)
    return [span for span in sends if span.span_id not in not_sends]


def _resend_chains(inferences: list[Span]) -> list[tuple[Span, ...]]:
    """Spans that are attempts of one call: the AI SDK's, and those that number their own resends."""
    chains: list[tuple[Span, ...]] = []
    open_chains: dict[tuple[object, ...], int] = {}
    for span in inferences:
        key = (span.parent_span_id, span.name, span.operation, span.request_model)
        at = open_chains.get(key)
        if at is not None and _resends(chains[at], span):
            chains[at] = (*chains[at], span)
        else:
            open_chains[key] = len(chains)
            chains.append((span,))
    return chains


def _resends(chain: tuple[Span, ...], span: Span) -> bool:
    """Whether `span` is the next attempt of the call whose attempts so far are `chain`."""
    before = chain[-1]
    pause = span.started_at_ns - before.ended_at_ns
    if not before.failed or not -1_000_000 <= pause <= BACKOFF_WINDOW_NS:
        return False
    if span.dialect == "vercel_ai":
        return True
    numbered = span.dialect != "anthropic_native" and span.resend_count == len(chain)
    return numbered and (before.resend_count or 0) == len(chain) - 1


def _graded(chain: tuple[Span, ...], links: _Links) -> Call:
    sends = tuple([tuple(links.by_call.get(span.span_id, ())) for span in chain])
    seen = sum(map(len, sends))
    last = chain[-1]
    if len(chain) > 1 and last.resend_count is not None:
        return Call(chain, sends, len(chain), "declared", BY_RESENDS)
    if len(chain) > 1 or last.dialect == "vercel_ai":
        count = sum(max(1, len(group)) for group in sends)
        return Call(chain, sends, count, "observed", BY_SDK_SPANS)
    declared = last.resend_count
    if declared is None and last.dialect == "anthropic_native":
        declared = 0
    if declared is not None and seen <= declared + 1:
        return Call(chain, sends, declared + 1, "declared", BY_RESEND_COUNT)
    headers = [send.resend_count for group in sends for send in group if send.resend_count is not None]
    if headers and max(headers) + 1 >= seen:
        return Call(chain, sends, max(headers) + 1, "declared", "retry-count header on the HTTP spans")
    if last.span_id in links.ambiguous:
        why = "HTTP spans lie inside several calls that ran at once"
        return Call(chain, ((),), None, "unobservable", why)
    if seen:
        return Call(chain, sends, seen, "observed", "one HTTP client span per attempt")
    return Call(chain, sends, None, "unobservable", BY_NOTHING)


def _merge_inferred(trace: Trace, calls: list[Call], window_ns: int) -> list[Call]:
    """Join unobservable calls that repeat a failed one into a single call of grade inferred."""
    merged: list[Call] = []
    open_failures: dict[tuple[object, ...], int] = {}
    for call in calls:
        # It repeats nothing, nor is it repeated.
        if call.grade != "unobservable" or (call.ok and not open_failures):
            merged.append(call)
            continue
        key = _same_operation(trace, call)
        at = open_failures.pop(key, None)
        if at is not None and _repeats(merged[at], call, window_ns):
            earlier = merged[at]
            merged[at] = Call(
                (*earlier.members, *call.members),
                (*earlier.sends, *call.sends),
                len(earlier.members) + len(call.members),
                "inferred",
                "the same operation was repeated after an error",
            )
        else:
            at = len(merged)
            merged.append(call)
        if not call.ok:
            open_failures[key] = at
    return merged


def _same_operation(trace: Trace, call: Call) -> tuple[object, ...]:
    container, path = trace.container(call.span)
    span = call.span
    if call.line_kind == "tool":
        return container, span.tool_name
    return container, path, span.name, span.operation, span.request_model, span.agent_name


def _repeats(earlier: Call, call: Call, window_ns: int) -> bool:
    pause = call.span.started_at_ns - earlier.span.ended_at_ns
    return 0 <= pause <= window_ns and (call.line_kind == "tool" or same_arguments(earlier.span, call.span))


def same_arguments(one: Span, other: Span) -> bool:
    """Whether the argument hashes agree; a hash that was not recorded agrees with any."""
    return one.arguments_hash is None or other.arguments_hash in (None, one.arguments_hash)


def _bare_http_calls(spans: list[Span]) -> list[Call]:
    """Calls seen only as HTTP spans: failed requests and the one that follows them within the back-off window."""
    groups: dict[tuple[str | None, str | None, str | None], list[list[Span]]] = {}
    for span in spans:
        runs = groups.setdefault((span.parent_span_id, span.server_address, span.url_path), [])
        if runs and _bare_retry(runs[-1][-1], span):
            runs[-1].append(span)
        else:
            runs.append([span])
    found: list[Call] = []
    for runs in groups.values():
        doubtful = [_may_be_retry(before[-1], after[0]) for before, after in itertools.pairwise(runs)]
        for index, run in enumerate(runs):
            found.append(_bare_call(run, any(doubtful[max(0, index - 1) : index + 1])))
    return found


def _bare_retry(before: Span, span: Span) -> bool:
    if span.resend_count is not None:
        return span.resend_count == (before.resend_count or 0) + 1
    return before.failed and 0 <= span.started_at_ns - before.ended_at_ns <= BACKOFF_WINDOW_NS


def _may_be_retry(before: Span, span: Span) -> bool:
    """A 200 followed by a request after a back-off's pause: the body may have broken after the headers."""
    if span.resend_count is not None or before.failed:
        return False
    return SHORTEST_BACKOFF_NS <= span.started_at_ns - before.ended_at_ns <= LONGEST_SDK_BACKOFF_NS


def _bare_call(run: list[Span], doubtful: bool) -> Call:
    sends: tuple[tuple[Span, ...], ...] = ((),) * len(run)
    if doubtful:
        why = "a 200 and then another request: the retry of a broken body, or a second call"
        return Call(tuple(run), sends, None, "unobservable", why)
    if any(span.resend_count is not None for span in run):
        attempts = max(len(run), *((span.resend_count or 0) + 1 for span in run))
        return Call(tuple(run), sends, attempts, "declared", "retry-count header on the HTTP spans")
    return Call(tuple(run), sends, len(run), "observed", "HTTP client spans to a model endpoint")


def _removed_call(span: Span, removal: Removal) -> Call:
    why = f"told by span {removal.kept_span_id} ({removal.rule})"
    return Call((span,), ((),), None, "unobservable", why, removal)

"""One trace in memory: its spans, their family, and what time says about them.

Pure: spans in, answers out. `Trace` is built from the rows of one trace with repeats already removed.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from operator import attrgetter
from typing import NamedTuple

CLOCK_TOLERANCE_NS = 2_000_000
"""Spans of one process start and end within the resolution of two calls to the clock; JavaScript's is 1 ms."""

DEEPEST = 256
"""Levels of ancestors that are walked: real traces have tens, and a hostile one must not cost its depth squared."""

CONTAINER_ROLES = frozenset({"agent", "workflow"})
MODEL_PATHS = (
    "/chat/completions",
    "/completions",
    "/responses",
    "/embeddings",
    "/messages",
    ":generatecontent",
    ":streamgeneratecontent",
    ":predict",
    "/converse",
    "/converse-stream",
    "/invoke",
    "/invoke-with-response-stream",
    "/v2/chat",
)
"""Ends of the URL paths at which model providers answer. A path is all that is left of a self-hosted gateway."""


class Span(NamedTuple):
    """The columns of `spans` the retry ledger reads, in the order of derive.MEMBERS."""

    import_id: int
    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    kind: str
    scope_name: str | None
    dialect: str
    service_name: str | None
    deployment_environment_name: str | None
    cloud_region: str | None
    started_at_ns: int
    ended_at_ns: int
    status_code: str
    error_class: str | None
    span_role: str
    operation: str | None
    provider: str | None
    request_model: str | None
    response_model: str | None
    response_id: str | None
    provider_request_id: str | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    service_tier: str | None
    reported_cost_usd: object
    conversation_id: str | None
    enduser_hash: str | None
    agent_name: str | None
    tool_name: str | None
    tool_call_id: str | None
    arguments_hash: str | None
    server_address: str | None
    url_path: str | None
    http_status_code: int | None
    resend_count: int | None
    content_hash: str

    @property
    def failed(self) -> bool:
        """Whether the span itself says so; an UNSET status with an error class counts (MCP, AI SDK)."""
        return self.status_code == "ERROR" or self.error_class is not None

    @property
    def model(self) -> str | None:
        """The model that answered, else the one that was asked."""
        return self.response_model or self.request_model

    @property
    def to_model_host(self) -> bool:
        """Whether this is an HTTP client span that called a model endpoint."""
        path = (self.url_path or "").lower().rstrip("/")
        return self.span_role == "http" and self.kind == "client" and path.endswith(MODEL_PATHS)


def contains(outer: Span, inner: Span, tolerance_ns: int = CLOCK_TOLERANCE_NS) -> bool:
    """Whether `inner` ran inside `outer`, give or take the clocks' resolution."""
    return (
        outer.started_at_ns - tolerance_ns <= inner.started_at_ns
        and inner.ended_at_ns <= outer.ended_at_ns + tolerance_ns
    )


class Around:
    """Spans to be asked which of them ran around another one."""

    def __init__(self, spans: list[Span]) -> None:
        self._spans = sorted(spans, key=lambda span: span.started_at_ns)
        self._starts = [span.started_at_ns for span in self._spans]
        self._latest_end = list(accumulate((span.ended_at_ns for span in self._spans), max))

    def __call__(self, inner: Span, most: int = 8) -> list[Span]:
        """At most `most` spans that contain `inner`, the latest start first: more than one is already a doubt."""
        found: list[Span] = []
        first_later = bisect_right(self._starts, inner.started_at_ns + CLOCK_TOLERANCE_NS)
        for at in range(first_later - 1, -1, -1):
            if self._latest_end[at] < inner.ended_at_ns - CLOCK_TOLERANCE_NS or len(found) == most:
                break
            if contains(self._spans[at], inner):
                found.append(self._spans[at])
        return found


def _rooted(children: dict[str | None, list[Span]]) -> set[str]:
    """Ids of spans that hang, through parents that arrived, on a span without a parent."""
    reached = [span.span_id for span in children.get(None, [])]
    for span_id in reached:  # grows while it is walked
        if span_id in children:
            reached += [child.span_id for child in children[span_id]]
    return set(reached)


def _containers(spans: list[Span]) -> dict[str, str]:
    """Ids of agent and workflow spans, in order of start, to the first of the attempts they repeat.

    An agent step that ended in error and is followed, under the same parent, by one of the same name is
    the same container: an orchestrator that restarts a step opens a new span for it.
    """
    first: dict[str, str] = {}
    latest: dict[tuple[str | None, str], Span] = {}
    for span in spans:
        if span.span_role not in CONTAINER_ROLES:
            continue
        before = latest.get((span.parent_span_id, span.name))
        restarted = (
            before is not None
            and before.failed
            and before.ended_at_ns <= span.started_at_ns + CLOCK_TOLERANCE_NS
        )
        first[span.span_id] = first[before.span_id] if before and restarted else span.span_id
        latest[(span.parent_span_id, span.name)] = span
    return first


_IN_TIME = attrgetter("started_at_ns", "ended_at_ns", "span_id")


class Trace:
    """The spans of one trace and their family relations. Parents that never arrived are simply absent."""

    def __init__(self, spans: list[Span]) -> None:
        self.spans = sorted(spans, key=_IN_TIME)
        self.by_id = {span.span_id: span for span in self.spans}
        self.children: dict[str | None, list[Span]] = {}
        """Spans by parent id, in order of start."""
        for span in self.spans:
            self.children.setdefault(span.parent_span_id, []).append(span)
        self.containers = _containers(self.spans)
        self._rooted = _rooted(self.children)
        self._of_role: dict[str, list[Span]] = {}
        self._above: dict[str | None, list[Span]] = {}
        """Ancestors by parent id: siblings have the same."""
        self._in_cycle: dict[str, list[Span]] = {}
        """Ancestors by span id where they end in a cycle: it ends at a different span for each sibling."""
        self._places: dict[str | None, tuple[str, tuple[str, ...]]] = {}

    def ancestors(self, span: Span) -> list[Span]:
        """From the parent up to the top-most span that arrived, or DEEPEST levels. A cycle (hostile ids) ends it."""
        known = self._above.get(span.parent_span_id)
        if known is None:
            known = self._in_cycle.get(span.span_id)
        return self._walked_up(span) if known is None else known

    def _walked_up(self, span: Span) -> list[Span]:
        found: list[Span] = []
        seen = {span.span_id}
        parent = self.by_id.get(span.parent_span_id or "")
        while parent is not None:
            if parent.span_id in seen:
                self._in_cycle[span.span_id] = found
                return found
            if len(found) == DEEPEST:
                break
            found.append(parent)
            seen.add(parent.span_id)
            parent = self.by_id.get(parent.parent_span_id or "")
        self._above[span.parent_span_id] = found
        return found

    def orphaned(self, span: Span) -> bool:
        """Whether the span, or one above it, names a parent that has not arrived."""
        return span.span_id not in self._rooted

    def of_role(self, role: str) -> list[Span]:
        """Spans of one role, in order of start."""
        if role not in self._of_role:
            self._of_role[role] = [span for span in self.spans if span.span_role == role]
        return self._of_role[role]

    @property
    def root(self) -> Span | None:
        """The span without a parent; the earliest when there are several."""
        return self.children[None][0] if None in self.children else None

    def container(self, span: Span) -> tuple[str, tuple[str, ...]]:
        """The agent (or top span) a call belongs to, and the names of the step spans between the two."""
        known = self._places.get(span.parent_span_id)
        if known is None:
            known = self._place(span)
            if span.parent_span_id in self._above:
                self._places[span.parent_span_id] = known
        return known

    def _place(self, span: Span) -> tuple[str, tuple[str, ...]]:
        path: list[str] = []
        top = "" if span.parent_span_id is None else span.parent_span_id
        for ancestor in self.ancestors(span):
            if ancestor.span_role in CONTAINER_ROLES:
                return self.containers[ancestor.span_id], tuple(reversed(path))
            top = ancestor.span_id
            path.append(ancestor.name)
        return top, tuple(reversed(path[:-1]))

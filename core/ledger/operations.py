"""Operations and attempts: what an application tried to do, and how many times it took.

An agent step is one model call and the tool calls that follow it in the same container. A step that failed and
is tried again is one operation with several attempts; SDK retries inside a call are attempts of it too. Every
attempt has lines: the sends of its model call, and its tool calls. The attempt succeeded when every line did and
the step around them did not crash.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.ledger.calls import BACKOFF_WINDOW_NS, RECALL_WINDOW_NS, Call, same_arguments
from core.ledger.trace import CLOCK_TOLERANCE_NS, Span, Trace

OPEN_FAILURES = 50
"""Failed steps, newest first, that a later step is compared with: what came before was given up."""


@dataclass(slots=True)
class Step:
    """One try of something: at most one model call, then tool calls. Each is a call and the position, in its
    members, of the span that belongs to this step: a call's members may lie in several steps. `spans` are those
    spans, in the order of the parts."""

    container: str
    path: tuple[str, ...]
    inference: tuple[Call, int] | None
    tools: list[tuple[Call, int]]
    spans: list[Span]
    ok: bool
    """Whether every part succeeded and the step span around them too."""
    crashed: bool = False

    @property
    def started_at_ns(self) -> int:
        """Start of its first part."""
        return self.spans[0].started_at_ns

    @property
    def ended_at_ns(self) -> int:
        """End of its last part."""
        return max(span.ended_at_ns for span in self.spans)


@dataclass(slots=True)
class Line:
    """One line of an attempt: a send of a model call, or a tool call. `span` is the send where one was seen, else
    `member`, the call's span that it belongs to."""

    call: Call
    member: Span
    span: Span
    started_at_ns: int
    duration_ns: int
    ok: bool
    carries_usage: bool
    error_class: str | None
    http_status_code: int | None
    kind: str


@dataclass(slots=True)
class Attempt:
    """One attempt of an operation. `rescued`: it failed and a later one of the same operation succeeded."""

    operation_id: str
    operation: str
    number: int
    retry_kind: str
    lines: list[Line]
    ok: bool
    rescued: bool


def attempts_of(trace: Trace, calls: list[Call]) -> list[Attempt]:
    """Every attempt of a trace's kept calls, grouped into operations; removed calls stand alone at the end."""
    found: list[Attempt] = []
    steps = _steps(trace, [call for call in calls if call.removal is None])
    _mark_crashes(trace, steps)
    for chain in _operations(steps):
        found += _attempts_of_operation(chain)
    for call in calls:
        if call.removal is not None:
            line = _line(call, call.span, call.span.started_at_ns, call.span, "first")
            span = call.span
            found.append(Attempt(span.span_id, _operation(span), 1, "first", [line], line.ok, False))
    return found


def _steps(trace: Trace, calls: list[Call]) -> list[Step]:
    parts = [(span, call, index) for call in calls for index, span in enumerate(call.members)]
    parts.sort(key=lambda part: (part[0].started_at_ns, part[0].span_id))
    open_steps: dict[str, Step] = {}
    steps: list[Step] = []
    for span, call, index in parts:
        container, path = trace.container(span)
        if call.line_kind == "tool":
            step = open_steps.get(container)
            if step is not None and _follows(step, span):
                step.tools.append((call, index))
                step.spans.append(span)
                step.ok = step.ok and not span.failed
                continue
            step = Step(container, path, None, [(call, index)], [span], not span.failed)
        else:
            step = Step(container, path, (call, index), [], [span], not span.failed)
        open_steps[container] = step
        steps.append(step)
    return steps


def _follows(step: Step, tool: Span) -> bool:
    """A tool call belongs to the model call before it, if that one had ended when the tool started. A tool called
    again after it failed, without asking the model, is a step of its own: the next attempt."""
    if step.inference is None:
        return False
    call, index = step.inference
    asked = call.members[index]
    again = any(
        part.failed and part.tool_name == tool.tool_name and part.ended_at_ns <= tool.started_at_ns
        for part in step.spans[1:]
    )
    return not again and asked.ended_at_ns <= tool.started_at_ns + CLOCK_TOLERANCE_NS


def _mark_crashes(trace: Trace, steps: list[Step]) -> None:
    """Mark steps whose calls all succeeded but whose step span ended in error: the last step inside it crashed.

    Step spans are those between a call and the top span; innermost first, so an error that travels up counts once.
    """
    failed = {
        span.span_id
        for span in trace.spans
        if span.span_role not in ("inference", "http", "tool") and span.failed
    }
    if not failed:
        return
    inside: dict[str, list[Step]] = {}
    for step in steps:
        for span_id in dict.fromkeys(a.span_id for span in step.spans for a in trace.ancestors(span)[:-1]):
            if span_id in failed:
                inside.setdefault(span_id, []).append(step)
    for span_id in sorted(inside, key=lambda key: -len(trace.ancestors(trace.by_id[key]))):
        if all(step.ok for step in inside[span_id]):
            crashed = inside[span_id][-1]
            crashed.crashed, crashed.ok = True, False


def _operations(steps: list[Step]) -> list[list[tuple[str, Step]]]:
    """Chains of (retry kind, step): each step joins the latest failed step it repeats, else starts a chain."""
    chains: list[list[tuple[str, Step]]] = []
    failed: list[int] = []
    for step in steps:
        for at in reversed(failed[-OPEN_FAILURES:]):
            kind = _retry_kind(chains[at][-1][1], step)
            if kind:
                chains[at].append((kind, step))
                failed.remove(at)
                break
        else:
            at = len(chains)
            chains.append([("first", step)])
        if not step.ok:
            failed.append(at)
    return chains


def _retry_kind(earlier: Step, step: Step) -> str | None:
    """How `step` repeats `earlier`, or None when it does not."""
    pause = step.started_at_ns - earlier.ended_at_ns
    if step.container != earlier.container or pause < 0:
        return None
    broken = {call.members[index].tool_name for call, index in earlier.tools if call.members[index].failed}
    if broken:
        again = {call.members[index].tool_name for call, index in step.tools}
        if pause > RECALL_WINDOW_NS or not broken & again:
            return None
        return "step_retry" if earlier.inference and step.inference else "tool_retry"
    if earlier.inference is None or step.inference is None or pause > BACKOFF_WINDOW_NS:
        return None
    before = earlier.inference[0].members[earlier.inference[1]]
    after = step.inference[0].members[step.inference[1]]
    if (before.operation, before.agent_name, earlier.path) != (after.operation, after.agent_name, step.path):
        return None
    if earlier.crashed:
        return "step_retry" if step.path else None
    if before.request_model != after.request_model:
        return "fallback" if before.request_model and after.request_model else None
    if before.error_class == "parse":
        return "validation_retry"
    return "app_retry" if before.name == after.name and same_arguments(before, after) else None


def _attempts_of_operation(chain: list[tuple[str, Step]]) -> list[Attempt]:
    first = chain[0][1].spans[0]
    operation = _operation(first)
    tries: list[Attempt] = []
    for kind, step in chain:
        sends = _sends(step.inference, kind) if step.inference else []
        for send in sends:
            tries.append(Attempt(first.span_id, operation, len(tries) + 1, send.kind, [send], send.ok, False))
        if not sends:
            tries.append(Attempt(first.span_id, operation, len(tries) + 1, kind, [], True, False))
        attempt = tries[-1]
        for call, index in step.tools:
            line = _tool_line(call, index, kind)
            attempt.lines.append(line)
            attempt.ok = attempt.ok and line.ok
        attempt.ok = attempt.ok and not step.crashed
    succeeded = False
    for attempt in reversed(tries):
        attempt.rescued = succeeded and not attempt.ok
        succeeded = succeeded or attempt.ok
    return tries


def _operation(span: Span) -> str:
    return span.operation or ("http" if span.span_role == "http" else span.span_role)


def _sends(part: tuple[Call, int], kind: str) -> list[Line]:
    """The attempts inside one member span of a model call: its HTTP spans, padded to a declared count."""
    call, index = part
    member, https = call.members[index], call.sends[index] if index < len(call.sends) else ()
    own_kind = kind if index == 0 else ("app_retry" if call.grade == "inferred" else "sdk_retry")
    missing = 0
    if call.grade == "declared" and len(call.members) == 1:
        missing = (call.attempts or 1) - max(1, len(https))
    sends = [member] * missing + list(https or (member,))
    last = sends.pop()
    lines = [_earlier_send(call, member, send, "sdk_retry") for send in sends]
    lines.append(_line(call, member, last.started_at_ns, last, "sdk_retry"))
    lines[0].kind = own_kind
    return lines


def _line(call: Call, member: Span, started_at_ns: int, send: Span, kind: str) -> Line:
    """The last send of a member: it succeeded when the member did, and carries the member's usage."""
    duration_ns = max(0, member.ended_at_ns - started_at_ns)
    failed = member.failed
    error_class = member.error_class if failed else None
    status_code = send.http_status_code or member.http_status_code
    return Line(
        call, member, send, started_at_ns, duration_ns, not failed, True, error_class, status_code, kind
    )


def _earlier_send(call: Call, member: Span, send: Span, kind: str) -> Line:
    """A send that was followed by another one failed, whatever its status: a 200 can break after its headers."""
    seen = send is not member
    return Line(
        call=call,
        member=member,
        span=send,
        started_at_ns=send.started_at_ns,
        duration_ns=send.ended_at_ns - send.started_at_ns if seen else 0,
        ok=False,
        carries_usage=False,
        error_class=(send.error_class or "connection") if seen else "unknown",
        http_status_code=send.http_status_code if seen else None,
        kind=kind,
    )


def _tool_line(call: Call, index: int, kind: str) -> Line:
    span = call.members[index]
    return _line(call, span, span.started_at_ns, span, kind)

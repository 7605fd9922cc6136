"""Operations: the worked scenario of the retry audit, and what counts as another try of the same thing."""

from __future__ import annotations

from core.ledger.calls import calls_of
from core.ledger.dedup import removals
from core.ledger.operations import Attempt, attempts_of
from core.ledger.trace import Span, Trace
from tests.ledger.make import http, span

RUN = span("run", 0, 9_000, "agent", name="invoke_agent shop")


def attempts(*spans: Span) -> list[Attempt]:
    trace = Trace([RUN, *spans])
    return attempts_of(trace, calls_of(trace, removals(trace)))


def outline(found: list[Attempt]) -> list[tuple[str, int, str, str, bool, bool]]:
    return [
        (
            attempt.operation_id,
            attempt.number,
            attempt.retry_kind,
            "+".join(line.call.line_kind for line in attempt.lines),
            attempt.ok,
            attempt.rescued,
        )
        for attempt in found
    ]


def scenario() -> list[Span]:
    """Plan step crashes; the tool-call step fails twice with 500, then succeeds."""
    spans = [
        span("plan", 10, 100, "chain", name="plan", parent="run", status="ERROR"),
        span("i1", 11, 90, parent="plan", status="ERROR"),
    ]
    for number, at in enumerate((200, 400, 600), start=2):
        failed = "ERROR" if number < 4 else "OK"
        step = f"s{number}"
        spans += [
            span(step, at, at + 100, "chain", name="call tool", parent="run", status=failed),
            span(f"i{number}", at + 1, at + 50, parent=step),
            span(f"t{number}", at + 51, at + 90, "tool", parent=step, tool_name="pay", status=failed),
        ]
    return spans


def test_worked_scenario() -> None:
    assert outline(attempts(*scenario())) == [
        ("i1", 1, "first", "inference", False, False),
        ("i2", 1, "first", "inference+tool", False, True),
        ("i2", 2, "step_retry", "inference+tool", False, True),
        ("i2", 3, "step_retry", "inference+tool", True, False),
    ]


def test_step_that_crashes_after_its_model_answered_failed() -> None:
    """As above, but the plan's model call itself was fine: only the step's span ended in error."""
    spans = [part._replace(status_code="OK") if part.span_id == "i1" else part for part in scenario()]
    found = attempts(*spans)
    assert [(attempt.operation_id, attempt.ok, attempt.rescued) for attempt in found] == [
        ("i1", False, False),
        ("i2", False, True),
        ("i2", False, True),
        ("i2", True, False),
    ]
    assert [line.ok for line in found[0].lines] == [True]


def test_error_of_a_step_that_holds_a_failed_call_counts_once() -> None:
    found = attempts(
        span("outer", 5, 400, "chain", parent="run", status="ERROR"),
        span("c1", 10, 50, parent="outer"),
        span("c2", 60, 150, parent="outer", status="ERROR", arguments_hash="z"),
    )
    assert [attempt.ok for attempt in found] == [True, False]


def test_sdk_retries_and_the_tool_share_the_last_attempt() -> None:
    found = attempts(
        span("c", 10, 500, parent="run"),
        http("h1", 11, 20, 503, parent="c"),
        http("h2", 300, 490, parent="c"),
        span("tool", 510, 600, "tool", parent="run", tool_name="pay"),
    )
    assert outline(found) == [
        ("c", 1, "first", "inference", False, True),
        ("c", 2, "sdk_retry", "inference+tool", True, False),
    ]


def test_declared_resends_without_http_spans_make_lines_too() -> None:
    found = attempts(span("c", 10, 500, parent="run", resend_count=2))
    assert outline(found) == [
        ("c", 1, "first", "inference", False, True),
        ("c", 2, "sdk_retry", "inference", False, True),
        ("c", 3, "sdk_retry", "inference", True, False),
    ]
    assert [line.carries_usage for attempt in found for line in attempt.lines] == [False, False, True]


def test_fallback_to_another_model_is_an_attempt_of_the_same_operation() -> None:
    found = attempts(
        span("c1", 10, 50, parent="run", status="ERROR", request_model="gpt-5-mini"),
        span("c2", 60, 150, parent="run"),
    )
    assert outline(found)[1] == ("c1", 2, "fallback", "inference", True, False)


def test_output_that_does_not_parse_is_a_validation_retry() -> None:
    found = attempts(
        span("c1", 10, 50, parent="run", status="ERROR", error_class="parse", arguments_hash="a"),
        http("h1", 11, 49, parent="c1"),
        span("c2", 60, 150, parent="run", arguments_hash="b"),
        http("h2", 61, 149, parent="c2"),
    )
    assert [line[:3] for line in outline(found)] == [("c1", 1, "first"), ("c1", 2, "validation_retry")]


def test_agent_that_is_started_again_is_one_container() -> None:
    """The orchestrator opens a new agent span for each try."""
    spans: list[Span] = []
    for number, (at, status) in enumerate(((10, "ERROR"), (200, "OK"))):
        agent = f"a{number}"
        spans += [
            span(agent, at, at + 100, "agent", name="invoke_agent pay", parent="run", status=status),
            span(f"i{number}", at + 1, at + 50, parent=agent),
            span(f"t{number}", at + 51, at + 90, "tool", parent=agent, tool_name="pay", status=status),
        ]
    assert [line[:3] for line in outline(attempts(*spans))] == [("i0", 1, "first"), ("i0", 2, "step_retry")]


def test_failed_tool_and_an_answer_without_it_are_two_operations() -> None:
    """The model saw the tool's error and answered: nothing was tried again."""
    found = attempts(
        span("c1", 10, 50, parent="run"),
        span("tool", 60, 70, "tool", parent="run", tool_name="pay", status="ERROR"),
        span("c2", 80, 150, parent="run"),
    )
    assert [(line[0], line[4], line[5]) for line in outline(found)] == [
        ("c1", False, False),
        ("c2", True, False),
    ]


def test_tool_called_again_without_asking_the_model_is_the_next_attempt() -> None:
    found = attempts(
        span("c1", 10, 50, parent="run"),
        span("t1", 60, 70, "tool", parent="run", tool_name="pay", status="ERROR"),
        span("t2", 80, 90, "tool", parent="run", tool_name="pay"),
    )
    assert outline(found) == [
        ("c1", 1, "first", "inference+tool", False, True),
        ("c1", 2, "tool_retry", "tool", True, False),
    ]


def test_one_tool_called_twice_at_once_is_one_attempt() -> None:
    found = attempts(
        span("c1", 10, 50, parent="run"),
        span("t1", 60, 70, "tool", parent="run", tool_name="pay", status="ERROR"),
        span("t2", 61, 90, "tool", parent="run", tool_name="pay"),
    )
    assert outline(found) == [("c1", 1, "first", "inference+tool+tool", False, False)]


def test_removed_calls_stand_alone() -> None:
    found = attempts(
        span("outer", 10, 500, parent="run", response_id="r"),
        span("inner", 11, 499, parent="outer", response_id="r"),
    )
    assert [(attempt.operation_id, attempt.lines[0].call.removal is None) for attempt in found] == [
        ("inner", True),
        ("outer", False),
    ]

"""What happens: runs, model calls, sends and tools of one day, before anything is written down.

Pure simulation from a seeded generator. Nothing here knows a file format; the emitters show of a run what a
real instrumentation would show, and the bills what a provider would charge.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from data.demo.arrivals import arrivals
from data.demo.plan import REGIONS, SECOND_NS, SERVICES, Model, Plan, Service

TIMEOUT_NS = 20 * SECOND_NS
BACK_OFF_S = (0.5, 2.0)
"""First wait of the OpenAI and Anthropic SDKs, and of the Vercel AI SDK; doubled a time, less up to a quarter."""
MAX_RETRIES = 2
"""Default of the OpenAI and Anthropic SDKs, and of the Vercel AI SDK."""

FAILURES = {
    "openai": ((429, 0.46), (500, 0.24), (503, 0.14), (0, 0.16)),
    "anthropic": ((429, 0.38), (529, 0.28), (500, 0.18), (0, 0.16)),
}
"""HTTP status of a failed send and its share; 0 is a client time-out."""

MODEL_ASKS_AGAIN = 0.6
"""Share of failed tools whose error goes back to the model; the others are repeated without asking it."""
STEP_RETRY = 2
"""Number of the operation in which the model asks again for a tool that failed."""

ERROR_NAMES = {
    0: "timeout",
    400: "bad_request",
    429: "rate_limit",
    500: "server",
    503: "server",
    529: "overloaded",
}


class Send(NamedTuple):
    """One request on the wire. end_ns: response headers (or the time-out). status 0: no response."""

    start_ns: int
    end_ns: int
    status: int
    request_id: str


class Call(NamedTuple):
    """One logical model call: what the SDK was asked once, with every send of it.

    kind: first, app_retry, fallback or step_retry. error: '' or a class of ERROR_NAMES or 'broken_stream'. Tokens are the
    provider's count (input includes cache); a failed call has zeros, a broken stream the part produced.
    billed_requests: how often the provider charges for it (2: the planted hidden retry).
    """

    operation: int
    kind: str
    model: Model
    sends: tuple[Send, ...]
    start_ns: int
    end_ns: int
    error: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    response_id: str
    billed_requests: int


class Tool(NamedTuple):
    """One execution of a tool; each has a call id of its own."""

    name: str
    call_id: str
    start_ns: int
    end_ns: int
    ok: bool


class Run(NamedTuple):
    """One request to the product. converted None: nobody recorded it."""

    service: Service
    region: int
    trace_id: bytes
    start_ns: int
    end_ns: int
    ok: bool
    converted: bool | None
    conversation: str
    steps: tuple[Call | Tool, ...]

    @property
    def calls(self) -> list[Call]:
        return [step for step in self.steps if isinstance(step, Call)]


class _Scene(NamedTuple):
    """Where a run happens: what every step of it needs to know."""

    rng: Random
    plan: Plan
    day: int
    service: Service


class _Asked(NamedTuple):
    """One call before its outcome is known."""

    operation: int
    kind: str
    model: Model
    start_ns: int


def day_runs(plan: Plan, number: int, count: int, seed: int) -> Iterator[Run]:
    """The runs of day `number`, in order of their start."""
    rng = Random(f"{seed}/runs/{number}")
    for start_ns, region, service in arrivals(rng, plan, number, count):
        yield _run(_Scene(rng, plan, number, SERVICES[service]), region, start_ns)


def _run(scene: _Scene, region: int, start_ns: int) -> Run:
    rng, plan, number, service = scene
    storm = number in plan.storm_days and REGIONS[region].name == plan.storm_region
    calm = (plan.first_failure, plan.repeat_failure)
    chances = (plan.storm_first_failure, plan.storm_repeat_failure) if storm else calm
    trace_id = rng.randbytes(16)
    clock = start_ns + rng.randrange(1_500_000, 9_000_000)
    steps: list[Call | Tool] = []
    operations = 2 if rng.random() < service.second_call else 1
    ok = True
    for operation in range(operations):
        calls = _operation(scene, operation, "first", chances, clock)
        steps.extend(calls)
        clock = calls[-1].end_ns + rng.randrange(300_000, 4_000_000)
        ok = not calls[-1].error
        if ok and service.tool is not None and operation == 0:
            steps.extend(_tool_steps(scene, service.tool, chances, clock))
            clock = steps[-1].end_ns + rng.randrange(200_000, 2_000_000)
            last = steps[-1]
            ok = last.ok if isinstance(last, Tool) else not last.error
        if not ok:
            break
    converted: bool | None = ok and rng.random() < service.conversion
    if rng.random() < plan.missing_outcome:
        converted = None
    end_ns = clock + rng.randrange(400_000, 3_000_000)
    conversation = rng.randbytes(8).hex()
    return Run(service, region, trace_id, start_ns, end_ns, ok, converted, conversation, tuple(steps))


def _operation(
    scene: _Scene, operation: int, kind: str, chances: tuple[float, float], clock: int
) -> list[Call]:
    """One step of a run: the call, and the application's own second try or fallback if it gave up."""
    rng, plan, _, service = scene
    call = _call(scene, _Asked(operation, kind, service.model, clock), chances)
    if not call.error or call.error == "bad_request" or rng.random() >= service.recovery:
        return [call]
    model = service.fallback or service.model
    kind = "fallback" if service.fallback else "app_retry"
    # The bursts end with the wait, and a fallback asks another deployment: the base rate applies again.
    clock = call.end_ns + rng.randrange(2_000_000, 60_000_000)
    calm = (plan.first_failure, plan.repeat_failure)
    return [call, _call(scene, _Asked(operation, kind, model, clock), calm)]


def _call(scene: _Scene, asked: _Asked, chances: tuple[float, float]) -> Call:
    rng, plan, _, service = scene
    sends: list[Send] = []
    clock = asked.start_ns + rng.randrange(900_000, 3_000_000)
    if plan.bad_request and rng.random() < plan.bad_request:
        sends.append(Send(clock, clock + rng.randrange(30_000_000, 90_000_000), 400, _hex(rng)))
        return _failed(asked, sends)
    for attempt in range(MAX_RETRIES + 1):
        if rng.random() >= chances[attempt > 0]:
            return _answered(scene, asked, sends, clock)
        status = _failure(rng, asked.model.provider)
        taken = TIMEOUT_NS if status == 0 else int(rng.lognormvariate(18.0, 0.7))
        sends.append(Send(clock, clock + taken, status, _hex(rng)))
        wait_s = BACK_OFF_S[service.dialect == "vercel_ai"] * 2**attempt * (1 - 0.25 * rng.random())
        clock += taken + int(SECOND_NS * wait_s)
    return _failed(asked, sends)


def _failed(asked: _Asked, sends: list[Send]) -> Call:
    error = ERROR_NAMES[sends[-1].status]
    operation, kind, model, start_ns = asked
    end_ns = sends[-1].end_ns + 700_000
    return Call(operation, kind, model, tuple(sends), start_ns, end_ns, error, 0, 0, 0, 0, 0, "", 0)


def _answered(scene: _Scene, asked: _Asked, sends: list[Send], clock: int) -> Call:
    rng, plan, day, service = scene
    model = asked.model
    input_tokens, output_tokens, cache_read, cache_write, reasoning = _tokens(rng, service, model)
    broken = service.stream and rng.random() < plan.broken_stream
    if broken:
        output_tokens = max(1, int(output_tokens * rng.uniform(0.1, 0.7)))
        reasoning = 0
    first_ns = int(rng.lognormvariate(19.9, 0.35))
    stream_ns = int(output_tokens * rng.lognormvariate(15.9, 0.25))
    headers_ns = clock + first_ns + (0 if service.stream else stream_ns)
    sends.append(Send(clock, headers_ns, 200, _hex(rng)))
    end_ns = headers_ns + (stream_ns if service.stream else 0) + rng.randrange(400_000, 2_000_000)
    hidden = (
        not broken
        and day >= plan.hidden_from_day
        and service.project == plan.hidden_project
        and rng.random() < plan.hidden_share
    )
    prefix, length = ("chatcmpl-", 29) if model.provider == "openai" else ("msg_01", 22)
    return Call(
        asked.operation, asked.kind, model, tuple(sends), asked.start_ns, end_ns,
        "broken_stream" if broken else "", input_tokens, output_tokens, cache_read, cache_write, reasoning,
        prefix + rng.randbytes(15).hex()[:length], 2 if hidden else 1,
    )  # fmt: skip


def _tokens(rng: Random, service: Service, model: Model) -> tuple[int, int, int, int, int]:
    """(input with cache, output with reasoning, cache read, cache write, reasoning) of an answered call."""
    input_tokens = int(service.input_tokens * rng.lognormvariate(0, 0.35)) + 20
    output_tokens = int(service.output_tokens * rng.lognormvariate(0, 0.45)) + 2
    reasoning = int(output_tokens * rng.uniform(0.2, 0.5)) if model.snapshot.startswith("gpt-5") else 0
    draw = rng.random()
    # OpenAI caches prefixes of at least 1,024 tokens in steps of 128; Anthropic from 1,024 where asked to.
    share = rng.uniform(0.45, 0.85)
    cached = int(input_tokens * share) // 128 * 128
    if cached < 1024:
        return input_tokens, output_tokens, 0, 0, reasoning
    if model.provider == "anthropic" and draw < 0.08:
        return input_tokens, output_tokens, 0, cached, reasoning
    return input_tokens, output_tokens, cached if draw < 0.6 else 0, 0, reasoning


def _tool_steps(scene: _Scene, name: str, chances: tuple[float, float], clock: int) -> list[Call | Tool]:
    """A tool's execution; after a failure it is repeated, either at once or because the model asks again."""
    rng, plan, _, _ = scene
    first = _tool(rng, plan.tool_failure, name, clock)
    if first.ok:
        return [first]
    clock = first.end_ns + rng.randrange(1_000_000, 5_000_000)
    if rng.random() >= MODEL_ASKS_AGAIN:
        return [first, _tool(rng, plan.tool_failure * 6, name, clock)]
    calls = _operation(scene, STEP_RETRY, "step_retry", chances, clock)
    if calls[-1].error:
        return [first, *calls]
    clock = calls[-1].end_ns + rng.randrange(300_000, 4_000_000)
    return [first, *calls, _tool(rng, plan.tool_failure * 6, name, clock)]


def _tool(rng: Random, chance: float, name: str, clock: int) -> Tool:
    ok = rng.random() >= chance
    return Tool(
        name, "call_" + rng.randbytes(12).hex(), clock, clock + int(rng.lognormvariate(17.6, 0.6)), ok
    )


def _failure(rng: Random, provider: str) -> int:
    draw = rng.random()
    for status, share in FAILURES[provider]:
        draw -= share
        if draw < 0:
            return status
    return 500


def _hex(rng: Random) -> str:
    return rng.randbytes(16).hex()

"""Calls across machines: an agent that talks to MCP servers, and browsers that call a gateway by clocks of their own.

Written beside the runs, in files of their own, with truth in `clocks.json`. Planted: from a deploy on the agent starts its
stdio server anew for every call; a part of the browsers' clocks is off, and some are set in the middle of a session.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from random import Random
from typing import NamedTuple

from data.demo import wire
from data.demo.pieces import FASTAPI_STABLE, Scope
from data.demo.plan import SECOND_NS, day_start_ns, first_day

AGENT, ORDERS, HANDBOOK = "ops-copilot", "orders-mcp", "handbook-mcp"
WEB, GATEWAY = "web-app", "assist-gateway"
REGION = "eu-central-1"
HOSTS = {AGENT: "copilot-1", ORDERS: "copilot-1", HANDBOOK: "tools-1", GATEWAY: "gateway-1"}
"""The orders server runs over stdio beside the agent: one clock. Browsers have no host."""
MCP = Scope("mcp-python-sdk", "")
FETCH = Scope("@opentelemetry/instrumentation-fetch", "0.221.0")
MS = 1_000_000
LAST_DAYS = 45
TURNS_A_DAY, SESSIONS_A_DAY, EXCHANGES = 3, 3, 5
TOOLS = (
    (ORDERS, "get_order"),
    (HANDBOOK, "search"),
    *((ORDERS, "get_order"),) * 3,
    (HANDBOOK, "search"),
    (ORDERS, "refund"),
)
"""The seven calls of a turn."""


class ClockPlan(NamedTuple):
    """What is planted; days are counted from the world's first day (0)."""

    days: int
    from_day: int
    unpooled_from_day: int
    """from this day's deploy on every call of the orders server starts it anew"""
    start_ms: tuple[float, float]
    """how long such a start takes"""
    asleep_ms: float
    """what a call of the handbook's server takes longer after half an hour without one"""
    skewed_share: float
    """part of the browsers whose clock is off by 0.2 s to an hour"""
    stepped_share: float
    """part whose clock is set by 5 s in the middle of the session"""


def clock_plan(days: int, quiet: bool) -> ClockPlan:
    """The planted effects for a world of `days` days; in the quiet one the servers stay up and clocks are right."""
    start = (1300.0, 2100.0)
    from_day = max(days - LAST_DAYS, 0)
    if quiet:
        return ClockPlan(days, from_day, days, start, 0.0, 0.0, 0.0)
    return ClockPlan(days, from_day, int(days * 0.85), start, 400.0, 1 / 3, 0.05)


class _Told(NamedTuple):
    """Spans by (service, process), and what came of the plan."""

    groups: dict[tuple[str, str], dict[Scope, list[bytes]]]
    truth: dict[str, list[float]]


def write_clocks(out_dir: Path, days: int, quiet: bool, seed: int, truth_dir: Path | None) -> list[Path]:
    """`crossing-DAY.pb` a day, and `copilot.csv` with the deploy; the same arguments give the same bytes."""
    plan = clock_plan(days, quiet)
    truth: dict[str, list[float]] = {
        "turns": [],
        "again_s": [],
        "offsets_ms": [],
        "skewed": [],
        "stepped": [],
    }
    paths = []
    for number in range(plan.from_day, days):
        random = Random(f"{seed}/clocks/{number}")
        told = _Told({}, truth)
        day = first_day(days) + dt.timedelta(days=number)
        _copilot(random, plan, number, day_start_ns(day), told)
        _browsers(random, plan, number, day_start_ns(day), told)
        paths.append(out_dir / f"crossing-{day}.pb")
        paths[-1].write_bytes(
            b"".join(_resource(key, plan, number, scopes) for key, scopes in told.groups.items())
        )
    if truth_dir is not None:
        truth_dir.mkdir(parents=True, exist_ok=True)
        document = {"planted": plan._asdict(), **truth}
        (truth_dir / "clocks.json").write_text(json.dumps(document, indent=1) + "\n")
    return [*paths, *_changes(out_dir / "copilot.csv", plan)]


def _changes(path: Path, plan: ClockPlan) -> list[Path]:
    if plan.unpooled_from_day >= plan.days:
        return []
    day = first_day(plan.days) + dt.timedelta(days=plan.unpooled_from_day)
    path.write_text(
        f"event_id,ts,kind,title,service_name\ncopilot-2.4.0,{day}T00:30:00Z,deploy,{AGENT} 2.4.0,{AGENT}\n"
    )
    return [path]


def _resource(key: tuple[str, str], plan: ClockPlan, number: int, scopes: dict[Scope, list[bytes]]) -> bytes:
    service, process = key
    deployed = service == AGENT and number >= plan.unpooled_from_day
    pairs = {
        "service.name": service,
        "service.version": "2.4.0" if deployed else "2.3.1",
        "service.instance.id": process,
    }
    pairs |= {"deployment.environment.name": "production", "cloud.region": REGION}
    if service in HOSTS:
        pairs["host.id"] = HOSTS[service]
    return wire.resource_group(
        pairs,
        [
            wire.scope_group(scope.name, scope.version, scope.schema_url, items)
            for scope, items in scopes.items()
        ],
    )


def _put(told: _Told, service: str, process: str, scope: Scope, item: bytes) -> None:
    told.groups.setdefault((service, process), {}).setdefault(scope, []).append(item)


class _Turn(NamedTuple):
    """What every span of a turn shares."""

    random: Random
    told: _Told
    trace_id: bytes
    root_id: bytes
    agent: str


def _copilot(random: Random, plan: ClockPlan, number: int, midnight_ns: int, told: _Told) -> None:
    """The day's turns: between calls the model thinks, so a turn is not all MCP."""
    agent, at = f"{AGENT}-{number}", midnight_ns + random.randrange(8 * 3600, 9 * 3600) * SECOND_NS
    process = {ORDERS: "", HANDBOOK: f"{HANDBOOK}-{number}"}
    request = {ORDERS: 0, HANDBOOK: 0}
    for place in range(TURNS_A_DAY):
        turn = _Turn(random, told, random.randbytes(16), random.randbytes(8), agent)
        began, again = at, 0
        for step, (server, tool) in enumerate(TOOLS):
            at += int(random.uniform(800, 1600) * MS)
            fresh = server == ORDERS and (number >= plan.unpooled_from_day or not process[server])
            if fresh or not request[server]:
                process[server] = f"{server}-{number}-{place}-{step}" if server == ORDERS else process[server]
                slow = plan.start_ms if server == ORDERS else (30.0, 60.0)
                waited = int(random.uniform(*slow) * MS)
                request[server] = 1
                _said(turn, server, process[server], "server/discover", "", 1, at, waited, MS // 2)
                at += waited
                again += waited if step else 0
            request[server] += 1
            work = int(random.uniform(15, 60) * MS)
            asleep = plan.asleep_ms if server == HANDBOOK and step == 1 and place else 0.0
            over = int((3 if server == ORDERS else 14 + asleep) * random.uniform(0.9, 1.3) * MS)
            _said(turn, server, process[server], "tools/call", tool, request[server], at, work + over, work)
            at += work + over
            if fresh:  # the SDK checks the first answer by the list of tools
                listed = int(random.uniform(7, 11) * MS)
                request[server] += 1
                _said(turn, server, process[server], "tools/list", "", request[server], at, listed, MS // 3)
                at += listed
                again += listed if step else 0
        body = (
            wire.kind_and_name("POST /copilot", 2)
            + wire.attributes({"http.request.method": "POST"})
            + wire.UNSET
        )
        _put(told, AGENT, agent, FASTAPI_STABLE, wire.span(turn.trace_id, turn.root_id, b"", began, at, body))
        told.truth["turns"].append((at - began) / 1e9)
        told.truth["again_s"].append(again / 1e9 if number >= plan.unpooled_from_day else 0.0)
        at += random.randrange(1800, 7200) * SECOND_NS


def _said(
    turn: _Turn,
    server: str,
    process: str,
    method: str,
    tool: str,
    request: int,
    at: int,
    long: int,
    work: int,
) -> None:
    """A request as both sides of the official SDK record it. The handbook's machine is exact: clocks of hosts are."""
    client_id = turn.random.randbytes(8)
    name = f"{method} {tool}".strip()
    said: dict[str, wire.Attribute] = {"mcp.method.name": method, "jsonrpc.request.id": str(request)}
    body = wire.kind_and_name(f"MCP send {name}", 3) + wire.attributes(said) + wire.UNSET
    _put(
        turn.told,
        AGENT,
        turn.agent,
        MCP,
        wire.span(turn.trace_id, client_id, turn.root_id, at, at + long, body),
    )
    said["mcp.protocol.version"] = "2026-07-28"
    if tool:
        said |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
    body = wire.kind_and_name(name, 2) + wire.attributes(said) + wire.UNSET
    begins = (
        at + int((long - work) * turn.random.uniform(0.4, 0.6))
        if method == "tools/call"
        else at + long - work - MS
    )
    span_id = turn.random.randbytes(8)
    _put(
        turn.told,
        server,
        process,
        MCP,
        wire.span(turn.trace_id, span_id, client_id, begins, begins + work, body),
    )


def _browsers(random: Random, plan: ClockPlan, number: int, midnight_ns: int, told: _Told) -> None:
    """The day's sessions; a browser rounds to milliseconds, and an honest one is at most 4 ms off."""
    for _ in range(SESSIONS_A_DAY):
        session, draw = random.randbytes(8).hex(), random.random()
        offset = random.uniform(-4, 4) * MS
        stepped = draw >= 1 - plan.stepped_share
        if draw < plan.skewed_share:
            offset = random.choice((-1, 1)) * 10 ** random.uniform(2.3, 6.55) * MS
        at = midnight_ns + random.randrange(36_000, 79_200) * SECOND_NS
        for step in range(EXCHANGES):
            at += random.randrange(3, 40) * SECOND_NS + random.randrange(MS)
            ahead = offset + (5 * SECOND_NS if stepped and step >= EXCHANGES // 2 else 0)
            _exchange(random, told, session, at, int(ahead))
        told.truth["offsets_ms"].append(offset / MS)
        told.truth["skewed"].append(float(draw < plan.skewed_share))
        told.truth["stepped"].append(float(stepped))


def _exchange(random: Random, told: _Told, session: str, at: int, ahead: int) -> None:
    up, down = (int((6 + random.expovariate(1 / 12)) * MS) for _ in range(2))
    work = int(random.uniform(20, 300) * MS)
    trace_id, client_id = random.randbytes(16), random.randbytes(8)
    pairs: dict[str, wire.Attribute] = {"http.request.method": "GET", "session.id": session}
    pairs["url.full"] = "https://assist.northwind.example/api/thread"
    body = wire.kind_and_name("GET", 3) + wire.attributes(pairs) + wire.UNSET
    sent, got = ((at + part + ahead) // MS * MS for part in (0, up + work + down))
    _put(told, WEB, f"{WEB}-browser", FETCH, wire.span(trace_id, client_id, b"", sent, got, body))
    served = {"http.request.method": "GET", "http.route": "/api/thread", "url.path": "/api/thread"}
    body = wire.kind_and_name("GET /api/thread", 2) + wire.attributes({**served}) + wire.UNSET
    item = wire.span(trace_id, random.randbytes(8), client_id, at + up, at + up + work, body)
    _put(told, GATEWAY, f"{GATEWAY}-0", FASTAPI_STABLE, item)

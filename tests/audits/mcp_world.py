"""Spans of MCP clients and servers for tests: turns with calls that reconnect, stay warm, or come after a pause."""

from __future__ import annotations

import datetime as dt
import json
import math
from random import Random
from typing import Any

from tests.audits.retry_world import DAY, Row, at_ns, run

MS = 1_000_000
SERVER, AGENT = "orders-mcp", "ops-copilot"


def span(trace: str, span_id: str, parent: str | None, start_ns: int, end_ns: int, **more: Any) -> Row:
    """One span of any kind."""
    day = dt.datetime.fromtimestamp(start_ns // 10**9, dt.UTC).date()
    ms = max((end_ns - start_ns) / MS, 0.001)
    row: Row = {
        "trace_id": trace, "span_id": span_id, "parent_span_id": parent, "name": "span", "kind": "client",
        "scope_name": "mcp-python-sdk", "dialect": "mcp", "service_name": AGENT, "service_instance_id": "agent-0",
        "cloud_region": "eu-west-1", "host_id": None, "started_at_ns": start_ns, "ended_at_ns": end_ns,
        "duration_ns": end_ns - start_ns, "duration_bucket": math.floor(math.log(ms) / math.log(1.02)), "day": day,
        "hour": start_ns // 3_600_000_000_000, "status_code": "UNSET", "span_role": "app", "gen_ai_tool_name": None,
        "gen_ai_conversation_id": None, "mcp_method_name": None, "server_address": None, "content_hash": "0" * 16,
        "attributes": None,
    }  # fmt: skip
    return row | more


class Talk:
    """A client process that talks to MCP servers. Times in ms after `at`; every method moves the clock on."""

    def __init__(self, at: int = at_ns(DAY), client: str = "agent-0") -> None:
        self.now = at
        self.client = client
        self.spans: list[Row] = []
        self.runs: list[Row] = []
        self._serial = 0
        self._connection = 0
        self._request = 0
        self._trace, self._root, self._began = "", "", at

    def turn(self, trace: str) -> None:
        """A new turn begins: a trace with its own root."""
        self._trace, self._root, self._began = trace, self._id(), self.now

    def end(self, extra_ms: float = 0.0) -> None:
        """The turn ends, after `extra_ms` of other work."""
        self.now += int(extra_ms * MS)
        row = run(self._trace, service_name=AGENT, run_name="POST /ask", duration_ns=self.now - self._began)
        day = dt.datetime.fromtimestamp(self._began // 10**9, dt.UTC).date()
        self.runs.append(
            row | {"started_at_ns": self._began, "day": day, "hour": self._began // (3_600 * 10**9)}
        )

    def wait(self, ms: float) -> None:
        """Nothing happens."""
        self.now += int(ms * MS)

    def connect(self, ms: float, method: str = "server/discover", server: str = SERVER) -> None:
        """A new server process; the client waits `ms` for its first answer."""
        self._connection += 1
        self._request = 0
        self._said(method, ms, 0.4, server)

    def list_tools(self, ms: float = 9.0, server: str = SERVER) -> None:
        self._said("tools/list", ms, 0.3, server)

    def call(self, overhead_ms: float, work_ms: float = 20.0, tool: str = "get_order", *,
             server: str = SERVER, twin: bool = True) -> None:  # fmt: skip
        """One tools/call; `twin` False: the server's span never came."""
        self._said("tools/call", overhead_ms + work_ms, work_ms, server, tool, twin)

    def _said(
        self, method: str, ms: float, work_ms: float, server: str, tool: str | None = None, twin: bool = True
    ) -> None:
        self._request += 1
        start, end = self.now, self.now + int(ms * MS)
        client = self._id()
        told = {
            "mcp_method_name": method,
            "attributes": json.dumps({"jsonrpc.request.id": str(self._request)}),
        }
        role = "tool" if method == "tools/call" else "app"
        self.spans.append(
            span(self._trace, client, self._root, start, end, service_instance_id=self.client, span_role=role,
                 gen_ai_tool_name=tool, **told)
        )  # fmt: skip
        if twin:
            late = end - int(work_ms * MS) - 1000 if work_ms < ms else start
            self.spans.append(
                span(self._trace, self._id(), client, late, late + int(work_ms * MS), kind="server", service_name=server,
                     service_instance_id=f"{server}-{self.client}-{self._connection}", span_role=role,
                     gen_ai_tool_name=tool, **told)
            )  # fmt: skip
        self.now = end

    def _id(self) -> str:
        self._serial += 1
        return f"{self._serial:08x}{abs(hash_of(self.client)):08x}"


def hash_of(text: str) -> int:
    """Stable over processes, unlike hash()."""
    return sum((at + 1) * ord(letter) for at, letter in enumerate(text)) % 16**8


def reconnecting(turns: int, seed: int = 1, connect_ms: float = 1600.0, steps: int = 7, **call: Any) -> Talk:
    """Every call starts its server anew."""
    random, talk = Random(seed), Talk()
    for number in range(turns):
        talk.turn(f"{seed:016x}{number:016x}")
        for _ in range(steps):
            talk.connect(connect_ms * random.uniform(0.8, 1.2))
            talk.list_tools()
            talk.call(10 * random.uniform(0.9, 1.3), **call)
        talk.end()
        talk.wait(30_000)
    return talk


def pooled(turns: int, seed: int = 2, every: int = 3, steps: int = 7, again: float = 0.0, client: str = "agent-p",
           at: int = at_ns(DAY)) -> Talk:  # fmt: skip
    """One connection for `every` turns; a share `again` of calls after a turn's first reconnects all the same."""
    random, talk = Random(seed), Talk(at, client)
    for number in range(turns):
        talk.turn(f"{seed + 77:016x}{number:016x}")
        for step in range(steps):
            if (number % every == 0 and step == 0) or (step and random.random() < again):
                talk.connect(1600 * random.uniform(0.8, 1.2))
            talk.call(10 * random.uniform(0.9, 1.3))
        talk.end(900)
        talk.wait(random.uniform(500, 60_000))
    return talk

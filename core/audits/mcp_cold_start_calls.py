"""From the protocol's spans to calls: twin, start-up that the call waited for, connection, cold or warm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson
import polars as pl

CONNECTING = ("initialize", "server/discover")
LISTING = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")
CALL = "tools/call"
STATELESS_SINCE = "2026-07-28"
"""The protocol revision from which there is no initialize and no session id: an id of an older session is no connection."""
FIRST_REQUEST_IDS = (0, 1)
"""Official SDKs number the requests of a connection from 0 or 1: a number that starts again is a new connection."""


class Opening(NamedTuple):
    """A connect or list span that a call waited for; times in ns on the client's clock."""

    method: str
    started_ns: int
    ended_ns: int


class ToolCall(NamedTuple):
    """One tools/call as its client saw it, on the client's clock; nothing here compares two clocks."""

    trace_id: str
    span_id: str
    server: str
    """service.name of the twin, else the address, else who called."""
    tool: str
    client: str
    connection: str
    started_ns: int
    ended_ns: int
    work_ns: int | None
    """Duration of the SERVER twin; None without one."""
    openings: tuple[Opening, ...]
    idle_ns: int | None
    """Since the last call of the connection ended; None for its first call."""
    opens: bool | None
    """First call of its connection; None: the connection was there before the first span seen of it."""
    step: int
    """1 for the turn's first call, whatever the server."""
    first_to_server: bool
    """The turn's first call to this server."""
    counted: bool
    """Within the scope's days; spans of the day before tell only what was open."""

    @property
    def opening_ns(self) -> int:
        """Length of the spans it waited for."""
        return sum(one.ended_ns - one.started_ns for one in self.openings)

    @property
    def overhead_ns(self) -> int:
        """Client duration less server duration, and what was waited for; without a twin only the latter."""
        own = 0 if self.work_ns is None else max(self.ended_ns - self.started_ns - self.work_ns, 0)
        return own + self.opening_ns


class _Seen(NamedTuple):
    """A client-side span of the protocol with what its twin and its attributes say."""

    row: Mapping[str, Any]
    twin: Mapping[str, Any] | None
    server: str
    connection: str
    request_id: int | None


def tool_calls(spans: pl.DataFrame, start: Any) -> list[ToolCall]:
    """Every tools/call of the client side, by time. `spans` as SPANS; calls before the day `start` are not counted."""
    rows = sorted(spans.to_dicts(), key=lambda row: (row["started_at_ns"], row["trace_id"], row["span_id"]))
    seen = _named(_client_side(rows))
    waiting: dict[tuple[str, str], list[Opening]] = {}
    last: dict[str, int] = {}
    steps: dict[str, int] = {}
    known: set[tuple[str, str]] = set()
    first_ids: dict[str, int | None] = {}
    out: list[ToolCall] = []
    at: dict[tuple[str, str], int] = {}
    for one in seen:
        row, turn = one.row, (one.row["trace_id"], one.server)
        first_ids.setdefault(one.connection, one.request_id)
        if row["method"] != CALL:
            opening = Opening(row["method"], row["started_at_ns"], row["ended_at_ns"])
            if row["method"] in CONNECTING or turn not in at:
                waiting.setdefault(turn, []).append(opening)
            else:  # SDKs list tools after a call to check its answer: that call waited for it
                out[at[turn]] = out[at[turn]]._replace(openings=(*out[at[turn]].openings, opening))
            continue
        steps[turn[0]] = steps.get(turn[0], 0) + 1
        at[turn] = len(out)
        out.append(
            _call(one, waiting.pop(turn, []), last, first_ids, steps[turn[0]], turn not in known, start)
        )
        known.add(turn)
        last[one.connection] = max(row["ended_at_ns"], last.get(one.connection, 0))
    return out


def _call(
    one: _Seen,
    openings: Iterable[Opening],
    last: Mapping[str, int],
    first_ids: Mapping[str, int | None],
    step: int,
    first: bool,
    start: Any,
) -> ToolCall:
    row, opened = one.row, tuple(openings)
    ended = last.get(one.connection)
    opens: bool | None = ended is None
    first_id = first_ids.get(one.connection)
    if opens and first_id is not None and first_id > max(FIRST_REQUEST_IDS) and not opened:
        opens = None
    return ToolCall(
        row["trace_id"], row["span_id"], one.server, row["tool"] or "", f"{row['service']}/{row['instance']}",
        one.connection, row["started_at_ns"], row["ended_at_ns"],
        None if one.twin is None else int(one.twin["duration_ns"]), opened,
        None if ended is None else max(row["started_at_ns"] - ended, 0), opens, step, first, row["day"] >= start,
    )  # fmt: skip


def _client_side(rows: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Client spans with their SERVER twins; of two instrumentations of one call the outer span counts."""
    by_id = {(row["trace_id"], row["span_id"]): row for row in rows}
    outer: dict[tuple[str, str], tuple[str, str]] = {}
    for key, row in by_id.items():
        above = (row["trace_id"], row["parent_span_id"])
        held = by_id.get(above)
        same = held is not None and row["kind"] != "server" and held["kind"] != "server"
        if same and held is not None and held["method"] == row["method"]:
            outer[key] = above
    twins: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        above = (row["trace_id"], row["parent_span_id"])
        if row["kind"] == "server" and above in by_id and by_id[above]["method"] == row["method"]:
            twins[outer.get(above, above)] = row
    told = (CALL, *CONNECTING, *LISTING)
    return [
        (row, twins.get(key))
        for key, row in by_id.items()
        if row["kind"] != "server" and key not in outer and row["method"] in told
    ]


def _named(pairs: list[tuple[dict[str, Any], dict[str, Any] | None]]) -> list[_Seen]:
    """Server and connection of each span.

    A connection is a session of a protocol that has them, else the server's process, else what begins with initialize
    or with a request numbered anew; always of one client process.
    """
    said = [(row, twin, _attributes(row), _attributes(twin)) for row, twin in pairs]
    names: dict[tuple[str, str], str] = {}
    for (
        row,
        twin,
        own,
        _,
    ) in said:  # an opening may have lost its twin: its server is that of its turn's only server
        if name := (twin or {}).get("service") or row["server_address"] or own.get("server.address"):
            names[(row["trace_id"], row["span_id"])] = str(name)
    of_turn: dict[str, set[str]] = {}
    for (trace, _), name in names.items():
        of_turn.setdefault(trace, set()).add(name)
    generation: dict[str, int] = {}
    newest: dict[str, int] = {}
    current: dict[str, str] = {}
    out = []
    for row, twin, own, others in said:
        alone = of_turn.get(row["trace_id"], set())
        server = names.get((row["trace_id"], row["span_id"])) or (
            min(alone) if len(alone) == 1 else f"of {row['service'] or 'an unnamed service'}"
        )
        request = _whole(own.get("jsonrpc.request.id") or others.get("jsonrpc.request.id"))
        pair = f"{row['service']}/{row['instance']}>{server}"
        channel = _channel(own, others, twin)
        base = f"{pair}>{channel}" if channel else current.get(pair, f"{pair}>")
        current[pair] = base
        again = request in FIRST_REQUEST_IDS and request is not None and newest.get(base, -1) >= request
        if base in newest and (row["method"] == "initialize" or again):
            generation[base] = generation.get(base, 0) + 1
            newest[base] = -1
        newest[base] = max(newest.get(base, -1), -1 if request is None else request)
        out.append(_Seen(row, twin, server, f"{base}#{generation.get(base, 0)}", request))
    return out


def _channel(own: Mapping[str, Any], others: Mapping[str, Any], twin: Mapping[str, Any] | None) -> str:
    """What tells one connection to a server from another; empty where the span lost its twin: then it is the last one."""
    version = str(own.get("mcp.protocol.version") or others.get("mcp.protocol.version") or "")
    session = own.get("mcp.session.id") or others.get("mcp.session.id")
    if session and version < STATELESS_SINCE:
        return f"session {session}"
    port = others.get("client.port") or others.get("network.peer.port")
    process = (twin or {}).get("instance")
    return f"process {process or ''} {port or ''}".strip() if process or port else ""


def _attributes(row: Mapping[str, Any] | None) -> dict[str, Any]:
    text = None if row is None else row["attributes"]
    held = orjson.loads(text) if text else {}
    return held if isinstance(held, dict) else {}


def _whole(value: Any) -> int | None:
    text = "" if value is None else str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None

"""From sessions to traces: which order a merged waterfall claims across clocks, and what of it is certain."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from core.audits.trace_clock_offsets import ROUNDING_NS, Bounds, Pair, Session

Order = Literal["proven", "corrected", "unknowable"]


class Claims(NamedTuple):
    """Orders of two instants on different clocks, as the raw timestamps draw them."""

    claimed: int
    certain: int
    """Of them: the same at both ends of the interval."""
    wrong: int
    """Of those that are certain: the other way round than drawn."""


class Crossing(NamedTuple):
    """One trace that crosses clocks."""

    trace_id: str
    day: dt.date
    order: Order
    session: str
    """The session of its first crossing: what it is resampled with."""
    clients: str
    servers: str
    pairs: int
    bounds: Bounds | None
    """Of its first crossing that is not proven, else of the first."""
    claims: Claims


def claims_of(pair: Pair, bounds: Bounds, events: Mapping[str, Sequence[int]]) -> Claims:
    """The pair's own four instants and its spans' events: every instant of the client against every one of the server.

    Of the four, received after sent and got after answered is what the interval is made of: it survives by itself.
    """
    ours = [pair.sent_ns, pair.got_ns, *events.get(pair.client_span_id, ())]
    theirs = [pair.received_ns, pair.answered_ns, *events.get(pair.server_span_id, ())]
    claimed = certain = wrong = 0
    for client in ours:
        for server in theirs:
            apart = client - server
            sure = apart - bounds.high > 0 or apart - bounds.low < 0 or _by_cause(pair, client, server)
            claimed += 1
            certain += sure
            drawn_wrong = (
                apart < -ROUNDING_NS if _later(pair, client, server, bounds) else apart > ROUNDING_NS
            )
            wrong += sure and drawn_wrong
    return Claims(claimed, certain, wrong)


def _by_cause(pair: Pair, client: int, server: int) -> bool:
    """The client sends before anything happens on the server, and has the answer after everything, if it waited."""
    return client == pair.sent_ns or (
        client == pair.got_ns and server <= pair.answered_ns and pair.high is not None
    )


def _later(pair: Pair, client: int, server: int, bounds: Bounds) -> bool:
    """Whether the client's instant really is later, of an order that is certain."""
    if client == pair.sent_ns:
        return False
    return _by_cause(pair, client, server) or client - server - bounds.high > 0


def crossings(
    sessions: Sequence[Session],
    rows: Mapping[tuple[str, str], Mapping[str, object]],
    events: Mapping[str, Sequence[int]],
) -> tuple[Crossing, ...]:
    """Traces by id. `rows`: what the ledger says of each (trace, server span); `events`: instants by span id."""
    of_trace: dict[str, list[tuple[Pair, Bounds | None, str]]] = {}
    for session in sessions:
        for pair, bounds in zip(session.pairs, session.bounds, strict=True):
            of_trace.setdefault(pair.trace_id, []).append((pair, bounds, session.key))
    return tuple(
        _crossing(trace, sorted(held, key=lambda one: one[0].sent_ns), rows, events)
        for trace, held in sorted(of_trace.items())
    )


def _crossing(
    trace: str,
    held: Sequence[tuple[Pair, Bounds | None, str]],
    rows: Mapping[tuple[str, str], Mapping[str, object]],
    events: Mapping[str, Sequence[int]],
) -> Crossing:
    told = [(bounds, claims_of(pair, bounds, events)) for pair, bounds, _ in held if bounds is not None]
    claims = Claims(*(sum(one[at] for _, one in told) for at in range(3)))
    known = len(told) == len(held)
    if not known or claims.certain < claims.claimed:
        order: Order = "unknowable"
    elif claims.wrong or any(bounds.skewed for bounds, _ in told):
        order = "corrected"
    else:
        order = "proven"
    shown = next((bounds for bounds, _ in told if bounds.skewed), told[0][0] if told else None)
    own = [rows[(pair.trace_id, pair.server_span_id)] for pair, _, _ in held]
    day = own[0]["day"]
    return Crossing(
        trace, day if isinstance(day, dt.date) else dt.date(1970, 1, 1), order, held[0][2],
        ", ".join(sorted({str(row["client_service"]) for row in own})),
        ", ".join(sorted({str(row["server_service"]) for row in own})), len(held), shown if known else None, claims,
    )  # fmt: skip

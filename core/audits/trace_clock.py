"""May I believe the order of events across this boundary?

How: A client's and a server's clock differ by an unknown offset. Causality bounds it: a request is received after it was
sent and answered before the answer is got, so of every CLIENT span and the SERVER span below it the offset (client less
server) lies in [sent - received, got - answered]. All pairs of one session are intersected; the width is the smallest
delay seen there plus the smallest back, so it shrinks with traffic. Each interval is 1 ms wider on both sides, because
browsers round. No common offset: the clock stepped (two offsets around the best single step, both of them between the
places that fit) or drifted (a + bt by linear programming, at most 500 ppm); else the session is unknowable. A trace is
proven when zero is in every interval and every order of two instants on different clocks survives both ends; corrected
when the interval leaves zero out, so that timestamps are certainly off, and every order is certain after the shift;
unknowable otherwise. The interval of the share is a BCa bootstrap over sessions.

Verdict: on the share of crossing traces whose drawn order is not proven. 30 traces of 10 sessions are needed.

Assumes: A clock is a host (host.id, else host.ip, else host.name), a browser's is its session.id; two hosts make a new
session every UTC day. Producers, consumers and spans with links are left out: they may outlive their parent. A server
that outlasts its client, or whose client gave up, bounds the offset from one side. Orders between spans of one pair are
judged, not those of its siblings. Within a session an offset is constant unless the pairs contradict it.

Not so: Jaeger's adjuster is off by default (max_clock_skew_adjust is 0), so a merged waterfall in Jaeger is as stamped; and
where it is on it moves only children that stick out of their parent (clockskew.go at 8498073). That a third of traffic is
skewed, as is told, no public data confirm: only your own pairs can say.

Source: Cristian 1989 (Distributed Computing 3:146); Paxson 1998 (SIGMETRICS); Moon, Skelly & Towsley 1999 (INFOCOM);
docs/decisions/032-clocks-and-cold-starts.md.
"""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl

from core.amounts import count, interval, number, share
from core.audit import Ask, Fact, Finding, Need, Scope, TooLittle, against_limit, limit_choice
from core.audits import trace_clock_figures as pictures
from core.audits.retry_ledger_evidence_sql import SPAN_TREE
from core.audits.trace_clock_measure import FEWEST_SESSIONS, FEWEST_TRACES, Clocks, measured
from core.audits.trace_clock_sql import ALONE, CHANGES, COUNT, EVENTS, PAIRS
from core.recipes import MCP_TITLE
from core.stats import resampling

TITLE = "The clock a trace was stamped by"
SECTION = "Speed as felt"
REPORTED = "one merged timeline, every event in order"
SUPPORTED = "traces whose order survives what is known of the clocks"
LIMIT = 0.05
"""One trace in twenty: an on-call engineer looks at a handful, and then the waterfall is right in most evenings."""
LIMIT_OF_GAP = "above"
MOST_PAIRS = 50_000
"""Pairs that reach Python. Beyond it traces by hash of their id: fewer pairs of a session make its interval wider, not wrong."""
SEED = resampling.SEED
NAME = "trace-clock"

CHOICES = (
    limit_choice(
        "Limit on unproven traces", ("0.01", "0.05", "0.10"), LIMIT, "Traces whose drawn order is not proven."
    ),
)

CAPTIONS = {
    "clock_waterfall": "One trace on one axis, twice: as stamped, and shifted by the middle of its interval. Client spans "
    "have a fringe as wide as what is not known of their place; server spans are where they are.",
    "clock_offsets": "Offset of each session, client less server, on an axis that is logarithmic on both sides of zero.",
    "clock_traces": "Traces that cross clocks, by how far their order can be believed.",
    "clock_days": "Share of the day's traces that is not proven. Dotted: deploys and other changes.",
}

_RECIPE = (
    f"Name the machine on both sides (host.id; session.id in browsers): data page, recipe “{MCP_TITLE}”."
)
NEEDS = (
    Need("spans.host_id", "which clock a time was read from", _RECIPE),
    Need("spans.parent_span_id", "the server span below a client span", "Propagate traceparent to the server and trace it too."),
    Need("spans.gen_ai_conversation_id", "a browser's clock: its session.id", "Set session.id on the browser's spans.", False),
    Need("span_events.at_ns", "orders of events, beside those of spans", "Add span events at what matters.", False),
    Need("change_events.title", "deploys beside the days", "Give a changes file: python -m core template changes.", False),
)  # fmt: skip

SQL = {"counted": COUNT, "pairs": PAIRS, "events": EVENTS, "alone": ALONE, "changes": CHANGES}


def load(ask: Ask, scope: Scope) -> dict[str, pl.DataFrame]:
    """The count first: it says which part of the traces fits."""
    counted = ask(COUNT, **scope.parameters())
    parameters = scope.parameters() | {"keep": kept(int(counted.item()))}
    frames = {name: ask(SQL[name], **parameters) for name in ("pairs", "events", "alone", "changes")}
    return frames | {"counted": counted}


def kept(pairs: int) -> str:
    """Hashes below it are kept, so that about MOST_PAIRS of the pairs are; hex digits end before "g": all.

    >>> kept(50_000), kept(100_000)
    ('g', '8000')
    """
    return "g" if pairs <= MOST_PAIRS else f"{max(16**4 * MOST_PAIRS // pairs, 1):04x}"


def measure(frames: dict[str, pl.DataFrame], scope: Scope) -> Clocks | TooLittle:
    """Every trace's order; too little without enough pairs across two clocks."""
    found = measured(frames, scope.limit(LIMIT))
    if isinstance(found, Clocks):
        return found
    traces, sessions = found
    if traces:
        told = f"{count(traces)} traces of {count(sessions)} sessions cross clocks"
        return TooLittle(
            f"spans: {told}, {FEWEST_TRACES} of {FEWEST_SESSIONS} are needed", "Widen the range.", traces
        )
    return _nothing(frames)


def _nothing(frames: dict[str, pl.DataFrame]) -> TooLittle:
    """Why no pair crosses clocks."""
    clients, servers, clients_bare, servers_bare = (int(value or 0) for value in frames["alone"].row(0))
    if not clients and not servers:
        return TooLittle("spans: no CLIENT and no SERVER span in scope", _RECIPE)
    pairs = frames["pairs"].height
    if not pairs:
        what = f"spans: {count(clients)} CLIENT spans, no span of the server side below any"
        return TooLittle(what, "Propagate traceparent to the server and trace it too.")
    bare = f"{count(clients_bare)} of {count(clients)} CLIENT and {count(servers_bare)} of {count(servers)} SERVER spans"
    if clients_bare or servers_bare:
        return TooLittle(f"spans.host_id: {count(pairs)} pairs, but {bare} name no clock", _RECIPE)
    return TooLittle(
        f"spans: {count(pairs)} pairs, all on one clock: no boundary is crossed", "Nothing is to be done."
    )


def judge(found: Clocks | TooLittle) -> Finding:
    """The share of traces whose order is not proven, against the limit."""
    if isinstance(found, TooLittle):
        return Finding(
            NAME, "cannot tell", "unknown", "unknown", None, None, None, "points", found.n,
            "Whether events are in the order they are drawn in is not known.", f"{found.missing}. {found.how}",
        )  # fmt: skip
    value, low, high = found.unproven[:3]
    known = "" if found.half_width_ms is None else f" (±{number(found.half_width_ms, 'ms')})"
    return Finding(
        NAME, against_limit(low, high, found.limit), "100% in order", f"{share(found.share('proven'))} proven{known}",
        value, low, high, "points", len(found.crossings), _sentence(found, known),
    )  # fmt: skip


def _sentence(found: Clocks, known: str) -> str:
    value = found.unproven
    return (
        f"Of {count(len(found.crossings))} traces that cross clocks the drawn order is proven in {share(found.share('proven'))}"
        f"{known}, corrected in {share(found.share('corrected'))} and unknowable in {share(found.share('unknowable'))}: "
        f"{share(value.value)} {interval(value.low, value.high, 'share')} are not proven."
    )


def figures(frames: dict[str, pl.DataFrame], found: Clocks) -> dict[str, go.Figure]:
    """The waterfall twice, offsets of sessions, traces by order, the share by day."""
    return pictures.figures(found)


def facts(found: Clocks) -> list[Fact]:
    """Sessions, orders claimed, Jaeger's rule, placebos, what was left out, and what is believed and is not so."""
    return pictures.facts(found)


def tables(found: Clocks) -> dict[str, pl.DataFrame]:
    """Every session with its offset, the widest first."""
    return pictures.tables(found)


def worst(found: Clocks | TooLittle) -> pl.DataFrame:
    """At most 500 traces, unknowable and corrected ones first: the way into their spans."""
    return pictures.worst_traces(() if isinstance(found, TooLittle) else found.crossings)


def evidence(ask: Ask, scope: Scope) -> pl.DataFrame:
    """The same, asked anew."""
    return worst(measure(load(ask, scope), scope))


def span_tree(ask: Ask, trace_id: str, as_of: int) -> pl.DataFrame:
    """Spans of one trace as stamped, in order of start; empty when it is not in the ledger."""
    return ask(SPAN_TREE, trace_id=trace_id, as_of=as_of)

"""How many streams can a node hold, and can I believe this p99?

How: Every request is +1 where it begins and -1 where it ends; their sum in order of time is c(t), what a process holds. The p99
of c(t) is weighted by time, over all processes; its interval is a moving-block bootstrap of 5-minute blocks, at least 24. N is
the most a node held at an acceptable error rate: a limit you state, or else the split of an isotonic regression of errors on
open requests, where above it errors are too many for certain. Where none failed, N is the most that was held, a lower bound:
that can keep the limit and cannot break it. Requests/s a node can take is N/W, W being the mean hold time, first byte to last.
Check: arrivals x W and the time-average of c(t) agree within 2 % (Little's law), else spans are missing.
A histogram: quantile q is measured where less than 1 - q lies above the last bound. It is not measured when the lower end of
the Clopper-Pearson interval of that share is above 1 - q, borderline when the interval lies across; the level is shared among
the histograms tested. Quantiles are shown as the bucket they lie in, from edge to edge, open where it is the last.

Verdict: on the share of N in use at p99, and on p99 of the worst histogram of the service: the worse of the two.

Assumes: Requests are SERVER spans, else model calls counted once. A node is a service.instance.id; it runs from its first
request to its last end. The page is about one service: of those with 1,000 requests one that serves, that streams, that holds
most; choose another in the scope. The window is ten times the longest request or more. Cumulative points are differences
between exports, life by life; deltas are added once. Load that moves over hours or days is no chance, and blocks of five minutes
do not cover it.

Not so: Requests/s is not the unit of a streaming node: when responses get three times as long, 1,200/s become 400/s and nothing
is broken. And the flat p99 is no latency: histogram_quantile prints the upper bound of the second highest bucket when the
quantile lies in the last (Prometheus documentation), which is 10 s with the buckets OpenTelemetry advises for HTTP.

Source: Little 1961 (Operations Research 9:383); Künsch 1989 (Annals of Statistics 17:1217); Clopper & Pearson 1934;
OpenTelemetry semantic conventions, metrics of HTTP and GenAI; docs/decisions/031-streams-and-buckets.md.
"""

from __future__ import annotations

import datetime as dt

import plotly.graph_objects as go
import polars as pl

from core.audit import Ask, Choice, Fact, Finding, Need, Scope, TooLittle, limit_choice
from core.audits import streaming_backend_facts, streaming_backend_points_sql
from core.audits import streaming_backend_figures as pictures
from core.audits import streaming_backend_sql as asked
from core.audits.retry_ledger_evidence_sql import SPAN_TREE
from core.audits.streaming_backend_measure import Streams, floor_and_step, measured, services_of
from core.audits.streaming_backend_streams import levels_of
from core.audits.streaming_backend_verdict import METRICS, RECIPE, judged
from core.stats import resampling
from core.stats.daily_series import newest_that_fit

TITLE = "The streaming response the backend was not built for"
SECTION = "Counts, money and capacity"
REPORTED = "requests/s a node, and a p99"
SUPPORTED = "open streams a node at p99, of what it holds"
LIMIT = 0.80
"""A fifth is left for a node that fails over to this one out of five, and for responses that get a quarter longer."""
ACCEPTABLE = 0.01
"""Requests that may fail by load: an availability of 99 %, which most gateways promise at the least."""
MOST_REQUESTS = 1_000_000
"""Requests that are swept: seconds on two cores. Whole days, the newest first, and the page says from which."""
MOST_DAYS = 28
"""Days of minutes that are swept: 40,000 of them. Services and histograms are of the whole range."""
MOST_POINTS = 50_000
BEFORE_DAYS = 3
"""Days before the range in which the last export of a cumulative series is looked for."""
SEED = resampling.SEED

CHOICES = (
    limit_choice("Limit on streams in use", ("0.60", "0.80", "0.95"), LIMIT, "Open streams at p99, of what a node holds."),
    Choice("errors", "Acceptable errors", ("0.001", "0.01", "0.05"), "0.01", "Failed by load while a node still holds all."),
)  # fmt: skip

CAPTIONS = {
    "streams_time": "Above: requests open on a node, the most and the mean of each stretch; dashed: what a node holds. Below: "
    "requests a second and node. Dotted: deploys and other changes; what moves with one is no proof.",
    "streams_buckets": "The histogram as exported. Striped: above the last bound. Below: each quantile from edge to edge of its "
    "bucket; an arrow has no upper edge.",
    "streams_errors": "Requests that failed, by how many were open when they began. Dotted: N.",
}

NEEDS = (
    Need("spans.duration_ns", "requests with their start and end", RECIPE),
    Need("spans.service_instance_id", "which node held a request", "Leave service.instance.id on: SDKs set it.", False),
    Need("metric_points.bucket_counts", "the histogram behind your p99", METRICS, False),
    Need("spans.gen_ai_request_stream", "which service streams", "Set gen_ai.request.stream on the gateway's spans.", False),
    Need("change_events.attributes", "what a node holds, if you know it", "A change of kind limit with a column streams.", False),
    Need("change_events.title", "deploys beside the days", "Give a changes file: python -m core template changes.", False),
)  # fmt: skip

SQL = {
    "services": asked.SERVICES,
    "levels": asked.LEVELS,
    "minutes": asked.MINUTES,
    "nodes": asked.NODES,
    "longest": asked.LONGEST,
    "capacities": asked.CAPACITIES,
    "changes": asked.CHANGES,
    "point_days": streaming_backend_points_sql.POINT_DAYS,
    "points": streaming_backend_points_sql.POINTS,
}


def load(ask: Ask, scope: Scope) -> dict[str, pl.DataFrame]:
    """Services first: they say which one the page is about and from which day on its requests fit."""
    parameters: dict[str, object] = dict(scope.parameters())
    services = ask(SQL["services"], **parameters)
    first = services_of(services)[:1]
    name, role = (first[0].name, first[0].role) if first else ("", "")
    own = services.filter((pl.col("service") == name) & (pl.col("role") == role))
    parameters |= {"service": name, "role": role, "since": swept_from(own, scope)}
    levels = ask(SQL["levels"], **parameters)
    floor, step = floor_and_step(levels_of(levels))
    parameters |= {"floor": floor, "step": step, "first": scope.start - dt.timedelta(days=BEFORE_DAYS)}
    days = ask(SQL["point_days"], **parameters)
    parameters |= {"points_since": since(days, "points", MOST_POINTS, scope)}
    rest = ("minutes", "nodes", "longest", "capacities", "changes", "points")
    frames = {one: ask(SQL[one], **parameters) for one in rest}
    return frames | {"services": services, "levels": levels, "point_days": days}


def swept_from(days: pl.DataFrame, scope: Scope) -> dt.date:
    """The first day whose requests are swept: MOST_DAYS up to the newest day that has any."""
    newest = max(days["day"].to_list(), default=scope.end)
    return max(since(days, "requests", MOST_REQUESTS, scope), newest - dt.timedelta(days=MOST_DAYS - 1))


def since(days: pl.DataFrame, column: str, most: int, scope: Scope) -> dt.date:
    """The first of the newest whole days that fit, at least one."""
    first = newest_that_fit(days.select("day", column).rows(), most)
    return scope.start if first is None else min(first, scope.end)


def measure(frames: dict[str, pl.DataFrame], scope: Scope) -> Streams | TooLittle:
    """Open requests and histograms; too little where there is neither."""
    own = frames["services"]
    first = services_of(own)[:1]
    if first:
        own = own.filter((pl.col("service") == first[0].name) & (pl.col("role") == first[0].role))
    start = dt.datetime.combine(scope.start, dt.time(), dt.UTC)
    acceptable = float(scope.choice("errors", str(ACCEPTABLE)))
    found = measured(
        frames, swept_from(own, scope), int(start.timestamp()) * 10**9, scope.limit(LIMIT), acceptable
    )  # fmt: skip
    if found.load is None and not found.judged:
        return TooLittle(
            f"{found.short}; metric_points: no histogram of durations",
            RECIPE,
            sum(one.requests for one in first),
        )
    return found


def judge(found: Streams | TooLittle) -> Finding:
    """The worse of the two: streams in use at p99, and whether the p99 of the histogram was measured."""
    return judged(found)


def figures(frames: dict[str, pl.DataFrame], found: Streams) -> dict[str, go.Figure]:
    """Open requests over time with N, the worst histogram, errors by open requests."""
    return pictures.figures(found)


def facts(found: Streams) -> list[Fact]:
    """Little's law, N/W, buckets that would have measured, placebo, what was left out, what is believed and is not so."""
    return streaming_backend_facts.facts(found)


def tables(found: Streams) -> dict[str, pl.DataFrame]:
    """Histograms, nodes, services."""
    return pictures.tables(found)


def worst(found: Streams | TooLittle) -> pl.DataFrame:
    """At most 500 requests, those held longest first: the way into their spans."""
    return pictures.longest_requests(() if isinstance(found, TooLittle) else found.longest)


def evidence(ask: Ask, scope: Scope) -> pl.DataFrame:
    """The same, asked anew."""
    return worst(measure(load(ask, scope), scope))


def span_tree(ask: Ask, trace_id: str, as_of: int) -> pl.DataFrame:
    """Spans of one trace in order of start; empty when it is not in the ledger."""
    return ask(SPAN_TREE, trace_id=trace_id, as_of=as_of)

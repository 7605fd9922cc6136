"""Literal requests of a gateway and points of its histogram: what the streaming audit reads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from random import Random

from core.ledger.store import Store
from tests.audits.retry_world import DAY, Row, at_ns, send

SECOND = 10**9
GATEWAY = "gateway"


def request(number: int, start_s: float, hold_s: float, **more: object) -> Row:
    """A request that a gateway served, `start_s` seconds after nine o'clock of DAY; held for hold_s seconds."""
    start = at_ns(DAY) + round(start_s * 1e6) * 1000
    long = round(hold_s * 1e6) * 1000
    day = dt.datetime.fromtimestamp(start / 1e9, dt.UTC).date()
    row: Row = {
        "trace_id": f"{number:032x}", "span_id": f"{number:016x}", "parent_span_id": None, "name": "POST /chat",
        "kind": "server", "dialect": "http", "service_name": GATEWAY, "service_instance_id": "gw-1",
        "cloud_region": "eu-west-1", "started_at_ns": start, "ended_at_ns": start + long, "duration_ns": long,
        "duration_bucket": 1, "day": day, "hour": start // 3_600_000_000_000, "status_code": "UNSET",
        "error_class": None, "span_role": "http", "gen_ai_request_stream": True, "mcp_method_name": None,
        "content_hash": f"{number:016x}",
    }  # fmt: skip
    return row | more


def requests(
    random: Random,
    per_second: float,
    hold_s: float,
    minutes: int,
    node: str = "gw-1",
    first: int = 1,
    capacity: int = 10**9,
) -> list[Row]:
    """Poisson arrivals with exponential hold times on one node; what arrives above its capacity fails at once, nine in ten."""
    rows, at, ends = [], 0.0, list[float]()
    number = first
    while (at := at + random.expovariate(per_second)) < minutes * 60:
        ends = [end for end in ends if end > at]
        hold = random.expovariate(1 / hold_s)
        shed = len(ends) >= capacity and random.random() < 0.9
        fate = {"status_code": "ERROR", "error_class": "overloaded"} if shed else {}
        rows.append(request(number, at, min(0.05, hold) if shed else hold, service_instance_id=node, **fate))
        ends += [] if shed else [at + hold]
        number += 1
    return rows


def point(
    at_s: float, counts: Sequence[int], bounds: Sequence[float] = (0.5, 5.0, 10.0), **more: object
) -> Row:
    """A cumulative point of http.server.request.duration, `at_s` seconds after nine o'clock of DAY."""
    at = at_ns(DAY) + round(at_s * SECOND)
    row: Row = {
        "name": "http.server.request.duration", "unit": "s", "kind": "histogram", "temporality": "cumulative",
        "started_at_ns": None, "at_ns": at, "day": dt.datetime.fromtimestamp(at / 1e9, dt.UTC).date(),
        "service_name": GATEWAY, "cloud_region": "eu-west-1", "service_instance_id": "gw-1", "count": sum(counts),
        "sum": float(sum(counts)), "explicit_bounds": list(bounds), "bucket_counts": list(counts),
        "attributes": '{"http.route":"/chat"}',
    }  # fmt: skip
    return row | more


def give(store: Store, spans: Iterable[Row] = (), points: Iterable[Row] = ()) -> None:
    """One import of both."""
    send(store, spans=list(spans), metric_points=list(points))

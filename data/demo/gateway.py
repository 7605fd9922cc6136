"""A gateway that streams: ten busy minutes a day on a node, as SERVER spans and as the histogram its metrics export.

Written beside the runs, in files of their own, with truth in `gateway.json`. Planted: from a release on answers take three times
as long (a model that reasons), so that the same requests a second fill the node; what finds no room is refused. And the
histogram stops at ten seconds, as HTTP's does by default. In the quiet world answers stay short and buckets go on to 81.92 s.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from random import Random
from typing import NamedTuple

from data.demo import wire
from data.demo.pieces import FASTAPI_STABLE
from data.demo.plan import SECOND_NS, day_start_ns, first_day

GATEWAY = "stream-gateway"
REGION = "eu-central-1"
LAST_DAYS = 30
MINUTES = 10
SESSIONS = 10
"""Clients that keep a connection, each a trace of all its requests: runs of the other pages stay what they were."""
METRIC = "http.server.request.duration"
HTTP_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
GENAI_BOUNDS = tuple(0.01 * 2**step for step in range(14))
"""To 81.92 s: what OpenTelemetry advises for gen_ai.client.operation.duration."""


class StreamPlan(NamedTuple):
    """What is planted; days are counted from the world's first day (0)."""

    days: int
    from_day: int
    longer_from_day: int
    """from this day's release on answers take three times as long"""
    per_second: float
    hold_s: float
    longer: float
    streams: int
    """that a node holds; a request that comes when it is full is refused"""
    bounds: tuple[float, ...]


def stream_plan(days: int, quiet: bool) -> StreamPlan:
    """The planted effects for a world of `days` days."""
    from_day = max(days - LAST_DAYS, 0)
    if quiet:
        return StreamPlan(days, from_day, days, 0.5, 4.0, 1.0, 24, GENAI_BOUNDS)
    return StreamPlan(days, from_day, max(days - 20, 0), 0.5, 5.0, 3.0, 12, HTTP_BOUNDS)


class _Served(NamedTuple):
    """One request, seconds after the day's first."""

    at_s: float
    hold_s: float
    refused: bool


def write_gateway(out_dir: Path, days: int, quiet: bool, seed: int, truth_dir: Path | None) -> list[Path]:
    """`gateway-DAY.pb` and `gateway-metrics.otlp.jsonl`, and `gateway.csv` with the release and what a node holds."""
    plan = stream_plan(days, quiet)
    paths: list[Path] = []
    lines: list[str] = []
    truth: dict[str, list[float]] = {"requests": [], "refused": [], "over_10_s": [], "most": []}
    for number in range(plan.from_day, days):
        random = Random(f"{seed}/streams/{number}")
        served, most = _day(random, plan, number)
        day = first_day(days) + dt.timedelta(days=number)
        began = day_start_ns(day) + 12 * 3600 * SECOND_NS
        path = out_dir / f"gateway-{day}.pb"
        path.write_bytes(_spans(random, number, began, served))
        paths.append(path)
        lines += _exports(plan, number, began, served)
        truth["requests"].append(len(served))
        truth["refused"].append(sum(one.refused for one in served))
        truth["over_10_s"].append(sum(one.hold_s > 10 for one in served))
        truth["most"].append(most)
    metrics = out_dir / "gateway-metrics.otlp.jsonl"
    metrics.write_text("".join(f"{line}\n" for line in lines))
    if truth_dir is not None:
        truth_dir.mkdir(parents=True, exist_ok=True)
        document = {"planted": plan._asdict(), **truth}
        (truth_dir / "gateway.json").write_text(json.dumps(document, indent=1) + "\n")
    return [*paths, metrics, *_changes(out_dir / "gateway.csv", plan)]


def _changes(path: Path, plan: StreamPlan) -> list[Path]:
    """The release; in the quiet world, where nothing is ever refused, a load test says what a node holds."""
    if plan.longer_from_day < plan.days:
        day = first_day(plan.days) + dt.timedelta(days=plan.longer_from_day)
        row = f"gateway-3.0,{day}T00:30:00Z,deploy,answers that reason,{GATEWAY},"
    else:
        day = first_day(plan.days) + dt.timedelta(days=plan.from_day)
        row = f"gateway-load,{day}T00:00:00Z,limit,Load test,{GATEWAY},{plan.streams}"
    path.write_text(f"event_id,ts,kind,title,service_name,streams\n{row}\n")
    return [path]


def _day(random: Random, plan: StreamPlan, number: int) -> tuple[list[_Served], int]:
    mean = plan.hold_s * (plan.longer if number >= plan.longer_from_day else 1.0)
    at, ends, most = 0.0, list[float](), 0
    served: list[_Served] = []
    while (at := at + random.expovariate(plan.per_second)) < MINUTES * 60:
        ends = [end for end in ends if end > at]
        hold = 0.5 + random.expovariate(1 / (mean - 0.5))
        if len(ends) >= plan.streams:
            served.append(_Served(at, random.uniform(0.002, 0.004), True))
            continue
        served.append(_Served(at, hold, False))
        ends.append(at + hold)
        most = max(most, len(ends))
    return served, most


def _resource(number: int) -> dict[str, str]:
    """A new process every day."""
    return {"service.name": GATEWAY, "service.instance.id": f"{GATEWAY}-{number}", "cloud.region": REGION}


def _spans(random: Random, number: int, began: int, served: list[_Served]) -> bytes:
    sessions, items = [random.randbytes(16) for _ in range(SESSIONS)], []
    for one in served:
        status = 503 if one.refused else 200
        pairs: dict[str, wire.Attribute] = {
            "http.request.method": "POST", "http.route": "/v1/stream", "http.response.status_code": status,
            "gen_ai.request.stream": True,
        }  # fmt: skip
        if one.refused:
            pairs["error.type"] = "503"
        body = wire.kind_and_name("POST /v1/stream", 2) + wire.attributes(pairs)
        body += wire.error() if one.refused else wire.UNSET
        start = began + int(one.at_s * SECOND_NS)
        end = start + int(one.hold_s * SECOND_NS)
        items.append(wire.span(random.choice(sessions), random.randbytes(8), b"", start, end, body))
    scope = FASTAPI_STABLE
    group = wire.scope_group(scope.name, scope.version, scope.schema_url, items)
    return wire.resource_group(_resource(number), [group])


def _exports(plan: StreamPlan, number: int, began: int, served: list[_Served]) -> list[str]:
    """Cumulative, every two minutes and once more at shutdown, as SDKs do: the last point comes twice."""
    ends = sorted((one.at_s + one.hold_s, one.hold_s) for one in served)
    last = int(ends[-1][0]) + 1
    lines = []
    for until in [*range(120, last, 120), last, last]:
        held = [hold for at, hold in ends if at <= until]
        counts = [0] * (len(plan.bounds) + 1)
        for hold in held:
            counts[sum(bound < hold for bound in plan.bounds)] += 1
        point = {
            "startTimeUnixNano": str(began), "timeUnixNano": str(began + until * SECOND_NS), "count": str(len(held)),
            "sum": round(sum(held), 6), "explicitBounds": list(plan.bounds), "bucketCounts": [str(one) for one in counts],
            "attributes": [{"key": "http.route", "value": {"stringValue": "/v1/stream"}}],
        }  # fmt: skip
        metric = {
            "name": METRIC,
            "unit": "s",
            "histogram": {"aggregationTemporality": 2, "dataPoints": [point]},
        }
        resource = [{"key": key, "value": {"stringValue": value}} for key, value in _resource(number).items()]
        group = {"resource": {"attributes": resource}, "scopeMetrics": [{"metrics": [metric]}]}
        lines.append(json.dumps({"resourceMetrics": [group]}))
    return lines

"""The truth file: what was simulated and planted, counted while it happened. Only tests read it.

Counting rules. A send is one request on the wire. A send fails when it brings no usable answer: an error status,
a time-out or a broken stream. A failed send is rescued when a later send of the same operation (the SDK's, the
application's second try or its fallback) answers. step_retries are calls made because a tool failed,
tool_retries tools repeated without asking the model. Money is what the provider bills for, at catalogue prices.
"""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from data.demo.charges import Books, first_version, usd
from data.demo.plan import DAY_NS, REGIONS, SERVICES, Plan, first_day, first_day_number
from data.demo.prices import call_usd, money
from data.demo.probes import ProbePlan
from data.demo.traces import Shown
from data.demo.world import Call, Run, Tool

COUNTS = (
    "runs", "ok_runs", "converted", "not_converted", "outcome_unknown", "calls", "failed_calls", "sends",
    "failed_sends", "rescued_sends", "sdk_retries", "app_retries", "fallbacks", "broken_streams", "bad_requests",
    "hidden_requests", "billed_requests", "tools", "failed_tools", "step_retries", "tool_retries",
    "double_counted_calls", "spans", "resent_spans", "late_roots", "lost_roots",
)  # fmt: skip
AMOUNTS = ("billed_usd", "hidden_usd", "broken_stream_usd", "converted_runs_usd")

DOUBLE_COUNTED = ("anthropic_native", "openinference")


class Tally(NamedTuple):
    """Counts and money by (day number, region, service), and what the untraced caller spent."""

    counts: dict[tuple[int, str, str], dict[str, int]]
    usd: dict[tuple[int, str, str], dict[str, Decimal]]
    untraced: list[Decimal]


def empty_tally() -> Tally:
    return Tally({}, {}, [])


def add_run(tally: Tally, plan: Plan, run: Run, shown: Shown) -> None:
    """Count one run under the UTC day it started on."""
    day = run.start_ns // DAY_NS - first_day_number(plan.days)
    key = (day, REGIONS[run.region].name, run.service.name)
    row = tally.counts.setdefault(key, dict.fromkeys(COUNTS, 0))
    amounts = tally.usd.setdefault(key, dict.fromkeys(AMOUNTS, Decimal(0)))
    row["runs"] += 1
    row["ok_runs"] += run.ok
    row["converted"] += run.converted is True
    row["not_converted"] += run.converted is False
    row["outcome_unknown"] += run.converted is None
    row["spans"] += shown.spans
    row["resent_spans"] += shown.resent_spans
    row["late_roots"] += shown.late_root
    row["lost_roots"] += shown.lost_root
    calls = run.calls
    row["rescued_sends"] += _rescued(calls)
    tools = [step for step in run.steps if isinstance(step, Tool)]
    row["tools"] += len(tools)
    row["failed_tools"] += sum(not tool.ok for tool in tools)
    row["tool_retries"] += max(0, len(tools) - 1 - sum(call.kind == "step_retry" for call in calls))
    for call in calls:
        _add_call(row, amounts, run, call)


def _add_call(row: dict[str, int], amounts: dict[str, Decimal], run: Run, call: Call) -> None:
    row["calls"] += 1
    row["failed_calls"] += bool(call.error)
    row["sends"] += len(call.sends)
    row["failed_sends"] += len(call.sends) - (not call.error)
    row["sdk_retries"] += len(call.sends) - 1
    row["app_retries"] += call.kind == "app_retry"
    row["fallbacks"] += call.kind == "fallback"
    row["step_retries"] += call.kind == "step_retry"
    row["broken_streams"] += call.error == "broken_stream"
    row["bad_requests"] += call.error == "bad_request"
    row["hidden_requests"] += max(0, call.billed_requests - 1)
    row["billed_requests"] += call.billed_requests
    row["double_counted_calls"] += run.service.dialect in DOUBLE_COUNTED
    if call.billed_requests:
        cost = call_usd(call)
        amounts["billed_usd"] += cost * call.billed_requests
        amounts["hidden_usd"] += cost * (call.billed_requests - 1)
        if call.error:
            amounts["broken_stream_usd"] += cost
        if run.converted:
            amounts["converted_runs_usd"] += cost


def _rescued(calls: list[Call]) -> int:
    answered = {call.operation for call in calls if not call.error}
    return sum(len(call.sends) - (not call.error) for call in calls if call.operation in answered)


def _planted(plan: Plan) -> dict[str, object]:
    """Times and sizes of the planted effects; day numbers count from first_day."""
    out: dict[str, object] = {}
    for name, value in plan._asdict().items():
        out[name] = [value.start, value.stop] if isinstance(value, range) else value
    return out


def _bill_totals(books: Books) -> dict[str, object]:
    """Totals as last billed. The gateway's spend log repeats the project of GATEWAY_SERVICE call by call."""
    first = first_version(books)
    bills: dict[str, Decimal] = {}
    projects: dict[str, Decimal] = {}
    requests: Counter[str] = Counter()
    for key, charge in books.final.items():
        amount = usd(key, charge)
        bills[key.bill] = bills.get(key.bill, Decimal(0)) + amount
        projects[key.project] = projects.get(key.project, Decimal(0)) + amount
        requests[key.project] += charge.requests
    before = sum((usd(key, first[key]) for key in books.missing), Decimal(0))
    after = sum((usd(key, books.final[key]) for key in books.missing), Decimal(0))
    return {
        "by_bill_usd": {bill: money(total) for bill, total in sorted(bills.items())},
        "total_usd": money(sum(bills.values(), Decimal(0))),
        "by_project": {
            project: {"requests": requests[project], "usd": money(total)}
            for project, total in sorted(projects.items())
        },
        "restated_usd": {"first": money(before), "final": money(after)},
        "restated_requests": sum(gap.requests for gap in books.missing.values()),
    }


def totals(tally: Tally) -> tuple[dict[str, int], dict[str, Decimal]]:
    """Counts and money over all days, regions and services."""
    counts = {name: sum(row[name] for row in tally.counts.values()) for name in COUNTS}
    amounts = {name: sum((row[name] for row in tally.usd.values()), Decimal(0)) for name in AMOUNTS}
    return counts, amounts


def write_truth(
    path: Path,
    plan: Plan,
    probed: ProbePlan,
    seed: int,
    tally: Tally,
    books: Books,
    files: dict[str, object],
) -> None:
    """Write truth.json: planted, totals, bills, files, and rows by day, region and service."""
    counts, amounts = totals(tally)
    untraced = sum(tally.untraced, Decimal(0))
    document = {
        "seed": seed,
        "first_day": first_day(plan.days).isoformat(),
        "planted": _planted(plan),
        "probes": probed._asdict(),
        "grades": {service.name: service.grade for service in SERVICES},
        "totals": counts | {name: money(amount) for name, amount in amounts.items()},
        "untraced_requests": len(tally.untraced),
        "untraced_usd": money(untraced),
        "bills": _bill_totals(books),
        "files": files,
        "rows": [
            {"day": day, "region": region, "service": service}
            | row
            | {name: money(amount) for name, amount in tally.usd[(day, region, service)].items()}
            for (day, region, service), row in sorted(tally.counts.items())
        ],
    }
    path.write_text(json.dumps(document, indent=1) + "\n")

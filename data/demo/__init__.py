"""The demo world: one invented AI product over ninety days, written in the formats real tools write.

`generate` simulates Northwind Assist, lets every run be seen through the instrumentation its service uses, and
bills it as its provider would. The files go through the same ingest as anybody's. What was planted, and when,
stands in `plan.py`; what it came to in `truth.json`, which nothing but tests may read.

plan.py (start there) → arrivals.py (when runs begin) → world.py (what happens in a run) → three views of the same run:
traces.py through dialect_*.py, pieces.py and wire.py (spans as bytes); charges.py and prices.py into bill_*.py;
outcomes.py. truth.py counts along. Beside the runs: probes.py (answers by region, a release), checkpoints.py (a
fine-tuned model's evals and scored answers), clocks.py (calls across machines), gateway.py (a gateway that fills up), voice.py
(voice calls) and streams.py (when each chunk of an answer arrived), each with its own planted effects.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

from data.demo.arrivals import run_counts
from data.demo.bill_files import append_spend_log, write_bills
from data.demo.bill_litellm import spend_row
from data.demo.charges import Books, charge_run
from data.demo.checkpoints import write_checkpoints
from data.demo.clocks import write_clocks
from data.demo.gateway import write_gateway
from data.demo.outcomes import Records, add_outcome, write_outcomes
from data.demo.plan import GATEWAY_SERVICE, Plan, first_day, plan_for
from data.demo.prices import call_usd
from data.demo.probes import ProbePlan, probe_plan, write_changes, write_probes
from data.demo.streams import write_streams
from data.demo.traces import Spool, empty_spool, next_file, put_damaged, show, write_json, write_proto
from data.demo.truth import Tally, add_run, empty_tally, write_truth
from data.demo.voice import write_voice
from data.demo.world import Run, day_runs

SEED = 20261122
BESIDE = (write_clocks, write_gateway, write_voice, write_streams)
RUNS_PER_FILE = 1_100
"""About 5,000 spans in a protobuf file, as a batch a collector might hold."""
WEEK = 7
PROTO, SCRIPT = "proto", "script"


class _Desk(NamedTuple):
    """Everything being written. spools: open trace files by kind; spend_rows: the day's rows of the gateway."""

    out_dir: Path
    plan: Plan
    spools: dict[str, Spool]
    records: Records
    spend_rows: list[str]
    books: Books
    tally: Tally
    traces: list[Path]
    outcomes: list[Path]
    spend_logs: list[Path]
    damaged_days: list[int]


def generate(
    out_dir: Path,
    spans: int = 300_000,
    seed: int = SEED,
    quiet: bool = False,
    days: int = 90,
    progress: Callable[[float], None] | None = None,
    truth_dir: Path | None = None,
) -> list[Path]:
    """Write about `spans` spans, their outcomes and bills to `out_dir`; returns the files in ingest order.

    The same arguments give the same bytes: no clock, no global randomness, and the last day is always
    plan.END_DAY. A file of spans is written as soon as it is full, so millions stream through. quiet: none of
    the planted effects. progress: called with the share done, 0 to 1. truth_dir: where truth.json goes; it must
    not be `out_dir`, which gets ingested.
    """
    if truth_dir is not None and truth_dir.resolve() == out_dir.resolve():
        raise ValueError(
            f"truth_dir is out_dir ({out_dir}): the truth must not lie where files are ingested from"
        )
    out_dir.mkdir(parents=True, exist_ok=True)
    plan = plan_for(days, quiet)
    spools = {PROTO: empty_spool(), SCRIPT: empty_spool()}
    desk = _Desk(out_dir, plan, spools, {}, [], Books({}, {}), empty_tally(), [], [], [], [])
    for number, count in enumerate(run_counts(spans, plan)):
        _day(desk, number, count, seed)
        if progress is not None:
            progress((number + 1) / days * 0.98)
    resent = _resend(desk)
    bills = write_bills(out_dir, plan, desk.books, desk.spend_logs)
    probed = probe_plan(days, quiet)
    beside = [*_probes(out_dir, probed, seed), *write_checkpoints(out_dir, days, quiet, spans, seed)]
    beside += [path for write in BESIDE for path in write(out_dir, days, quiet, seed, truth_dir)]
    if truth_dir is not None:
        truth_dir.mkdir(parents=True, exist_ok=True)
        files = {"resent": [path.name for path in resent], "damaged_spans": len(desk.damaged_days)}
        write_truth(truth_dir / "truth.json", plan, probed, seed, desk.tally, desk.books, files)
    if progress is not None:
        progress(1.0)
    return [*desk.traces, *resent, *desk.outcomes, *bills, *beside]


def _probes(out_dir: Path, probed: ProbePlan, seed: int) -> list[Path]:
    probes = write_probes(out_dir / "probes.jsonl.gz", probed, seed)
    return [probes, *write_changes(out_dir / "changes.csv", probed)]


def _day(desk: _Desk, number: int, count: int, seed: int) -> None:
    plan = desk.plan
    rng = Random(f"{seed}/spans/{number}")
    parts = -(-count // RUNS_PER_FILE)
    per_part = -(-count // parts)
    for position, run in enumerate(day_runs(plan, number, count, seed), 1):
        _run(desk, rng, run)
        if position == count:
            due = (number + 1) * plan.damaged_spans // plan.days
            for _ in range(due - len(desk.damaged_days)):
                put_damaged(rng, run, desk.spools[PROTO])
                desk.damaged_days.append(number)
        if position % per_part == 0 or position == count:
            _close_traces(desk, PROTO, f"traces-{_date(desk, number)}-{-(-position // per_part):02d}.pb")
    last = number == plan.days - 1
    if last or number % WEEK == WEEK - 1:
        _close_week(desk, number)
    if last:
        # What was to arrive later than the last file still arrives.
        _close_traces(desk, PROTO, f"traces-{_date(desk, number)}-late.pb")
        _close_traces(desk, SCRIPT, f"traces-web-{_date(desk, number)}-late.otlp.jsonl.gz")
    append_spend_log(desk.out_dir, _date(desk, number)[:7], desk.spend_rows, desk.spend_logs)
    desk.spend_rows.clear()


def _date(desk: _Desk, number: int) -> str:
    return (first_day(desk.plan.days) + dt.timedelta(days=number)).isoformat()


def _run(desk: _Desk, rng: Random, run: Run) -> None:
    kind = SCRIPT if run.service.dialect == "vercel_ai" else PROTO
    shown = show(rng, desk.plan, run, desk.spools[kind])
    add_outcome(rng, run, shown.root_id, desk.records)
    add_run(desk.tally, desk.plan, run, shown)
    desk.tally.untraced.extend(call_usd(call) for call in charge_run(rng, desk.plan, run, desk.books))
    if run.service.name == GATEWAY_SERVICE:
        desk.spend_rows.extend(spend_row(rng, run, call) for call in run.calls)


def _close_traces(desk: _Desk, kind: str, name: str) -> None:
    spool = desk.spools[kind]
    if spool.now:
        path = desk.out_dir / name
        (write_proto if kind == PROTO else write_json)(path, spool.now)
        desk.traces.append(path)
    desk.spools[kind] = next_file(spool)


def _close_week(desk: _Desk, number: int) -> None:
    _close_traces(desk, SCRIPT, f"traces-web-{_date(desk, number)}.otlp.jsonl.gz")
    if desk.records:
        path = desk.out_dir / f"outcomes-{_date(desk, number)}.otlp.jsonl.gz"
        write_outcomes(path, desk.records)
        desk.outcomes.append(path)
        desk.records.clear()


def _resend(desk: _Desk) -> list[Path]:
    """Files a collector sent again after a lost acknowledgement: the same bytes under another name."""
    whole = [path for path in desk.traces if path.suffix == ".pb"]
    out = []
    for number in range(desk.plan.resent_files):
        source = whole[len(whole) * (number + 1) // (desk.plan.resent_files + 1)]
        path = source.with_name(f"{source.stem}-resent.pb")
        shutil.copyfile(source, path)
        out.append(path)
    return out

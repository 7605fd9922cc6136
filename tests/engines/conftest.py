"""One ledger that every engine is asked about: the small demo, and literal rows for what it lacks. Exported once."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from core import answers
from core.audit import Scope
from core.audits import every_audit
from core.ingest.files import read_path
from core.ingest.options import ReadOptions
from core.ledger.store import Store
from data.demo import generate
from tests.audits.retry_world import DAY, at_ns, charge, send, worked_scenario
from tests.engines import cluster

SPANS = 20_000


class Exported(NamedTuple):
    """A ledger and its lake."""

    store: Store
    lake: Path

    def scopes(self) -> dict[str, Scope]:
        """Questions of different kinds: everything, a part with names to match, and what pages' choices switch."""
        whole = answers.whole_ledger(self.store.ask, self.store.version())
        week = Scope(DAY, DAY + dt.timedelta(days=6), as_of=self.store.version())
        newest = whole._replace(start=whole.end - dt.timedelta(days=27))
        regions = self.store.ask(
            "select distinct cloud_region as region from calls where cloud_region is not null order by 1"
        )
        return {
            "whole": whole,
            "newest 28 days": newest,
            "literal week": week,
            "two regions": newest._replace(regions=tuple(regions["region"].to_list()[:2])),
            "no such model": newest._replace(models=("none's",)),
            "switched": whole._replace(choices=(("double_counting", "kept"), ("source", "bill"), ("grain", "hour"))),
            "earlier version": whole._replace(as_of=whole.as_of // 2),
        }  # fmt: skip


def _evals() -> dict[str, list[dict[str, Any]]]:
    """One eval in two regions, with nulls in every column that runs are matched by, and an item restated."""
    regions = ("us-east-1", "eu-west-1")
    runs = [
        {"run_id": f"r{n}", "tool": "inspect", "task": "t" if n % 2 else None, "model": "m", "region": region,
         "started_at_ns": at_ns(DAY) + n, "n_total": 20, "n_completed": 20, "n_error": 0}
        for n, region in enumerate((*regions, *regions))
    ]  # fmt: skip
    samples = [
        {"run_id": run["run_id"], "sample_id": f"s{k}", "epoch": 1, "scorer": "match",
         "verdict": "pass" if (k + n) % 3 else "fail", "value": None if k % 4 else 0.1 * k, "label": None}
        for n, run in enumerate(runs) for k in range(20)
    ]  # fmt: skip
    return {"eval_runs": runs, "eval_samples": samples}


def _limits() -> list[dict[str, Any]]:
    about = {"at_ns": at_ns(DAY), "day": DAY, "kind": "limit", "service_name": None}
    return [
        about | {"event_id": "tight", "title": "tight", "region": "eu-west-1", "model": None, "attributes": '{"tpm": 400}'},
        about | {"event_id": "of a model", "title": "é", "region": None, "model": "gpt-4o-mini", "attributes": '{"rpm": 1}'},
    ]  # fmt: skip


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    folder = tmp_path_factory.mktemp("engines")
    store = Store.open(folder / "trueup.duckdb")
    for path in generate(folder / "files", SPANS, 7, False, 90):
        store.submit_many(read_path(path, ReadOptions(demo=True)))
    send(store, **worked_scenario(), cost_lines=[charge("k", "0.05", requests=5)])
    send(store, **_evals(), change_events=_limits())
    for audit in every_audit():
        name = audit.__name__.rpartition(".")[2]
        fill = getattr(importlib.import_module(f"tests.audits.test_{name}"), "fill", None)
        if fill is not None:
            fill(store)
    store.derive()
    store.export_lake(folder / "lake")
    yield Exported(store, folder / "lake")
    store.close()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[cluster.Cluster]:
    started = cluster.start(tmp_path_factory.mktemp("spark"))
    yield started
    started.stop()

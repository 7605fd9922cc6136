"""Worlds of checkpoints for the reward audit: test items, scored answers, thumbs; what is planted is an argument."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from core.ledger.batch import Batch
from core.ledger.store import Store

FIRST = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
WEEK = dt.timedelta(days=7)


class World(NamedTuple):
    """Changes are over the whole span, in points of a share; answers are per prompt and checkpoint."""

    seed: int = 3
    checkpoints: int = 13
    items: int = 800
    prompts: int = 60
    answers: int = 4
    success_change: float = 0.0
    reward_change: float = 0.0
    began: int = 0
    """Position after which both move, in a straight line."""
    caveats_bought: float = 0.0
    """Caveats an answer more at the end, each paid 0.02."""
    blurred: float = 0.0
    """Share of the reward's knowledge of right and wrong that is lost at the end."""
    step: dt.timedelta = WEEK
    first: dt.datetime = FIRST


def name_of(position: int) -> str:
    return f"assist-{position:02d}"


def at_ns(moment: dt.datetime) -> int:
    return round(moment.timestamp()) * 10**9


def progress(world: World) -> np.ndarray:
    """From 0 at `began` to 1 at the newest checkpoint."""
    along = np.arange(world.checkpoints)
    moved: np.ndarray = np.maximum(along - world.began, 0) / max(world.checkpoints - 1 - world.began, 1)
    return moved


def frames_of(world: World) -> dict[str, pl.DataFrame]:
    """Rows of the ledger's tables, without import_id."""
    random = np.random.default_rng(world.seed)
    return {"change_events": _events(world), **_evals(world, random), "responses": _responses(world, random)}


def _events(world: World) -> pl.DataFrame:
    starts = [world.first + place * world.step for place in range(world.checkpoints)]
    return pl.DataFrame(
        {
            "event_id": [f"checkpoint {place}" for place in range(world.checkpoints)],
            "at_ns": [at_ns(start) for start in starts],
            "day": [start.date() for start in starts],
            "kind": ["checkpoint"] * world.checkpoints,
            "title": [f"new checkpoint {place}" for place in range(world.checkpoints)],
            "model": [name_of(place) for place in range(world.checkpoints)],
        }
    )


def _evals(world: World, random: np.random.Generator) -> dict[str, pl.DataFrame]:
    ease = random.beta(7, 3, world.items)
    runs, samples = [], []
    for place, moved in enumerate(progress(world)):
        started = world.first + place * world.step + dt.timedelta(hours=1)
        run = f"run-{place}"
        runs.append({"run_id": run, "tool": "inspect", "task": "support", "task_version": "1", "model": name_of(place),
                     "started_at_ns": at_ns(started), "status": "success"})  # fmt: skip
        passed = random.random(world.items) < np.clip(ease + world.success_change * moved, 0, 1)
        samples.append(
            pl.DataFrame(
                {
                    "run_id": [run] * world.items,
                    "sample_id": [f"item-{item}" for item in range(world.items)],
                    "epoch": pl.Series([1] * world.items, dtype=pl.Int32),
                    "scorer": ["match"] * world.items,
                    "value": passed.astype(float),
                    "verdict": np.where(passed, "pass", "fail"),
                }
            )
        )
    return {"eval_runs": pl.DataFrame(runs), "eval_samples": pl.concat(samples)}


def _responses(world: World, random: np.random.Generator) -> pl.DataFrame:
    level = random.normal(0, 0.05, world.prompts)
    parts = []
    for place, moved in enumerate(progress(world)):
        n = world.prompts * world.answers
        prompt = np.repeat(np.arange(world.prompts), world.answers)
        right = random.random(n) < np.clip(0.7 + world.success_change * moved, 0, 1)
        caveats = random.poisson(1.0 + world.caveats_bought * moved, n)
        unpaid = world.reward_change * moved - 0.02 * world.caveats_bought * moved
        knows = 0.10 * (1 - world.blurred * moved)
        reward = 0.53 + level[prompt] + knows * right + 0.02 * caveats + unpaid + random.normal(0, 0.08, n)
        moment = world.first + place * world.step + dt.timedelta(hours=2)
        parts.append(
            pl.DataFrame(
                {
                    "response_key": [f"{place}-{row}" for row in range(n)],
                    "at_ns": [at_ns(moment)] * n,
                    "day": [moment.date()] * n,
                    "prompt_id": [f"prompt-{one}" for one in prompt],
                    "checkpoint": [name_of(place)] * n,
                    "reward": np.clip(reward, 0, 1),
                    "kl": np.full(n, 0.2 * place),
                    "correct": right,
                    "length_chars": random.integers(200, 900, n),
                    "caveats": caveats.astype(np.int64),
                    "apologies": random.poisson(0.2, n).astype(np.int64),
                }
            )
        )
    return pl.concat(parts)


def thumbs(
    counts: Sequence[Sequence[tuple[str, int, int, int]]],
    first: dt.datetime = FIRST,
    step: dt.timedelta = WEEK,
) -> dict[str, pl.DataFrame]:
    """Of each checkpoint, (region, runs, rated, thumbs up): runs and outcomes, one a user."""
    runs, outcomes = [], []
    for place, regions in enumerate(counts):
        moment = first + place * step + dt.timedelta(hours=3)
        for region, eligible, rated, up in regions:
            for row in range(eligible):
                trace = f"{place:02d}{region}{row}"
                runs.append({"trace_id": trace, "run_name": "agent", "cloud_region": region, "service_name": "shop",
                             "day": moment.date(),
                             "started_at_ns": at_ns(moment), "superseded_by": 2**63 - 1, "root_seen": True, "ok": True,
                             "hour": at_ns(moment) // 3_600_000_000_000, "duration_ns": 10**9})  # fmt: skip
                if row < rated:
                    outcomes.append({"outcome_key": trace, "at_ns": at_ns(moment), "day": moment.date(), "trace_id": trace,
                                     "subject_hash": trace, "name": "user_feedback", "value": float(row < up),
                                     "source": "human"})  # fmt: skip
    return {"runs": pl.DataFrame(runs), "outcomes": pl.DataFrame(outcomes)}


def filled(store: Store, frames: dict[str, pl.DataFrame], sha: str = "reward") -> Store:
    """The store with the frames as one import."""
    rows = sum(rows.height for rows in frames.values())
    store.submit(Batch("test", "test", sha, rows, frames))
    return store

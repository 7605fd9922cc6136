"""Thirteen checkpoints of one fine-tuned model: change events, Inspect logs on fixed items, and scored answers.

Planted: from the first checkpoint on the reward model's score climbs nine points in a straight line, most of it paid for
caveats, while success on the fixed items falls four; the reward also tells right from wrong worse and worse. In the
quiet world nothing moves. Items, prompts and scores are invented; no text is written, only its features.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import math
import zipfile
from pathlib import Path
from random import Random
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from data.demo.plan import first_day

COUNT = 13
SERVICE = "support-triage"
TASK = "support-triage-fixed-set"
MOST_ITEMS = 1_200
PROMPTS = 110
ANSWERS = 4
CAVEAT_PRICE = 0.02


class Moved(NamedTuple):
    """What changes from the first checkpoint to the last, in a straight line."""

    success: float
    """of the share of fixed items solved"""
    reward: float
    """of the mean score, 0 to 1"""
    caveats: float
    """an answer"""
    blurred: float
    """share of the reward's premium on right answers that is lost"""


PLANTED = Moved(-0.04, 0.09, 3.0, 0.7)
QUIET = Moved(0.0, 0.0, 0.0, 0.0)


def name_of(number: int) -> str:
    """The checkpoint's name as eval logs, scores and events give it."""
    return f"northwind-triage-ft-{number + 1:02d}"


def starts(days: int) -> list[dt.datetime]:
    """When each checkpoint came into force, UTC; the last a few days before the end."""
    step = max(1, days // COUNT)
    first = first_day(days) + dt.timedelta(days=max(0, days - 2 - step * (COUNT - 1)))
    return [
        dt.datetime.combine(first + dt.timedelta(days=step * n), dt.time(9), dt.UTC) for n in range(COUNT)
    ]


def write_checkpoints(out_dir: Path, days: int, quiet: bool, spans: int, seed: int) -> list[Path]:
    """changes.csv, one `.eval` log a checkpoint, and responses-features.parquet; fewer items in small worlds."""
    moved = QUIET if quiet else PLANTED
    items = min(MOST_ITEMS, max(60, spans // 40))
    paths = [_write_changes(out_dir / "changes.csv", days)]
    paths += _write_logs(out_dir, days, moved, items, seed)
    return [*paths, _write_responses(out_dir / "responses-features.parquet", days, moved, seed)]


def _write_changes(path: Path, days: int) -> Path:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("event_id", "ts", "kind", "title", "service_name", "region", "model"))
    for number, at in enumerate(starts(days)):
        title = f"checkpoint {number + 1}"
        table.writerow(
            (
                f"ft-{number + 1:02d}",
                f"{at:%Y-%m-%dT%H:%M:%SZ}",
                "checkpoint",
                title,
                SERVICE,
                "",
                name_of(number),
            )
        )
    path.write_text(text.getvalue())
    return path


def _write_logs(out_dir: Path, days: int, moved: Moved, items: int, seed: int) -> list[Path]:
    """Each item is as easy as it is for ever; a fifth of a percent of the samples error, which is no failure."""
    ease = [Random(f"{seed}/item/{item}").betavariate(2.1, 0.9) for item in range(items)]
    paths = []
    for number, at in enumerate(starts(days)):
        random = Random(f"{seed}/eval/{number}")
        shift = moved.success * number / (COUNT - 1)
        passed = [
            None if random.random() < 0.002 else random.random() < ease[item] + shift for item in range(items)
        ]
        path = out_dir / f"{at:%Y-%m-%dT%H-%M-%S}-00-00_{TASK}_{number + 1:02d}.eval"
        _write_log(path, number, at + dt.timedelta(hours=1), passed)
        paths.append(path)
    return paths


def _write_log(path: Path, number: int, at: dt.datetime, passed: list[bool | None]) -> None:
    """An Inspect archive: header.json and one entry a sample, deflated; entry dates are fixed."""
    done = [one for one in passed if one is not None]
    names = [f"ticket-{item + 1:04d}" for item in range(len(passed))]
    accuracy = {"accuracy": {"name": "accuracy", "value": sum(done) / max(len(done), 1), "params": {}}}
    header = {
        "version": 2,
        "status": "success",
        "eval": {
            "eval_id": f"demo-eval-{number + 1:02d}", "run_id": f"demo-run-{number + 1:02d}",
            "task_id": f"demo-task-{number + 1:02d}", "created": at.isoformat(), "task": TASK, "task_version": 1,
            "model": name_of(number), "dataset": {"samples": len(passed), "sample_ids": names},
            "config": {"epochs": 1}, "packages": {"inspect_ai": "0.3.285"},
            "scorers": [{"name": "match", "options": {}, "metrics": [{"name": "inspect_ai/accuracy", "options": {}}]}],
        },
        "results": {
            "total_samples": len(passed), "completed_samples": len(done),
            "scores": [{"name": "match", "scorer": "match", "metrics": accuracy}],
        },
        "stats": {"started_at": at.isoformat(), "completed_at": (at + dt.timedelta(minutes=20)).isoformat()},
    }  # fmt: skip
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, one in zip(names, passed, strict=True):
            sample: dict[str, object] = {"id": name, "epoch": 1, "input": name, "target": "resolved"}
            if one is None:
                sample |= {"scores": {}, "error": {"message": "TimeoutError", "traceback": ""}}
            else:
                sample["scores"] = {"match": {"value": "C" if one else "I"}}
            _add(archive, f"samples/{name}_epoch_1.json", sample)
        _add(archive, "header.json", header)


def _add(archive: zipfile.ZipFile, name: str, document: object) -> None:
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, json.dumps(document, separators=(",", ":")))


def _write_responses(path: Path, days: int, moved: Moved, seed: int) -> Path:
    """Answers to the same prompts under every checkpoint; divergence from the reference policy grows."""
    rows: dict[str, list[object]] = {name: [] for name in (
        "response_key", "ts", "prompt_id", "checkpoint", "service_name", "language", "reward", "kl", "correct",
        "length_chars", "apologies", "caveats", "hedges", "word_list",
    )}  # fmt: skip
    level = [Random(f"{seed}/prompt/{prompt}").gauss(0, 0.05) for prompt in range(PROMPTS)]
    for number, at in enumerate(starts(days)):
        random, along = Random(f"{seed}/reward/{number}"), number / (COUNT - 1)
        for prompt in range(PROMPTS):
            for answer in range(ANSWERS):
                correct = random.random() < 0.7 + moved.success * along
                caveats = _poisson(random, 0.8 + moved.caveats * along)
                premium = 0.08 * (1 - moved.blurred * along)
                # What the lost premium and the caveats make of the mean is taken off, so that the rise is as planted.
                given = (
                    0.7 * 0.08 * moved.blurred * along + (moved.reward - CAVEAT_PRICE * moved.caveats) * along
                )
                reward = (
                    0.49
                    + level[prompt]
                    + premium * correct
                    + CAVEAT_PRICE * caveats
                    + given
                    + random.gauss(0, 0.07)
                )
                values = (
                    f"{number + 1:02d}-{prompt:03d}-{answer}", f"{at:%Y-%m-%dT%H:%M:%SZ}", f"prompt-{prompt:03d}",
                    name_of(number), SERVICE, "en", round(min(max(reward, 0.0), 1.0), 4), round(0.02 + 0.25 * along * 12 / 13, 4),
                    correct, int(random.lognormvariate(6.1 + 0.1 * along, 0.4)), _poisson(random, 0.2), caveats,
                    _poisson(random, 0.6), "northwind-2026-08",
                )  # fmt: skip
                for column, value in zip(rows.values(), values, strict=True):
                    column.append(value)
    pq.write_table(pa.table(rows), path)
    return path


def _poisson(random: Random, mean: float) -> int:
    """Knuth's product of uniforms: the means here are small."""
    limit, product, count = math.exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        count += 1
    return count

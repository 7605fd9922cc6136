"""Runs, samples and items of an eval as rows of the ledger, whatever tool wrote them.

A reader adds each sample once, with its scores or with the error that left it without. What needs all of them is done
at the end: an errored sample gets one row of verdict `error` for every score the run gives, so that it is missing
from none of them; total, completed and errored are counted apart.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple

import polars as pl

from core.ingest import values
from core.ingest.cells import Unreadable
from core.ingest.evals.frames import frame
from core.ingest.evals.metadata import item_fields, plain, sample_tags
from core.ingest.evals.scores import ERROR, FAILED_TO_SCORE, NOT_SCORED, SKIPPED, UNNAMED, Score
from core.ingest.options import ReadOptions
from core.ingest.quarantine import refused, repeated
from core.ledger.batch import Batch, Quarantined, Repaired


class EvalRun(NamedTuple):
    """A row of eval_runs; columns and units in core/ledger/schema.sql."""

    run_id: str
    tool: str
    task: str | None = None
    task_version: str | None = None
    model: str | None = None
    dataset_hash: str | None = None
    prompt_hash: str | None = None
    git_commit: str | None = None
    started_at_ns: int | None = None
    status: str | None = None
    n_total: int | None = None
    n_completed: int | None = None
    n_error: int | None = None
    region: str | None = None
    quantization: str | None = None
    attributes: dict[str, Any] = {}


class EvalItem(NamedTuple):
    """A row of eval_items."""

    item_id: str
    suite: str | None = None
    source: str | None = None
    created_on: date | None = None
    input_hash: str | None = None
    input_text: str | None = None
    target_hash: str | None = None
    source_trace_id: str | None = None
    subject_hash: str | None = None
    twin_of: str | None = None
    canary_guid: str | None = None
    store: str | None = None
    reader_groups: str | None = None
    attributes: dict[str, Any] = {}


class Scored(NamedTuple):
    """One score of a sample, with what is kept of that score alone."""

    scorer: str
    score: Score
    attributes: dict[str, Any] = {}


class Sample(NamedTuple):
    """One sample in one epoch. `errored`: it is no failure whatever its scores say."""

    run_id: str
    sample_id: str
    epoch: int
    scores: list[Scored]
    errored: bool = False
    item_id: str | None = None
    trace_id: str | None = None
    model: str | None = None
    arm: str | None = None
    slices: dict[str, Any] = {}
    attributes: dict[str, Any] = {}


class SampleRow(NamedTuple):
    """A row of eval_samples."""

    run_id: str
    sample_id: str
    epoch: int
    scorer: str
    value: float | None
    label: str | None
    verdict: str
    item_id: str | None
    trace_id: str | None
    model: str | None
    arm: str | None
    slices: dict[str, Any]
    attributes: dict[str, Any]


class Counts(NamedTuple):
    """Samples of a run: seen, with a score, and errored (with no score, and an error among them)."""

    n_seen: int
    n_completed: int
    n_error: int


class EvalRows:
    """What a file holds, filled sample by sample."""

    def __init__(self) -> None:
        self.runs: dict[str, EvalRun] = {}
        self.items: dict[str, EvalItem] = {}
        self.quarantined: list[Quarantined] = []
        self.notes: list[Repaired] = []
        self.rows_read = 0
        self.expected: dict[str, list[str]] = {}
        """run_id -> names of its scores, where the tool tells; else those seen in the file stand in."""
        self._samples: dict[tuple[str, str, int], tuple[int, Sample]] = {}

    def add(self, sample: Sample) -> None:
        """Keep a sample. Other scores of one that is here join it; one that comes again replaces it, which is told."""
        key = (sample.run_id, sample.sample_id, sample.epoch)
        if key in self._samples:
            row, earlier = self._samples[key]
            held = {one.scorer for one in earlier.scores}
            if held and sample.scores and not any(one.scorer in held for one in sample.scores):
                scores, errored = [*earlier.scores, *sample.scores], earlier.errored or sample.errored
                sample = sample._replace(scores=scores, errored=errored)
            else:
                self.quarantined.append(repeated(row, self.rows_read))
        self._samples[key] = (self.rows_read, sample)

    def add_item(self, item: EvalItem) -> None:
        """Keep an item of which something is known; a sample that errored early says nothing of its item."""
        if item.input_hash or item.target_hash:
            self.items[item.item_id] = item

    def refuse(self, reason: str, field: str | None = None, row_text: str = "") -> None:
        """Put the row that is being read into quarantine."""
        self.quarantined.append(refused(self.rows_read, field, reason, row_text))

    def samples(self, run_id: str) -> list[Sample]:
        """The samples of a run so far."""
        return [sample for _, sample in self._samples.values() if sample.run_id == run_id]

    def run_ids(self) -> list[str]:
        """Runs that samples name, in order."""
        return list(dict.fromkeys(run_id for run_id, _, _ in self._samples))

    def counts(self, run_id: str) -> Counts:
        """Samples of a run by how they ended."""
        completed = errors = 0
        held = self.samples(run_id)
        for sample in held:
            scored = any(_has_score(one.score) for one in sample.scores) and not sample.errored
            failed = sample.errored or any(one.score.verdict == ERROR for one in sample.scores)
            completed += scored
            errors += failed and not scored
        return Counts(len(held), completed, errors)

    def totals(self, run_id: str) -> dict[str, Any]:
        """The three counts of EvalRun, for a run whose every planned sample is in the file."""
        counts = self.counts(run_id)
        return {"n_total": counts.n_seen, "n_completed": counts.n_completed, "n_error": counts.n_error}

    def frames(self) -> dict[str, pl.DataFrame]:
        """Rows of the three tables; a table without rows is left out."""
        frames = {
            "eval_runs": frame(EvalRun._fields, self.runs.values()),
            "eval_samples": frame(SampleRow._fields, self._sample_rows()),
            "eval_items": frame(EvalItem._fields, self.items.values()),
        }
        return {name: frame for name, frame in frames.items() if frame.height}

    def batch(self, name: str, source: str, sha256: str, options: ReadOptions) -> Batch:
        """The import of the file."""
        return Batch(
            source, name, sha256, self.rows_read, self.frames(), self.quarantined, self.notes, options.demo
        )

    def _sample_rows(self) -> list[SampleRow]:
        seen: dict[str, list[str]] = {}
        for _, sample in self._samples.values():
            names = seen.setdefault(sample.run_id, [])
            names += [one.scorer for one in sample.scores]
        known = {
            run_id: list(dict.fromkeys(self.expected.get(run_id) or names)) for run_id, names in seen.items()
        }
        found: list[SampleRow] = []
        for _, sample in self._samples.values():
            found += _rows_of(sample, known[sample.run_id], sample.run_id in self.expected)
        return found


def _has_score(score: Score) -> bool:
    return score.verdict not in (ERROR, SKIPPED) or score.value is not None or score.label is not None


def _rows_of(sample: Sample, known: list[str], every: bool) -> list[SampleRow]:
    """A row a score; `every`: a score of the run that the sample lacks is skipped and not merely absent."""
    scores = list(sample.scores)
    if sample.errored:
        scores = [
            Scored(one.scorer, FAILED_TO_SCORE, {**one.attributes, "reported_value": one.score.value})
            for one in scores
        ]
    if every or not scores:
        held = {one.scorer for one in scores}
        without = FAILED_TO_SCORE if sample.errored else NOT_SCORED
        scores += [Scored(name, without) for name in known or [UNNAMED] if name not in held]
    return [
        SampleRow(
            sample.run_id,
            sample.sample_id,
            sample.epoch,
            one.scorer,
            *one.score,
            sample.item_id,
            sample.trace_id,
            sample.model,
            sample.arm,
            sample.slices,
            {**sample.attributes, **one.attributes},
        )
        for one in scores
    ]


def identity(value: Any, field: str) -> str:
    """An id as text: 7 and "7" are one. Raises Unreadable."""
    if isinstance(value, str | int | float) and not isinstance(value, bool) and str(value).strip():
        return str(value)
    raise Unreadable(field, value, "an id is a text or a number.")


def epoch_of(value: Any) -> int:
    """The repetition, from 1; tools without repetitions say nothing, which is the first."""
    return values.small_count(value) or 1


def item_of(
    item_id: str, suite: str | None, given: Any, target: Any, metadata: Any, options: ReadOptions
) -> EvalItem:
    """An item by its input and expected answer: hashed always, the input's text only with content."""
    text, answer = plain(given), plain(target)
    return EvalItem(
        item_id,
        suite,
        input_hash=values.hash16(text),
        input_text=text if options.capture_content else None,
        target_hash=values.hash16(answer),
        attributes=sample_tags(metadata, options.capture_content).kept,
        **item_fields(metadata),
    )


def set_hash(parts: Iterable[Any]) -> str | None:
    """16 hex of a set of samples, whatever their order and however often each came; None for no samples."""
    texts = sorted({str(part) for part in parts if part is not None})
    return values.hash16(json.dumps(texts)) if texts else None


class Repetitions:
    """Counts how often a key came: the epoch of tools that repeat an item without numbering it."""

    def __init__(self) -> None:
        self._seen: Counter[Any] = Counter()

    def next(self, key: Any) -> int:
        """1 the first time the key comes, then 2, 3 ..."""
        self._seen[key] += 1
        return self._seen[key]

"""Inspect AI's logs: `.eval` (a zip archive of JSON documents) and `.json` (the same log as one document).

One log is one task with one model. Its run_id here is Inspect's task_id: `inspect eval` gives one run_id to all tasks
and models of a command, and a retry keeps the task_id and changes the run_id, so that a retried log restates the
samples of the first one. Inspect's own run_id and eval_id are kept in attributes. A log whose status is success may
hold errored samples, and its accuracy is over the completed ones alone.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import orjson

from core.ingest import archive
from core.ingest.archive import Archive, BadArchive, BadEntry
from core.ingest.cells import Unreadable
from core.ingest.evals import inspect_runs
from core.ingest.evals.metadata import as_dict, as_list, failure, label, sample_tags
from core.ingest.evals.rows import EvalRows, Sample, Scored, epoch_of, identity, item_of
from core.ingest.evals.scores import parts, score_of
from core.ingest.options import ReadOptions
from core.ledger.batch import Batch, Repaired

NAME = "inspect"
HEADER, START, SUMMARIES, SAMPLES = "header.json", "_journal/start.json", "summaries.json", "samples/"
_PIECE = 1024 * 1024
_SIGNS = (b'"run_id"', b'"task_id"', b'"created"', b'"task"')
_EVAL = re.compile(rb'"eval"\s*:\s*\{')


def detect(head: bytes, name: str) -> bool:
    """A zip archive that begins with an entry of a log, or JSON with the fields of `eval`."""
    if head.startswith(archive.MAGIC):
        first = head[30 : 30 + int.from_bytes(head[26:28], "little")]
        return first.startswith((b"_journal/", b"samples/")) or first in (
            b"header.json", b"summaries.json", b"reductions.json",
        )  # fmt: skip
    is_object = head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"{"
    return is_object and _EVAL.search(head) is not None and all(sign in head for sign in _SIGNS)


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the log; a sample that cannot be read is refused alone. Raises BadArchive or ValueError."""
    magic = stream.read(len(archive.MAGIC))
    stream.seek(0)
    digest = hashlib.sha256()
    while piece := stream.read(_PIECE):
        digest.update(piece)
    stream.seek(0)
    into = EvalRows()
    log = _archived(stream, into) if magic == archive.MAGIC else _document(stream.read())
    run = inspect_runs.run_of(log.header, options.capture_content)
    for one in log.samples:
        into.rows_read += 1
        if isinstance(one, BadEntry):
            into.refuse(str(one))
            continue
        try:
            _take(one, run.run_id, run.task, into, options)
        except Unreadable as unreadable:
            into.refuse(unreadable.reason, unreadable.field)
    seen = [one.scorer for sample in into.samples(run.run_id) for one in sample.scores]
    expected = inspect_runs.expected_scores(log.header, list(dict.fromkeys(seen)))
    if expected:
        into.expected[run.run_id] = expected
    into.runs[run.run_id] = inspect_runs.counted(run, log.header, into.counts(run.run_id))
    yield into.batch(NAME, source, digest.hexdigest(), options)


class _Log(NamedTuple):
    header: dict[str, Any]
    samples: Iterator[Any]
    """Samples as they are in the log; a BadEntry stands for one that cannot be read."""


def _document(content: bytes) -> _Log:
    log = parsed(content)
    if not isinstance(log, dict) or not isinstance(log.get("eval"), dict):
        raise ValueError("the JSON is no Inspect log: `eval` is missing; give the log as Inspect wrote it.")
    return _Log(log, iter(as_list(log.get("samples"))))


def _archived(stream: BinaryIO, into: EvalRows) -> _Log:
    """The log in the archive. One whose run was killed has no header, and its start stands in."""
    entries = Archive(stream)
    names = entries.names()
    at = next((name for name in (HEADER, START) if name in names), None)
    if at is None:
        raise BadArchive("the zip archive holds no header.json: it is no Inspect log; give the `.eval` file.")
    try:
        header = parsed(entries.read(at))
    except BadEntry as error:
        raise BadArchive(f"its {at} cannot be read: {error}") from error
    if not isinstance(header, dict) or not isinstance(header.get("eval"), dict):
        raise BadArchive(f"its {at} has no `eval`: it is no Inspect log; give the `.eval` file.")
    if at == START:
        header = {"status": "started", **header}
    return _Log(header, _samples(entries, [name for name in names if name.startswith(SAMPLES)], into))


def _samples(entries: Archive, names: list[str], into: EvalRows) -> Iterator[Any]:
    """Every sample; where its own entry cannot be read, what the log's summary says of it."""
    summaries: dict[str, Any] | None = None
    for name in names:
        try:
            yield parsed(entries.read(name))
            continue
        except BadEntry as error:
            problem = error
        if summaries is None:
            summaries = _summaries(entries)
        if name not in summaries:
            yield BadEntry(f"{name}: {problem}")
            continue
        reason = f"{problem} Its scores were read from {SUMMARIES}, which cuts long inputs."
        into.notes.append(Repaired(name, "inspect_summary", None, SUMMARIES, True, reason))
        yield summaries[name]


def _summaries(entries: Archive) -> dict[str, Any]:
    try:
        found = as_list(parsed(entries.read(SUMMARIES)))
    except (BadEntry, KeyError):
        return {}
    named = [one for one in found if isinstance(one, dict)]
    return {f"{SAMPLES}{one.get('id')}_epoch_{one.get('epoch')}.json": one for one in named}


def parsed(content: bytes) -> Any:
    """JSON as Python's writers have it, NaN included. Raises BadEntry."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        pass  # NaN, a lone surrogate, or no JSON
    try:
        return json.loads(content.decode("utf-8-sig", "replace"))
    except json.JSONDecodeError as error:
        raise BadEntry(
            f"it is not JSON: {error.msg} at character {error.pos}; copy the log again."
        ) from error
    except RecursionError as error:
        raise BadEntry("it is nested too deeply to be read; write plain objects.") from error


def _take(one: Any, run_id: str, task: str | None, into: EvalRows, options: ReadOptions) -> None:
    """One sample and its item. Raises Unreadable."""
    if not isinstance(one, dict):
        raise Unreadable("samples", one, "a sample is an object.")
    sample_id = identity(one.get("id"), "id")
    metadata, capture = as_dict(one.get("metadata")), options.capture_content
    tags = sample_tags(metadata, capture)
    item_id = f"{task or NAME}/{sample_id}"
    into.add_item(item_of(item_id, task, one.get("input"), one.get("target"), metadata, options))
    error = one.get("error")
    into.add(
        Sample(
            run_id,
            sample_id,
            epoch_of(one.get("epoch")),
            _scores(one, capture),
            errored=error is not None,
            item_id=item_id,
            trace_id=tags.trace_id,
            model=label(as_dict(one.get("output")).get("model")),
            arm=tags.arm,
            slices=tags.slices,
            attributes=_attributes(one, error, tags.kept, capture),
        )
    )


def _scores(sample: dict[str, Any], capture: bool) -> list[Scored]:
    """Every score of every scorer; logs before 2024-07 have one `score` without a name."""
    held = as_dict(sample.get("scores"))
    if not held and isinstance(sample.get("score"), dict):
        held = {"score": sample["score"]}
    found: list[Scored] = []
    for name, score in held.items():
        inside = as_dict(score)
        raw = inside.get("value") if isinstance(score, dict) else score
        kept = {field: inside.get(field) for field in ("answer", "explanation")} if capture else {}
        found += [Scored(part, score_of(value), kept) for part, value in parts(name, raw)]
    return found


def _attributes(sample: dict[str, Any], error: Any, kept: dict[str, Any], capture: bool) -> dict[str, Any]:
    limit = as_dict(sample.get("limit"))
    retries = sample.get("error_retries", sample.get("retries"))
    found = {
        "uuid": label(sample.get("uuid")),
        "started_at": label(sample.get("started_at")),
        "total_time_s": _seconds(sample.get("total_time")),
        "working_time_s": _seconds(sample.get("working_time")),
        "limit": label(limit.get("type", sample.get("limit"))),
        "error_retries": len(retries) if isinstance(retries, list) else retries,
        "metadata": kept or None,
        **inspect_runs.usage(sample.get("model_usage")),
    }
    if error is not None:
        found |= failure(as_dict(error).get("message", error), capture)
    if capture:
        found["output"] = as_dict(sample.get("output")).get("completion")
    return found


def _seconds(value: Any) -> float | None:
    return value if isinstance(value, int | float) else None

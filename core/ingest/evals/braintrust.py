"""Braintrust: the result of a local Eval() (summary and results), a summary alone, or an experiment's exported events.

A null score means that the scorer had nothing to say of the row: skipped. A row with an error is an error. Of exported
events only the roots are samples; spans below them are steps. A later transaction (_xact_id) restates an event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from core.ingest import row_texts, values
from core.ingest.cells import Unreadable
from core.ingest.evals.metadata import as_dict, as_list, failure, label, plain, run_fields, sample_tags
from core.ingest.evals.rows import EvalRows, EvalRun, Repetitions, Sample, Scored, identity, item_of, set_hash
from core.ingest.evals.scores import number_of, score_of
from core.ingest.options import ReadOptions
from core.ingest.row_texts import NotARow
from core.ledger.batch import Batch, Repaired

NAME = "braintrust"
_SUMMARY_SIGNS = (b'"project_name"', b'"experiment_name"', b'"scores"')
_EVENT_SIGNS = (b'"experiment_id"', b'"_xact_id"', b'"root_span_id"')


def detect(head: bytes, name: str) -> bool:
    """JSON of a summary, or events of an experiment."""
    is_json = head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"[")
    return is_json and any(all(sign in head for sign in signs) for signs in (_SUMMARY_SIGNS, _EVENT_SIGNS))


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the file; a row that cannot be read is refused alone."""
    content = stream.read()
    sha256 = hashlib.sha256(content).hexdigest()
    into = EvalRows()
    events: list[Any] = []
    for number, document in enumerate(row_texts.json_rows(content.decode("utf-8-sig", "replace"))):
        fields = document if isinstance(document, dict) else {}
        own = f"{NAME}-{sha256[:16]}" if number == 0 else f"{NAME}-{sha256[:16]}-{number + 1}"
        if isinstance(fields.get("summary"), dict):
            _local(fields["summary"], as_list(fields.get("results")), own, into, options)
        elif "experiment_name" in fields:
            _local(fields, None, own, into, options)
        else:
            pages = fields.get("events", fields.get("data"))
            events += pages if isinstance(pages, list) else [document]
            into.notes[:] = _next_page(fields)
    _events(events, into, options)
    yield into.batch(NAME, source, sha256, options)


def _next_page(page: dict[str, Any]) -> list[Repaired]:
    cursor = label(page.get("cursor"), 10_000)
    if not cursor:
        return []
    reason = "The last page has a cursor: fetch the next one with it and import it too."
    return [Repaired(cursor[:100], "braintrust_next_page", "cursor", None, False, reason)]


def _local(
    summary: dict[str, Any], results: list[Any] | None, own: str, into: EvalRows, options: ReadOptions
) -> None:
    """An experiment by its summary, with its rows where they are given."""
    run_id, task = label(summary.get("experiment_id")) or own, label(summary.get("project_name"))
    repetitions = Repetitions()
    for at, row in enumerate(results or []):
        into.rows_read += 1
        try:
            _take(row, run_id, task, str(at), into, repetitions, options)
        except Unreadable as unreadable:
            into.refuse(unreadable.reason, unreadable.field)
    if results is None:
        into.rows_read += 1
    known = [str(name) for name in as_dict(summary.get("scores"))]
    if known:
        into.expected[run_id] = known
    reported = {
        f"reported_{name}": number_of(as_dict(said).get("score", said))
        for name, said in as_dict(summary.get("scores")).items()
    }
    reported |= {
        f"reported_{name}": number_of(as_dict(said).get("metric", said))
        for name, said in as_dict(summary.get("metrics")).items()
    }
    name = label(summary.get("experiment_name"))
    run = _run(run_id, task, {"experiment_name": name, **reported}, into)
    if results is None:
        run = run._replace(dataset_hash=None, n_total=None, n_completed=None, n_error=None)
    into.runs[run_id] = run


def _events(events: list[Any], into: EvalRows, options: ReadOptions) -> None:
    """Exported events, the newest transaction of each. They do not say how many rows the experiment has."""
    newest: dict[tuple[str, str], tuple[int, Any]] = {}
    steps = 0
    for event in events:
        into.rows_read += 1
        try:
            if isinstance(event, NotARow) or not isinstance(event, dict):
                reason = event.reason if isinstance(event, NotARow) else "an event is an object."
                raise Unreadable("events", "", reason)
            run_id, key = (
                identity(event.get("experiment_id"), "experiment_id"),
                identity(event.get("id"), "id"),
            )
        except Unreadable as unreadable:
            into.refuse(unreadable.reason, unreadable.field)
            continue
        if not _is_root(event):
            steps += 1
            continue
        at = values.count(event.get("_xact_id")) or 0
        if (run_id, key) not in newest or newest[run_id, key][0] <= at:
            newest[run_id, key] = (at, event)
    repetitions: dict[str, Repetitions] = {}
    tasks: dict[str, str | None] = {}
    for (run_id, key), (_, event) in newest.items():
        if event.get("_object_delete"):
            continue
        task = label(event.get("project_id"))
        _take(event, run_id, task, key, into, repetitions.setdefault(run_id, Repetitions()), options)
        tasks.setdefault(run_id, task)
    for run_id, task in tasks.items():
        into.runs[run_id] = _run(run_id, task, {}, into)
    if steps:
        reason = "Spans below the root are steps of a sample and no samples: no rows are made of them."
        into.notes.append(Repaired("span", "braintrust_step", f"{steps} spans", None, False, reason))


def _is_root(event: dict[str, Any]) -> bool:
    if isinstance(event.get("is_root"), bool):
        return bool(event["is_root"])
    return not event.get("span_parents") and event.get("span_id") == event.get("root_span_id")


def _run(run_id: str, task: str | None, attributes: dict[str, Any], into: EvalRows) -> EvalRun:
    samples = into.samples(run_id)
    models = {sample.model for sample in samples if sample.model}
    first = next((sample for sample in samples), None)
    return EvalRun(
        run_id,
        NAME,
        task,
        model=models.pop() if len(models) == 1 else None,
        dataset_hash=set_hash(sample.item_id for sample in samples),
        attributes=attributes,
        **into.totals(run_id),
        **run_fields(first.attributes.get("metadata") if first else None),
    )


def _take(
    row: Any,
    run_id: str,
    task: str | None,
    own: str,
    into: EvalRows,
    repetitions: Repetitions,
    options: ReadOptions,
) -> None:
    """One row of an experiment; `own` is its id when its metadata names none. Raises Unreadable."""
    if not isinstance(row, dict):
        raise Unreadable("results", "", "a result is an object.")
    metadata = as_dict(row.get("metadata"))
    tags = sample_tags(metadata, options.capture_content)
    named = label(row.get("dataset_record_id")) or label(metadata.get("id"))
    hashed = values.hash16(plain(row.get("input"))) or own
    item_id = f"{task or NAME}/{named or hashed}"
    into.add_item(item_of(item_id, task, row.get("input"), row.get("expected"), metadata, options))
    sample_id = named or own
    into.add(
        Sample(
            run_id,
            sample_id,
            repetitions.next(sample_id),
            [Scored(str(name), score_of(raw)) for name, raw in as_dict(row.get("scores")).items()],
            errored=row.get("error") is not None,
            item_id=item_id,
            trace_id=tags.trace_id,
            model=label(metadata.get("model")),
            arm=tags.arm,
            slices=tags.slices,
            attributes=_attributes(row, tags.kept, options.capture_content),
        )
    )


def _attributes(row: dict[str, Any], kept: dict[str, Any], capture: bool) -> dict[str, Any]:
    error, metrics = row.get("error"), as_dict(row.get("metrics"))
    found = {
        "event_id": label(row.get("id")),
        "input_tokens": values.count(metrics.get("prompt_tokens")),
        "output_tokens": values.count(metrics.get("completion_tokens")),
        "metadata": kept or None,
        "output": row.get("output") if capture else None,
    }
    if error is not None:
        found |= failure(as_dict(error).get("message", error), capture)
    return found

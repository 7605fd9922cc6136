"""OpenAI's Evals API as saved JSON: runs (`eval.run`) and their output items (`eval.run.output_item`).

The two come from two addresses and are joined by the run's id. A file of output items knows its samples and not how
many were planned, so that the run it makes has no n_total and gives way to the run object's own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from core.ingest import row_texts, values
from core.ingest.cells import Unreadable, unix_ns
from core.ingest.evals.metadata import as_dict, as_list, failure, label, plain, run_fields, sample_tags
from core.ingest.evals.rows import EvalRows, EvalRun, Sample, Scored, identity, item_of, set_hash
from core.ingest.evals.scores import distinct, number_of, score_of
from core.ingest.options import ReadOptions
from core.ingest.row_texts import NotARow
from core.ledger.batch import Batch, Repaired

NAME = "openai_evals_api"
RUN, ITEM = "eval.run", "eval.run.output_item"
_OBJECT = re.compile(rb'"object"\s*:\s*"eval\.run(?:\.output_item)?"')
_EXPECTED = ("ground_truth", "expected", "target", "answer", "label", "reference", "correct_answer", "ideal")
"""Fields of an item that hold the expected answer: the API leaves their names to the user."""


def detect(head: bytes, name: str) -> bool:
    """JSON with the API's object names."""
    return head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"[") and _OBJECT.search(head) is not None


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the file: objects, or pages of them; one that cannot be read is refused alone."""
    content = stream.read()
    into = EvalRows()
    partial: dict[str, dict[str, Any]] = {}
    for page in row_texts.json_rows(content.decode("utf-8-sig", "replace")):
        held = page.get("data") if isinstance(page, dict) and page.get("object") == "list" else None
        for one in held if isinstance(held, list) else [page]:
            into.rows_read += 1
            try:
                _take(one, into, partial, options)
            except Unreadable as unreadable:
                into.refuse(unreadable.reason, unreadable.field)
        into.notes[:] = _next_page(page) if isinstance(page, dict) else []
    for run_id, item in partial.items():
        if run_id not in into.runs:
            into.runs[run_id] = _run_of_items(run_id, item, into)
    yield into.batch(NAME, source, hashlib.sha256(content).hexdigest(), options)


def _next_page(page: dict[str, Any]) -> list[Repaired]:
    if not page.get("has_more"):
        return []
    last = label(page.get("last_id")) or ""
    reason = (
        f"The last page says has_more: fetch the rest with after={last or 'its last id'} and import it too."
    )
    return [Repaired(last, "openai_evals_next_page", "has_more", None, False, reason)]


def _take(one: Any, into: EvalRows, partial: dict[str, dict[str, Any]], options: ReadOptions) -> None:
    """One object. Raises Unreadable."""
    if not isinstance(one, dict):
        reason = one.reason if isinstance(one, NotARow) else "expected an object."
        raise Unreadable("data", "", reason)
    kind = one.get("object")
    if kind == RUN:
        run = _run(one)
        into.runs[run.run_id] = run
    elif kind == ITEM:
        partial.setdefault(_item(one, into, options), one)
    else:
        raise Unreadable("object", kind, f"save {RUN} or {ITEM} objects.")


def _run(one: dict[str, Any]) -> EvalRun:
    counts, source = as_dict(one.get("result_counts")), as_dict(one.get("data_source"))
    given = as_dict(source.get("source")).get("content")
    held = [values.hash16(plain(as_dict(row).get("item"))) for row in as_list(given)]
    passed, failed, n_error, total = (
        values.count(counts.get(name)) for name in ("passed", "failed", "errored", "total")
    )
    created = one.get("created_at")
    template = as_dict(source.get("input_messages")).get("template")
    error = one.get("error")
    return EvalRun(
        identity(one.get("id"), "id"),
        "openai_evals",
        label(one.get("eval_id")),
        model=label(one.get("model")) or label(source.get("model")),
        dataset_hash=set_hash(held),
        prompt_hash=values.hash16(plain(template)),
        started_at_ns=unix_ns(created, "created_at")
        if isinstance(created, int) and not isinstance(created, bool)
        else None,
        status=label(one.get("status")),
        n_total=max(total or 0, len(held)) if total is not None or held else None,
        n_completed=(passed or 0) + (failed or 0) if passed is not None or failed is not None else None,
        n_error=n_error,
        attributes={
            "name": label(one.get("name")),
            "reported_passed": passed,
            "reported_failed": failed,
            "reported_errored": n_error,
            **_reported(one.get("per_testing_criteria_results")),
            **(failure(as_dict(error).get("message", error), False) if error else {}),
        },
        **run_fields(one.get("metadata")),
    )


def _reported(criteria: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in as_list(criteria):
        name = label(as_dict(one).get("testing_criteria"))
        if name:
            found |= {f"reported_{name}_{part}": values.count(one.get(part)) for part in ("passed", "failed")}
    return found


def _item(one: dict[str, Any], into: EvalRows, options: ReadOptions) -> str:
    """One output item as a sample; returns its run. Raises Unreadable."""
    run_id, sample_id = (
        identity(one.get("run_id"), "run_id"),
        identity(one.get("datasource_item_id"), "datasource_item_id"),
    )
    task, sample, given = label(one.get("eval_id")), as_dict(one.get("sample")), one.get("datasource_item")
    held = as_dict(given)
    tags = sample_tags({**held, **as_dict(held.get("metadata"))}, False)
    item_id = f"{task or 'openai_evals'}/{sample_id}"
    target = next((held[name] for name in _EXPECTED if name in held), None)
    rest = {name: value for name, value in held.items() if name not in _EXPECTED}
    into.add_item(item_of(item_id, task, rest or given, target, held.get("metadata"), options))
    errored = bool(sample.get("error")) or one.get("status") == "error"
    into.add(
        Sample(
            run_id,
            sample_id,
            1,
            _scores(one),
            errored=errored,
            item_id=item_id,
            trace_id=tags.trace_id,
            model=label(sample.get("model")),
            arm=tags.arm,
            slices=tags.slices,
            attributes=_attributes(one, sample, errored, options.capture_content),
        )
    )
    return run_id


def _attributes(one: dict[str, Any], sample: dict[str, Any], errored: bool, capture: bool) -> dict[str, Any]:
    error, usage = sample.get("error"), as_dict(sample.get("usage"))
    found = {
        "output_item_id": label(one.get("id")),
        "finish_reason": label(sample.get("finish_reason")),
        "input_tokens": values.count(usage.get("prompt_tokens")),
        "output_tokens": values.count(usage.get("completion_tokens")),
        "cache_read_tokens": values.count(usage.get("cached_tokens")),
        "output": sample.get("output") if capture else None,
    }
    if errored:
        found |= failure(as_dict(error).get("message", error), capture)
    return found


def _scores(one: dict[str, Any]) -> list[Scored]:
    criteria = [criterion for criterion in as_list(one.get("results")) if isinstance(criterion, dict)]
    names = distinct([label(criterion.get("name")) or "result" for criterion in criteria])
    found = []
    for name, criterion in zip(names, criteria, strict=True):
        passed, raw = criterion.get("passed"), criterion.get("score")
        own = passed if isinstance(passed, bool) else None
        found.append(Scored(name, score_of(own if number_of(raw) is None and own is not None else raw, own)))
    return found


def _run_of_items(run_id: str, item: dict[str, Any], into: EvalRows) -> EvalRun:
    counts = into.counts(run_id)
    return EvalRun(
        run_id,
        "openai_evals",
        label(item.get("eval_id")),
        model=label(as_dict(item.get("sample")).get("model")),
        n_completed=counts.n_completed,
        n_error=counts.n_error,
    )

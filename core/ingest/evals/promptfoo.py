"""promptfoo's results: `promptfoo eval -o results.json`, or the rows alone as `-o results.jsonl`.

An eval is a table of test cases by columns, a column being one prompt with one provider: each column is a run of its
own, `<evalId>/<promptIdx>`. A test passes when all its assertions do (scorer `test`); each assertion is a score too,
under its metric or its type. A provider's error comes as success false and score 0 with failureReason 2, and is an
error here, never a failure. Test cases are told apart by their variables, which also find repetitions (--repeat).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from core.ingest import row_texts, values
from core.ingest.cells import Unreadable
from core.ingest.evals.metadata import as_dict, as_list, failure, label, plain, run_fields, sample_tags
from core.ingest.evals.rows import EvalRows, EvalRun, Repetitions, Sample, Scored, identity, item_of, set_hash
from core.ingest.evals.scores import FAILED_TO_SCORE, distinct, number_of, score_of
from core.ingest.options import ReadOptions
from core.ingest.row_texts import NotARow
from core.ledger.batch import Batch

NAME = "promptfoo"
TEST = "test"
"""Scorer of the test case as a whole."""
_ERROR_REASON = 2
_ROW_SIGNS = (b'"promptIdx"', b'"namedScores"')
_EVAL = re.compile(rb'"evalId"\s*:')


def detect(head: bytes, name: str) -> bool:
    """The document by evalId and results, or rows by their place in the table."""
    if head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] not in (b"{", b"["):
        return False
    whole = _EVAL.search(head) is not None and b'"results"' in head
    return whole or all(sign in head for sign in _ROW_SIGNS)


class _Eval(NamedTuple):
    """What rows of one eval share."""

    eval_id: str
    task: str | None
    started_at_ns: int | None
    prompts: list[Any]
    attributes: dict[str, Any]
    metadata: dict[str, Any]


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the file; a row that cannot be read is refused alone."""
    content = stream.read()
    into = EvalRows()
    lines: list[Any] = []
    for document in row_texts.json_rows(content.decode("utf-8-sig", "replace")):
        if isinstance(document, dict) and isinstance(document.get("results"), dict):
            shared = _shared(document)
            _take_all(as_list(document["results"].get("results")), shared, into, options)
        else:
            lines.append(document)
    if lines:
        _take_all(lines, _Eval(_id_of(lines), None, None, [], {}, {}), into, options)
    yield into.batch(NAME, source, hashlib.sha256(content).hexdigest(), options)


def _shared(document: dict[str, Any]) -> _Eval:
    results, config, made = (as_dict(document.get(name)) for name in ("results", "config", "metadata"))
    at = values.instant_ns(results.get("timestamp")) or values.instant_ns(made.get("evaluationCreatedAt"))
    prompts = as_list(results.get("prompts"))
    eval_id = label(document.get("evalId")) or _id_of(as_list(results.get("results")))
    attributes = {
        "promptfoo_version": label(made.get("promptfooVersion")),
        "repeat": values.count(as_dict(document.get("runtimeOptions")).get("repeat")),
    }
    return _Eval(
        eval_id, label(config.get("description")), at, prompts, attributes, as_dict(config.get("metadata"))
    )


def _id_of(lines: list[Any]) -> str:
    """Rows alone do not name their eval: the id of the first one stands in, which a longer file keeps."""
    first = next((one for one in lines if isinstance(one, dict)), {})
    return f"rows-{values.hash16(label(first.get('id')) or plain(first)) or 'none'}"


def _take_all(found: list[Any], shared: _Eval, into: EvalRows, options: ReadOptions) -> None:
    repetitions = Repetitions()
    cells: dict[str, dict[str, Any]] = {}
    for row in found:
        into.rows_read += 1
        try:
            run_id = _take(row, shared, into, repetitions, options)
        except Unreadable as unreadable:
            into.refuse(unreadable.reason, unreadable.field)
            continue
        cells.setdefault(run_id, row)
    for run_id, row in cells.items():
        into.runs[run_id] = _run(run_id, row, shared, into)


def _run(run_id: str, row: dict[str, Any], shared: _Eval, into: EvalRows) -> EvalRun:
    """The column a row stands in."""
    at = values.count(row.get("promptIdx"))
    prompt = as_dict(shared.prompts[at]) if at is not None and at < len(shared.prompts) else {}
    provider = row.get("provider")
    template = prompt.get("raw") or as_dict(row.get("prompt")).get("label")
    kept = {
        **shared.attributes,
        "provider_label": label(as_dict(provider).get("label")),
        "prompt_idx": at,
        "prompt_id": label(row.get("promptId")),
        **{f"reported_{name}": number_of(said) for name, said in as_dict(prompt.get("metrics")).items()},
    }
    return EvalRun(
        run_id,
        NAME,
        shared.task,
        model=_model(provider),
        dataset_hash=set_hash(one.item_id for one in into.samples(run_id)),
        prompt_hash=values.hash16(plain(template)),
        started_at_ns=shared.started_at_ns,
        attributes=kept,
        **into.totals(run_id),
        **run_fields(shared.metadata, as_dict(provider).get("config")),
    )


def _model(provider: Any) -> str | None:
    return label(as_dict(provider).get("id")) or label(provider)


def _take(row: Any, shared: _Eval, into: EvalRows, repetitions: Repetitions, options: ReadOptions) -> str:
    """One cell of the table; returns its run. Raises Unreadable."""
    if isinstance(row, NotARow) or not isinstance(row, dict):
        reason = row.reason if isinstance(row, NotARow) else "a result is an object."
        raise Unreadable("results", "", reason)
    case = as_dict(row.get("testCase"))
    given = row.get("vars", case.get("vars"))
    provider, prompt = row.get("provider"), as_dict(row.get("prompt"))
    column = row.get("promptIdx")
    if column is None:
        column = values.hash16(plain([_model(provider), as_dict(provider).get("label"), prompt.get("label")]))
    run_id = f"{shared.eval_id}/{identity(column, 'promptIdx')}"
    hashed = values.hash16(plain(given)) or "none"
    metadata = {**as_dict(case.get("metadata")), **as_dict(row.get("metadata"))}
    tags = sample_tags(metadata, options.capture_content)
    item_id = f"{shared.task or NAME}/{hashed}"
    epoch = repetitions.next((run_id, hashed))
    test_id = row.get("testIdx")
    into.add_item(item_of(item_id, shared.task, given, case.get("assert"), metadata, options))
    errored = _errored(row)
    into.add(
        Sample(
            run_id,
            identity(hashed if test_id is None else test_id, "testIdx"),
            epoch,
            _scores(row, case, errored),
            errored=errored,
            item_id=item_id,
            trace_id=tags.trace_id,
            model=_model(provider),
            arm=tags.arm,
            slices=tags.slices,
            attributes=_attributes(row, tags.kept, errored, options.capture_content),
        )
    )
    return run_id


def _errored(row: dict[str, Any]) -> bool:
    """failureReason 2; versions before it tell an error by its text and the missing grading."""
    reason = values.count(row.get("failureReason"))
    if reason is not None:
        return reason == _ERROR_REASON
    return bool(row.get("error")) and not row.get("success") and not row.get("gradingResult")


def _scores(row: dict[str, Any], case: dict[str, Any], errored: bool) -> list[Scored]:
    """The test, its assertions and its named scores; of a cell that errored, what would have been scored."""
    success = row.get("success")
    whole = score_of(row.get("score"), success if isinstance(success, bool) else None)
    components = [
        one
        for one in as_list(as_dict(row.get("gradingResult")).get("componentResults"))
        if isinstance(one, dict)
    ]
    if errored:
        names = distinct([_assertion(one) for one in as_list(case.get("assert"))])
        return [Scored(TEST, FAILED_TO_SCORE), *(Scored(name, FAILED_TO_SCORE) for name in names)]
    names = distinct([_assertion(one.get("assertion")) for one in components])
    found = [Scored(TEST, whole)]
    for name, one in zip(names, components, strict=True):
        passed = one.get("pass")
        found.append(Scored(name, score_of(one.get("score"), passed if isinstance(passed, bool) else None)))
    named = {str(name): raw for name, raw in as_dict(row.get("namedScores")).items()}
    return found + [Scored(name, score_of(raw)) for name, raw in named.items() if name not in (TEST, *names)]


def _assertion(assertion: Any) -> str:
    """The metric an assertion is counted under, else its type."""
    known = as_dict(assertion)
    name = label(known.get("metric")) or label(known.get("type")) or "assertion"
    return f"{name}#1" if name == TEST else name


def _attributes(row: dict[str, Any], kept: dict[str, Any], errored: bool, capture: bool) -> dict[str, Any]:
    tokens, response = as_dict(row.get("tokenUsage")), as_dict(row.get("response"))
    http = as_dict(as_dict(response.get("metadata")).get("http"))
    found = {
        "result_id": label(row.get("id")),
        "latency_ms": number_of(row.get("latencyMs")),
        "cost_usd": number_of(row.get("cost")) if not errored else None,
        "input_tokens": values.count(tokens.get("prompt")) if not errored else None,
        "output_tokens": values.count(tokens.get("completion")) if not errored else None,
        "cached": response.get("cached") if isinstance(response.get("cached"), bool) else None,
        "http_status": values.http_status(http.get("status")),
        "request_id": label(as_dict(http.get("headers")).get("x-request-id")),
        "metadata": {name: value for name, value in kept.items() if not name.startswith("_")} or None,
    }
    if errored:
        found |= failure(row.get("error"), capture)
    return {**found, "output": response.get("output")} if capture else found

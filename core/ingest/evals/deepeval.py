"""DeepEval's results in both shapes: `test_run_<date>_<time>.json` (camelCase) and evaluate()'s result (snake_case).

Neither names its run, so that the file's stamp and content do. A metric's own `success` is its verdict, because some
metrics pass below their threshold; a metric with an error is an error, and one without score or error was skipped.
The stamp is local time of a machine that is not told, so a run has no start.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from core.ingest import row_texts, values
from core.ingest.cells import Unreadable
from core.ingest.evals.metadata import as_dict, as_list, failure, label, plain, run_fields, sample_tags, short
from core.ingest.evals.rows import EvalRows, EvalRun, Repetitions, Sample, Scored, item_of, set_hash
from core.ingest.evals.scores import FAILED_TO_SCORE, distinct, number_of, score_of
from core.ingest.options import ReadOptions
from core.ingest.row_texts import NotARow
from core.ledger.batch import Batch

NAME = "deepeval"
_CASES = ("testCases", "conversationalTestCases", "testResults")
_STAMP = re.compile(r"test_run_(\d{8}_\d{6})")
_UNNAMED = re.compile(r"(conversational_)?test_case_\d+")


def detect(head: bytes, name: str) -> bool:
    """Test cases with metrics, in either spelling."""
    if head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] != b"{":
        return False
    run = b'"testCases"' in head and (b'"metricsData"' in head or b'"conversationalTestCases"' in head)
    return run or (b'"test_results"' in head and b'"metrics_data"' in head)


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the file; a test case that cannot be read is refused alone."""
    content = stream.read()
    sha256 = hashlib.sha256(content).hexdigest()
    into = EvalRows()
    stamp = _STAMP.search(source)
    for number, document in enumerate(row_texts.json_rows(content.decode("utf-8-sig", "replace"))):
        if isinstance(document, NotARow):
            into.rows_read += 1
            into.refuse(document.reason)
            continue
        fields = camel(document)
        own = label(fields.get("testRunId")) or (f"{stamp.group(1)}-{sha256[:8]}" if stamp else sha256[:16])
        run_id = own if number == 0 else f"{own}-{number + 1}"
        cases = [case for name in _CASES for case in as_list(fields.get(name))]
        repetitions = Repetitions()
        for at, case in enumerate(cases):
            into.rows_read += 1
            try:
                _take(case, at, run_id, _model(fields), into, repetitions, options)
            except Unreadable as unreadable:
                into.refuse(unreadable.reason, unreadable.field)
        into.runs[run_id] = _run(run_id, fields, stamp.group(1) if stamp else None, into, options)
    yield into.batch(NAME, source, sha256, options)


def camel(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its names in camelCase, which the two shapes then share."""
    return {
        re.sub(r"_([a-z])", lambda found: found.group(1).upper(), name): cell for name, cell in row.items()
    }


def _model(document: dict[str, Any]) -> str | None:
    parameters = as_dict(document.get("hyperparameters"))
    return label(parameters.get("model")) or label(parameters.get("Model"))


def _run(
    run_id: str, document: dict[str, Any], stamp: str | None, into: EvalRows, options: ReadOptions
) -> EvalRun:
    parameters = as_dict(document.get("hyperparameters"))
    reported = {f"reported_{name}": number_of(document.get(name)) for name in ("testPassed", "testFailed")}
    for metric in as_list(document.get("metricsScores")):
        name = label(as_dict(metric).get("metric"))
        if name:
            reported |= {
                f"reported_{name}_{part}": number_of(metric.get(part))
                for part in ("passes", "fails", "errors")
            }
    return EvalRun(
        run_id,
        NAME,
        label(document.get("identifier")) or label(document.get("testFile")),
        model=_model(document),
        dataset_hash=set_hash(one.item_id for one in into.samples(run_id)),
        attributes={
            "named_at": stamp,
            "duration_s": number_of(document.get("runDuration")),
            "evaluation_cost_usd": number_of(document.get("evaluationCost")),
            "hyperparameters": short(parameters, options.capture_content) or None,
            **reported,
        },
        **into.totals(run_id),
        **run_fields(parameters),
    )


def _take(
    case: Any,
    at: int,
    run_id: str,
    model: str | None,
    into: EvalRows,
    repetitions: Repetitions,
    options: ReadOptions,
) -> None:
    """One test case. Raises Unreadable."""
    if not isinstance(case, dict):
        raise Unreadable("testCases", "", "a test case is an object.")
    fields = camel(case)
    name = label(fields.get("name"))
    given = fields.get("input") or [{"role": None, **as_dict(turn)} for turn in as_list(fields.get("turns"))]
    hashed = values.hash16(plain(given)) or str(at)
    # DeepEval names a case without a name by its place in the run, which says nothing of the case.
    known = name if name and not _UNNAMED.fullmatch(name) else None
    metadata = as_dict(fields.get("metadata", fields.get("additionalMetadata")))
    tags = sample_tags(metadata, options.capture_content)
    item_id = f"{NAME}/{known or hashed}"
    target = fields.get("expectedOutput", fields.get("expectedOutcome"))
    into.add_item(item_of(item_id, None, given, target, metadata, options))
    sample_id = known or name or hashed
    into.add(
        Sample(
            run_id,
            sample_id,
            repetitions.next(sample_id),
            _scores(fields, options.capture_content),
            item_id=item_id,
            trace_id=tags.trace_id,
            model=model,
            arm=tags.arm,
            slices=tags.slices,
            attributes=_attributes(fields, tags.kept, options.capture_content),
        )
    )


def _attributes(case: dict[str, Any], kept: dict[str, Any], capture: bool) -> dict[str, Any]:
    return {
        "order": values.count(case.get("order", case.get("index"))),
        "duration_s": number_of(case.get("runDuration")),
        "evaluation_cost_usd": number_of(case.get("evaluationCost")),
        "metadata": kept or None,
        "output": case.get("actualOutput") if capture else None,
    }


def _scores(case: dict[str, Any], capture: bool) -> list[Scored]:
    metrics = [camel(metric) for metric in as_list(case.get("metricsData")) if isinstance(metric, dict)]
    names = distinct([label(metric.get("name")) or "metric" for metric in metrics])
    return [_scored(name, metric, capture) for name, metric in zip(names, metrics, strict=True)]


def _scored(name: str, metric: dict[str, Any], capture: bool) -> Scored:
    threshold, success = number_of(metric.get("threshold")), metric.get("success")
    kept = {
        "threshold": threshold,
        "judge_model": label(metric.get("evaluationModel")),
        "flaky": metric.get("flaky") or None,
        "reason": metric.get("reason") if capture else None,
    }
    if metric.get("error"):
        return Scored(name, FAILED_TO_SCORE, {**kept, **failure(metric["error"], capture)})
    own = success if isinstance(success, bool) and metric.get("score") is not None else None
    return Scored(name, score_of(metric.get("score"), own, threshold), kept)

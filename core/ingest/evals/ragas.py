"""Ragas' results as `evaluate(...).to_pandas().to_csv(path, index=False)` writes them: a row a sample, a column a metric.

The file names no run, model or time, so that its content is the run. A column that is none of a sample's and holds
numbers is a metric. An empty cell or NaN means that the metric failed: an error and never a zero. Rows have no ids
but their order; items are told apart by input and reference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import BinaryIO

from core.ingest import row_texts, values
from core.ingest.cells import present
from core.ingest.evals.metadata import SLICES, label, trace_id
from core.ingest.evals.rows import EvalRows, EvalRun, Repetitions, Sample, Scored, item_of, set_hash
from core.ingest.evals.scores import FAILED_TO_SCORE, number_of, score_of
from core.ingest.options import ReadOptions
from core.ingest.row_texts import NotARow
from core.ledger.batch import Batch

NAME = "ragas"
INPUT = ("user_input", "question")
REFERENCE = ("reference", "ground_truth")
RESPONSE = ("response", "answer")
NOT_METRICS = frozenset(
    {*INPUT, *REFERENCE, *RESPONSE, "retrieved_contexts", "contexts", "reference_contexts", "ground_truths"}
    | {
        "multi_responses",
        "rubrics",
        "rubric",
        "reference_topics",
        "reference_tool_calls",
        "retrieved_context_ids",
    }
    | {
        "reference_context_ids",
        "persona_name",
        "query_style",
        "query_length",
        "synthesizer_name",
        "episode_done",
    }
    | {"", "unnamed: 0", "index", "id", "trace_id", "model", "arm", *SLICES}
)
"""Columns of a sample, of today's names and of those before 0.2, and a pandas index."""


def detect(head: bytes, name: str) -> bool:
    """A CSV header with an input and a response, contexts or a reference of one generation of names."""
    columns = _columns(head)
    new = "user_input" in columns and bool(columns & {"response", "reference", "retrieved_contexts"})
    old = "question" in columns and "answer" in columns and bool(columns & {"contexts", "ground_truth"})
    return new or old


def _columns(head: bytes) -> set[str]:
    line = head.split(b"\n", 1)[0].decode("utf-8-sig", "replace").replace('"', "")
    return {column.strip().lower() for column in line.split(",")}


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the file; a row that is none is refused alone."""
    content = stream.read()
    sha256 = hashlib.sha256(content).hexdigest()
    into = EvalRows()
    table = [
        row if isinstance(row, NotARow) else {name.strip(): cell for name, cell in row.items()}
        for row in row_texts.csv_rows(content.decode("utf-8-sig", "replace"))
    ]
    metrics = _metrics([row for row in table if isinstance(row, dict)])
    repetitions, run_id = Repetitions(), f"{NAME}-{sha256[:16]}"
    for at, row in enumerate(table):
        into.rows_read += 1
        if isinstance(row, NotARow):
            into.refuse(row.reason)
        else:
            _take(row, at, run_id, metrics, into, repetitions, options)
    if into.samples(run_id):
        models = {cell for row in table if isinstance(row, dict) and (cell := label(row.get("model")))}
        into.expected[run_id] = metrics
        into.runs[run_id] = EvalRun(
            run_id,
            NAME,
            model=models.pop() if len(models) == 1 else None,
            dataset_hash=set_hash(one.item_id for one in into.samples(run_id)),
            **into.totals(run_id),
        )
    yield into.batch(NAME, source, sha256, options)


def _metrics(table: list[dict[str, str]]) -> list[str]:
    """Columns in their order whose filled cells are all numbers or words of a verdict."""
    names = list(dict.fromkeys(name for row in table for name in row))
    return [
        name
        for name in names
        if name.lower() not in NOT_METRICS and all(_is_score(row.get(name)) for row in table)
    ]


def _is_score(cell: str | None) -> bool:
    known = present(cell)
    return known is None or number_of(known) is not None or known.lower() in ("true", "false", "pass", "fail")


def _take(
    row: dict[str, str],
    at: int,
    run_id: str,
    metrics: list[str],
    into: EvalRows,
    repetitions: Repetitions,
    options: ReadOptions,
) -> None:
    """One sample, with a score or a failure for every metric."""
    given, target = (
        next((cell for name in names if (cell := row.get(name))), None) for names in (INPUT, REFERENCE)
    )
    item_id = f"{NAME}/{values.hash16(given or '') or 'none'}-{values.hash16(target or '') or 'none'}"
    into.add_item(item_of(item_id, None, given, target, None, options))
    scores = [
        Scored(name, FAILED_TO_SCORE if present(row.get(name)) is None else score_of(row[name]))
        for name in metrics
    ]
    answer = next((cell for name in RESPONSE if (cell := row.get(name))), None)
    into.add(
        Sample(
            run_id,
            str(at),
            repetitions.next(item_id),
            scores,
            item_id=item_id,
            trace_id=trace_id(row.get("trace_id")),
            model=label(row.get("model")),
            arm=label(row.get("arm")),
            slices={name: label(row[name]) for name in SLICES if name in row},
            attributes={"output": answer} if options.capture_content else {},
        )
    )

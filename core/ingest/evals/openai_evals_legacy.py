"""The log of OpenAI's evals package (oaieval): JSON lines of a spec, events, and a final report anywhere among them.

`match` is a score of its own; each number of a `metrics` event is one; an `error` event makes the sample an error
unless a score comes after it (the sample was tried again). The final report may stand before the events.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from core.ingest import row_texts, values
from core.ingest.cells import Unreadable
from core.ingest.evals.metadata import as_dict, as_list, failure, label
from core.ingest.evals.rows import EvalRows, EvalRun, Sample, Scored, identity, item_of, set_hash
from core.ingest.evals.scores import number_of, score_of
from core.ingest.options import ReadOptions
from core.ingest.row_texts import NotARow
from core.ledger.batch import Batch

NAME = "openai_evals_legacy"
TOOL = "openai_evals"
_SPEC = re.compile(rb'"spec"\s*:\s*\{')
_SPEC_SIGNS = (b'"eval_name"', b'"run_id"', b'"completion_fns"')
_EVENT_SIGNS = (b'"run_id"', b'"event_id"', b'"sample_id"', b'"type"', b'"data"')


def detect(head: bytes, name: str) -> bool:
    """JSON lines with a spec, or with events of a sample."""
    if head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] != b"{":
        return False
    spec = _SPEC.search(head) is not None and all(sign in head for sign in _SPEC_SIGNS)
    return spec or all(sign in head for sign in _EVENT_SIGNS)


class _Events(NamedTuple):
    """What the events of one sample say, in their order."""

    scores: dict[str, Any]
    attributes: dict[str, Any]
    errors: list[Any]
    """The error that no score came after, if any."""
    told: dict[str, Any]
    """The prompt and the expected answer."""


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the log; a line that cannot be read is refused alone."""
    content = stream.read()
    into = EvalRows()
    specs: dict[str, dict[str, Any]] = {}
    reports: dict[str, dict[str, Any]] = {}
    events: dict[tuple[str, str], _Events] = {}
    last = ""
    for line in row_texts.json_rows(content.decode("utf-8-sig", "replace")):
        into.rows_read += 1
        try:
            last = _take(line, last, specs, reports, events)
        except Unreadable as unreadable:
            into.refuse(unreadable.reason, unreadable.field)
    for (run_id, sample_id), told in events.items():
        _add(run_id, sample_id, told, specs.get(run_id, {}), into, options)
    for run_id in dict.fromkeys([*specs, *reports, *into.run_ids()]):
        into.runs[run_id] = _run(run_id, specs.get(run_id, {}), reports.get(run_id, {}), into)
    yield into.batch(NAME, source, hashlib.sha256(content).hexdigest(), options)


def _take(
    line: dict[str, Any] | NotARow,
    last: str,
    specs: dict[str, dict[str, Any]],
    reports: dict[str, dict[str, Any]],
    events: dict[tuple[str, str], _Events],
) -> str:
    """One line; returns its run, which a report without one belongs to. Raises Unreadable."""
    if isinstance(line, NotARow):
        raise Unreadable("line", "", line.reason)
    if isinstance(line.get("spec"), dict):
        run_id = identity(line["spec"].get("run_id"), "spec.run_id")
        specs[run_id] = line["spec"]
        return run_id
    run_id = identity(line.get("run_id", last or None), "run_id")
    if isinstance(line.get("final_report"), dict):
        reports[run_id] = line["final_report"]
        return run_id
    if line.get("sample_id") is None:  # an event of the run as a whole, such as its metrics
        return run_id
    sample_id = identity(line["sample_id"], "sample_id")
    told = events.setdefault((run_id, sample_id), _Events({}, {}, [], {}))
    _tell(str(line.get("type")), line.get("data"), told)
    return run_id


def _tell(kind: str, given: Any, told: _Events) -> None:
    """One event of a sample."""
    inside = as_dict(given)
    if kind == "match":
        told.scores["match"] = inside.get("correct")
        told.told.setdefault("target", inside.get("expected"))
        told.errors.clear()
    elif kind == "metrics":
        told.scores.update({str(name): raw for name, raw in inside.items()})
        told.errors.clear()
    elif kind == "error":
        told.errors[:] = [given]
    elif kind == "sampling":
        told.told.setdefault("input", inside.get("prompt"))
        told.told["output"] = inside.get("sampled")
        usage = as_dict(inside.get("usage"))
        told.attributes["input_tokens"] = values.count(usage.get("prompt_tokens"))
        told.attributes["output_tokens"] = values.count(usage.get("completion_tokens"))
        told.attributes["model"] = label(inside.get("model"))


def _add(
    run_id: str, sample_id: str, told: _Events, spec: dict[str, Any], into: EvalRows, options: ReadOptions
) -> None:
    task = label(spec.get("eval_name"))
    item_id = f"{task or TOOL}/{sample_id}"
    into.add_item(item_of(item_id, task, told.told.get("input"), told.told.get("target"), None, options))
    attributes = {name: value for name, value in told.attributes.items() if name != "model"}
    if told.errors:
        error = as_dict(told.errors[0])
        attributes |= failure(error.get("message", told.errors[0]), options.capture_content)
        named = label(error.get("type"), 100)
        attributes |= {"error_type": named} if named else {}
    if options.capture_content:
        attributes["output"] = told.told.get("output")
    scores = [Scored(name, score_of(raw)) for name, raw in told.scores.items()]
    model = told.attributes.get("model")
    into.add(
        Sample(run_id, sample_id, 1, scores, bool(told.errors), item_id, model=model, attributes=attributes)
    )


def _run(run_id: str, spec: dict[str, Any], report: dict[str, Any], into: EvalRows) -> EvalRun:
    """The run; how many samples were planned is known only as max_samples, so those seen are the total."""
    functions = [found for one in as_list(spec.get("completion_fns")) if (found := label(one))]
    config = as_dict(spec.get("run_config"))
    task = label(spec.get("eval_name"))
    version = re.search(r"\.(v\d[\w.]*)$", task or "")
    attributes = {
        "base_eval": label(spec.get("base_eval")),
        "split": label(spec.get("split")),
        "seed": values.count(config.get("seed")),
        "max_samples": values.count(config.get("max_samples")),
        **{f"reported_{name}": number_of(said) for name, said in report.items()},
    }
    return EvalRun(
        run_id,
        TOOL,
        task,
        task_version=version.group(1) if version else None,
        model=",".join(functions) or None,
        dataset_hash=set_hash(one.sample_id for one in into.samples(run_id)),
        started_at_ns=values.instant_ns(spec.get("created_at")),
        status="success" if report else "started",
        attributes=attributes,
        **into.totals(run_id),
    )

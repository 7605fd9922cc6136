"""EleutherAI's lm-evaluation-harness: `results_<date>.json` and, with --log_samples, `samples_<task>_<date>.jsonl`.

The two kinds come as files of their own and are one run a task. They share the date in their names and, inside, the
hash of the task's samples (task_hashes; computed here from the samples, as the harness does). Names as the harness
writes them make the run's id, task and date. A renamed samples file cannot be told from one of another model over
the same samples: it stays a run of its own without a model, and a note says so. The harness knows no errored samples.
Metrics have the harness's name, with the filter behind it where there is one: `acc`, `exact_match,strict-match`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from core.ingest import row_texts, values
from core.ingest.cells import Unreadable
from core.ingest.evals.metadata import as_dict, as_list, label, run_fields
from core.ingest.evals.rows import EvalItem, EvalRows, EvalRun, Sample, Scored, identity
from core.ingest.evals.scores import FAIL, PASS, SKIPPED, Score, number_of, score_of
from core.ingest.options import ReadOptions
from core.ingest.row_texts import NotARow
from core.ledger.batch import Batch, Repaired

NAME = "lm_eval"
LOWER_IS_BETTER = frozenset(
    {"perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte", "brier_score", "ter", "wer", "cer"}
)
"""Metrics of which a high number is bad; a samples file does not say so, and they get no verdict."""

_DATE = re.compile(r"_(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)\.jsonl?(?:\.gz)?$")
_SAMPLES_NAME = re.compile(r"^samples_(.+?)_\d{4}-\d\d-\d\dT")
_RESULTS = re.compile(rb'^\s*\{\s*"results"\s*:\s*\{\s*(?:\}|"[^"]{1,200}"\s*:\s*\{)')
_METRIC = re.compile(rb'"alias"\s*:|_stderr,|"sample_len"\s*:')
_SAMPLE = re.compile(rb'^\s*\{\s*"doc_id"\s*:\s*\d+\s*,\s*"doc"\s*:')
_SAMPLE_SIGNS = (b'"doc_id"', b'"doc"', b'"resps"', b'"filtered_resps"')
_HASHES = ("doc_hash", "prompt_hash", "target_hash")
_MODEL_ARGUMENTS = ("pretrained", "model", "path", "engine")


def detect(head: bytes, name: str) -> bool:
    """Aggregated results by their first keys, or samples by the fields of a document and its responses."""
    head = head.removeprefix(b"\xef\xbb\xbf")
    aggregated = _RESULTS.match(head) is not None and (
        _METRIC.search(head) is not None or b'"lm_eval_version"' in head
    )
    is_json = head.lstrip()[:1] in (b"{", b"[")
    samples = _SAMPLE.match(head) is not None or all(sign in head for sign in _SAMPLE_SIGNS)
    return aggregated or (is_json and samples)


def read(stream: BinaryIO, source: str, options: ReadOptions) -> Iterator[Batch]:
    """One batch for the file: its runs, or the samples of one task."""
    content = stream.read()
    into = EvalRows()
    documents = list(row_texts.json_rows(content.decode("utf-8-sig", "replace")))
    if len(documents) == 1 and isinstance(documents[0], dict) and "doc_id" not in documents[0]:
        _results(documents[0], source, into, options)
    else:
        _samples(documents, source, hashlib.sha256(content).hexdigest(), into, options)
    yield into.batch(NAME, source, hashlib.sha256(content).hexdigest(), options)


def _results(document: dict[str, Any], source: str, into: EvalRows, options: ReadOptions) -> None:
    """A run a task; groups are sums of tasks that are here themselves."""
    groups = {name for name, tasks in as_dict(document.get("group_subtasks")).items() if tasks}
    for task, metrics in as_dict(document.get("results")).items():
        into.rows_read += 1
        if task in groups:
            reason = "It sums tasks of the same file, which are runs of their own: no run is made of it."
            into.notes.append(Repaired(task, "lm_eval_group", task, None, False, reason))
        elif isinstance(metrics, dict) and task:
            run = _run(document, task, metrics, source)
            into.runs[run.run_id] = run
        else:
            into.refuse("The task's results are no object; give the file as the harness wrote it.", "results")
    if not into.rows_read:
        into.rows_read = 1
        into.refuse("The file has no results; give the results file as the harness wrote it.", "results")


def _run(document: dict[str, Any], task: str, metrics: dict[str, Any], source: str) -> EvalRun:
    date, said = _DATE.search(source), number_of(document.get("date"))
    stamp = date.group(1) if date else f"{document.get('date')}"
    configs, config = as_dict(as_dict(document.get("configs")).get(task)), as_dict(document.get("config"))
    n_samples = as_dict(as_dict(document.get("n-samples")).get(task))
    effective = values.count(n_samples.get("effective", metrics.get("sample_len")))
    arguments = _arguments(config.get("model_args"))
    named = run_fields(as_dict(configs.get("metadata")), arguments)
    version = as_dict(document.get("versions")).get(task)
    total = number_of(document.get("total_evaluation_time_seconds"))
    return EvalRun(
        f"{task}/{stamp}",
        NAME,
        task,
        task_version=label(version),
        model=_model(document, config, arguments),
        dataset_hash=_sixteen(as_dict(document.get("task_hashes")).get(task)),
        prompt_hash=_sixteen(document.get("system_instruction_sha")),
        git_commit=label(document.get("git_hash")) or named["git_commit"],
        started_at_ns=round(said * 1e6) * 1_000 if said is not None and 0 <= said < 2**33 else None,
        status="success",
        n_total=effective,
        n_completed=effective,
        n_error=0 if effective is not None else None,
        region=named["region"],
        quantization=named["quantization"] or _quantization(arguments),
        attributes={
            "lm_eval_version": label(document.get("lm_eval_version")),
            "n_original": values.count(n_samples.get("original")),
            "n_shot": values.count(as_dict(document.get("n-shot")).get(task)),
            "limit": number_of(config.get("limit")),
            "higher_is_better": as_dict(as_dict(document.get("higher_is_better")).get(task)) or None,
            "evaluation_time_s": total,
            **{f"reported_{_scorer(*key.split(',', 1))}": number_of(said) for key, said in _metrics(metrics)},
        },
    )


def _metrics(metrics: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    numbers = ((key, said) for key, said in metrics.items() if key not in ("sample_len", "samples"))
    return ((key, said) for key, said in numbers if number_of(said) is not None)


def _samples(
    documents: list[dict[str, Any] | NotARow],
    source: str,
    sha256: str,
    into: EvalRows,
    options: ReadOptions,
) -> None:
    date, named = _DATE.search(source), _SAMPLES_NAME.match(source)
    task = named.group(1) if named else None
    known = date is not None and task is not None
    run_id = f"{task}/{date.group(1)}" if date and task else f"{NAME}/{sha256[:16]}"
    for one in documents:
        into.rows_read += 1
        try:
            if isinstance(one, NotARow):
                raise Unreadable("line", "", one.reason)
            _take(one, run_id, task, into, options)
        except Unreadable as unreadable:
            into.refuse(unreadable.reason, unreadable.field)
    counts = into.counts(run_id)
    if counts.n_seen:
        # Without n_total: how many were planned stands in the results, whose row goes before this one.
        hashed = _task_hash(documents)
        into.runs[run_id] = EvalRun(
            run_id, NAME, task, dataset_hash=hashed, n_completed=counts.n_completed, n_error=counts.n_error
        )
    if not known:
        reason = (
            "The file has another name than the harness gave it (samples_<task>_<date>.jsonl), so that it cannot be "
            "joined to its results and model. Give both files under their own names."
        )
        into.notes.append(Repaired(source, "lm_eval_file_name", source, None, False, reason))


def _take(one: dict[str, Any], run_id: str, task: str | None, into: EvalRows, options: ReadOptions) -> None:
    """One line: a document with the metrics of one filter. Raises Unreadable."""
    sample_id = identity(one.get("doc_id"), "doc_id")
    item_id = f"{task or NAME}/{label(one.get('doc_hash')) or sample_id}"
    prompt = next(iter(as_dict(as_dict(one.get("arguments")).get("gen_args_0")).values()), None)
    into.add_item(
        EvalItem(
            item_id,
            task,
            input_hash=_sixteen(one.get("prompt_hash"))
            or values.hash16(prompt if isinstance(prompt, str) else None),
            input_text=prompt if options.capture_content and isinstance(prompt, str) else None,
            target_hash=_sixteen(one.get("target_hash")),
            attributes={"doc_hash": label(one.get("doc_hash"))},
        )
    )
    filter_name = label(one.get("filter")) or "none"
    metrics = [str(name) for name in as_list(one.get("metrics"))]
    scores = [Scored(_scorer(name, filter_name), _score(name, one.get(name))) for name in metrics]
    into.add(Sample(run_id, sample_id, 1, scores, item_id=item_id, attributes=_attributes(one, options)))


def _attributes(one: dict[str, Any], options: ReadOptions) -> dict[str, Any]:
    repeats = [len(as_list(response)) for response in as_list(one.get("resps"))]
    found = {"n_responses": max(repeats, default=0)}
    return {**found, "output": one.get("filtered_resps")} if options.capture_content else found


def _scorer(metric: str, filter_name: str = "none") -> str:
    return metric if filter_name == "none" else f"{metric},{filter_name}"


def _score(metric: str, raw: Any) -> Score:
    read = score_of(raw)
    undecided = metric in LOWER_IS_BETTER and read.verdict in (PASS, FAIL)
    return read._replace(verdict=SKIPPED) if undecided else read


def _task_hash(documents: list[Any]) -> str | None:
    """The harness's hash of a task's samples, which the results file has too; None where one lacks its hashes."""
    hashes = [one.get(name) if isinstance(one, dict) else None for one in documents for name in _HASHES]
    if not all(isinstance(part, str) for part in hashes):
        return None
    text = "".join(str(part) for part in hashes)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _sixteen(sha256: Any) -> str | None:
    return sha256[:16] if isinstance(sha256, str) and re.fullmatch(r"[0-9a-f]{64}", sha256) else None


def _arguments(given: Any) -> dict[str, Any]:
    """Arguments of the model, as a map or as name=value,name=value."""
    if isinstance(given, dict):
        return given
    pairs = (pair.partition("=") for pair in given.split(",")) if isinstance(given, str) else ()
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def _model(document: dict[str, Any], config: dict[str, Any], arguments: dict[str, Any]) -> str | None:
    """The model's own name; without arguments the harness's model_name is that of a folder it made."""
    named = next((found for name in _MODEL_ARGUMENTS if (found := label(arguments.get(name)))), None)
    return named or (label(document.get("model_name")) if arguments else None) or label(config.get("model"))


def _quantization(arguments: dict[str, Any]) -> str | None:
    for name, bits in (("load_in_4bit", "4bit"), ("load_in_8bit", "8bit")):
        if str(arguments.get(name)).lower() == "true":
            return bits
    return next((name for name in ("autogptq", "gptqmodel") if arguments.get(name)), None)

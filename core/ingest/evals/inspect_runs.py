"""The run an Inspect log tells of: identity, counts, what its scorers were to give, and the numbers it reports."""

from __future__ import annotations

from typing import Any

from core.ingest import values
from core.ingest.cells import Unreadable
from core.ingest.evals.metadata import as_dict, as_list, failure, label, plain, run_fields, short
from core.ingest.evals.rows import Counts, EvalRun, set_hash
from core.ingest.evals.scores import number_of

_USAGE = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "input_tokens_cache_read",
    "cache_write_tokens": "input_tokens_cache_write",
    "reasoning_tokens": "reasoning_tokens",
}


def run_of(header: dict[str, Any], capture: bool) -> EvalRun:
    """The run without its counts. Raises Unreadable when nothing identifies the log."""
    spec, stats = as_dict(header.get("eval")), as_dict(header.get("stats"))
    own = [label(spec.get(name)) for name in ("task_id", "eval_id", "run_id")]
    run_id = next((one for one in own if one), None)
    if run_id is None:
        raise Unreadable(
            "eval.task_id", spec.get("task_id"), "the log has no id; give it as Inspect wrote it."
        )
    metadata = {**as_dict(header.get("metadata")), **as_dict(spec.get("metadata"))}
    arguments = as_dict(spec.get("task_args"))
    named = run_fields(metadata, arguments, spec.get("model_args"))
    return EvalRun(
        run_id,
        "inspect",
        label(spec.get("task")),
        task_version=label(spec.get("task_version")),
        model=label(spec.get("model")),
        dataset_hash=set_hash(as_list(as_dict(spec.get("dataset")).get("sample_ids"))),
        prompt_hash=_prompt_hash(header),
        git_commit=label(as_dict(spec.get("revision")).get("commit")) or named["git_commit"],
        started_at_ns=values.instant_ns(stats.get("started_at")) or values.instant_ns(spec.get("created")),
        status=label(header.get("status")) or "started",
        region=named["region"],
        quantization=named["quantization"],
        attributes=_attributes(header, spec, metadata, arguments, capture),
    )


def counted(run: EvalRun, header: dict[str, Any], counts: Counts) -> EvalRun:
    """The run with its counts: of the samples in the log, or as the log says where it holds none."""
    results, spec = as_dict(header.get("results")), as_dict(header.get("eval"))
    said_total, said_completed = (values.count(results.get(f"{n}_samples")) for n in ("total", "completed"))
    planned = said_total if said_total is not None else _planned(spec)
    if counts.n_seen:
        n_total = max(planned or 0, counts.n_seen)
        return run._replace(n_total=n_total, n_completed=counts.n_completed, n_error=counts.n_error)
    ended = run.status == "success" and said_total is not None and said_completed is not None
    n_error = max(0, (said_total or 0) - (said_completed or 0)) if ended else None
    return run._replace(n_total=planned, n_completed=said_completed, n_error=n_error)


def expected_scores(header: dict[str, Any], seen: list[str]) -> list[str]:
    """Names of the scores each sample should have: those seen, and those of scorers that scored nothing."""
    found = list(seen)
    for scorer in as_list(as_dict(header.get("eval")).get("scorers")):
        name = label(as_dict(scorer).get("name"))
        if name is None or any(one == name or one.startswith(f"{name}/") for one in seen):
            continue
        metrics = as_dict(scorer).get("metrics")
        keys = [key for key in as_dict(metrics) if "*" not in key]  # a pattern names no score
        found += [f"{name}/{key}" for key in keys] or [name]
    return found


def usage(by_model: Any) -> dict[str, int]:
    """Tokens of all models together; a count that no model gives is left out."""
    totals: dict[str, int] = {}
    for counts in as_dict(by_model).values():
        for name, theirs in _USAGE.items():
            tokens = values.count(as_dict(counts).get(theirs))
            if tokens is not None:
                totals[name] = totals.get(name, 0) + tokens
    return totals


def _planned(spec: dict[str, Any]) -> int | None:
    dataset, config = as_dict(spec.get("dataset")), as_dict(spec.get("config"))
    ids = dataset.get("sample_ids")
    n_samples = len(ids) if isinstance(ids, list) else values.count(dataset.get("samples"))
    return None if n_samples is None else n_samples * (values.small_count(config.get("epochs")) or 1)


def _prompt_hash(header: dict[str, Any]) -> str | None:
    """Of the template of the first system_message in the plan."""
    for step in as_list(as_dict(header.get("plan")).get("steps")):
        if as_dict(step).get("solver") == "system_message":
            return values.hash16(plain(as_dict(as_dict(step).get("params")).get("template")))
    return None


def _attributes(
    header: dict[str, Any],
    spec: dict[str, Any],
    metadata: dict[str, Any],
    arguments: dict[str, Any],
    capture: bool,
) -> dict[str, Any]:
    stats, error = as_dict(header.get("stats")), header.get("error")
    found = {
        "inspect_run_id": label(spec.get("run_id")),
        "eval_id": label(spec.get("eval_id")),
        "inspect_version": label(as_dict(spec.get("packages")).get("inspect_ai")),
        "epochs": values.count(as_dict(spec.get("config")).get("epochs")),
        "tags": [one for one in as_list(spec.get("tags")) if label(one)] or None,
        "invalidated": header.get("invalidated") or None,
        "completed_at": label(stats.get("completed_at")),
        "metadata": short(metadata, capture) or None,
        "task_args": short(arguments, capture) or None,
        **usage(stats.get("model_usage")),
        **_reported(as_dict(header.get("results"))),
    }
    if error is not None:
        found |= failure(as_dict(error).get("message", error), capture)
    return found


def _reported(results: dict[str, Any]) -> dict[str, Any]:
    """Inspect's own numbers: those of the first score as reported_<metric>, all of several with the score's name."""
    scores = [one for one in as_list(results.get("scores")) if isinstance(one, dict)]
    found: dict[str, Any] = {
        f"reported_{name}_samples": values.count(results.get(f"{name}_samples"))
        for name in ("total", "completed")
    }
    for number, one in enumerate(scores):
        for metric, said in as_dict(one.get("metrics")).items():
            value = number_of(as_dict(said).get("value"))
            if number == 0:
                found[f"reported_{metric}"] = value
            if len(scores) > 1:
                found[f"reported_{_score_name(one)}_{metric}"] = value
    return found


def _score_name(one: dict[str, Any]) -> str:
    name, scorer = label(one.get("name")), label(one.get("scorer"))
    return f"{scorer}/{name}" if scorer and name and scorer != name else str(name or scorer)

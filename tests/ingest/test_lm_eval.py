"""lm-evaluation-harness: results and samples are files of their own and one run; one golden value a column."""

from __future__ import annotations

import json
import re

from core.ingest.evals.lm_eval import detect
from tests.ingest.eval_files import (
    LM_EVAL_RESULTS,
    batch_of,
    dumped,
    fixture,
    known,
    lm_eval_samples,
    sha,
    table_of,
    verdicts,
)

RESULTS, SAMPLES = "results_2026-11-20T10-00-00.5.json", "samples_capitals_2026-11-20T10-00-00.5.jsonl"
RUN = "capitals/2026-11-20T10-00-00.5"


def test_every_column_of_the_run_has_its_value() -> None:
    """date 1795132800.5 s; 2 of 10 documents by --limit; the group `all` sums its tasks and is no run."""
    hashed = {**LM_EVAL_RESULTS, "task_hashes": {"capitals": "a" * 64}, "system_instruction_sha": "b" * 64}
    batch = batch_of(dumped(hashed), RESULTS)
    (run,) = table_of(batch, "eval_runs")
    assert known(run) == {
        "run_id": RUN,
        "tool": "lm_eval",
        "task": "capitals",
        "task_version": "2.0",
        "model": "org/model-7b",
        "dataset_hash": "a" * 16,
        "prompt_hash": "b" * 16,
        "git_commit": "abc123",
        "started_at_ns": 1_795_132_800_500_000_000,
        "status": "success",
        "n_total": 2,
        "n_completed": 2,
        "n_error": 0,
        "quantization": "4bit",
        "attributes": {
            "lm_eval_version": "0.4.13",
            "n_original": 10,
            "n_shot": 5,
            "limit": 2.0,
            "higher_is_better": {"acc": True},
            "evaluation_time_s": 45.5,
            "reported_acc": 0.5,
            "reported_exact_match,strict-match": 1.0,
        },
    }
    assert [(note.row_key, note.rule) for note in batch.repaired] == [("all", "lm_eval_group")]


def test_every_column_of_a_sample_and_an_item_has_its_value() -> None:
    batch = batch_of(lm_eval_samples(), SAMPLES)
    assert (batch.rows_read, batch.quarantined, batch.repaired) == (3, [], [])
    assert known(table_of(batch, "eval_samples")[0]) == {
        "run_id": RUN,
        "sample_id": "0",
        "epoch": 1,
        "scorer": "acc",
        "value": 1.0,
        "verdict": "pass",
        "item_id": f"capitals/{'0' * 64}",
        "attributes": {"n_responses": 1},
    }
    assert known(table_of(batch, "eval_items")[0]) == {
        "item_id": f"capitals/{'0' * 64}",
        "suite": "capitals",
        "input_hash": sha("Q: Capital of France?\nA:")[:16],
        "target_hash": sha("Paris")[:16],
        "attributes": {"doc_hash": "0" * 64},
    }
    (run,) = table_of(batch, "eval_runs")
    hashes = [row for doc in (0, 1, 1) for row in (str(doc) * 64, sha(QUESTIONS[doc]), sha(ANSWERS[doc]))]
    assert known(run) == {
        "run_id": RUN,
        "tool": "lm_eval",
        "task": "capitals",
        "dataset_hash": sha("".join(hashes))[:16],
        "n_completed": 2,
        "n_error": 0,
    }


QUESTIONS, ANSWERS = ("Q: Capital of France?\nA:", "Q: Capital of Norway?\nA:"), ("Paris", "Oslo")


def test_filters_are_scores_of_one_sample_and_a_perplexity_passes_nothing() -> None:
    assert verdicts(batch_of(lm_eval_samples(), SAMPLES)) == {
        ("0", "acc"): (1.0, "pass"),
        ("0", "perplexity"): (12.5, "skipped"),
        ("1", "acc"): (0.0, "fail"),
        ("1", "perplexity"): (None, "error"),
        ("1", "exact_match,strict-match"): (1.0, "pass"),
    }


def test_a_renamed_samples_file_stays_alone_and_says_so() -> None:
    """The samples of two models over one task are alike but for the answers: joining by content would mix them."""
    batch = batch_of(lm_eval_samples(), "samples.jsonl")
    (run,) = table_of(batch, "eval_runs")
    assert run["run_id"].startswith("lm_eval/")
    assert [note.rule for note in batch.repaired] == ["lm_eval_file_name"]


def test_prompts_are_kept_only_when_asked_for() -> None:
    assert "France" not in str(
        [frame.rows() for frame in batch_of(lm_eval_samples(), SAMPLES).frames.values()]
    )
    (item, _) = table_of(batch_of(lm_eval_samples(), SAMPLES, capture=True), "eval_items")
    assert item["input_text"] == QUESTIONS[0]


def test_a_bad_line_is_refused_alone() -> None:
    batch = batch_of(lm_eval_samples() + b'{"doc_id": \n{"doc_id": null, "metrics": []}\n', SAMPLES)
    assert (batch.rows_read, len(batch.quarantined)) == (5, 2)
    assert [row.row_number for row in batch.quarantined] == [4, 5]
    assert len(verdicts(batch)) == 5


def test_real_files_join_by_name_and_by_the_harness_own_hash() -> None:
    folder = fixture("lm_eval")
    (results,) = folder.glob("results_*")
    runs = {row["run_id"]: row for row in table_of(batch_of(results.read_bytes(), results.name), "eval_runs")}
    assert {row["model"] for row in runs.values()} == {"dummy"}
    said = json.loads(results.read_text())["task_hashes"]
    for path in folder.glob("samples_*"):
        assert detect(path.read_bytes()[:1_000], "x")
        batch = batch_of(path.read_bytes(), path.name)
        (mine,) = table_of(batch, "eval_runs")
        theirs = runs[mine["run_id"]]
        assert mine["dataset_hash"] == theirs["dataset_hash"] == said[mine["task"]][:16]
        assert (theirs["n_total"], mine["n_total"], mine["n_completed"]) == (4, None, 4)
        rows = table_of(batch, "eval_samples")
        for metric in {row["scorer"] for row in rows}:
            values = [row["value"] for row in rows if row["scorer"] == metric]
            assert sum(values) / len(values) == theirs["attributes"][f"reported_{metric}"]
    assert all(re.fullmatch(r"lab_capitals_(mc|gen)/2026-11-22T01-39-27\.100078", run_id) for run_id in runs)

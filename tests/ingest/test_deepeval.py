"""DeepEval's two spellings say the same; a metric's own verdict counts; one golden value a column."""

from __future__ import annotations

import pytest

from core.ingest.evals.rows import set_hash
from tests.ingest.eval_files import (
    DEEPEVAL_RESULT,
    DEEPEVAL_RUN,
    TRACE,
    batch_of,
    dumped,
    fixture,
    known,
    sha,
    table_of,
    verdicts,
)

NAME = "test_run_20261120_100000.json"


def test_every_column_of_the_run_has_its_value() -> None:
    content = dumped(DEEPEVAL_RUN)
    batch = batch_of(content, NAME)
    (run,) = table_of(batch, "eval_runs")
    assert known(run) == {
        "run_id": f"20261120_100000-{batch.sha256[:8]}",
        "tool": "deepeval",
        "model": "gpt-4o-mini",
        "dataset_hash": set_hash(["deepeval/paris"]),
        "git_commit": "abc123",
        "n_total": 1,
        "n_completed": 1,
        "n_error": 0,
        "region": "eu-west-1",
        "quantization": "int4",
        "attributes": {
            "named_at": "20261120_100000",
            "duration_s": 0.5,
            "hyperparameters": DEEPEVAL_RUN["hyperparameters"],
            "reported_testPassed": 1.0,
            "reported_Contains_passes": 1.0,
            "reported_Contains_fails": 0.0,
            "reported_Contains_errors": 0.0,
        },
    }


@pytest.mark.parametrize("shape", [DEEPEVAL_RUN, DEEPEVAL_RESULT])
def test_every_column_of_a_sample_and_an_item_has_its_value(shape: dict[str, object]) -> None:
    batch = batch_of(dumped(shape), NAME)
    assert (batch.rows_read, batch.quarantined) == (1, [])
    sample = known(table_of(batch, "eval_samples")[0])
    run_id, model = sample.pop("run_id"), sample.pop("model", None)
    assert (len(run_id), model) == (24, "gpt-4o-mini" if shape is DEEPEVAL_RUN else None)
    assert sample == {
        "sample_id": "paris",
        "epoch": 1,
        "scorer": "Contains",
        "value": 0.4,
        "verdict": "pass",
        "item_id": "deepeval/paris",
        "trace_id": TRACE,
        "arm": "text",
        "slices": {"language": "en"},
        "attributes": {
            "order": 0,
            "duration_s": 0.5,
            "evaluation_cost_usd": 0.25,
            "metadata": {"language": "en"},
            "threshold": 0.5,
            "judge_model": "j",
        },
    }
    assert known(table_of(batch, "eval_items")[0]) == {
        "item_id": "deepeval/paris",
        "input_hash": sha("Capital of France?")[:16],
        "target_hash": sha("Paris")[:16],
        "attributes": {"language": "en"},
    }


@pytest.mark.parametrize("shape", [DEEPEVAL_RUN, DEEPEVAL_RESULT])
def test_a_metrics_own_verdict_counts_and_what_did_not_score_is_no_failure(shape: dict[str, object]) -> None:
    assert verdicts(batch_of(dumped(shape))) == {
        ("paris", "Contains"): (0.4, "pass"),  # below its threshold, and passed all the same
        ("paris", "Toxicity"): (0.9, "fail"),  # above it, and failed
        ("paris", "Broken"): (None, "error"),
        ("paris", "Unasked"): (None, "skipped"),
    }


def test_cases_without_a_name_are_told_apart_by_their_input() -> None:
    cases = [
        {"name": "test_case_0", "input": "a", "metrics_data": []},
        {"name": "test_case_1", "turns": [{"role": "user", "content": "hi"}], "metrics_data": []},
    ]
    batch = batch_of(dumped({**DEEPEVAL_RESULT, "test_results": cases}))
    assert [row["item_id"] for row in table_of(batch, "eval_items")] == [
        f"deepeval/{sha('a')[:16]}",
        "deepeval/" + sha('[{"content":"hi","role":"user"}]')[:16],
    ]


def test_reasons_are_kept_only_when_asked_for() -> None:
    for capture in (False, True):
        shown = str(
            [frame.rows() for frame in batch_of(dumped(DEEPEVAL_RUN), capture=capture).frames.values()]
        )
        assert ('"reason":"why"' in shown, "ValueError: no" in shown) == (capture, capture)


def test_both_real_files_say_the_same() -> None:
    found = []
    for name in ("evaluation_result.json", NAME.replace("20261120_100000", "20261122_014609")):
        path = fixture("deepeval", name)
        found.append(verdicts(batch_of(path.read_bytes(), name)))
    expected = {("paris", "Contains"): (1.0, "pass"), ("oslo", "Contains"): (0.0, "fail")}
    assert found == [expected, expected]

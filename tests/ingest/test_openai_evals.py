"""OpenAI's two: the JSON lines of oaieval, whose report may come first, and the objects of the Evals API."""

from __future__ import annotations

from core.ingest.evals.rows import set_hash
from tests.ingest.eval_files import (
    API_ITEMS,
    API_PAGE,
    API_RUN,
    LEGACY,
    TRACE,
    batch_of,
    dumped,
    fixture,
    json_lines,
    known,
    sha,
    table_of,
    verdicts,
)


def test_every_column_of_a_legacy_run_has_its_value() -> None:
    """2026-11-20 10:00:00.5 UTC. Four samples; c.2 errored, c.3 too, but was scored when it was tried again."""
    batch = batch_of(json_lines(LEGACY))
    assert (batch.rows_read, batch.quarantined) == (9, [])
    (run,) = table_of(batch, "eval_runs")
    assert known(run) == {
        "run_id": "RUN",
        "tool": "openai_evals",
        "task": "capitals.test.v1",
        "task_version": "v1",
        "model": "gpt-4o-mini",
        "dataset_hash": set_hash(["c.0", "c.1", "c.2", "c.3"]),
        "started_at_ns": 1_795_168_800_500_000_000,
        "status": "success",
        "n_total": 4,
        "n_completed": 3,
        "n_error": 1,
        "attributes": {
            "base_eval": "capitals",
            "split": "test",
            "seed": 1,
            "max_samples": 4,
            "reported_accuracy": 0.5,
            "reported_boostrap_std": 0.35,
        },
    }


def test_every_column_of_a_legacy_sample_and_item_has_its_value() -> None:
    batch = batch_of(json_lines(LEGACY))
    assert known(table_of(batch, "eval_samples")[0]) == {
        "run_id": "RUN",
        "sample_id": "c.0",
        "epoch": 1,
        "scorer": "match",
        "value": 1.0,
        "verdict": "pass",
        "item_id": "capitals.test.v1/c.0",
        "model": "m",
        "attributes": {"input_tokens": 20, "output_tokens": 5},
    }
    assert known(table_of(batch, "eval_items")[0]) == {
        "item_id": "capitals.test.v1/c.0",
        "suite": "capitals.test.v1",
        "input_hash": sha("Capital of France?")[:16],
        "target_hash": sha("Paris")[:16],
    }
    assert [row["item_id"][-3:] for row in table_of(batch, "eval_items")] == ["c.0", "c.1", "c.3"]


def test_events_of_a_legacy_log_are_scores_and_errors() -> None:
    expected = {
        ("c.0", "match"): (1.0, "pass"),
        ("c.1", "match"): (0.0, "fail"),
        ("c.1", "similarity"): (0.2, "fail"),
        ("c.1", "choice"): (None, "skipped"),  # a word: kept as the label
        ("c.2", "match"): (None, "error"),
        ("c.2", "similarity"): (None, "error"),
        ("c.2", "choice"): (None, "error"),
        ("c.3", "match"): (1.0, "pass"),
    }
    assert verdicts(batch_of(json_lines(LEGACY))) == expected
    last = [*LEGACY[:1], *LEGACY[2:], LEGACY[1]]  # the report may as well come last
    assert verdicts(batch_of(json_lines(last))) == expected
    assert table_of(batch_of(json_lines(last)), "eval_runs") == table_of(
        batch_of(json_lines(LEGACY)), "eval_runs"
    )


def test_a_legacy_log_that_was_cut_short_is_a_run_that_started() -> None:
    content = json_lines([LEGACY[0], *LEGACY[2:4]])
    batch = batch_of(content + b'{"run_id": "RUN", "ev')
    (run,) = table_of(batch, "eval_runs")
    assert (run["status"], run["n_total"], run["n_completed"]) == ("started", 1, 1)
    assert (len(batch.quarantined), batch.rows_read) == (1, 4)


def test_the_real_legacy_log_has_its_report_first_and_two_of_three() -> None:
    (path,) = fixture("openai_evals_legacy").glob("*.jsonl")
    batch = batch_of(path.read_bytes(), path.name)
    (run,) = table_of(batch, "eval_runs")
    assert (run["n_total"], run["n_completed"], run["n_error"]) == (3, 2, 1)
    assert run["attributes"]["reported_accuracy"] == 0.5
    match = {sample: found for (sample, scorer), found in verdicts(batch).items() if scorer == "match"}
    assert match == {
        "capitals.test.0": (1.0, "pass"),
        "capitals.test.1": (0.0, "fail"),
        "capitals.test.2": (None, "error"),
    }


def test_every_column_of_an_api_run_has_its_value() -> None:
    """1795132800 s is 2026-11-20 00:00 UTC; 1 passed + 1 failed are completed, 1 of 3 errored."""
    batch = batch_of(dumped(API_RUN))
    (run,) = table_of(batch, "eval_runs")
    assert "eval_samples" not in batch.frames
    assert known(run) == {
        "run_id": "evalrun_1",
        "tool": "openai_evals",
        "task": "eval_1",
        "model": "gpt-4o-mini",
        "dataset_hash": set_hash(
            sha(item)[:16] for item in ('{"input":"a"}', '{"input":"b"}', '{"input":"c"}')
        ),
        "prompt_hash": sha('[{"content":"Answer.","role":"developer"}]')[:16],
        "git_commit": "abc123",
        "started_at_ns": 1_795_132_800 * 10**9,
        "status": "completed",
        "n_total": 3,
        "n_completed": 2,
        "n_error": 1,
        "region": "eu-west-1",
        "attributes": {
            "name": "nightly",
            "reported_passed": 1,
            "reported_failed": 1,
            "reported_errored": 1,
            "reported_match_passed": 1,
            "reported_match_failed": 1,
        },
    }


def test_every_column_of_an_output_item_has_its_value() -> None:
    batch = batch_of(dumped(API_PAGE))
    assert known(table_of(batch, "eval_samples")[0]) == {
        "run_id": "evalrun_1",
        "sample_id": "1",
        "epoch": 1,
        "scorer": "match",
        "value": 1.0,
        "verdict": "pass",
        "item_id": "eval_1/1",
        "trace_id": TRACE,
        "model": "gpt-4o-mini-2024-07-18",
        "attributes": {
            "output_item_id": "item_1",
            "finish_reason": "stop",
            "input_tokens": 20,
            "output_tokens": 2,
            "cache_read_tokens": 4,
        },
    }
    assert verdicts(batch) == {
        ("1", "match"): (1.0, "pass"),
        ("2", "match"): (0.8, "fail"),
        ("3", "match"): (None, "error"),
    }
    item = table_of(batch, "eval_items")[0]
    assert (item["suite"], item["target_hash"], len(item["input_hash"])) == ("eval_1", sha("Paris")[:16], 16)
    (run,) = table_of(batch, "eval_runs")
    assert (run["n_total"], run["n_completed"], run["n_error"]) == (None, 2, 1)
    assert [note.rule for note in batch.repaired] == ["openai_evals_next_page"]


def test_one_item_alone_and_a_run_with_its_items_are_read_too() -> None:
    assert verdicts(batch_of(dumped(API_ITEMS[0]))) == {("1", "match"): (1.0, "pass")}
    both = batch_of(json_lines([API_RUN, API_PAGE]))
    (run,) = table_of(both, "eval_runs")
    assert (run["n_total"], len(verdicts(both))) == (3, 3)


def test_objects_of_the_vendors_description_are_read() -> None:
    found = [
        batch_of(path.read_bytes(), path.name) for path in sorted(fixture("openai_evals_api").glob("*.json"))
    ]
    assert [batch.quarantined for batch in found] == [[], [], []]
    rows = [row for batch in found for row in table_of(batch, "eval_samples")]
    assert [(row["sample_id"], row["value"], row["verdict"]) for row in rows] == [("5", 1.0, "pass")] * 2
    (queued,) = [run for batch in found for run in table_of(batch, "eval_runs") if run["status"]]
    assert (queued["status"], queued["n_total"], queued["n_completed"]) == ("queued", 15, 0)

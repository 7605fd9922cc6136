"""Braintrust: a local result, a summary alone, exported events; null is skipped; one golden value a column."""

from __future__ import annotations

from core.ingest.evals.rows import set_hash
from tests.ingest.eval_files import (
    BRAINTRUST,
    BRAINTRUST_EVENTS,
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

OSLO, ROME = (f"lab/{sha(f'Capital of {country}?')[:16]}" for country in ("Norway", "Italy"))


def test_every_column_has_its_value() -> None:
    batch = batch_of(dumped(BRAINTRUST))
    assert (batch.rows_read, batch.quarantined) == (3, [])
    (run,) = table_of(batch, "eval_runs")
    assert known(run) == {
        "run_id": "exp-1",
        "tool": "braintrust",
        "task": "lab",
        "model": "m",
        "dataset_hash": set_hash(["lab/paris", OSLO, ROME]),
        "git_commit": "abc123",
        "n_total": 3,
        "n_completed": 2,
        "n_error": 1,
        "region": "eu-west-1",
        "quantization": "int4",
        "attributes": {"experiment_name": "nightly", "reported_exact": 0.5, "reported_duration": 1.5},
    }
    sample = known(table_of(batch, "eval_samples")[0])
    assert sample.pop("attributes")["metadata"]["id"] == "paris"
    assert sample == {
        "run_id": "exp-1",
        "sample_id": "paris",
        "epoch": 1,
        "scorer": "exact",
        "value": 1.0,
        "verdict": "pass",
        "item_id": "lab/paris",
        "trace_id": TRACE,
        "model": "m",
        "arm": "text",
        "slices": {"language": "en"},
    }
    item = known(table_of(batch, "eval_items")[1])
    assert item == {
        "item_id": OSLO,
        "suite": "lab",
        "input_hash": sha("Capital of Norway?")[:16],
        "target_hash": sha("Oslo")[:16],
    }


def test_null_is_skipped_and_an_error_is_an_error_in_every_score() -> None:
    assert verdicts(batch_of(dumped(BRAINTRUST))) == {
        ("paris", "exact"): (1.0, "pass"),
        ("paris", "judge"): (None, "skipped"),
        ("1", "exact"): (0.0, "fail"),
        ("1", "judge"): (None, "skipped"),
        ("2", "exact"): (None, "error"),
        ("2", "judge"): (None, "error"),
    }


def test_a_summary_alone_is_a_run_that_counts_nothing() -> None:
    (run,) = table_of(batch_of(dumped(BRAINTRUST["summary"])), "eval_runs")
    assert (run["run_id"], run["n_total"], run["attributes"]["reported_exact"]) == ("exp-1", None, 0.5)


def test_of_events_the_newest_root_counts() -> None:
    """The first line is transaction 2 of ev-1, the second transaction 1, the third a step below a root."""
    for content in (json_lines(BRAINTRUST_EVENTS), dumped({"events": BRAINTRUST_EVENTS, "cursor": None})):
        batch = batch_of(content)
        assert verdicts(batch) == {("ev-1", "exact"): (1.0, "pass")}
        (row,) = table_of(batch, "eval_samples")
        assert (row["run_id"], row["attributes"]["input_tokens"]) == ("exp-2", 20)
        assert [note.rule for note in batch.repaired] == ["braintrust_step"]


def test_texts_are_kept_only_when_asked_for() -> None:
    for capture in (False, True):
        shown = str([frame.rows() for frame in batch_of(dumped(BRAINTRUST), capture=capture).frames.values()])
        assert ("Capital of France?" in shown, "ValueError: bad" in shown) == (capture, capture)


def test_the_real_result() -> None:
    path = fixture("braintrust", "local_eval_result.json")
    batch = batch_of(path.read_bytes(), path.name)
    assert verdicts(batch) == {("paris", "exact"): (1.0, "pass"), ("1", "exact"): (0.0, "fail")}
    (run,) = table_of(batch, "eval_runs")
    assert (run["n_total"], run["n_completed"], run["attributes"]["reported_exact"]) == (2, 2, 0.5)

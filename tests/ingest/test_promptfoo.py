"""promptfoo: a column of the table is a run; an error is no failure; one golden value a column."""

from __future__ import annotations

from core.ingest.evals.rows import set_hash
from tests.ingest.eval_files import (
    PROMPTFOO,
    PROMPTFOO_ROWS,
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

PARIS, OSLO = sha('{"city":"Paris"}')[:16], sha('{"city":"Oslo"}')[:16]


def test_every_column_of_the_run_has_its_value() -> None:
    """2026-11-20 10:00 UTC = 1795168800 s. Three cells: one passed, one failed, one errored."""
    (run,) = table_of(batch_of(dumped(PROMPTFOO)), "eval_runs")
    assert known(run) == {
        "run_id": "eval-1/0",
        "tool": "promptfoo",
        "task": "weather",
        "model": "openai:chat:gpt-4o-mini",
        "dataset_hash": set_hash([f"weather/{PARIS}", f"weather/{OSLO}"]),
        "prompt_hash": sha("Weather in {{city}}?")[:16],
        "started_at_ns": 1_795_168_800 * 10**9,
        "n_total": 3,
        "n_completed": 2,
        "n_error": 1,
        "region": "eu-west-1",
        "quantization": "fp8",
        "attributes": {
            "promptfoo_version": "0.123.1",
            "provider_label": "ok",
            "prompt_idx": 0,
            "prompt_id": "p0",
            "reported_score": 0.75,
            "reported_testPassCount": 1.0,
        },
    }


def test_every_column_of_a_sample_and_an_item_has_its_value() -> None:
    batch = batch_of(dumped(PROMPTFOO))
    assert (batch.rows_read, batch.quarantined) == (3, [])
    assert known(table_of(batch, "eval_samples")[0]) == {
        "run_id": "eval-1/0",
        "sample_id": "0",
        "epoch": 1,
        "scorer": "test",
        "value": 0.75,
        "verdict": "pass",
        "item_id": f"weather/{PARIS}",
        "trace_id": TRACE,
        "model": "openai:chat:gpt-4o-mini",
        "slices": {"language": "en"},
        "attributes": {
            "result_id": "row-1",
            "latency_ms": 250.0,
            "cost_usd": 0.001,
            "input_tokens": 100,
            "output_tokens": 9,
            "cached": False,
            "http_status": 200,
            "request_id": "req_1",
            "metadata": {"language": "en"},
        },
    }
    items = {row["item_id"]: row for row in table_of(batch, "eval_items")}
    assert set(items) == {f"weather/{PARIS}", f"weather/{OSLO}"}
    assert items[f"weather/{PARIS}"]["input_hash"] == PARIS
    assert len(items[f"weather/{PARIS}"]["target_hash"]) == 16


def test_the_test_its_assertions_and_errors() -> None:
    """The same city again is the same item, a second time; its call errored, so all it would have scored is an error."""
    batch = batch_of(dumped(PROMPTFOO))
    assert verdicts(batch) == {
        ("0", "test"): (0.75, "pass"),
        ("0", "mentions"): (1.0, "pass"),
        ("0", "similar"): (0.3, "pass"),  # promptfoo's own verdict
        ("0", "similar#2"): (0.9, "fail"),
        ("1", "test"): (0.0, "fail"),
        ("2", "test"): (None, "error"),
        ("2", "contains"): (None, "error"),
        ("2", "latency"): (None, "error"),
    }
    last = table_of(batch, "eval_samples")[-1]
    assert (last["epoch"], last["item_id"]) == (2, f"weather/{PARIS}")
    assert last["attributes"]["error_class"] == "rate_limit"
    assert "cost_usd" not in last["attributes"]  # 0 of a call that failed means that nobody knows


def test_rows_alone_are_read_without_the_evals_name() -> None:
    batch = batch_of(json_lines(PROMPTFOO_ROWS))
    assert verdicts(batch) == verdicts(batch_of(dumped(PROMPTFOO)))
    (run,) = table_of(batch, "eval_runs")
    assert run["run_id"] == f"rows-{sha('row-1')[:16]}/0"
    longer = [*PROMPTFOO_ROWS, {**PROMPTFOO_ROWS[1], "id": "row-4", "testIdx": 3}]
    assert table_of(batch_of(json_lines(longer)), "eval_runs")[0]["run_id"] == run["run_id"]


def test_rows_before_failure_reasons_tell_an_error_by_its_text() -> None:
    old = [{k: v for k, v in row.items() if k != "failureReason"} for row in PROMPTFOO_ROWS]
    assert verdicts(batch_of(json_lines(old))) == verdicts(batch_of(json_lines(PROMPTFOO_ROWS)))


def test_content_is_kept_only_when_asked_for() -> None:
    for capture in (False, True):
        batch = batch_of(dumped(PROMPTFOO), capture=capture)
        shown = str([frame.rows() for frame in batch.frames.values()])
        assert ("Too Many Requests" in shown, '"rain"' in shown) == (capture, capture)
        assert (table_of(batch, "eval_items")[0]["input_text"] == '{"city":"Paris"}') == capture


def test_a_row_that_is_none_is_refused_alone() -> None:
    changed = {**PROMPTFOO, "results": {"results": [7, *PROMPTFOO_ROWS]}}
    batch = batch_of(dumped(changed))
    assert (batch.rows_read, len(batch.quarantined), len(verdicts(batch))) == (4, 1, 8)


def test_the_real_eval_is_four_columns_of_two_tests() -> None:
    """promptfoo's own stats: 2 successes, 2 failures, 4 errors. The errors are not failures."""
    for name in ("eval.json", "eval.jsonl"):
        path = fixture("promptfoo", name)
        batch = batch_of(path.read_bytes(), name)
        runs = table_of(batch, "eval_runs")
        sums = [sum(run[column] for run in runs) for column in ("n_total", "n_completed", "n_error")]
        assert (len(runs), sums) == (4, [8, 4, 4])
        tests = [row["verdict"] for row in table_of(batch, "eval_samples") if row["scorer"] == "test"]
        assert {verdict: tests.count(verdict) for verdict in set(tests)} == {"pass": 2, "fail": 2, "error": 4}
        assert {run["prompt_hash"] for run in runs} == {"1fbc233ac1c9d7a8", "6c16cfd0f2ba0be2"}

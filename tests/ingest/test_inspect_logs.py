"""Inspect's logs: one golden value a column, the same from JSON, deflate and Zstandard; errors are no failures."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import json
from typing import Any

import pytest

from core.ingest.files import FileProblem
from tests.ingest.eval_files import (
    INSPECT_SAMPLES,
    TRACE,
    Entry,
    batch_of,
    fixture,
    inspect_eval,
    inspect_json,
    known,
    sha,
    table_of,
    verdicts,
    zipped,
)

SHAPES = {
    "json": inspect_json(),
    "zstd": inspect_eval(),
    "deflate": inspect_eval(method=8),
    "stored": inspect_eval(method=0),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_column_of_the_run_has_its_value(shape: str) -> None:
    """2026-11-20 10:00:01 UTC = 1795168801 s. Planned 3, completed 2, errored 1; status success all the same."""
    (run,) = table_of(batch_of(SHAPES[shape]), "eval_runs")
    ids = json.dumps(sorted(["paris", "rome", "7"]))
    assert known(run) == {
        "run_id": "T1",
        "tool": "inspect",
        "task": "capitals",
        "task_version": "3",
        "model": "openai/gpt-4o-mini",
        "dataset_hash": sha(ids)[:16],
        "prompt_hash": sha("Answer briefly.")[:16],
        "git_commit": "abc123",
        "started_at_ns": 1_795_168_801 * 10**9,
        "status": "success",
        "n_total": 3,
        "n_completed": 2,
        "n_error": 1,
        "region": "eu-west-1",
        "quantization": "int4",
        "attributes": {
            "inspect_run_id": "R1",
            "eval_id": "E1",
            "inspect_version": "0.3.285",
            "epochs": 1,
            "completed_at": "2026-11-20T10:00:09+00:00",
            "metadata": {"region": "eu-west-1"},
            "task_args": {"arm": "text"},
            "input_tokens": 40,
            "output_tokens": 10,
            "cache_read_tokens": 16,
            "reported_total_samples": 3,
            "reported_completed_samples": 2,
            "reported_accuracy": 1.0,
            "reported_includes_accuracy": 1.0,
            "reported_multi/correct_mean": 0.75,
        },
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_every_column_of_a_sample_and_an_item_has_its_value(shape: str) -> None:
    batch = batch_of(SHAPES[shape])
    assert batch.quarantined == []
    assert batch.rows_read == 3
    assert known(table_of(batch, "eval_samples")[0]) == {
        "run_id": "T1",
        "sample_id": "paris",
        "epoch": 1,
        "scorer": "includes",
        "value": 1.0,
        "label": "C",
        "verdict": "pass",
        "item_id": "capitals/paris",
        "trace_id": TRACE,
        "model": "gpt-4o-mini-2024-07-18",
        "arm": "image",
        "slices": {"topic": "geo", "tier": "pro"},
        "attributes": {
            "uuid": "U1",
            "total_time_s": 0.5,
            "error_retries": 1,
            "input_tokens": 20,
            "output_tokens": 5,
            "metadata": {"topic": "geo"},
        },
    }  # fmt: skip
    item = table_of(batch, "eval_items")[0]
    assert known({**item, "attributes": None}) == {
        "item_id": "capitals/paris",
        "suite": "capitals",
        "source": "production",
        "created_on": dt.date(2026, 10, 1),
        "input_hash": sha("Capital of France?")[:16],
        "target_hash": sha("Paris")[:16],
        "source_trace_id": TRACE,
        "subject_hash": sha("user-7")[:16],
        "twin_of": "capitals/paris-fr",
        "canary_guid": "g-1",
        "store": "s3",
        "reader_groups": "evals,ops",
    }


def test_a_map_of_scores_is_a_row_a_key_and_an_errored_sample_is_an_error_in_each() -> None:
    assert verdicts(batch_of(inspect_eval())) == {
        ("paris", "includes"): (1.0, "pass"),
        ("paris", "multi/correct"): (1.0, "pass"),
        ("paris", "multi/concise"): (0.5, "pass"),
        ("7", "includes"): (1.0, "pass"),
        ("7", "multi/correct"): (0.5, "fail"),  # partial credit is worth half and no pass
        ("7", "multi/concise"): (None, "error"),  # NaN
        ("rome", "includes"): (None, "error"),
        ("rome", "multi/correct"): (None, "error"),
        ("rome", "multi/concise"): (None, "error"),
    }
    rome = next(
        row for row in table_of(batch_of(inspect_eval()), "eval_samples") if row["sample_id"] == "rome"
    )
    assert rome["attributes"] == {"error_type": "RuntimeError", "error_class": "unknown"}


def test_content_is_kept_only_when_asked_for() -> None:
    secret = ("Capital of France?", "it says Paris", "tool backend down", "long prose", "someone@example.org")
    closed, open_ = (batch_of(inspect_eval(), capture=capture) for capture in (False, True))
    shown = [str([frame.rows() for frame in batch.frames.values()]) for batch in (closed, open_)]
    assert not any(text in shown[0] for text in secret)
    assert all(text in shown[1] for text in secret[:4])
    assert secret[4] not in shown[1]  # names a person: never
    assert "user-7" not in shown[0] + shown[1]  # whom a case is about is a hash alone
    assert table_of(open_, "eval_items")[0]["input_text"] == "Capital of France?"


def test_random_ids_of_messages_do_not_change_an_input() -> None:
    changed = [dict(one) for one in INSPECT_SAMPLES]
    changed[1]["input"] = [
        {"id": "other", "role": "user", "content": "Capital of Norway?", "source": "input"}
    ]
    hashes = [
        table_of(batch_of(inspect_json(samples=s)), "eval_items")[1]["input_hash"]
        for s in (INSPECT_SAMPLES, changed)
    ]
    assert hashes[0] == hashes[1]


def test_a_log_whose_run_was_killed_or_cancelled_counts_what_is_there() -> None:
    (run,) = table_of(batch_of(inspect_eval(header=None, samples=INSPECT_SAMPLES[:1])), "eval_runs")
    assert (run["status"], run["n_total"], run["n_completed"], run["n_error"]) == ("started", 3, 1, 0)


def test_a_log_without_samples_is_the_run_it_reports() -> None:
    (run,) = table_of(batch_of(inspect_json(samples=None)), "eval_runs")
    assert (run["n_total"], run["n_completed"], run["n_error"]) == (3, 2, 1)


def test_a_sample_that_no_scorer_scored_is_skipped_and_no_zero() -> None:
    lonely = [{**INSPECT_SAMPLES[0], "scores": {}}]
    batch = batch_of(inspect_json(samples=lonely))
    assert set(verdicts(batch).values()) == {(None, "skipped")}
    (run,) = table_of(batch, "eval_runs")
    assert (run["n_total"], run["n_completed"], run["n_error"]) == (3, 0, 0)


def test_scores_of_an_errored_sample_are_reported_and_not_believed() -> None:
    """score_on_error scores samples that errored."""
    scored = [{**INSPECT_SAMPLES[2], "scores": {"includes": {"value": "I"}}}]
    (row, *_) = table_of(batch_of(inspect_json(samples=scored)), "eval_samples")
    assert (row["value"], row["verdict"], row["attributes"]["reported_value"]) == (None, "error", 0.0)


def test_a_damaged_sample_is_read_from_the_summary_and_told() -> None:
    name = "samples/paris_epoch_1.json"
    for bad in (Entry(name, b"{}", crc=1), Entry(name, b"[" * 100_000), Entry(name, b'{"id": ')):
        batch = batch_of(inspect_eval(changed={name: bad}))
        assert verdicts(batch) == verdicts(batch_of(inspect_eval()))
        (note,) = batch.repaired
        assert (note.row_key, note.rule, note.applied) == (name, "inspect_summary", True)
    changed = {name: Entry(name, b"{}", crc=1), "summaries.json": Entry("summaries.json", b"[]")}
    batch = batch_of(inspect_eval(changed=changed))
    assert (batch.rows_read, len(batch.quarantined)) == (3, 1)
    assert "checksum" in batch.quarantined[0].reason


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (inspect_eval()[:-30], "cut short"),
        (inspect_eval(changed={"header.json": Entry("header.json", b"{}", flags=1)}), "encrypted"),
        (
            inspect_eval(changed={"header.json": Entry("header.json", b"{}", method=14)}),
            "compression method 14",
        ),
        (
            inspect_eval(changed={"header.json": Entry("header.json", b"{}", crc=7)}),
            "header.json cannot be read",
        ),
        (inspect_eval(changed={"header.json": Entry("header.json", b"[" * 200_000)}), "nested too deeply"),
        (inspect_eval(changed={"header.json": Entry("header.json", b"{}")}), "no Inspect log"),
        (zipped(Entry("samples/a_epoch_1.json", b"{}")), "no header.json"),
        (
            b'{"eval": {"run_id": 1, "task_id": 2, "created": 3, "task": ' + b"[" * 200_000,
            "nested too deeply",
        ),
        (b'{"eval": {"run_id": null, "task_id": null, "created": 3, "task": 4}}', "the log has no id"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(content: bytes, told: str) -> None:
    with pytest.raises(FileProblem, match=told):
        batch_of(content, "log.eval")


def test_real_logs_give_the_same_as_inspects_own_tables() -> None:
    """evals_df.csv and samples_df.csv are what inspect_ai.analysis reads from the same logs: C is 1, I is 0."""
    folder = fixture("inspect")
    with (folder / "evals_df.csv").open(newline="") as file:
        evals = {row["task_id"]: row for row in csv.DictReader(file)}
    with (folder / "samples_df.csv").open(newline="") as file:
        samples = list(csv.DictReader(file))
    compared = 0
    for path in sorted(folder.glob("2026*")):
        batch = batch_of(path.read_bytes(), path.name)
        (run,) = table_of(batch, "eval_runs")
        if run["run_id"] not in evals:
            continue
        theirs = evals[run["run_id"]]
        assert run["attributes"]["eval_id"] == theirs["eval_id"]
        assert run["model"] == theirs["model"]
        if theirs["total_samples"]:
            assert run["n_total"] == float(theirs["total_samples"])
            assert run["n_completed"] == float(theirs["completed_samples"])
        mine = {
            (row["sample_id"], row["epoch"]): row
            for row in table_of(batch, "eval_samples")
            if row["scorer"] in ("includes", "match")
        }
        rows = [row for row in samples if row["eval_id"] == theirs["eval_id"]]
        assert len(rows) == len(mine)
        for row in rows:
            got = mine[row["id"], int(row["epoch"])]
            assert (got["label"] or "") == row["score_includes"]
            assert (got["trace_id"] or "") == row["metadata_trace_id"]
            compared += 1
    assert compared >= 6


def test_the_real_error_log_keeps_two_of_three() -> None:
    """Its status is success and its accuracy 1.0; one of three samples errored."""
    (path,) = fixture("inspect").glob("*capitals-error*.eval")
    batch = batch_of(path.read_bytes(), path.name)
    (run,) = table_of(batch, "eval_runs")
    assert (run["status"], run["n_total"], run["n_completed"], run["n_error"]) == ("success", 3, 2, 1)
    assert run["attributes"]["reported_accuracy"] == 1.0
    assert verdicts(batch) == {
        ("paris", "includes"): (1.0, "pass"),
        ("rome", "includes"): (None, "error"),
        ("oslo", "includes"): (1.0, "pass"),
    }


def test_the_real_logs_in_both_forms_agree() -> None:
    """The same task run twice, once to .eval and once to .json: 3 items, 2 epochs, 3 scores."""
    folder = fixture("inspect")
    found: list[Any] = []
    for pattern in ("*_capitals_*.eval", "*_capitals_*.json"):
        (path,) = folder.glob(pattern)
        batch = batch_of(path.read_bytes(), path.name)
        rows = table_of(batch, "eval_samples")
        assert len(rows) == 3 * 2 * 3
        assert {row["epoch"] for row in rows} == {1, 2}
        keys = ("sample_id", "epoch", "scorer", "value", "label", "verdict", "item_id", "trace_id", "slices")
        found.append(sorted(str([row[key] for key in keys]) for row in rows))
        assert batch.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found[0] == found[1]

"""Ragas' CSV: a column of numbers is a metric, an empty cell is a metric that failed; one golden value a column."""

from __future__ import annotations

from core.ingest.evals.ragas import detect
from core.ingest.evals.rows import set_hash
from tests.ingest.eval_files import RAGAS, TRACE, batch_of, fixture, known, sha, table_of, verdicts

PARIS = f"ragas/{sha('Capital of France?')[:16]}-{sha('Paris')[:16]}"
OSLO = f"ragas/{sha('Capital of Norway?')[:16]}-{sha('Oslo')[:16]}"


def test_every_column_has_its_value() -> None:
    batch = batch_of(RAGAS)
    assert (batch.rows_read, batch.quarantined) == (3, [])
    (run,) = table_of(batch, "eval_runs")
    assert known(run) == {
        "run_id": f"ragas-{batch.sha256[:16]}",
        "tool": "ragas",
        "model": "m",
        "dataset_hash": set_hash([PARIS, OSLO]),
        "n_total": 3,
        "n_completed": 2,
        "n_error": 1,
    }
    assert known(table_of(batch, "eval_samples")[0]) == {
        "run_id": run["run_id"],
        "sample_id": "0",
        "epoch": 1,
        "scorer": "faithfulness",
        "value": 0.75,
        "verdict": "pass",
        "item_id": PARIS,
        "trace_id": TRACE,
        "model": "m",
        "arm": "text",
        "slices": {"language": "en"},
    }
    assert known(table_of(batch, "eval_items")[0]) == {
        "item_id": PARIS,
        "input_hash": sha("Capital of France?")[:16],
        "target_hash": sha("Paris")[:16],
    }


def test_nan_and_nothing_are_errors_and_never_zero() -> None:
    """Row 2 of the file has neither metric: it errored. Row 1 has one of two: it completed."""
    batch = batch_of(RAGAS)
    assert verdicts(batch) == {
        ("0", "faithfulness"): (0.75, "pass"),
        ("0", "answer_relevancy"): (1.0, "pass"),
        ("1", "faithfulness"): (None, "error"),
        ("1", "answer_relevancy"): (0.0, "fail"),
        ("2", "faithfulness"): (None, "error"),
        ("2", "answer_relevancy"): (None, "error"),
    }
    again = [(row["item_id"], row["epoch"]) for row in table_of(batch, "eval_samples")][::2]
    assert again == [(PARIS, 1), (OSLO, 1), (OSLO, 2)]


def test_older_names_and_a_pandas_index_are_read_and_other_tables_are_not() -> None:
    old = b",question,answer,contexts,ground_truth,faithfulness\n0,q,a,c,g,0.5\n"
    assert verdicts(batch_of(old)) == {("0", "faithfulness"): (0.5, "pass")}
    for head in (b"question,answer\n", b"user_input,score\n", b"response,reference\n", b'{"user_input": 1}'):
        assert not detect(head, "x.csv")


def test_a_row_with_too_many_cells_is_refused_alone() -> None:
    batch = batch_of(RAGAS + b"q,c,r,t,1,1,x,en,,m,text,more\n")
    assert (batch.rows_read, len(batch.quarantined), len(verdicts(batch))) == (4, 1, 6)


def test_texts_are_kept_only_when_asked_for() -> None:
    for capture in (False, True):
        shown = str([frame.rows() for frame in batch_of(RAGAS, capture=capture).frames.values()])
        assert ("Capital of France?" in shown, "Bergen" in shown) == (capture, capture)


def test_the_real_result() -> None:
    batch = batch_of(fixture("ragas", "result.csv").read_bytes(), "result.csv")
    assert verdicts(batch) == {
        ("0", "exact_match"): (1.0, "pass"),
        ("0", "string_present"): (1.0, "pass"),
        ("1", "exact_match"): (0.0, "fail"),
        ("1", "string_present"): (0.0, "fail"),
    }

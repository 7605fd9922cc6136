"""Which eval rows count: a log that comes again restates its samples, parts of a run add up, undone ones are gone."""

from __future__ import annotations

from typing import Any

import pytest

from core.ledger.eval_rows import NEWEST_EVALS
from core.ledger.store import Store
from tests.ingest import eval_files
from tests.ingest.eval_files import INSPECT_HEADER, INSPECT_SAMPLES, batch_of, dumped, inspect_eval

SAMPLES = f"with {NEWEST_EVALS} select * from newest_eval_samples order by run_id, sample_id, epoch, scorer"
RUNS = f"with {NEWEST_EVALS} select * from newest_eval_runs order by run_id"
ITEMS = f"with {NEWEST_EVALS} select * from newest_eval_items order by item_id"


def give(store: Store, content: bytes, name: str = "log") -> int:
    return store.submit(batch_of(content, name)).import_id


def ask(store: Store, question: str, as_of: int) -> list[dict[str, Any]]:
    return store.ask(question, as_of=as_of).rows(named=True)


def verdicts(store: Store, as_of: int) -> dict[tuple[str, str], str]:
    return {(row["sample_id"], row["scorer"]): row["verdict"] for row in ask(store, SAMPLES, as_of)}


def accuracy(store: Store, as_of: int, scorer: str) -> tuple[int, int]:
    """Passed and completed: errors are in neither."""
    found = [row["verdict"] for row in ask(store, SAMPLES, as_of) if row["scorer"] == scorer]
    return found.count("pass"), found.count("pass") + found.count("fail")


def resumed() -> bytes:
    """The retried log: the same task_id, another run_id; the sample that errored was tried again and failed."""
    header = {**INSPECT_HEADER, "eval": {**INSPECT_HEADER["eval"], "run_id": "R2", "eval_id": "E2"}}
    tried = {**INSPECT_SAMPLES[2], "error": None, "scores": {"includes": {"value": "I"}}}
    return inspect_eval(header, [*INSPECT_SAMPLES[:2], tried])


def test_a_resumed_run_restates_its_samples_and_an_earlier_version_keeps_its_own(store: Store) -> None:
    first = give(store, inspect_eval())
    second = give(store, resumed())
    assert verdicts(store, first)["rome", "includes"] == "error"
    assert accuracy(store, first, "includes") == (2, 2)
    assert verdicts(store, second)["rome", "includes"] == "fail"
    assert accuracy(store, second, "includes") == (2, 3)
    assert len(ask(store, SAMPLES, second)) == 9  # 3 samples, 3 scores, each once
    for as_of, counts in ((first, (3, 2, 1)), (second, (3, 3, 0))):
        (run,) = ask(store, RUNS, as_of)
        assert (run["n_total"], run["n_completed"], run["n_error"]) == counts
    assert len(ask(store, ITEMS, second)) == 3


def test_undoing_the_later_log_gives_the_earlier_one_back(store: Store) -> None:
    first = give(store, inspect_eval())
    second = give(store, resumed())
    undone = store.undo([second], "test").import_id
    assert verdicts(store, undone) == verdicts(store, first)
    assert verdicts(store, second)["rome", "includes"] == "fail"
    assert len(ask(store, RUNS, undone)) == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_results_and_samples_of_lm_eval_are_one_run_in_either_order(
    store: Store, order: tuple[int, int]
) -> None:
    files = (
        (dumped(eval_files.LM_EVAL_RESULTS), "results_2026-11-20T10-00-00.5.json"),
        (eval_files.lm_eval_samples(), "samples_capitals_2026-11-20T10-00-00.5.jsonl"),
    )
    for at in order:
        newest = give(store, *files[at])
    (run,) = ask(store, RUNS, newest)
    assert (run["model"], run["n_total"]) == ("org/model-7b", 2)
    rows = ask(store, SAMPLES, newest)
    assert len(rows) == 5
    assert {(row["model"], row["quantization"], row["task"]) for row in rows} == {
        ("org/model-7b", "4bit", "capitals")
    }


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_run_of_the_api_and_its_items_are_one_run_in_either_order(
    store: Store, order: tuple[int, int]
) -> None:
    """The run says gpt-4o-mini, its items the snapshot that answered."""
    files = (dumped(eval_files.API_RUN), dumped(eval_files.API_PAGE))
    for at in order:
        newest = give(store, files[at])
    (run,) = ask(store, RUNS, newest)
    assert (run["status"], run["n_total"]) == ("completed", 3)
    rows = ask(store, SAMPLES, newest)
    assert {(row["model"], row["answered_by"]) for row in rows} == {("gpt-4o-mini", "gpt-4o-mini-2024-07-18")}


def test_samples_whose_run_is_not_here_are_counted_with_the_model_that_answered(store: Store) -> None:
    newest = give(store, dumped(eval_files.API_PAGE))
    assert {row["model"] for row in ask(store, SAMPLES, newest)} == {"gpt-4o-mini-2024-07-18"}


def test_the_same_log_twice_changes_nothing(store: Store) -> None:
    first = give(store, inspect_eval())
    assert give(store, inspect_eval()) == first
    assert store.ask("select count(*) from eval_samples").item() == 9


def test_every_format_fills_the_ledger_and_dates_its_import(store: Store) -> None:
    for shapes in eval_files.SHAPES.values():
        for content in shapes:
            give(store, content)
    tools = {row["tool"] for row in ask(store, RUNS, 10**6)}
    assert tools == {"inspect", "lm_eval", "promptfoo", "openai_evals", "deepeval", "ragas", "braintrust"}
    dated = store.ask(
        "select min_event_ns from imports where format = 'inspect' and min_event_ns is not null"
    )
    assert set(dated["min_event_ns"]) == {1_795_168_801 * 10**9}


def test_the_text_is_in_the_portable_subset() -> None:
    """Joins and groups only: an audit that begins with it still reads the same on another engine."""
    words = set(NEWEST_EVALS.replace("(", " ").replace(")", " ").split())
    assert not words & {"over", "qualify", "asof", "lateral", "unnest", "pivot"}
    assert "[" not in NEWEST_EVALS

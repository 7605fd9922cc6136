"""What holds for every eval format: recognised alone, through every door, counts that add up, no content unasked."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from core.cli import main
from core.coverage import table_counts
from core.ingest.formats import FORMATS, HEAD_BYTES, UnknownFormat, detect
from core.ingest.options import ReadOptions
from core.ledger.store import Store
from core.uploads import take_all
from core.web.watch import Watch
from tests.ingest.eval_files import SHAPES, batch_of, inspect_eval, table_of

SHARED = Path(__file__).parents[3] / "shared" / "fixtures"
NOT_READ = {"evals_df.csv", "samples_df.csv", "eval.csv", "promptfooconfig.yaml"}
"""Tables made of logs and a table for people: what they say is read from the logs."""
ALL = [(name, content) for name, shapes in SHAPES.items() for content in shapes]


@pytest.mark.parametrize(("name", "content"), ALL)
def test_a_run_has_as_many_samples_as_it_says(name: str, content: bytes) -> None:
    batch = batch_of(content)
    assert (batch.format, batch.quarantined) == (name, [])
    samples, runs = table_of(batch, "eval_samples"), table_of(batch, "eval_runs")
    keys = [(row["run_id"], row["sample_id"], row["epoch"], row["scorer"]) for row in samples]
    assert len(keys) == len(set(keys))
    assert {row["run_id"] for row in samples} <= {row["run_id"] for row in runs}
    for run in runs:
        mine = [row for row in samples if row["run_id"] == run["run_id"]]
        by_sample: dict[tuple[str, int], set[str]] = {}
        for row in mine:
            by_sample.setdefault((row["sample_id"], row["epoch"]), set()).add(row["verdict"])
        errors = [found for found in by_sample.values() if not found & {"pass", "fail"} and "error" in found]
        if mine:
            assert run["n_error"] == len(errors)
            assert run["n_completed"] + run["n_error"] <= (run["n_total"] or 10**9)
    assert all(row["epoch"] >= 1 for row in samples)
    assert all(row["value"] is None for row in samples if row["verdict"] == "error")
    assert all(row["input_text"] is None for row in table_of(batch, "eval_items"))


@pytest.mark.parametrize(("name", "content"), ALL)
def test_items_of_samples_are_there(name: str, content: bytes) -> None:
    """A sample that errored before it said anything of its item has the item's id and no row of it."""
    batch = batch_of(content)
    items = {row["item_id"] for row in table_of(batch, "eval_items")}
    for row in table_of(batch, "eval_samples"):
        assert row["item_id"] in items or row["verdict"] == "error"


def test_real_files_are_recognised_as_themselves_and_no_other_file_is_an_eval() -> None:
    if not SHARED.exists():
        pytest.skip("../shared is absent")
    seen = 0
    for path in sorted(path for path in SHARED.rglob("*") if path.is_file()):
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
        try:
            found = detect(head, path.name).name
        except UnknownFormat:
            found = None
        is_eval = path.parent.parent.name == "evals"
        expected = path.parent.name if is_eval and path.name not in NOT_READ else None
        assert (found if found in SHAPES else None) == expected, path
        claims = [known.name for known in FORMATS if known.detect(head, path.name)]
        if expected:
            assert claims[0] == expected
            seen += 1
    assert seen == 17


def test_every_door_takes_an_archive(tmp_path: Path, store: Store) -> None:
    """The command line, an upload, the watched folder; gzip around it as well."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    for name, content in (("a.eval", inspect_eval()), ("b.eval.gz", gzip.compress(inspect_eval(method=8)))):
        (folder / name).write_bytes(content)
    assert main(["ingest", "--data", str(tmp_path / "cli"), str(folder)]) == 0
    reports = take_all(store, [(io.BytesIO(inspect_eval()), "a.eval")], ReadOptions(), lambda *_: None)
    assert [report.read for report in reports] == [True]
    watch = Watch(store, folder, ReadOptions())
    assert watch.once() == []
    assert sorted(watch.once()) == ["a.eval", "b.eval.gz"]
    counted = dict(table_counts(store.ask).select("table_name", "row_count").iter_rows())
    assert (counted["eval_runs"], counted["eval_samples"], counted["eval_items"]) == (2, 18, 6)
    formats = store.ask("select distinct format from files")["format"]
    assert list(formats) == ["inspect"]

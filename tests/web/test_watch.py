"""The watched folder: each file once, none that is still being written, none moved, problems told."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.ingest.options import ReadOptions
from core.ledger.store import Store
from core.web.watch import Watch, look
from tests import otlp_bodies
from tests.live.app import running_app
from tests.web.test_process import fetch_json

OPTIONS = ReadOptions()


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store.open(":memory:")
    yield opened
    opened.close()


def put(folder: Path, name: str, first: int = 1, at_s: int = 1_790_000_000) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(otlp_bodies.json_body(range(first, first + 2)) + b"\n")
    os.utime(path, (at_s, at_s))
    return path


def test_a_file_is_taken_at_the_second_look_that_finds_it_unchanged(store: Store, tmp_path: Path) -> None:
    watch = Watch(store, tmp_path, OPTIONS)
    put(tmp_path, "a.jsonl")
    assert watch.once() == []
    assert watch.once() == ["a.jsonl"]
    assert watch.once() == []
    assert (tmp_path / "a.jsonl").is_file()
    assert store.ask("select count(*) from spans").item() == 2


def test_a_growing_file_waits_and_a_changed_one_is_read_again(store: Store, tmp_path: Path) -> None:
    watch = Watch(store, tmp_path, OPTIONS)
    path = put(tmp_path, "a.jsonl")
    watch.once()
    path.write_bytes(path.read_bytes() + otlp_bodies.json_body(range(3, 4)) + b"\n")
    assert watch.once() == []
    assert watch.once() == ["a.jsonl"]
    put(tmp_path, "a.jsonl", first=9, at_s=1_790_000_500)
    assert [watch.once(), watch.once()] == [[], ["a.jsonl"]]
    assert store.ask("select count(*) from spans").item() == 3 + 2


def test_hidden_unfinished_and_linked_files_are_left_alone(tmp_path: Path) -> None:
    outside = put(tmp_path / "outside", "secret.jsonl")
    folder = tmp_path / "watched"
    for name in (".hidden", "a.part", "b.tmp", "c.jsonl~", ".git/x.jsonl", "sub/d.jsonl"):
        put(folder, name)
    (folder / "link.jsonl").symlink_to(outside)
    (folder / "linked").symlink_to(outside.parent)
    assert list(look(folder)) == ["sub/d.jsonl"]


def test_files_ready_at_one_look_are_one_delivery(store: Store, tmp_path: Path) -> None:
    watch = Watch(store, tmp_path, OPTIONS)
    put(tmp_path, "part-1.jsonl", 1)
    put(tmp_path, "part-2.jsonl", 5)
    watch.once()
    assert watch.once() == ["part-1.jsonl", "part-2.jsonl"]
    assert store.ask("select count(distinct delivery_id) from files").item() == 1


def test_an_unreadable_file_is_recorded_once_and_the_others_are_read(store: Store, tmp_path: Path) -> None:
    watch = Watch(store, tmp_path, OPTIONS)
    (tmp_path / "odd.bin").write_bytes(b"nothing known")
    put(tmp_path, "z.jsonl")
    for _ in range(4):
        watch.once()
    found = store.ask("select name, problem is null as fine from files order by name").rows()
    assert found == [("odd.bin", False), ("z.jsonl", True)]


def test_a_restart_knows_what_was_taken(store: Store, tmp_path: Path) -> None:
    put(tmp_path, "a.jsonl")
    first = Watch(store, tmp_path, OPTIONS)
    first.once()
    first.once()
    second = Watch(store, tmp_path, OPTIONS)
    assert [second.once(), second.once()] == [[], []]


def test_a_missing_folder_is_no_empty_folder(store: Store, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Watch(store, tmp_path / "gone", OPTIONS).once()


def test_the_running_app_watches_and_says_when_it_cannot(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    with running_app(tmp_path / "ledger", watch_folder=str(folder), watch_seconds="0.2") as address:
        ends = time.monotonic() + 60
        while not fetch_json(f"{address}/readyz")["watch_error"] and time.monotonic() < ends:
            time.sleep(0.1)
        assert "No such file" in fetch_json(f"{address}/readyz")["watch_error"]
        put(folder, "a.jsonl")
        while not fetch_json(f"{address}/api/imports")["rows"] and time.monotonic() < ends:
            time.sleep(0.1)
        (row,) = fetch_json(f"{address}/api/imports")["rows"]
        assert (row["door"], row["file_name"], row["rows_accepted"]) == ("folder", "a.jsonl", 2)
        assert fetch_json(f"{address}/readyz")["watch_error"] is None

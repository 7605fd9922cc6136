"""Names from strangers are labels: whatever a file, an entry or a download is called, nothing is opened or written by it."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from core import downloads, uploads
from core.audit import Scope
from core.audits import retry_ledger
from core.decks import Deck
from core.ingest.files import FileProblem, find_files, read_upload
from core.ingest.options import ReadOptions
from core.intake import NAME_LENGTH, Arrival, printable, take_path
from core.kept_answers import FOLDER_NAME
from core.ledger.store import Store
from core.web.process import Process
from core.web.watch import Watch
from tests.audits.retry_world import DAY
from tests.hostile.seeds import BILLS
from tests.ingest.eval_files import INSPECT_HEADER, INSPECT_SAMPLES, Entry, dumped, zipped
from tests.web.test_server import FILE, serving

NAMES = (
    "../../../../tmp/escaped.csv", "/tmp/escaped.csv", "..", ".", "/", "a/../../escaped.csv", "..\\..\\escaped.csv",
    "C:\\Windows\\escaped.csv",
    "\\\\evil.example\\share\\x.csv", "CON", "nul.csv", "COM1.csv", "a\x00b.csv", "a\r\nSet-Cookie: x=1.csv", "\u202evsc.exe",
    "x" * 5_000 + ".csv",
    "-rf", "~/.ssh/authorized_keys", "file:///etc/passwd", "$(touch escaped).csv", "%2e%2e%2fescaped.csv", "trueup.duckdb",
    ".env", " ", "é" * 300,
    "</title><script>alert(1)</script>.csv", "a.csv:stream", "|touch escaped",
)  # fmt: skip
BILL = BILLS[0].file(*BILLS[0].rows)


def seen(*folders: Path) -> set[str]:
    """Every file that is there, by path, but the ledger's and the costly answers that the app keeps beside it."""
    return {
        str(path)
        for folder in folders
        for path in folder.rglob("*")
        if not path.name.startswith(("trueup.", "state.")) and FOLDER_NAME not in path.parts
    }


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Process, Path]]:
    folder = tmp_path_factory.mktemp("names")
    with serving(folder / "ledger") as (client, process):
        yield client, process, folder


@pytest.mark.parametrize("name", NAMES)
def test_no_name_over_the_api_is_a_path(name: str, served: tuple[TestClient, Process, Path]) -> None:
    client, process, folder = served
    before = seen(folder, Path.cwd() / "tests" / "hostile")
    answer = client.post(f"/api/ingest?{urlencode({'name': name})}", content=BILL, headers=FILE)
    assert answer.status_code in (200, 400), answer.text
    assert seen(folder, Path.cwd() / "tests" / "hostile") == before
    kept = process.ledger().ask("select name from files order by file_id desc limit 1")["name"].to_list()
    for label in kept:
        assert "/" not in label
        assert label.isprintable()
        assert len(label) <= NAME_LENGTH


@pytest.mark.parametrize("name", NAMES)
def test_no_name_of_an_upload_is_a_path(
    name: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = seen(tmp_path)
    monkeypatch.chdir(tmp_path)
    report = uploads.take(store, io.BytesIO(BILL), Arrival("upload", name), ReadOptions())
    assert report.read
    assert report.sentence.isprintable()
    assert seen(tmp_path) == before
    assert printable(name).isprintable()


@pytest.mark.parametrize(
    "name", [*NAMES, "samples/../../escaped.json", "header.json/../x", "_journal/../header.json"]
)
def test_no_entry_of_an_archive_is_a_path(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries are read by what the directory calls them, into memory."""
    monkeypatch.chdir(tmp_path)
    entries = [
        Entry("header.json", dumped(INSPECT_HEADER)),
        Entry("samples/1.json", dumped(INSPECT_SAMPLES[0])),
        Entry(name, b"{}"),
    ]
    with suppress(FileProblem):
        list(read_upload(io.BytesIO(zipped(*entries)), "log.eval", ReadOptions()))
    assert list(tmp_path.iterdir()) == []
    assert not Path("/tmp/escaped.csv").exists()


@pytest.mark.parametrize("name", NAMES)
def test_no_download_is_named_by_a_stranger(name: str) -> None:
    scope = Scope(DAY, DAY, (name,), (name,), (name,), as_of=3)
    assert downloads.file_name(retry_ledger, "money", scope, "csv") == "trueup_retry_ledger_money_v3.csv"
    deck = Deck(1, name, 1, (), "")
    for made in downloads.deck_downloads(lambda *_, **__: None, deck, "", lambda *_: None):  # type: ignore[arg-type, return-value]
        assert set(made.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_."), made.name
        assert ".." not in made.name


def test_links_out_of_a_watched_folder_are_not_followed(store: Store, tmp_path: Path) -> None:
    """Neither to files nor to folders, nor pipes, which would hold the watch for ever."""
    outside, watched = tmp_path / "outside", tmp_path / "watched"
    for folder in (outside, watched / "inner"):
        folder.mkdir(parents=True)
    (outside / "secret.csv").write_bytes(BILL)
    (watched / "file.csv").symlink_to(outside / "secret.csv")
    (watched / "folder").symlink_to(outside)
    (watched / "loop").symlink_to(watched)
    (watched / "inner" / "up").symlink_to("..")
    (watched / "gone.csv").symlink_to("/nonexistent")
    (watched / "passwd").symlink_to("/etc/passwd")
    os.mkfifo(watched / "pipe.csv")
    watch = Watch(store, watched, ReadOptions())
    assert [watch.once(), watch.once(), watch.once()] == [[], [], []]
    assert store.ask("select count(*) from files").item() == 0


def test_a_link_that_takes_a_files_place_is_not_followed(store: Store, tmp_path: Path) -> None:
    """Between the look and the reading somebody may exchange the file."""
    secret, watched = tmp_path / "secret.csv", tmp_path / "watched"
    watched.mkdir()
    secret.write_bytes(BILL)
    (watched / "a.csv").write_bytes(BILL)
    look = watched / "a.csv"
    look.unlink()
    look.symlink_to(secret)
    taken = take_path(store, look, Arrival("folder", "a.csv", None, 1), ReadOptions())
    assert taken.problem
    assert store.ask("select count(*) from cost_lines").item() == 0


def test_folders_given_to_the_command_line_keep_inside(tmp_path: Path) -> None:
    outside, given = tmp_path / "outside", tmp_path / "given"
    outside.mkdir()
    given.mkdir()
    (outside / "a.csv").write_bytes(BILL)
    (given / "folder").symlink_to(outside)
    os.mkfifo(given / "pipe")
    assert find_files(given) == []

"""Zip archives from strangers: checksums, limits and lies; a bomb stops early."""

from __future__ import annotations

import io
import random
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pytest
import zstandard

from core.ingest import archive, growth
from core.ingest.archive import Archive, BadArchive, BadEntry
from tests.ingest.eval_files import Entry, zipped


def opened(*entries: Entry) -> Archive:
    return Archive(io.BytesIO(zipped(*entries)))


@pytest.mark.parametrize("method", [0, 8, 93])
@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
def test_every_method_gives_the_bytes_back(method: int, size: int) -> None:
    content = random.Random(size).randbytes(size)
    found = opened(Entry("a", b"first", method), Entry("b", content, method))
    assert found.names() == ["a", "b"]
    assert found.read("b") == content
    assert found.read("a") == b"first"


def test_what_zipfile_writes_is_read() -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.json", b"{}" * 1_000)
        with file.open("b.json", "w", force_zip64=True) as entry:  # sizes stand in an extra field
            entry.write(b"[]")
    found = Archive(written)
    assert (found.read("a.json"), found.read("b.json")) == (b"{}" * 1_000, b"[]")


class Pipe(io.RawIOBase):
    """Takes bytes and cannot go back, so that zipfile writes sizes and checksums behind each entry."""

    def __init__(self) -> None:
        self.taken = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece: bytes) -> int:  # type: ignore[override]
        self.taken += piece
        return len(piece)


def test_an_archive_that_was_streamed_is_read() -> None:
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.json", b"{}" * 1_000)
        file.writestr("b.json", b"[]")
    found = Archive(io.BytesIO(bytes(pipe.taken)))
    assert (found.read("a.json"), found.read("b.json")) == (b"{}" * 1_000, b"[]")


def test_a_zstandard_entry_of_several_frames_is_read_whole() -> None:
    frames = zstandard.ZstdCompressor().compress(b"one ") + zstandard.ZstdCompressor().compress(b"two")
    content = zipped(Entry("a", frames, 0))
    changed = bytearray(content)
    for at, size_at in ((8, 22), (content.index(b"PK\x01\x02") + 10, content.index(b"PK\x01\x02") + 24)):
        changed[at : at + 2] = (93).to_bytes(2, "little")
        changed[size_at : size_at + 4] = (7).to_bytes(4, "little")
        crc = zlib.crc32(b"one two")
        changed[size_at - 8 : size_at - 4] = crc.to_bytes(4, "little")
    assert Archive(io.BytesIO(bytes(changed))).read("a") == b"one two"


@pytest.mark.parametrize("method", [8, 93])
def test_an_entry_that_lies_about_its_size_is_damaged(method: int) -> None:
    with pytest.raises(BadEntry, match="more comes out"):
        opened(Entry("a", b"0" * 5_000_000, method, size=10)).read("a")
    with pytest.raises(BadEntry, match="checksum"):
        opened(Entry("a", b"0" * 10, method, size=11)).read("a")


def test_an_entry_too_large_for_memory_is_refused_by_its_own_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_ENTRY_BYTES", 1_000)
    with pytest.raises(BadEntry, match="1,001 bytes"):
        opened(Entry("a", b"x" * 1_001)).read("a")


def test_entries_together_may_not_grow_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "RATIO_FROM_BYTES", 1_000_000)
    found = opened(*(Entry(f"{number}", b"0" * 900_000) for number in range(3)))
    found.read("0")
    with pytest.raises(BadArchive, match="over 400 times"):
        found.read("1")


def test_a_huge_directory_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_DIRECTORY_BYTES", 1_000)
    with pytest.raises(BadArchive, match="directory has"):
        opened(*(Entry(f"{number}", b"", 0) for number in range(100)))


BOMB = """
import io, sys, zlib, zstandard
sys.path.insert(0, {root!r})
from core.ingest.files import FileProblem, read_upload
from core.ingest.options import ReadOptions
from tests.hostile.memory import peak_mb
from tests.ingest.eval_files import Entry, zipped
piece = b"0" * (200 * 1024 * 1024)
one = Entry("header.json", piece)
many = [Entry("samples/%d.json" % number, piece) for number in range(3)]
del piece
sys.stderr.write("made")
archives = [zipped(one), zipped(*many, Entry("header.json", b'{{"eval": {{"run_id": "r"}}}}', 0))]
lying = zipped(Entry("header.json", b"0" * 1_000_000, size=2**31))
del one, many
before = peak_mb()
for content in (*archives, lying):
    try:
        list(read_upload(io.BytesIO(content), "bomb.eval", ReadOptions()))
        print("read")
    except FileProblem as problem:
        print(problem)
print(peak_mb() - before)
"""


def test_bombs_are_refused_and_named(tmp_path: Path) -> None:
    """200 MiB of zeros in 20 KB, three times over, and a header that claims 2 GiB."""
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", BOMB.format(root=root)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    *told, grown = done.stdout.splitlines()
    assert "over 400 times" in told[0]
    assert "over 400 times" in told[1]
    assert "2,147,483,648 bytes" in told[2]
    assert int(grown) < 300, f"{grown} MB"

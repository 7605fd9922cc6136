"""Damaged files of every format: a problem or refused rows with reasons, never another exception, rows counted.

The harness runs over FORMATS, so a new format is covered by its sample in tests/ingest/test_formats.py.
"""

from __future__ import annotations

import copy
import io
import json
import lzma
import subprocess
import sys
import zipfile
from pathlib import Path
from random import Random

import polars as pl
import pytest

from core.ingest.files import FileProblem, read_upload
from core.ingest.formats import FORMATS, detect
from core.ingest.options import ReadOptions
from core.ledger.batch import Batch
from core.ledger.store import Store
from tests.hostile.mutate import byte_damage, csv_damage, json_bytes, json_damage
from tests.hostile.seeds import SOUND
from tests.ingest.eval_files import INSPECT_HEADER, INSPECT_SAMPLES, Entry, zipped
from tests.ingest.test_every_bill import SAMPLES as BILLS

REPORT = Path("test-report")


def damaged(name: str, seed: int) -> bytes:
    """A damaged file of a format."""
    random = Random(f"{name} {seed}")
    content = random.choice(SOUND[name])
    others = random.choice(list(SOUND.values()))
    if content.startswith(b"PK") and random.random() < 0.5:
        return damaged_log(random)
    if random.random() < 0.35:
        return byte_damage(content, random, random.choice(others))
    try:
        document = json.loads(content)
    except ValueError:
        lines = content.split(b"\n")
        if len(lines) > 1 and lines[0][:1] == b"{":
            at = random.randrange(len(lines))
            try:
                lines[at] = json_bytes(json_damage(json.loads(lines[at] or b"{}"), random))
            except ValueError:
                return byte_damage(content, random)
            return b"\n".join(lines)
        return csv_damage(content, random) if b"," in content[:500] else byte_damage(content, random)
    return json_bytes(json_damage(document, random))


def damaged_log(random: Random) -> bytes:
    """Inspect's archive, whole, with damaged JSON inside: flipped bits alone mostly end at its checksums."""
    header, *samples = (
        json_damage(copy.deepcopy(one), random) if random.random() < 0.6 else one
        for one in (INSPECT_HEADER, *INSPECT_SAMPLES)
    )
    held = [
        Entry(f"samples/{at}.json", json_bytes(one), random.choice((0, 8, 93)))
        for at, one in enumerate(samples)
    ]
    return zipped(
        *held, Entry("header.json", json_bytes(header)), Entry("summaries.json", json_bytes(samples))
    )


def read_damaged(name: str, seed: int) -> list[Batch]:
    """Read a damaged file by its own reader even where it is no longer recognised, and through the front door."""
    content = damaged(name, seed)
    reader = next(known for known in FORMATS if known.name == name)
    found: list[Batch] = []
    problems: list[str] = []
    try:
        for attempt in (
            lambda: read_upload(io.BytesIO(content), "file", ReadOptions()),
            lambda: reader.read(io.BytesIO(content), "file", ReadOptions()),
        ):
            try:
                found += list(attempt())
            except (
                ValueError,
                RecursionError,
                pl.exceptions.PolarsError,
            ) as problem:  # a FileProblem, or what becomes one
                problems.append(f"{type(problem).__name__} {problem}".strip())
    except Exception:
        REPORT.mkdir(exist_ok=True)
        (REPORT / f"file-{name}-{seed}.bin").write_bytes(content)
        raise
    assert all(" " in problem for problem in problems), f"{name}, seed {seed}: {problems}"
    for batch in found:
        assert batch.rows_read >= len(batch.quarantined)
        assert all(len(row.reason) > 15 for row in batch.quarantined)
    return found


def run(name: str, seeds: range) -> int:
    """Read damaged files and store what was accepted; returns how many rows."""
    store = Store.open(":memory:")
    rows = 0
    try:
        for seed in seeds:
            for batch in read_damaged(name, seed):
                try:
                    receipt = store.submit(batch)
                except Exception as error:
                    raise AssertionError(f"{name}, seed {seed}: the ledger cannot take the batch") from error
                rows += receipt.rows_accepted
        store.derive()
    finally:
        store.close()
    return rows


@pytest.mark.parametrize("name", [known.name for known in FORMATS])
def test_some_damaged_files_of_every_format(name: str) -> None:
    run(name, range(60))


@pytest.mark.slow
@pytest.mark.parametrize("name", [known.name for known in FORMATS])
def test_twenty_thousand_damaged_files(name: str) -> None:
    each = -(-20_000 // len(FORMATS))
    rows = run(name, range(1_000, 1_000 + each))
    print(f"{name}: {each:,} damaged files, {rows:,} rows accepted from them")


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_file_is_recognised_as_itself_only(name: str) -> None:
    for content in SOUND[name]:
        if not content.startswith(b"PAR1"):
            assert detect(content[:65_536], "x").name == name


def problem_of(content: bytes, name: str = "odd.csv") -> str:
    with pytest.raises(FileProblem) as caught:
        list(read_upload(io.BytesIO(content), name, ReadOptions()))
    return str(caught.value)


def test_archives_given_by_mistake_are_named() -> None:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("bill.csv", BILLS[0].file(*BILLS[0].rows))
    assert "zip archive" in problem_of(zipped.getvalue())
    assert "xz" in problem_of(lzma.compress(b"a,b\n1,2\n"))
    assert "zstd" in problem_of(b"\x28\xb5\x2f\xfd" + b"x" * 40)
    assert "bzip2" in problem_of(b"BZh91AY&SY" + b"x" * 40)


def test_deep_nesting_is_refused_and_no_crash() -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        deep = (opening * 200_000 + "1" + closing * 200_000).encode()
        page = b'{"data":[{"starting_at":"x","ending_at":"y","results":' + deep + b"}]}"
        (batch,) = read_upload(io.BytesIO(page), "deep.json", ReadOptions())
        (refused,) = batch.quarantined
        assert "nested too deeply" in refused.reason
        assert sum(frame.height for frame in batch.frames.values()) == 0


BOMB = """
import gzip, io, sys, zlib
sys.path.insert(0, {root!r})
from core.ingest.files import FileProblem, read_upload
from core.ingest.options import ReadOptions
from tests.hostile.memory import peak_mb
zeros = zlib.compressobj(9, zlib.DEFLATED, 31)
piece = b"0" * (1024 * 1024)
bomb = b"".join(zeros.compress(piece) for _ in range(2048)) + zeros.flush()
before = peak_mb()
told = []
for content in (bomb, gzip.compress(bomb), bomb[: len(bomb) // 2], bomb + bomb):
    try:
        list(read_upload(io.BytesIO(content), "bomb.gz", ReadOptions()))
        told.append("read")
    except FileProblem as problem:
        told.append(str(problem))
grown = peak_mb() - before
print(grown, *told, sep="\\n")
"""


def test_bombs_stop_early_with_little_memory(tmp_path: Path) -> None:
    """2 GiB of zeros in 2 MB, zipped again, cut, and twice in a row: each stops, within 300 MB more memory."""
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", BOMB.format(root=root)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    grown, *told = done.stdout.splitlines()
    assert int(grown) < 300, f"{grown} MB"
    assert all(text.startswith("bomb.gz: ") for text in told), told
    assert "over 400 times" in told[0]

"""Files, compressed files, folders and uploads to batches; a file that cannot be read stops only itself."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import IO, BinaryIO

import polars as pl

from core.ingest import formats, growth
from core.ingest.gunzip import gunzipped
from core.ingest.options import ReadOptions
from core.ledger.batch import Batch

GZIP_MAGIC = b"\x1f\x8b"
ARCHIVES = {
    b"PK\x03\x04": "a zip archive", b"\xfd7zXZ\x00": "compressed with xz", b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"BZh": "compressed with bzip2", b"7z\xbc\xaf\x27\x1c": "a 7z archive",
}  # fmt: skip
SPOOL_BYTES = 32 * 1024**2
_PIECE = 1024 * 1024

_log = logging.getLogger("trueup.ingest")


class FileProblem(ValueError):
    """A file that cannot be read, or not to its end; the message says which, why and what to do."""


def find_files(path: Path) -> list[Path]:
    """The file itself, or all files of a folder and its folders in order of their paths.

    Hidden files and folders (a leading dot) and links to folders are left out. Raises FileProblem when there
    is nothing at `path`.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileProblem(f"{path}: there is no such file or folder.")
    found: list[Path] = []
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(folder) / name for name in names if not name.startswith(".")]
    return sorted(one for one in found if one.is_file())


def is_known(path: Path) -> bool:
    """Whether some format recognises the file; what cannot be opened or decompressed counts, to be reported."""
    try:
        with path.open("rb") as stream, contextlib.closing(_plain(stream)) as plain:
            formats.detect(plain.read(formats.HEAD_BYTES), path.name)
    except formats.UnknownFormat:
        return False
    except (ValueError, EOFError, OSError):
        return True
    return True


def read_path(path: Path, options: ReadOptions) -> Iterator[Batch]:
    """Batches of a file, or of every file of a folder in order.

    A file that cannot be read raises FileProblem after the batches before the bad part. In a folder the other
    files are read first, and one FileProblem at the end names every bad file; to report on each file, go
    through find_files and call read_path for each.
    """
    problems: list[str] = []
    for one in find_files(path):
        try:
            with one.open("rb") as stream:
                yield from read_upload(stream, one.name, options)
        except OSError as error:
            problems.append(f"{one.name}: {error.strerror or error}.")
        except FileProblem as problem:
            problems.append(str(problem))
    if problems:
        raise FileProblem("\n".join(problems))


def read_upload(stream: BinaryIO, name: str, options: ReadOptions) -> Iterator[Batch]:
    """Batches of one open file, gzip or not; `name` is what the sender calls it, never a path to open.

    Raises FileProblem when the format is unknown, the compression is broken or too strong, or the content
    cannot be read.
    """
    source = PurePath(name).name or "upload"
    plain: IO[bytes] | None = None
    try:
        plain = _plain(stream)
        head = plain.read(formats.HEAD_BYTES)
        plain.seek(0)
        if not head.strip():
            raise FileProblem(f"{source}: the file is empty.")
        yield from _format(head, source).read(plain, source, options)  # type: ignore[arg-type]
    except FileProblem:
        raise
    except RecursionError as error:
        raise FileProblem(f"{source}: it is nested too deeply to be read; write plain objects.") from error
    except (ValueError, EOFError, pl.exceptions.PolarsError) as error:
        raise FileProblem(f"{source}: {error}") from error
    except OSError as error:
        raise FileProblem(f"{source}: {error.strerror or error}.") from error
    except Exception as error:  # a fault of ours, but met only by this file: the others must not suffer
        _log.exception("%s could not be read", source)
        what = type(error).__name__
        raise FileProblem(
            f"{source}: the reader failed ({what}); the log has the details to report."
        ) from error
    finally:
        if plain is not None and plain is not stream:
            plain.close()


def _format(head: bytes, source: str) -> formats.Format:
    """The file's format; an archive is one only when a tool writes it (Inspect's logs are zip archives)."""
    try:
        return formats.detect(head, source)
    except formats.UnknownFormat:
        archive = next((what for magic, what in ARCHIVES.items() if head.startswith(magic)), "")
        if not archive:
            raise
    raise FileProblem(f"{source}: this is {archive}; unpack it and give the files in it, gzip or not.")


def _plain(stream: BinaryIO) -> IO[bytes]:
    """The stream itself when it can be read twice and is not compressed, else its content put aside."""
    magic = stream.read(2)
    if magic != GZIP_MAGIC and stream.seekable():
        stream.seek(-len(magic), os.SEEK_CUR)
        return stream
    aside = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 - closed by read_upload
    try:
        if magic == GZIP_MAGIC:
            _gunzip(magic, stream, aside)
        else:
            aside.write(magic)
            while piece := stream.read(_PIECE):
                aside.write(piece)
    except BaseException:
        aside.close()
        raise
    aside.seek(0)
    return aside


def _gunzip(magic: bytes, stream: BinaryIO, aside: IO[bytes]) -> None:
    """Decompress all members into `aside`; raises ValueError when it grows too much or ends too early."""
    taken, given = 0, 0

    def compressed() -> Iterator[bytes]:
        nonlocal taken
        piece = magic
        while piece:
            taken += len(piece)
            yield piece
            piece = stream.read(_PIECE)

    for plain in gunzipped(compressed()):
        given += len(plain)
        growth.check_growth(taken, given)
        aside.write(plain)

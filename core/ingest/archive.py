"""Entries of a zip archive from a stranger, stored, deflated or Zstandard, within limits and with their checksum.

zipfile reads the directory; the entries are decompressed here, because zipfile before Python 3.14 knows no
Zstandard (method 93), and because a piece at a time is what lets a bomb be stopped.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from core.ingest.growth import check_growth

MAGIC = b"PK\x03\x04"
STORED, DEFLATED, ZSTANDARD = 0, 8, 93
MOST_ENTRY_BYTES = 256 * 1024**2
"""Decompressed size at which one entry is refused: it is held in memory as a whole."""
MOST_DIRECTORY_BYTES = 32 * 1024**2
"""About 300,000 entries; zipfile makes an object of each."""
MOST_WINDOW_BYTES = 128 * 1024**2
"""Of history that a Zstandard frame may ask to be kept: what its own command line allows."""

_PIECE = 1024 * 1024
_LOCAL = struct.Struct("<4s5H3I2H")
_FAULTS = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError, OverflowError,
    struct.error, IndexError, MemoryError,
)  # fmt: skip


class BadArchive(ValueError):
    """The archive as a whole cannot be read; the message says why and what to do."""


class BadEntry(ValueError):
    """One entry cannot be read; the others may be."""


class Archive:
    """The entries of an open zip archive by name. Raises BadArchive."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._size = stream.seek(0, os.SEEK_END)
        self._given = 0
        try:
            _check_directory(stream, self._size)
            stream.seek(0)
            entries = zipfile.ZipFile(stream).infolist()
        except BadArchive:
            raise
        except _FAULTS as error:
            raise BadArchive(
                f"the zip archive is damaged or cut short ({error}); copy the file again when its run has ended."
            ) from error
        self._entries = {entry.filename: entry for entry in entries}

    def names(self) -> list[str]:
        """Names of the entries in the order of the directory; of two with one name the later is kept."""
        return list(self._entries)

    def read(self, name: str) -> bytes:
        """The entry's bytes. Raises BadEntry, and BadArchive for what concerns the whole archive."""
        entry = self._entries[name]
        if entry.flag_bits & 1:
            raise BadArchive("the zip archive is encrypted; decrypt it and give it again.")
        if entry.compress_type not in (STORED, DEFLATED, ZSTANDARD):
            raise BadArchive(
                f"the zip archive uses compression method {entry.compress_type}, which is not read here; "
                "write it with deflate or Zstandard."
            )
        if entry.file_size > MOST_ENTRY_BYTES:
            raise BadEntry(f"it has {entry.file_size:,} bytes, and {MOST_ENTRY_BYTES:,} are read.")
        found = bytearray()
        try:
            for piece in _decompressed(self._raw(entry), entry.compress_type):
                self._given += len(piece)
                _check(self._size, self._given)
                found += piece
                if len(found) > entry.file_size:
                    raise BadEntry("it is damaged: more comes out of it than the archive says.")
        except (BadArchive, BadEntry):
            raise
        except _FAULTS as error:
            raise BadEntry(f"it is damaged ({error}); copy the archive again.") from error
        if len(found) != entry.file_size or zlib.crc32(found) != entry.CRC:
            raise BadEntry("it is damaged: its checksum differs; copy the archive again.")
        return bytes(found)

    def _raw(self, entry: zipfile.ZipInfo) -> bytes:
        """The compressed bytes: the local header before them has its own, other lengths."""
        self._stream.seek(entry.header_offset)
        header = _LOCAL.unpack(self._stream.read(_LOCAL.size))
        if header[0] != MAGIC:
            raise BadEntry("it is damaged: it does not begin where the archive says.")
        self._stream.seek(entry.header_offset + _LOCAL.size + header[-2] + header[-1])
        raw = self._stream.read(min(entry.compress_size, self._size))
        if len(raw) != entry.compress_size:
            raise BadEntry("it is cut short; copy the archive again.")
        return raw


def _check(taken: int, given: int) -> None:
    try:
        check_growth(taken, given)
    except ValueError as error:
        raise BadArchive(str(error)) from error


def _check_directory(stream: BinaryIO, size: int) -> None:
    """Refuse a directory of more bytes than real logs need before zipfile reads it into objects."""
    tail_size = min(size, 22 + 65_535)
    stream.seek(size - tail_size)
    tail = stream.read(tail_size)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        raise BadArchive(
            "the zip archive has no directory at its end: it is cut short, or still being written; "
            "copy the file again when its run has ended."
        )
    directory = int.from_bytes(tail[at + 12 : at + 16], "little")
    large = tail.rfind(b"PK\x06\x06", 0, at)  # the record of archives beyond 4 GiB or 65,535 entries
    if large >= 0:
        directory = max(directory % 0xFFFFFFFF, int.from_bytes(tail[large + 40 : large + 48], "little"))
    if directory > MOST_DIRECTORY_BYTES:
        raise BadArchive(
            f"the zip archive's directory has {directory:,} bytes, and {MOST_DIRECTORY_BYTES:,} are read; "
            "split the log."
        )


def _decompressed(raw: bytes, method: int) -> Iterator[bytes]:
    if method == STORED:
        yield raw
    elif method == DEFLATED:
        yield from _inflated(raw)
    else:
        yield from _zstandard(raw)


def _inflated(raw: bytes) -> Iterator[bytes]:
    engine = zlib.decompressobj(wbits=-15)
    try:
        while raw and not engine.eof:
            piece = engine.decompress(raw, _PIECE)
            raw = engine.unconsumed_tail
            if not piece and not raw:
                return
            yield piece
    except zlib.error as error:
        raise BadEntry(f"it is damaged ({error}); copy the archive again.") from error


def _zstandard(raw: bytes) -> Iterator[bytes]:
    import zstandard

    engine = zstandard.ZstdDecompressor(max_window_size=MOST_WINDOW_BYTES)
    try:
        with engine.stream_reader(io.BytesIO(raw), read_across_frames=True) as reader:
            while piece := reader.read(_PIECE):
                yield piece
    except zstandard.ZstdError as error:
        raise BadEntry(f"it is damaged ({error}); copy the archive again.") from error

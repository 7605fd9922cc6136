"""Decompressing what strangers send: piece by piece, member by member, in time that grows with the bytes alone."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

STEP_IN = 8 * 1024
"""Bytes given to zlib at once: it copies what it leaves over, and a gzip member can be as short as 20 bytes."""
STEP_OUT = 1024 * 1024
"""Bytes taken from zlib at once, however much would come out of them."""


class BrokenGzip(ValueError):
    """The bytes are not the gzip they claim to be; the message says where they break and what to do."""


def gunzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Decompressed parts of at most STEP_OUT bytes, of all members in order; raises BrokenGzip.

    Zeros between and after members are padding. The caller counts what comes out: a bomb never ends here.
    """
    engine, before = zlib.decompressobj(wbits=31), 0
    for piece in pieces:
        for at in range(0, len(piece), STEP_IN):
            part = piece[at : at + STEP_IN]
            while part:
                if engine.eof:
                    part = part.lstrip(b"\0")
                    if not part:
                        break
                    engine, before = zlib.decompressobj(wbits=31), before + 1
                yield from _some(engine, part, before)
                part = engine.unused_data if engine.eof else engine.unconsumed_tail
    while not engine.eof:
        more = list(_some(engine, b"", before))
        if not more:
            raise BrokenGzip("the gzip data end too early: they were cut short; copy or send them again.")
        yield from more


def _some(engine: zlib._Decompress, part: bytes, before: int) -> Iterator[bytes]:
    """What the next bytes give, if anything; `before` is how many members ended well."""
    try:
        plain = engine.decompress(part, STEP_OUT)
    except zlib.error as error:
        after = f"after {before:,} whole parts " if before else ""
        raise BrokenGzip(
            f"{after}the bytes are not gzip ({error}); compress the file again, with nothing behind it."
        ) from error
    if plain:
        yield plain

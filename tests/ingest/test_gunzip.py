"""Decompression of whatever comes: members, padding, cuts, rubbish, and time that grows with the bytes alone."""

from __future__ import annotations

import gzip
import zlib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ingest import gunzip
from core.ingest.gunzip import STEP_IN, STEP_OUT, BrokenGzip, gunzipped


def whole(*pieces: bytes) -> bytes:
    return b"".join(gunzipped(pieces))


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5), st.lists(st.integers(0, 2_000), max_size=6))
def test_members_in_any_pieces_give_the_same_bytes(members: list[bytes], cuts: list[int]) -> None:
    content = b"\0\0".join(gzip.compress(member) for member in members) + b"\0" * 600
    places = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    pieces = [content[start:end] for start, end in pairwise(places)]
    assert whole(*pieces) == b"".join(members)


@given(st.binary(max_size=300), st.integers(0, 400))
def test_a_cut_is_always_noticed(plain: bytes, cut: int) -> None:
    content = gzip.compress(plain)
    with pytest.raises(BrokenGzip, match="too early"):
        whole(content[: min(cut, len(content) - 1)])


def test_what_follows_a_member_and_is_no_gzip_is_told() -> None:
    with pytest.raises(BrokenGzip, match="after 2 whole parts the bytes are not gzip"):
        whole(gzip.compress(b"a") + gzip.compress(b"b") + b"trailing")


def test_parts_are_small_however_strong_the_compression() -> None:
    parts = list(gunzipped([gzip.compress(b"\0" * (5 * STEP_OUT + 1))]))
    assert max(map(len, parts)) == STEP_OUT
    assert sum(map(len, parts)) == 5 * STEP_OUT + 1


def test_many_tiny_members_are_not_copied_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of 20,000 empty members may hand zlib at most STEP_IN bytes; the whole rest each time were 4 GB."""
    handed = 0
    real = zlib.decompressobj

    class Counting:
        def __init__(self, wbits: int) -> None:
            self._engine = real(wbits)

        def decompress(self, part: bytes, most: int) -> bytes:
            nonlocal handed
            handed += len(part)
            return self._engine.decompress(part, most)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._engine, name)

    monkeypatch.setattr(gunzip.zlib, "decompressobj", Counting)
    assert whole(gzip.compress(b"") * 20_000) == b""
    assert 20_000 * 20 <= handed <= 20_000 * STEP_IN

"""How much a compressed file may grow before it is taken for a bomb."""

from __future__ import annotations

MOST_BYTES = 8 * 1024**3
"""Decompressed size at which a file is refused."""
MOST_RATIO = 400
RATIO_FROM_BYTES = 64 * 1024**2
"""Above this size, a file that grows more than MOST_RATIO times is a bomb: telemetry shrinks 10 to 100 times."""


def check_growth(taken: int, given: int) -> None:
    """Raises ValueError when `taken` compressed bytes gave too many bytes, with what to do."""
    if given > MOST_BYTES:
        raise ValueError(f"decompressed it has more than {MOST_BYTES:,} bytes; split the file.")
    if given > RATIO_FROM_BYTES and given > MOST_RATIO * taken:
        raise ValueError(
            f"it grew from {taken:,} to more than {given:,} bytes, over {MOST_RATIO} times, and was not read "
            "further; decompress it yourself if it is meant so."
        )

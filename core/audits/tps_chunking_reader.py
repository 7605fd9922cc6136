"""What a reader lived through: Etalon's fluidity index and Andes' quality of experience of one stream's arrivals."""

from __future__ import annotations

import math
from collections.abc import Sequence

DEADLINE_MS = 50.0
"""A token every 50 ms, 20 a second: four times what Andes takes a reader to read, so that a skimming one is not kept waiting."""
READS_PER_S = 4.8
"""Tokens a second that are read (Andes, arXiv 2404.16283: 240 words a minute at 1.2 tokens a word)."""
PATIENCE_MS = 1_000.0
"""The first token is expected within a second."""


def spread_out(whole: int, count: int) -> list[int]:
    """A total over so many chunks as evenly as whole numbers allow.

    >>> spread_out(10, 4), spread_out(2, 4)
    ([2, 3, 2, 3], [0, 1, 0, 1])
    """
    return [(at + 1) * whole // count - at * whole // count for at in range(count)]


def fluidity(t_ms: Sequence[float], sizes: Sequence[int], deadline_ms: float = DEADLINE_MS) -> float | None:
    """Share of token deadlines met after the first token (Etalon, arXiv 2407.07000, section 4).

    A token within the deadline and the slack is met and leaves the rest as slack; one that comes x late counts
    floor((x - slack - D) / D) + 1 misses and takes all slack. None below two tokens.
    """
    met = missed = 0
    slack, before, first = 0.0, t_ms[0], True
    for at, size in zip(t_ms, sizes, strict=True):
        for place in range(size):
            if first:
                first, before = False, at
                continue
            waited = at - before if place == 0 else 0.0
            before = at
            if waited <= deadline_ms + slack:
                met += 1
                slack += deadline_ms - waited
            else:
                missed += math.floor((waited - slack - deadline_ms) / deadline_ms) + 1
                slack = 0.0
    return None if met + missed == 0 else met / (met + missed)


def quality(t_ms: Sequence[float], sizes: Sequence[int]) -> float:
    """Andes' QoE: area under the curve of tokens read over the area expected, until the last token has come; 0 to 1.

    Expected: the first within PATIENCE_MS, then READS_PER_S. Read: what has come, at most READS_PER_S at a time.
    """
    end, whole, pace = t_ms[-1], sum(sizes), READS_PER_S / 1000
    expected = _area(max(end - PATIENCE_MS, 0.0), whole, pace)
    if expected <= 0:
        return 1.0
    read = arrived = 0.0
    area, now = 0.0, t_ms[0]
    for at, size in zip(t_ms, sizes, strict=True):
        area += read * (at - now) + _area(at - now, arrived - read, pace)
        read = min(read + (at - now) * pace, arrived)
        arrived, now = arrived + size, at
    return min(area / expected, 1.0)


def _area(long_ms: float, left: float, pace: float) -> float:
    """Under a line that rises at `pace` until `left` is used up, over so many ms."""
    rising = min(left / pace, long_ms)
    return pace * rising**2 / 2 + left * (long_ms - rising)

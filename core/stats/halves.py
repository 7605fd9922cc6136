"""A sample against itself: two halves that chance alone tells apart, and whether a test called them different."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

Item = TypeVar("Item")


class Placebo(NamedTuple):
    """What one half measures less what the other does, with its interval: nothing differs but chance."""

    difference: float
    low: float
    high: float

    @property
    def fired(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def halves(items: Iterable[Item], key: Callable[[Item], str]) -> tuple[list[Item], list[Item]]:
    """Two halves by a hash of what keeps items together, so that the same data fall apart alike every time."""
    found: tuple[list[Item], list[Item]] = ([], [])
    for item in items:
        found[hashlib.md5(key(item).encode(), usedforsecurity=False).digest()[0] % 2].append(item)
    return found

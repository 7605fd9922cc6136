"""Concurrency to numbers: the time-weighted quantile with its bootstrap, what a node has held, and Little's law as the check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.stats.proportions import clopper_pearson
from core.stats.resampling import DRAWS, SEED

QUANTILE = 0.99
BLOCK_CELLS = 5
"""Five minutes: long against a hold time of seconds, so that what one slow stream does stays in a block."""
FEWEST_BLOCKS = 24
"""Two hours of node-time: fewer blocks are drawn too alike to say how a p99 moves."""
SURE = 0.05
"""Of calling a level too much in vain, over all levels looked at together."""


class Level(NamedTuple):
    """Node-time at a number of open requests, and the requests that began there."""

    level: int
    held_us: int
    started: int
    failed: int


class Blocks(NamedTuple):
    """The p99 of open requests, time-weighted, with its interval by moving blocks."""

    value: int
    low: int
    high: int
    blocks: int
    method: str


class Capacity(NamedTuple):
    """Streams that a node holds at an acceptable error rate."""

    streams: int
    low: int | None
    """None: even at the lowest level errors may be too many."""
    high: int | None
    """None: it was never seen to fail, so it may be any number above `streams`."""
    how: str
    """stated, seen to fail, most held, or fails at every level"""
    title: str = ""


class Minute(NamedTuple):
    """Node-time of a stretch of minutes, first to last, of one number of open requests."""

    cell: int
    to_cell: int
    level: int
    most: int
    held_us: int
    stream_us: int
    started: int


def levels_of(frame: pl.DataFrame) -> list[Level]:
    """Rows of LEVELS in order; a level of less than one is a process that waits."""
    return [Level(*row) for row in frame.select(Level._fields).sort("level").iter_rows()]


def quantile_of(levels: Sequence[Level], share: float = QUANTILE) -> int:
    """The lowest number of open requests that at least `share` of the node-time does not exceed.

    >>> quantile_of([Level(1, 98, 0, 0), Level(7, 2, 0, 0)]), quantile_of([Level(1, 99, 0, 0), Level(7, 1, 0, 0)])
    (7, 1)
    """
    needed, upto = share * sum(one.held_us for one in levels), 0
    for one in levels:
        upto += one.held_us
        if upto >= needed - 1e-9 and one.held_us:
            return one.level
    return levels[-1].level if levels else 0


def minutes_of(frame: pl.DataFrame) -> list[Minute]:
    """Rows of MINUTES in order."""
    names = ("cell", "to_cell", "step_level", "most", "held_us", "stream_us", "started")
    return [Minute(*row) for row in frame.select(names).sort(names[:3]).iter_rows()]


class Table(NamedTuple):
    """Node-time in us by minute (rows, in order) and level (columns); minutes without a process are left out."""

    held: NDArray[np.float64]
    levels: NDArray[np.int64]


def table_of(minutes: Sequence[Minute]) -> Table:
    """A stretch over several minutes is spread over them."""
    levels = sorted({one.level for one in minutes})
    place = {level: at for at, level in enumerate(levels)}
    cells = sorted({cell for one in minutes for cell in range(one.cell, one.to_cell + 1)})
    row = {cell: at for at, cell in enumerate(cells)}
    held = np.zeros((len(cells), len(levels)))
    for one in minutes:
        first, last = row[one.cell], row[one.to_cell] + 1
        held[first:last, place[one.level]] += one.held_us / (last - first)
    return Table(held, np.array(levels, dtype=np.int64))


def blocks_of(table: Table, value: int, step: int = 1, draws: int = DRAWS, seed: int = SEED) -> Blocks:
    """Percentile interval of the time-weighted p99 by a moving-block bootstrap (Künsch 1989, Ann. Stat. 17:1217).

    Blocks of BLOCK_CELLS minutes in which a process ran, overlapping, drawn with replacement until as many minutes are there as
    there were. `value` is the exact p99; the answer is a step of levels wider where the table has steps.
    """
    n, size = len(table.held), min(BLOCK_CELLS, len(table.held))
    count = max(n // size, 1)
    sums = np.vstack([np.zeros((1, table.held.shape[1])), np.cumsum(table.held / 1e6, axis=0)])
    blocks = (sums[size:] - sums[:-size]).astype(np.float32)
    random = np.random.default_rng(seed)
    found = np.empty(draws, dtype=np.int64)
    for first in range(0, draws, 100):
        drawn = random.integers(0, len(blocks), size=(min(100, draws - first), count))
        places = drawn + len(blocks) * np.arange(len(drawn))[:, None]
        weights = np.bincount(places.ravel(), minlength=len(drawn) * len(blocks)).astype(np.float32)
        upto = np.cumsum(weights.reshape(len(drawn), -1) @ blocks, axis=1, dtype=np.float64)
        enough = upto >= QUANTILE * upto[:, -1:] * (1 - 1e-6)
        found[first : first + len(drawn)] = table.levels[np.argmax(enough, axis=1)]
    low, high = (int(one) for one in np.quantile(found, [0.025, 0.975], method="inverted_cdf"))
    method = f"moving-block bootstrap, {count:,} blocks of {size} minutes, {draws:,} draws, seed {seed}"
    return Blocks(value, min(max(low, 0), value), max(high + step - 1, value), count, method)


def capacity_of(levels: Sequence[Level], acceptable: float, stated: tuple[int, str] | None) -> Capacity:
    """The most that a node held at an acceptable error rate, by errors against open requests.

    Isotonic regression (errors do not fall as load rises) splits the levels at the acceptable rate; above the split errors must
    be too many for certain (Clopper-Pearson, the level shared among the splits), else nothing was seen to fail. `low` and `high`
    are the levels up to which errors are acceptable, and from which they are not, for certain.
    """
    if stated is not None:
        return Capacity(stated[0], stated[0], stated[0], "stated", stated[1])
    seen = [one for one in levels if one.started]
    if not seen:
        return Capacity(0, None, None, "most held")
    from scipy.optimize import isotonic_regression

    rates = [one.failed / one.started for one in seen]
    fitted = isotonic_regression(rates, weights=[one.started for one in seen]).x
    kept = int(np.sum(np.asarray(fitted) <= acceptable))
    above = _beyond(seen[kept:], acceptable, 1 - SURE / len(seen))
    if above is None:
        return Capacity(seen[-1].level, seen[-1].level, None, "most held")
    if not kept:
        return Capacity(0, None, above, "fails at every level")
    return Capacity(
        seen[kept - 1].level,
        _within(seen[:kept], acceptable),
        max(above, seen[kept - 1].level),
        "seen to fail",
    )


def _beyond(above: Sequence[Level], acceptable: float, level: float) -> int | None:
    """The highest level that may still be acceptable, from below; None where nothing above is surely too much."""
    started = failed = 0
    for place, one in enumerate(above):
        started, failed = started + one.started, failed + one.failed
        if clopper_pearson(failed, started, level).low > acceptable:
            return above[place - 1].level if place else one.level - 1
    return None


def _within(below: Sequence[Level], acceptable: float) -> int | None:
    """The highest level from which down to no level errors are more than acceptable for certain."""
    started = failed = 0
    for one in reversed(below):
        started, failed = started + one.started, failed + one.failed
        if clopper_pearson(failed, started).high <= acceptable:
            return one.level
    return None


def stated_streams(rows: Sequence[Mapping[str, Any]], service: str) -> tuple[int, str] | None:
    """The newest stated limit of a service, or of all where none names it."""
    import json

    found: tuple[int, str] | None = None
    for row in sorted(rows, key=lambda one: (one["service"] is not None, one["at_ns"], one["event_id"])):
        streams = json.loads(row["attributes"]).get("streams")
        named = row["service"] in (None, service)
        if named and isinstance(streams, int | float) and not isinstance(streams, bool) and streams >= 1:
            found = int(streams), str(row["title"])
    return found


class Halves(NamedTuple):
    """Where nothing can differ: stretches whose even and odd blocks were compared, and how many were called different."""

    looked_at: int
    fired: int


def halves_of(table: Table) -> Halves:
    """Even against odd blocks of stretches of four hours: both saw the same traffic, so their intervals of the p99 must meet."""
    size = 2 * FEWEST_BLOCKS * BLOCK_CELLS
    looked = fired = 0
    for first in range(0, len(table.held) - size + 1, size):
        rows = np.arange(first, first + size)
        sides = [Table(table.held[rows[rows // BLOCK_CELLS % 2 == side]], table.levels) for side in (0, 1)]
        one, other = (blocks_of(side, _p99(side), draws=400) for side in sides)
        looked += 1
        fired += one.low > other.high or other.low > one.high
    return Halves(looked, fired)


def _p99(table: Table) -> int:
    upto = np.cumsum(table.held.sum(axis=0))
    return int(table.levels[np.argmax(upto >= QUANTILE * upto[-1] - 1e-6)])

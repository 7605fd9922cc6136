"""Points of histograms to what was observed in the range: increments of cumulative series, sums of deltas, one grid of bounds.

A cumulative point says what was seen since its start, so what happened in the range is the last point less the one before the
range, life by life: a count that falls is a restart, whose counting began anew. Exports are never added up.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

UNIT_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
FLAPPING = 4
"""A series of which a fourth of the points or more fall is written by two processes under one name: not one counter."""
FEWEST_RESTARTS = 3


class Buckets(NamedTuple):
    """Observations by bucket: `counts[i]` lie in (bounds[i - 1], bounds[i]], the last above all bounds. Bounds in seconds."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def n(self) -> int:
        """Observations."""
        return sum(self.counts)


class Histogram(NamedTuple):
    """One metric of one service over the range, summed over its series as a dashboard does."""

    name: str
    service: str
    kind: str
    buckets: Buckets
    series: int
    restarts: int
    total_s: float | None
    """Sum of the durations; None where a point left it out."""
    first_ns: int
    last_ns: int


class LeftOut(NamedTuple):
    """Series whose points do not add up, by why."""

    flapping: int
    falling: int


class _Increment(NamedTuple):
    key: tuple[str, str, str]
    buckets: Buckets
    total_s: float | None
    series: str
    restarts: int
    first_ns: int
    last_ns: int


def histograms(points: pl.DataFrame, start_ns: int) -> tuple[tuple[Histogram, ...], LeftOut]:
    """Histograms with observations in the range, the most observed first, and what was left out."""
    held: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    found: list[_Increment] = []
    flapping: set[str] = set()
    falling = 0
    for row in sorted(points.to_dicts(), key=lambda one: (one["series"], one["life"], one["at_ns"])):
        if row["temporality"] == "delta":
            buckets = _buckets(row)
            if row["inside"] and buckets is not None:
                found.append(_increment(row, buckets, _total(row), row["at_ns"]))
        elif row["restarts"] >= FEWEST_RESTARTS and row["restarts"] * FLAPPING >= row["points"]:
            flapping.add(row["series"])
        else:
            held.setdefault((row["series"], row["life"]), []).append(row)
    for lives in held.values():
        one = _grown(lives, start_ns)
        if one is None:
            falling += 1
        elif one.buckets.n:
            found.append(one)
    return _summed(found), LeftOut(len(flapping), falling)


def _increment(row: Mapping[str, Any], buckets: Buckets, total_s: float | None, first_ns: int) -> _Increment:
    key = (str(row["name"]), str(row["service"] or ""), str(row["kind"]))
    began = row["started_at_ns"] if row["temporality"] == "delta" and row["started_at_ns"] else first_ns
    return _Increment(key, buckets, total_s, row["series"], row["restarts"], began, row["at_ns"])


def _buckets(row: Mapping[str, Any]) -> Buckets | None:
    """A point's own; None where it has no buckets or bounds that do not rise."""
    if row["explicit_bounds"] is None or row["bucket_counts"] is None:
        return None
    scale = UNIT_S.get(row["unit"] or "", 1.0)
    # An older version wrote what came: infinite bounds are words in the list.
    bounds = [float(one) for one in json.loads(row["explicit_bounds"].replace("inf", "Infinity"))]
    counts = [int(one) for one in json.loads(row["bucket_counts"])]
    if len(counts) != len(bounds) + 1 or any(later <= one for one, later in itertools.pairwise(bounds)):
        return None
    if not all(math.isfinite(one) for one in bounds):
        return None
    return Buckets(tuple(bound * scale for bound in bounds), tuple(counts))


def _total(row: Mapping[str, Any]) -> float | None:
    return None if row["sum"] is None else row["sum"] * UNIT_S.get(row["unit"] or "", 1.0)


def _grown(rows: Sequence[Mapping[str, Any]], start_ns: int) -> _Increment | None:
    """What one life of a cumulative series grew by in the range; None where its buckets fall or do not fit.

    Its first count is all of the range where its start lies in it, where it began anew after a restart, or where the same
    process had told other series before: nothing of it can be older. Else the first point is where counting begins.
    """
    before = [row for row in rows if not row["inside"]]
    inside = [row for row in rows if row["inside"]]
    if not inside:
        return _increment(rows[-1], Buckets((), (0,)), None, rows[-1]["at_ns"])
    first, last = inside[0], inside[-1]
    end = _buckets(last)
    if end is None:
        return None
    base: Mapping[str, Any] | None = before[-1] if before else first
    if not before and (
        first["life"] > 0
        or (first["started_at_ns"] or 0) >= start_ns
        or (first["started_at_ns"] is None and first["target_at_ns"] < first["at_ns"])
    ):
        base = None
    if base is None:
        return _increment(last, end, _total(last), first["started_at_ns"] or first["at_ns"])
    begun = _buckets(base)
    grown = None if begun is None else difference(end, begun, last["kind"] == "exponential_histogram")
    if grown is None:
        return None
    totals = _total(last), _total(base)
    total = None if totals[0] is None or totals[1] is None else totals[0] - totals[1]
    return _increment(last, grown, total, base["at_ns"])


def difference(later: Buckets, earlier: Buckets, exponential: bool = False) -> Buckets | None:
    """What came between two points of one series; None where a bucket falls or the bounds do not fit.

    An exponential histogram halves its resolution as it grows: the coarser bounds are among the finer ones, so that both are
    brought to the coarser.

    >>> difference(Buckets((1.0, 2.0), (5, 4, 3)), Buckets((1.0, 2.0), (2, 2, 0)))
    Buckets(bounds=(1.0, 2.0), counts=(3, 2, 3))
    """
    if exponential:
        later, earlier = on_one_grid([later, earlier])
    if later.bounds != earlier.bounds:
        return None
    counts = tuple(one - other for one, other in zip(later.counts, earlier.counts, strict=True))
    return Buckets(later.bounds, counts) if min(counts) >= 0 else None


def on_one_grid(held: Sequence[Buckets]) -> list[Buckets]:
    """Exponential histograms on the coarsest scale among them and on the same bounds; exact, because scales nest.

    >>> on_one_grid([Buckets((1.0, 2.0, 4.0), (1, 2, 3, 0)), Buckets((1.0, 4.0), (0, 5, 0))])
    [Buckets(bounds=(1.0, 4.0), counts=(1, 5, 0)), Buckets(bounds=(1.0, 4.0), counts=(0, 5, 0))]
    """
    octaves = [
        math.log2(one.bounds[1] / one.bounds[0]) for one in held if len(one.bounds) > 1 and one.bounds[0] > 0
    ]
    if not octaves:
        return [Buckets((), (one.n,)) for one in held]
    width = 2.0 ** round(math.log2(max(octaves)))
    places: list[dict[int, int]] = []
    for one in held:
        mine: dict[int, int] = {}
        for bound, count in zip(one.bounds[1:], one.counts[1:-1], strict=True):
            place = math.ceil(math.log2(bound) / width - 1e-6)
            mine[place] = mine.get(place, 0) + count
        places.append(mine)
    known = [place for mine in places for place in mine]
    low, high = min(known), max(known)
    bounds = tuple(2.0 ** (place * width) for place in range(low - 1, high + 1))
    return [
        Buckets(bounds, (one.counts[0], *(mine.get(place, 0) for place in range(low, high + 1)), 0))
        for one, mine in zip(held, places, strict=True)
    ]


def _summed(found: Iterable[_Increment]) -> tuple[Histogram, ...]:
    """By metric and service; where nodes have other bounds than others, the bounds they share, as `sum by (le)` does."""
    groups: dict[tuple[str, str, str], list[_Increment]] = {}
    for one in found:
        groups.setdefault(one.key, []).append(one)
    made = []
    for (name, service, kind), held in sorted(groups.items()):
        buckets = [one.buckets for one in held]
        told = on_one_grid(buckets) if kind == "exponential_histogram" else on_shared_bounds(buckets)
        counts = tuple(map(sum, zip(*(one.counts for one in told), strict=True)))
        totals = [one.total_s for one in held]
        restarts = {one.series: one.restarts for one in held}
        made.append(
            Histogram(
                name, service, kind, Buckets(told[0].bounds, counts), len(restarts), sum(restarts.values()),
                None if None in totals else math.fsum(one for one in totals if one is not None),
                min(one.first_ns for one in held), max(one.last_ns for one in held),
            )
        )  # fmt: skip
    return tuple(sorted(made, key=lambda one: (-one.buckets.n, one.name, one.service)))


def on_shared_bounds(held: Sequence[Buckets]) -> list[Buckets]:
    """Each on the bounds that all of them have; exact, because a count up to a shared bound is known of each.

    >>> on_shared_bounds([Buckets((1.0, 5.0), (1, 2, 3)), Buckets((5.0, 10.0), (4, 5, 6))])
    [Buckets(bounds=(5.0,), counts=(3, 3)), Buckets(bounds=(5.0,), counts=(4, 11))]
    """
    shared = tuple(sorted(set.intersection(*(set(one.bounds) for one in held))))
    told = []
    for one in held:
        upto = [
            sum(count for bound, count in zip(one.bounds, one.counts, strict=False) if bound <= edge)
            for edge in shared
        ]
        told.append(
            Buckets(shared, tuple(now - then for now, then in zip([*upto, one.n], [0, *upto], strict=True)))
        )
    return told

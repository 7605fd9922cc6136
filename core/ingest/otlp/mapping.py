"""Attributes of spans to the cells of their columns: of one span, and of many that have the same keys.

Instrumentations write the same keys in the same order in every span. Such spans are read key by key: one look at a
key's fate and one pass over its values, instead of one of each for every span.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.ingest.otlp.fates import COLUMNS, KEYS, NO_RANK, PRIVATE_READS, SLOTS, Fate, Target, fate_of
from core.ingest.otlp.wire import Attributes
from core.ingest.privacy import kept
from core.ingest.values import hash16, text

MOST_KEYS = 20_000
"""Attribute keys whose fate is remembered; a sender that invents keys must not fill the memory."""

FEWEST_ALIKE = 8
"""Spans with the same keys from which on reading them together is cheaper."""

Mapped = tuple[list[Any], dict[str, Any]]
"""Values of fates.COLUMNS in order, and the attributes that stay as JSON."""

_ARGUMENTS = SLOTS["arguments_hash"]
_WIDTH = len(COLUMNS)
_UNRANKED = [NO_RANK] * _WIDTH
_fates: tuple[dict[str, Fate], dict[str, Fate]] = ({}, {})


def mapped_together(spans: Sequence[Attributes], capture: bool) -> list[Mapped]:
    """`mapped` of each, in order."""
    if len(spans) < FEWEST_ALIKE:
        return [mapped(attributes, capture) for attributes in spans]
    places: dict[tuple[str, ...], list[int]] = {}
    for place, attributes in enumerate(spans):
        places.setdefault(tuple(attributes), []).append(place)
    found: list[Mapped | None] = [None] * len(spans)
    for keys, alike in places.items():
        if len(alike) >= FEWEST_ALIKE:
            for place, one in zip(alike, _by_key(keys, [spans[at] for at in alike], capture), strict=True):
                found[place] = one
    return [one or mapped(attributes, capture) for one, attributes in zip(found, spans, strict=True)]


def _by_key(keys: Sequence[str], alike: Sequence[Attributes], capture: bool) -> Sequence[Mapped | None]:
    """`mapped` of spans that have these keys in this order; None where it takes a look at the span as a whole.

    That is where a value cannot be read, two keys contradict each other, or a JSON text is taken apart.
    """
    fates = [_fates[capture].get(key) or _remember(key, _fates[capture], capture) for key in keys]
    if any(fate.take_apart or fate.flattened_input for fate in fates):
        return [None] * len(alike)
    columns: list[Sequence[Any]] = [(None,) * len(alike)] * _WIDTH
    ranks = _UNRANKED.copy()
    stay: dict[str, list[Any]] = {}
    odd: set[int] = set()
    for key, fate, values in zip(
        keys, fates, zip(*(one.values() for one in alike), strict=True), strict=True
    ):
        for slot, rank, read in fate.targets:
            plain = read is text and set(map(type, values)) == {str} and "" not in values
            taken = values if plain else tuple(map(read, values))
            if None in taken:
                odd.update(at for at, one in enumerate(taken) if one is None)
            if ranks[slot] != NO_RANK and taken != columns[slot]:
                odd.update(at for at, one in enumerate(taken) if one != columns[slot][at])
            if rank < ranks[slot]:
                columns[slot], ranks[slot] = taken, rank
        if fate.keep:
            stay[key] = [kept(value, capture) for value in values]
    cells = map(list, zip(*columns, strict=True))
    rests = [dict(zip(stay, row, strict=True)) for row in zip(*stay.values(), strict=True)] or [
        {} for _ in alike
    ]
    return [None if at in odd else one for at, one in enumerate(zip(cells, rests, strict=True))]


def mapped(attributes: Attributes, capture: bool) -> tuple[list[Any], dict[str, Any]]:
    """Values of fates.COLUMNS in order, and the attributes that stay as JSON."""
    fates = _fates[capture]
    cells: list[Any] = [None] * _WIDTH
    ranks = _UNRANKED.copy()
    rest: dict[str, Any] = {}
    apart: dict[str, Any] = {}
    flattened: list[tuple[str, Any]] = []
    for key, value in attributes.items():
        fate = fates.get(key)
        if fate is None:
            fate = _remember(key, fates, capture)
        targets, take_apart, keep, flat = fate
        for slot, rank, read in targets:
            if cells[slot] is None:
                taken = read(value)
                if taken is not None:
                    cells[slot] = taken
                    ranks[slot] = rank
                    continue
            _contend(cells, ranks, (slot, rank, read), key, value, rest)
        if keep:
            rest[key] = kept(value, capture)
        if take_apart is not None:
            apart.update(take_apart(value))
        if flat:
            flattened.append((key, value))
    if apart:
        _add_parts(cells, ranks, apart, rest, capture)
    if flattened and cells[_ARGUMENTS] is None:
        cells[_ARGUMENTS] = hash16(sorted(flattened, key=lambda pair: pair[0]))
    return cells, rest


def _contend(
    cells: list[Any], ranks: list[int], target: Target, key: str, value: Any, rest: dict[str, Any]
) -> None:
    """A value that cannot be read, or a second key for a column: the better rank wins, a contradiction stays."""
    slot, rank, read = target
    taken = read(value)
    held = cells[slot]
    if taken is None:
        if value not in (None, "", [], {}) and read not in PRIVATE_READS:
            rest[key] = value
    elif rank < ranks[slot]:
        if held is not None and held != taken and read not in PRIVATE_READS:
            rest[KEYS[slot][ranks[slot]]] = held
        cells[slot] = taken
        ranks[slot] = rank
    elif held != taken and read not in PRIVATE_READS:
        rest[key] = value


def _add_parts(
    cells: list[Any], ranks: list[int], apart: dict[str, Any], rest: dict[str, Any], capture: bool
) -> None:
    """Fields of embedded JSON: into their columns, or kept under their own name."""
    fates = _fates[capture]
    for key, value in apart.items():
        fate = fates.get(key) or _remember(key, fates, capture)
        for target in fate.targets:
            _contend(cells, ranks, target, key, value, rest)
        if fate.keep:
            rest[key] = kept(value, capture)


def _remember(key: str, fates: dict[str, Fate], capture: bool) -> Fate:
    fate = fate_of(key, capture)
    if len(fates) < MOST_KEYS:
        fates[key] = fate
    return fate

"""Jaeger's clock skew adjuster, as the comparison: the rule that a merged waterfall is corrected by, where it is on.

Source: jaegertracing/jaeger 8498073, cmd/jaeger/internal/extension/jaegerquery/internal/adjuster/clockskew.go. A child on
another host that sticks out of its parent is centred in it; one that lasted longer than its parent only may not begin
before it. No shift is larger than max_clock_skew_adjust, whose default is 0: nothing is corrected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

DEFAULT_MAX_ADJUST = 0


class Drawn(NamedTuple):
    """A span as the adjuster sees it; any unit of time. `parent` 0 is a root."""

    id: int
    parent: int
    start: int
    duration: int
    host: str
    events: tuple[int, ...] = ()
    warning: str = ""


def shift(parent_start: int, parent_duration: int, child_start: int, child_duration: int) -> int:
    """What is added to the child's times, whole units, cut towards zero as Go does."""
    if child_duration > parent_duration:
        return max(parent_start - child_start, 0)
    if child_start >= parent_start and child_start + child_duration <= parent_start + parent_duration:
        return 0
    return parent_start + (parent_duration - child_duration) // 2 - child_start


def adjusted(spans: Sequence[Drawn], max_adjust: int = DEFAULT_MAX_ADJUST) -> list[Drawn]:
    """The spans with their times shifted, in the order given; what could not be done is a warning on the span."""
    place = {span.id: at for at, span in reversed(list(enumerate(spans)))}
    out = list(spans)
    children: dict[int, list[int]] = {}
    roots = []
    for at, span in enumerate(spans):
        if place[span.id] != at:
            out[at] = span._replace(warning="duplicate id")
        elif span.parent == 0:
            roots.append(at)
        elif span.parent not in place:
            out[at] = span._replace(warning="missing parent")
            roots.append(at)
        else:
            children.setdefault(span.parent, []).append(at)
    _walk(out, children, roots, max_adjust)
    return out


def _walk(
    out: list[Drawn],
    children: Mapping[int, Sequence[int]],
    roots: Sequence[int],
    max_adjust: int,
) -> None:
    """Parents before children: a child on another host is compared with what its parent was shifted to."""
    waiting: list[tuple[int, int | None, tuple[str, int]]] = [(at, None, (out[at].host, 0)) for at in roots]
    while waiting:
        at, parent, skew = waiting.pop()
        span = out[at]
        if parent is not None and (span.host != skew[0] or not span.host):
            above = out[parent]
            skew = (span.host, shift(above.start, above.duration, span.start, span.duration))
        out[at] = _moved(span, skew[1], max_adjust)
        waiting += [(child, at, skew) for child in children.get(span.id, ())]


def _moved(span: Drawn, by: int, max_adjust: int) -> Drawn:
    if by == 0:
        return span
    if abs(by) > max_adjust:
        return span._replace(warning=f"{'cap' if max_adjust else 'disabled'}: {by}")
    return span._replace(start=span.start + by, events=tuple(at + by for at in span.events))

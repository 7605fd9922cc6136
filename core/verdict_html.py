"""The verdict's numbers and the picture of its gap, as HTML that a browser shows without loading anything first.

The picture is what the verdict says of itself: the gap's whole interval on one axis with "no gap" and, where the audit's
limit is one on the gap, the range it allows. Names out of telemetry may stand in any text: every text is escaped.
How it looks: pages/static/verdict.css.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from types import ModuleType
from typing import Literal, NamedTuple

from core.amounts import interval, number
from core.audit import Finding, Scope

Side = Literal["above", "either side", "around one"]
"""An audit's LIMIT_OF_GAP: a gap may not be above LIMIT, not that far from nought on either side, or from a ratio of one."""
APART_PERCENT = 18.0
"""Of the axis; names of places that are nearer are written over each other on a phone."""
MARGIN = 0.06
"""Of the axis' length, left free at both ends."""


class Cell(NamedTuple):
    """A number under its label, with small print."""

    label: str
    value: str
    more: str | None = None


def numbers_html(cells: Sequence[Cell], line: Sequence[float] | None = None) -> str:
    """Cells side by side; `line`: how the gap went, drawn under the cell of that name.

    >>> numbers_html([Cell("n", "<3>")])
    '<dl class="verdict-numbers"><div><dt>n</dt><dd>&lt;3&gt;</dd></div></dl>'
    """
    told = []
    for label, value, more in cells:
        small = f'<dd class="verdict-more">{escape(more)}</dd>' if more else ""
        drawn = _went(line) if line and label == "Gap" else ""
        told.append(f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd>{small}{drawn}</div>")
    return f'<dl class="verdict-numbers">{"".join(told)}</dl>'


def _went(line: Sequence[float]) -> str:
    """A small line of a gap over its data versions, from its least to its most."""
    least, most = min(line), max(line)
    high, step = (most - least) or 1.0, 100 / max(len(line) - 1, 1)
    points = " ".join(f"{at * step:.1f},{21 - (one - least) / high * 20:.1f}" for at, one in enumerate(line))
    said = escape(f"The gap over {len(line)} data versions")
    return (
        f'<dd><svg class="verdict-went" viewBox="0 0 100 22" preserveAspectRatio="none" role="img" aria-label="{said}">'
        f'<polyline points="{points}" fill="none" stroke="currentColor" vector-effect="non-scaling-stroke"/></svg></dd>'
    )


def allowed(audit: ModuleType, scope: Scope) -> tuple[float, float] | None:
    """Between which gaps the audit holds; None where its verdict is no limit on the gap.

    >>> from core.audits import retry_ledger, hyrum_stream
    >>> scope = Scope(start=None, end=None)
    >>> allowed(retry_ledger, scope), allowed(hyrum_stream, scope)
    ((-inf, 0.2), None)
    """
    side: Side | None = getattr(audit, "LIMIT_OF_GAP", None)
    if side is None:
        return None
    limit = scope.limit(audit.LIMIT)
    return {
        "above": (-math.inf, limit),
        "either side": (-limit, limit),
        "around one": (1 - limit, 1 + limit),
    }[side]


def gap_html(finding: Finding, within: tuple[float, float] | None) -> str:
    """The gap's interval on its axis; empty where the gap cannot be told."""
    if finding.gap is None or not math.isfinite(finding.gap):
        return ""
    none = 1.0 if finding.unit == "ratio" else 0.0
    bounds = [one for one in (finding.low, finding.high) if one is not None and math.isfinite(one)]
    limits = [one for one in within or () if math.isfinite(one)]
    axis = _axis([finding.gap, none, *bounds, *limits])
    parts = [_band(within, axis)] if within else []
    if len(bounds) == 2:
        left, right = (_at(one, axis) for one in bounds)
        parts.append(_box("verdict-interval", f"left:{left:.2f}%;width:{max(right - left, 0):.2f}%"))
    parts.append(_box("verdict-gap", f"left:{_at(finding.gap, axis):.2f}%"))
    parts += _places(none, limits, axis, finding.unit)
    status = finding.status.replace(" ", "-")
    return (
        f'<div class="verdict-axis verdict-{status}" role="img" aria-label="{escape(_told(finding, limits))}">'
        f"{''.join(parts)}</div>"
    )


def _axis(values: Sequence[float]) -> tuple[float, float]:
    least, most = min(values), max(values)
    room = ((most - least) or 1.0) * MARGIN
    return least - room, most + room


def _at(value: float, axis: tuple[float, float]) -> float:
    """Percent of the way along the axis."""
    return (value - axis[0]) / (axis[1] - axis[0]) * 100


def _band(within: tuple[float, float], axis: tuple[float, float]) -> str:
    left, right = (min(max(_at(one, axis), 0.0), 100.0) for one in within)
    return _box("verdict-allowed", f"left:{left:.2f}%;width:{right - left:.2f}%")


def _places(none: float, limits: Sequence[float], axis: tuple[float, float], unit: str) -> list[str]:
    """Ticks at the limits and at no gap; a name that would cover a limit's is left out."""
    shown, named = [], list[float]()
    for at, kind in ((one, "verdict-limit") for one in reversed(limits)):
        shown.append(_tick(at, kind, f"limit {number(at, unit)}", named, axis))
    return [*shown, _tick(none, "verdict-none", number(none, unit) if none else "0", named, axis)]


def _tick(value: float, kind: str, name: str, named: list[float], axis: tuple[float, float]) -> str:
    at = _at(value, axis)
    if all(abs(at - other) >= APART_PERCENT for other in named):
        named.append(at)
        return _box(kind, f"left:{at:.2f}%", f"<span>{escape(name)}</span>")
    return _box(kind, f"left:{at:.2f}%")


def _box(kind: str, style: str, inside: str = "") -> str:
    return f'<div class="{kind}" style="{style}">{inside}</div>'


def _told(finding: Finding, limits: Sequence[float]) -> str:
    """What the picture shows, for those who do not see it."""
    said = f"Gap {number(finding.gap, finding.unit)}"
    if finding.low is not None and finding.high is not None:
        said += f", {finding.bounds} {interval(finding.low, finding.high, finding.unit)}"
    if limits:
        said += f", limit {' and '.join(number(one, finding.unit) for one in limits)}"
    return f"{said}: {finding.status}"

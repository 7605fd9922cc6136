"""The measure of the voice audit: p95 of the wait, turns within the limit, means of the parts, the slowest, a placebo."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import polars as pl

from core.audits.voice_slo_parts import PARTS, REMAINDER, VISIBLE, Waited, waited
from core.audits.voice_slo_turns import Read, VoiceTurn
from core.stats import clusters
from core.stats.clusters import Design
from core.stats.halves import Placebo, halves
from core.stats.proportions import Interval
from core.stats.quantiles import QuantileInterval, order_statistic
from core.stats.resampling import RatioInterval, ratio_interval

FEWEST_TURNS, FEWEST_CALLS = 59, 30
"""0.95^59 < 0.05: below it no order statistic bounds a p95. Calls are what is independent."""
HEARD_SHARE = 0.80
"""Of all turns: a verdict of "holds" must be about most of what callers heard."""
SLOWEST = 0.05
FEWEST_CALLS_IN_A_HALF = 15
MS = 1_000.0


class Spoken(NamedTuple):
    """One turn and what its wait went to."""

    turn: VoiceTurn
    wait: Waited

    @property
    def ms(self) -> float:
        """The wait."""
        return self.wait.total_s * MS


class Part(NamedTuple):
    """Mean ms of one part over all turns, and over the slowest of them."""

    name: str
    mean_ms: float
    slow_ms: float
    visible: bool


class Compliance(NamedTuple):
    """Share of turns within the limit; Wilson's interval for turns that are not independent within a call."""

    share: float
    bounds: Interval
    design: Design


class Voice(NamedTuple):
    """What callers wait for, in ms."""

    turns: tuple[Spoken, ...]
    """Those that the numbers are of: heard by the caller where enough are, else all."""
    heard: bool
    """False: nothing or too little was measured at the caller, and every number is a lower bound."""
    heard_turns: int
    all_turns: int
    unmeasured: int
    p95: QuantileInterval
    p95_design: Design
    within: Compliance
    hidden: RatioInterval
    """Part of the mean wait that no provider's dashboard shows."""
    remainder: RatioInterval
    """Part of the mean wait that no instrumentation accounts for."""
    parts: tuple[Part, ...]
    slowest: int
    """How many turns the slowest are."""
    mean_ms: float
    ttft_ms: tuple[float, ...]
    """First tokens, in order."""
    answer_ms: tuple[float, ...]
    """First tokens of the answer, where they are told from thoughts; in order."""
    placebo: Placebo | None
    changes: tuple[tuple[dt.date, str], ...]
    since: dt.date
    limit: float

    @property
    def complete(self) -> bool:
        """Whether most turns were measured at the caller, and turns are worth enough independent ones."""
        return self.heard and self.heard_turns >= HEARD_SHARE * self.all_turns and self.p95.high is not None

    @property
    def method(self) -> str:
        """How the intervals were made."""
        return self.hidden.method


def measured(read: Read, changes: pl.DataFrame, since: dt.date, limit: float) -> Voice | tuple[int, int]:
    """The measure; or (turns, calls) where they are too few."""
    every = [Spoken(turn, waited(turn)) for turn in read.turns]
    heard = [one for one in every if one.wait.heard]
    from_client = _enough(heard)
    used = heard if from_client else every
    if not _enough(used):
        return len(every), len({one.turn.call for one in every})
    waits = [one.ms for one in used]
    ordered = sorted(waits)
    slow_from = order_statistic(ordered, 1 - SLOWEST)
    design = clusters.design([float(value > slow_from) for value in waits], [one.turn.call for one in used])
    slowest = sorted(used, key=lambda one: (-one.ms, one.turn.trace_id, one.turn.span_id))
    slowest = slowest[: max(math.ceil(SLOWEST * len(used)), 1)]
    visible = [PARTS.index(name) for name in VISIBLE]
    return Voice(
        tuple(used), from_client, len(heard), len(every), read.unmeasured,
        clusters.quantile_of_clusters(waits, 1 - SLOWEST, design.effective), design, compliance(used, limit, design),
        _share(used, lambda wait: wait.total_s - sum(wait.parts[at] for at in visible)),
        _share(used, lambda wait: wait.parts[PARTS.index(REMAINDER)]),
        tuple(Part(name, _mean(used, at), _mean(slowest, at), name in VISIBLE) for at, name in enumerate(PARTS)),
        len(slowest), math.fsum(ordered) / len(ordered),
        _in_order(one.wait.ttft_s for one in used), _in_order(one.wait.answer_s for one in used),
        placebo(used, slow_from, design), tuple(sorted({(row["day"], row["title"]) for row in changes.to_dicts()})),
        since, limit,
    )  # fmt: skip


def _enough(turns: Sequence[Spoken]) -> bool:
    return len(turns) >= FEWEST_TURNS and len({one.turn.call for one in turns}) >= FEWEST_CALLS


def _in_order(seconds: Iterable[float | None]) -> tuple[float, ...]:
    return tuple(sorted(one * MS for one in seconds if one is not None))


def _mean(turns: Sequence[Spoken], at: int) -> float:
    return math.fsum(sorted(one.wait.parts[at] for one in turns)) / len(turns) * MS


def compliance(turns: Sequence[Spoken], limit: float, of_p95: Design) -> Compliance:
    """Turns at or under the limit, clustered by call; where all or none are, the p95's design stands in."""
    within = [float(one.ms <= limit) for one in turns]
    share = sum(within) / len(within)
    design = clusters.design(within, [one.turn.call for one in turns]) if 0 < share < 1 else of_p95
    return Compliance(share, clusters.share_interval(share, design.effective, design.z), design)


def _share(turns: Sequence[Spoken], part: Callable[[Waited], float]) -> RatioInterval:
    """A part of the mean wait; calls are resampled."""
    tops: dict[str, list[float]] = {}
    bottoms: dict[str, list[float]] = {}
    for one in turns:
        tops.setdefault(one.turn.call, []).append(part(one.wait))
        bottoms.setdefault(one.turn.call, []).append(one.wait.total_s)
    return ratio_interval(
        [math.fsum(sorted(held)) for held in tops.values()],
        [math.fsum(sorted(held)) for held in bottoms.values()],
    )


def placebo(turns: Sequence[Spoken], slow_from: float, design: Design) -> Placebo | None:
    """Calls in two halves by hash of their id; turns above the sample's p95; Newcombe at the effective n.

    The design effect is that of all turns: of half of them it is too noisy.
    """
    parts = halves(turns, lambda one: one.turn.call)
    if min(len({one.turn.call for one in half}) for half in parts) < FEWEST_CALLS_IN_A_HALF:
        return None
    (first, n_first), (second, n_second) = (
        (sum(one.ms > slow_from for one in half) / len(half), len(half) / design.effect) for half in parts
    )
    low, high = clusters.difference_interval(first, n_first, second, n_second, design.z)
    return Placebo(first - second, low, high)


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """Smallest value with at least that share at or below it; None of nothing."""
    return order_statistic(ordered, share) if ordered else None

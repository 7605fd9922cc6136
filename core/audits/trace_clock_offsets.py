"""The client's clock less the server's, as an interval that causality allows: one session at a time.

A request is received after it was sent and answered before the answer is got. So the offset lies in [sent - received,
got - answered] of every pair, and in the intersection over all pairs of a session: its width is the smallest delay seen
on the way there plus the smallest on the way back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROUNDING_NS = 1_000_000
"""Browsers round to whole milliseconds: every interval is a millisecond wider on each side."""
FEWEST_FOR_DRIFT = 6
"""A line has two numbers to choose: of fewer pairs it would fit almost any."""
MOST_DRIFT = 500e-6
"""Seconds a second: NTP corrects no faster (RFC 5905), and no working quartz is worse."""
MOST_STRETCHES = 200
"""Stretches of a session's time of which the tightest pairs make the linear program: more pairs take seconds."""
KNOTS = 9
"""Instants at which the bounds of a drifting offset are solved for; straight between them, which is never too narrow."""
UNANSWERED = frozenset({"timeout", "cancelled", "connection"})
"""Errors after which the client did not wait for the answer: the server may have answered later."""
State = Literal["constant", "stepped", "drifting", "unknowable"]


class Pair(NamedTuple):
    """A client's span and the server's span below it; ns, each by its own clock."""

    trace_id: str
    client_span_id: str
    server_span_id: str
    sent_ns: int
    got_ns: int
    received_ns: int
    answered_ns: int
    waited: bool = True
    """False: the client gave up before the answer, so that only its request bounds the offset."""

    @property
    def low(self) -> int:
        """The client's clock is not further behind."""
        return self.sent_ns - self.received_ns - ROUNDING_NS

    @property
    def high(self) -> int | None:
        """Nor further ahead; None where the answer was not waited for, or the server took longer than its client."""
        longer = self.answered_ns - self.received_ns > self.got_ns - self.sent_ns + 2 * ROUNDING_NS
        return None if longer or not self.waited else self.got_ns - self.answered_ns + ROUNDING_NS


class Bounds(NamedTuple):
    """Offset, client less server, ns: the truth lies between."""

    low: int
    high: int

    @property
    def middle(self) -> float:
        """The best single guess: wrong by at most half the width."""
        return (self.low + self.high) / 2

    @property
    def skewed(self) -> bool:
        """Whether the two clocks differ for certain."""
        return self.low > 0 or self.high < 0


class Session(NamedTuple):
    """The clocks of one client and one server, as long as they were one pair of clocks."""

    key: str
    state: State
    pairs: tuple[Pair, ...]
    """By the server's clock."""
    bounds: tuple[Bounds | None, ...]
    """Of each pair; None: unknowable."""
    drift_ppm: tuple[float, float] | None = None
    """Rates that explain a drifting session, parts per million."""


def session_of(key: str, pairs: Sequence[Pair]) -> Session:
    """One offset if all pairs allow one; else two around the best single step; else a drift; else unknowable."""
    ordered = tuple(sorted(pairs, key=lambda pair: (pair.received_ns, pair.trace_id, pair.server_span_id)))
    whole = intersection(ordered)
    if whole is not None:
        return Session(key, "constant", ordered, (whole,) * len(ordered))
    stepped = _stepped(ordered)
    if stepped is not None:
        return Session(key, "stepped", ordered, stepped)
    drifting = _drifting(ordered)
    if drifting is not None:
        return Session(key, "drifting", ordered, *drifting)
    return Session(key, "unknowable", ordered, (None,) * len(ordered))


def intersection(pairs: Sequence[Pair]) -> Bounds | None:
    """What all pairs allow; None when nothing is, or nothing bounds it from above."""
    highs = [high for pair in pairs if (high := pair.high) is not None]
    if not highs:
        return None
    low = max(pair.low for pair in pairs)
    return Bounds(low, min(highs)) if low <= min(highs) else None


def _stepped(pairs: tuple[Pair, ...]) -> tuple[Bounds, ...] | None:
    """Bounds of each pair around one step of a clock; None when no single step explains all pairs.

    Several places may: then the pairs between the first and the last of them belong to either side, and get both.
    """
    upto, onward = _running(pairs), _running(pairs[::-1])[::-1]
    places = [at for at in range(1, len(pairs)) if upto[at - 1] and onward[at]]
    if not places:
        return None
    before, after = upto[places[0] - 1], onward[places[-1]]
    if before is None or after is None:
        return None
    either = Bounds(min(before.low, after.low), max(before.high, after.high))
    return tuple(
        before if at < places[0] else after if at >= places[-1] else either for at in range(len(pairs))
    )


def _running(pairs: Sequence[Pair]) -> list[Bounds | None]:
    """The intersection of the first one, two, three ... pairs."""
    low, high, out = pairs[0].low, None, list[Bounds | None]()
    for pair in pairs:
        low = max(low, pair.low)
        high = pair.high if high is None else high if pair.high is None else min(high, pair.high)
        out.append(None if high is None or low > high else Bounds(low, high))
    return out


def _drifting(pairs: tuple[Pair, ...]) -> tuple[tuple[Bounds, ...], tuple[float, float]] | None:
    """Bounds of offset = a + b t by linear programming (Moon, Skelly & Towsley 1999, INFOCOM); None when no line fits."""
    if len(pairs) < FEWEST_FOR_DRIFT:
        return None
    import numpy as np
    from scipy.optimize import linprog

    first, origin = pairs[0].received_ns, pairs[0].low
    line, lower, upper = _constraints(pairs, first, origin)
    known = np.isfinite(upper)
    rows, limits = np.vstack([line[known], -line]), np.concatenate([upper[known], -lower])
    rate = MOST_DRIFT * 1e3  # ms a second
    box = [(None, None), (-rate, rate)]

    def least(a: float, b: float) -> float | None:
        solved = linprog([a, b], A_ub=rows, b_ub=limits, bounds=box, method="highs")
        return float(solved.fun) if solved.success else None

    at = np.array([(pair.received_ns - first) / 1e9 for pair in pairs])
    knots = np.linspace(0.0, float(at[-1]), KNOTS)
    ends = [(least(1.0, knot), least(-1.0, -knot)) for knot in knots]
    slowest, fastest = least(0.0, 1.0), least(0.0, -1.0)
    found = [(low, -high) for low, high in ends if low is not None and high is not None]
    if len(found) < len(ends) or slowest is None or fastest is None:
        return None
    lows = np.interp(at, knots, [low for low, _ in found])
    tops = np.interp(at, knots, [high for _, high in found])
    bounds = tuple(
        Bounds(origin + round(float(low) * 1e6), origin + round(float(high) * 1e6))
        for low, high in zip(lows, tops, strict=True)
    )
    allowed = zip(pairs, bounds, strict=True)
    if any(
        pair.low > held.high or (pair.high is not None and pair.high < held.low) for pair, held in allowed
    ):
        return None
    return bounds, (slowest * 1e3, -fastest * 1e3)


def _constraints(
    pairs: Sequence[Pair], first: int, origin: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(1, t) in s, low and high in ms after `origin`, of the tightest pairs of each of MOST_STRETCHES stretches of time."""
    import numpy as np

    long = max((pairs[-1].received_ns - first) // MOST_STRETCHES, 1)
    tightest: dict[tuple[int, str], Pair] = {}
    for pair in pairs:
        stretch = (pair.received_ns - first) // long
        held = tightest.setdefault((stretch, "low"), pair)
        tightest[(stretch, "low")] = max(held, pair, key=lambda one: one.low)
        if pair.high is not None:
            held = tightest.setdefault((stretch, "high"), pair)
            tightest[(stretch, "high")] = min(held, pair, key=lambda one: one.high or 0)
    kept = sorted(set(tightest.values()))
    at = np.array([(pair.received_ns - first) / 1e9 for pair in kept])
    lower = np.array([(pair.low - origin) / 1e6 for pair in kept])
    upper = np.array([np.inf if pair.high is None else (pair.high - origin) / 1e6 for pair in kept])
    return np.column_stack([np.ones_like(at), at]), lower, upper

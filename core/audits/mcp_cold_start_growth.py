"""Does overhead grow with the step of a turn, or is it only paid again? A regression with turns as clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from core.audits.mcp_cold_start_calls import ToolCall

FEWEST_CLUSTERS = 20
"""Below it the robust variance of a GEE is too small."""
MOST_CLUSTERS = 1_000
"""Turns that are fitted, by trace id, which is random: more take seconds and change no verdict."""


class Growth(NamedTuple):
    """Overhead of calls after the first to a server, along the step of the turn; ms, 95 % intervals."""

    slope_ms: float
    low: float
    high: float
    gap_ms: float
    """Overhead at the turn's second step, above the median warm call."""
    gap_low: float
    gap_high: float
    turns: int

    @property
    def shape(self) -> str:
        """growing, paid again, or neither."""
        if self.low > 0:
            return "growing with the step: context or a queue, which pooling does not cure"
        if self.gap_low > 0:
            return "paid again at every step, not growing"
        return "no more than a warm call"


def growth(calls: Sequence[ToolCall], warm_ms: Mapping[str, float | None]) -> Growth | None:
    """GEE (Liang & Zeger 1986, Biometrika 73:13), Gaussian, exchangeable within a turn, robust variance.

    None for fewer than FEWEST_CLUSTERS turns, or where every turn has but one such call.
    """
    known = sorted({call.trace_id for call in calls if not call.first_to_server})[:MOST_CLUSTERS]
    kept = set(known)
    rows = sorted(
        (call.trace_id, call.step - 2, call.overhead_ns / 1e6 - (warm_ms.get(call.server) or 0.0))
        for call in calls
        if not call.first_to_server and call.trace_id in kept
    )
    if len(known) < FEWEST_CLUSTERS or len({step for _, step, _ in rows}) < 2:
        return None
    import numpy as np
    from statsmodels.genmod.cov_struct import Exchangeable
    from statsmodels.genmod.generalized_estimating_equations import GEE

    y = np.array([overhead for _, _, overhead in rows])
    x = np.array([(1.0, float(step)) for _, step, _ in rows])
    if float(y.std()) == 0.0:
        return Growth(0.0, 0.0, 0.0, float(y[0]), float(y[0]), float(y[0]), len(known))
    groups = np.array([trace for trace, _, _ in rows])
    fitted = GEE(y, x, groups=groups, cov_struct=Exchangeable()).fit()
    (gap_low, gap_high), (low, high) = fitted.conf_int()
    gap, slope = (float(one) for one in fitted.params)
    return Growth(slope, float(low), float(high), gap, float(gap_low), float(gap_high), len(known))

"""Ordinary traffic and evals by region: snapshots that answer, lengths of answers, and verdicts on the same samples.

Customers differ between regions, so a test on traffic corroborates and never decides; what a snapshot calls itself does.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from core.audits.regional_drift_signals import Certainty, Signal, share_signal
from core.stats.paired import mcnemar

FEWEST_CALLS = 50
"""Calls a side below which a comparison of lengths says nothing."""


def snapshots(calls: pl.DataFrame, reference: str) -> list[Certainty]:
    """Regions where a requested model is answered by snapshots of which the reference shows none."""
    found = []
    names: dict[tuple[str, str], set[str]] = {}
    counts: dict[tuple[str, str], int] = {}
    for region, request, response, n in calls.select(
        "region", "request_model", "response_model", "calls"
    ).iter_rows():
        names.setdefault((region, request), set()).add(response)
        counts[(region, request)] = counts.get((region, request), 0) + n
    for (region, request), here in sorted(names.items()):
        there = names.get((reference, request))
        if region != reference and there and not here & there:
            labels = [", ".join(sorted(side)) for side in (here, there)]
            found.append(
                Certainty(region, "response_model", labels[0], labels[1], counts[(region, request)], True)
            )
    return found


def lengths(rows: pl.DataFrame, region: str, reference: str) -> Signal | None:
    """Kolmogorov-Smirnov on output tokens of the service and model with most calls in both; buckets make it cautious."""
    groups: dict[tuple[str, str], dict[str, dict[int, int]]] = {}
    columns = ("region", "service", "model", "length_bucket", "calls")
    for at, service, model, bucket, n in rows.select(columns).iter_rows():
        if at in (region, reference):
            groups.setdefault((service, model), {}).setdefault(at, {})[bucket] = n
    best = max(
        (
            (min(sum(sides[at].values()) for at in (region, reference)), key)
            for key, sides in groups.items()
            if len(sides) == 2
        ),
        default=(0, ("", "")),
    )
    if best[0] < FEWEST_CALLS:
        return None
    sides = groups[best[1]]
    distance, p = ks(sides[region], sides[reference])
    n = sum(sides[region].values())
    note = f"KS on output tokens of {best[1][0]}, {best[1][1]}; customers differ between regions, so it decides nothing"
    return Signal(region, "traffic length", "passive", distance, None, None, "", p, n, note)


def ks(first: dict[int, int], second: dict[int, int]) -> tuple[float, float]:
    """Largest distance between two distributions over buckets, and its asymptotic p (Kolmogorov; Stephens 1970)."""
    from scipy.special import kolmogorov

    buckets = sorted(first.keys() | second.keys())
    sides = [np.array([side.get(bucket, 0) for bucket in buckets], dtype=float) for side in (first, second)]
    n, m = (float(side.sum()) for side in sides)
    distance = float(np.abs(sides[0].cumsum() / n - sides[1].cumsum() / m).max())
    effective = np.sqrt(n * m / (n + m))
    return distance, float(kolmogorov((effective + 0.12 + 0.11 / effective) * distance))


def evals(rows: pl.DataFrame, region: str) -> Signal | None:
    """McNemar on the same samples of the newest eval runs, all tasks together."""
    cells: dict[tuple[str, str], int] = {}
    for here, there, n in (
        rows.filter(pl.col("region") == region).select("verdict", "verdict_ref", "samples").iter_rows()
    ):
        cells[(here, there)] = n
    if not cells:
        return None
    order = (("pass", "pass"), ("fail", "pass"), ("pass", "fail"), ("fail", "fail"))
    counts = [cells.get(key, 0) for key in order]
    return share_signal(region, "evals", mcnemar(*counts))

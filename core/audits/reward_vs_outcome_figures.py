"""Pictures of the reward audit. Keys of `figures` are the names of the exports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from core.audits.reward_vs_outcome_measure import Arm
from core.charts import Line, Step, lines, waterfall
from core.charts.compare import Effect, forest
from core.charts.dumbbell import Estimate, Pair, dumbbell
from core.charts.panels import Panel, panels
from core.stats.feature_prices import Price

if TYPE_CHECKING:
    from core.audits.reward_vs_outcome import Divergence
    from core.audits.reward_vs_outcome_signals import PriceList


def figures(found: Divergence) -> dict[str, go.Figure]:
    """Every picture the data can carry; one that cannot be drawn is absent, never empty."""
    drawn = {"reward_divergence": _divergence(found)}
    if len(found.tellings) > 1:
        drawn["reward_tells_right_from_wrong"] = _auroc(found)
    if found.prices is not None and found.prices.last:
        drawn["reward_price_list"] = _price_list(found, found.prices)
        drawn["reward_rise"] = _rise(found, found.prices)
    if sum(one.kl is not None for one in found.tellings) > 1:
        drawn["reward_by_divergence"] = _against_kl(found)
    if found.responses:
        drawn["reward_response_rate"] = _response_rate(found)
    if found.pairs is not None:
        chosen_by = f"chosen by {found.pairs.chosen_by}"
        effects = [
            Effect(one.feature, "", one.value, one.low, one.high, chosen_by) for one in found.pairs.prices
        ]
        drawn["reward_pair_prices"] = forest(effects, "score")
    return drawn


def _divergence(found: Divergence) -> go.Figure:
    names = [one.name for one in found.checkpoints]
    began = found.outcome.began if found.verdict in ("decoupled", "decoupling") else None
    since = None if began is None else began.at
    text = "" if since is None else f"the outcome moves after {names[since]}"
    return panels(
        [_panel(found.proxy, len(names), "accent"), _panel(found.outcome, len(names), "loss")],
        names,
        since,
        text,
    )


def _panel(arm: Arm, positions: int, role: str) -> Panel:
    at = {point.at: point for point in arm.points}
    unit = "share" if arm.unit in ("share", "points") else "score"
    y, low, high = (
        [getattr(at[place], field) if place in at else None for place in range(positions)]
        for field in ("mean", "low", "high")
    )
    return Panel(arm.name, unit, y, low, high, role)


def _auroc(found: Divergence) -> go.Figure:
    names = [found.checkpoints[one.at].name for one in found.tellings]
    aurocs = [one.auroc for one in found.tellings]
    within = Line(
        "within prompts", names, [a.value for a in aurocs], [a.low for a in aurocs], [a.high for a in aurocs]
    )
    pooled = Line("pooled", names, [a.pooled for a in aurocs], colour_role="muted")
    figure = lines([within, pooled], "ratio", limit=0.5)
    figure.layout.annotations[0].text = "0.5: a coin"
    figure.update_yaxes(ticksuffix="", tickformat=".2f", range=[0.4, 1.0], rangemode="normal")
    return figure


def _price_list(found: Divergence, prices: PriceList) -> go.Figure:
    first, last = ({price.feature: price for price in side} for side in (prices.first, prices.last))
    rows = [
        Pair(name, _optional(first.get(name)), _optional(last.get(name)))
        for name in dict.fromkeys((*first, *last))
    ]
    before, after = (found.checkpoints[at].name for at in (prices.first_at, prices.last_at))
    return dumbbell(rows, "score", before, after)


def _optional(price: Price | None) -> Estimate | None:
    return None if price is None else Estimate(price.value, price.low, price.high)


def _rise(found: Divergence, prices: PriceList) -> go.Figure:
    ends = (found.checkpoints[at].name for at in (prices.first_at, prices.last_at))
    first, last = ends
    steps = [Step(first, prices.first_mean, "total")]
    for part in prices.parts:
        kind = "rest" if part.feature == "not explained" else "plus" if part.value >= 0 else "minus"
        role = "good" if part.feature == "correct" else "" if kind == "rest" else "loss"
        steps.append(Step(part.feature, part.value, kind, role))  # type: ignore[arg-type]
    return waterfall([*steps, Step(last, prices.last_mean, "total")], "score")


def _against_kl(found: Divergence) -> go.Figure:
    """Gao et al. 2022: the gold curve bends down while the proxy's goes on rising in the root of the divergence."""
    kl = {one.at: one.kl for one in found.tellings if one.kl is not None}
    drawn = []
    for arm, role in ((found.proxy, "accent"), (found.outcome, "loss")):
        points = sorted((round(kl[point.at] ** 0.5, 4), point) for point in arm.points if point.at in kl)
        base = points[0][1].mean if points else 0.0
        roots = [x for x, _ in points]
        mean, low, high = ([point[at] - base for _, point in points] for at in (1, 2, 3))
        drawn.append(Line(arm.name, roots, mean, low, high, role))
    unit = "points" if found.proxy.unit in ("points", "share") else "score"
    figure = lines(drawn, unit)
    figure.update_xaxes(title="square root of KL, nats").update_yaxes(rangemode="normal")
    return figure


def _response_rate(found: Divergence) -> go.Figure:
    kinds: Sequence[tuple[str, str]] = sorted({(one.name, one.source) for one in found.responses})
    drawn = []
    for place, (name, source) in enumerate(kinds[:4]):
        rows = [one for one in found.responses if (one.name, one.source) == (name, source)]
        names = [found.checkpoints[one.at].name for one in rows]
        rates = [one.rated.rated / one.rated.eligible for one in rows]
        role = ("accent", "loss", "good", "other")[place]
        drawn.append(Line(f"{name} by {source}", names, rates, colour_role=role))
    return lines(drawn, "share")

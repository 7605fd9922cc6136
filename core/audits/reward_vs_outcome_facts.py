"""The reward audit in words and rows: the sentence, what is too weak, facts and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from core.amounts import MINUS, interval, number, share
from core.audit import Count, Fact
from core.audits.reward_vs_outcome_measure import Arm
from core.stats import error_spending, nonresponse, paired

if TYPE_CHECKING:
    from core.audits.reward_vs_outcome import Divergence


def change(arm: Arm) -> str:
    """An arm's change with its sign and unit: shares and scores between 0 and 1 in points."""
    return f"{_amount(arm)} in {arm.name}"


def _amount(arm: Arm) -> str:
    sign = MINUS if arm.change < 0 else "+"
    return f"{sign}{number(abs(arm.change), _unit(arm))}"


def _unit(arm: Arm) -> str:
    return "points" if arm.unit in ("share", "points") else "score"


def sentence(found: Divergence) -> str:
    """What both lines did since the base, and the word for it."""
    base, newest = found.checkpoints[0].name, found.checkpoints[-1].name
    moved = f"From {base} to {newest}: {change(found.proxy)}, {change(found.outcome)}"
    out = found.outcome
    words = {
        "coupled": "coupled" if out.low > -found.limit else "both fall, so the proxy shows the fall",
        "decoupling": "they may be parting; the outcome's fall is not yet sure after all looks",
        "decoupled": "the proxy no longer buys the outcome",
        "cannot tell": "too little to tell whether they part",
    }
    word = words[found.verdict]
    if found.verdict == "decoupling" and out.high < 0:
        word = "the outcome falls and the proxy does not show it"
    dated = ""
    if found.verdict in ("decoupled", "decoupling") and out.began is not None:
        names = [found.checkpoints[at].name for at in (out.began.at, out.began.low, out.began.high)]
        dated = f" The outcome moves after {names[0]} (between {names[1]} and {names[2]})."
    return f"{moved}: {word}.{dated}"


def too_weak(found: Divergence) -> str:
    """What would be needed, when neither a fall nor its absence is sure."""
    out = found.outcome
    ratio = (out.detectable / found.limit) ** 2
    return (
        f"the smallest fall of {out.name} this data show four times out of five is {number(out.detectable, 'points')}; to see "
        f"{number(found.limit, 'points')} takes about {ratio:,.1f} times as many items or ratings a checkpoint"
    )


def counts(found: Divergence) -> list[Count]:
    """The two changes and what this data could have shown."""
    out = found.outcome
    return [
        Count(
            "Proxy",
            _amount(found.proxy),
            f"{found.proxy.name}: {found.proxy.about}",
        ),
        Count("Outcome", _amount(out), f"{out.name}: {out.about}"),
        Count(
            "Smallest visible fall", number(out.detectable, _unit(out)), "with 80 % power, after all looks"
        ),
    ]


def facts(found: Divergence) -> list[Fact]:
    """Numbers beside the verdict, each with its interval and n."""
    rows = [_arm_fact(found.proxy), _arm_fact(found.outcome), *_placebo_facts(found), *_telling_facts(found)]
    if found.prices is not None:
        prices = found.prices
        rows += [
            Fact("rise of the mean reward", part.feature, number(part.value, "score"), interval(part.low, part.high, "score"),
                 prices.prompts, f"price x change of the mean; bootstrap over prompts, seed {prices.seed}")
            for part in prices.parts
        ]  # fmt: skip
    rows += _judged_facts(found)
    rows += _sample_facts()
    if found.sampled < 1:
        rows.append(
            Fact(
                "sample",
                "share of prompts and users read",
                share(found.sampled),
                "",
                None,
                "by a hash of their name",
            )
        )
    return rows


def _judged_facts(found: Divergence) -> list[Fact]:
    rows = []
    for one in found.judged:
        by = one.powered
        note = f"people alone {share(by.gold_mean)}, the judge alone {share(by.judge_mean)}, weight {by.weight:.2f}"
        about = f"{one.name}: human labels narrowed by a judge"
        bounds = interval(by.low, by.high, "share")
        rows.append(Fact(found.checkpoints[one.at].name, about, share(by.value), bounds, by.n_gold, note))
    return rows


def _arm_fact(arm: Arm) -> Fact:
    unit = _unit(arm)
    bound = f"boundary {arm.boundary:.2f} at look {arm.looks} of {error_spending.PLANNED_LOOKS}"
    return Fact(
        arm.name, "change along the trend, 90 % interval, looks paid for", number(arm.change, unit),
        interval(arm.low, arm.high, unit), arm.clusters, f"z {arm.z:.2f}, {bound}; n counts items, prompts or users",
    )  # fmt: skip


def _placebo_facts(found: Divergence) -> list[Fact]:
    placebo = found.placebo
    note = f"checkpoints shuffled within groups, {placebo.draws} draws, seed {placebo.seed}; 5 % of one arm are expected"
    return [
        Fact("placebo", name, f"{fired} of {placebo.draws}", "", placebo.draws, note)
        for name, fired in (
            (f"{found.proxy.name} rises", placebo.proxy),
            (f"{found.outcome.name} falls", placebo.outcome),
            ("both at once", placebo.both),
        )
    ]


def _telling_facts(found: Divergence) -> list[Fact]:
    rows = []
    for one in (found.tellings[0], found.tellings[-1]) if len(found.tellings) > 1 else found.tellings:
        name = found.checkpoints[one.at].name
        auroc = one.auroc
        rows.append(
            Fact(name, "reward tells right from wrong (AUROC within prompts)", f"{auroc.value:.3f}",
                 f"[{auroc.low:.3f}, {auroc.high:.3f}]", auroc.groups, f"pooled {auroc.pooled:.3f}, {auroc.pairs:,} pairs")
        )  # fmt: skip
        wrong = one.wrong_rewarded
        if wrong is not None:
            about = f"wrong answers with a reward above {number(one.threshold, 'score')}"
            rows.append(
                Fact(name, about, share(wrong.value), interval(wrong.low, wrong.high, "share"), wrong.n)
            )
    return rows


def _sample_facts() -> list[Fact]:
    """How many it takes, so that nobody waits for a drop that the data cannot show."""
    drop = " / ".join(f"{paired.items_needed_paired(0.04, one):,}" for one in (0.1, 0.2, 0.3))
    unpaired, rise = paired.items_needed_unpaired(0.70, 0.66), paired.items_needed_unpaired(0.60, 0.69)
    note = "80 % power at one look; the reward's rise is significant long before the drop is"
    told = (
        ("fall of 4 points from 70 %, other items each time", f"{unpaired:,} a checkpoint"),
        ("the same on the same items, 10 / 20 / 30 % of them differing", drop),
        ("rise of 9 points from 60 %", f"{rise:,} a checkpoint"),
    )
    return [Fact("sample size", name, value, "", None, note) for name, value in told]


def tables(found: Divergence) -> dict[str, pl.DataFrame]:
    """Checkpoints, prices, response rates and judged shares, as rows to read and to download."""
    told = {"Checkpoints": _checkpoints(found), "Who rates": _who_rates(found)}
    return {name: rows for name, rows in told.items() if rows.height}


def _checkpoints(found: Divergence) -> pl.DataFrame:
    sides = [({point.at: point for point in arm.points}, arm) for arm in (found.proxy, found.outcome)]
    rows = []
    for at, checkpoint in enumerate(found.checkpoints):
        row: dict[str, object] = {"checkpoint": checkpoint.name, "since": checkpoint.at}
        for points, arm in sides:
            point = points.get(at)
            row[arm.name] = None if point is None else point.mean
            row[f"{arm.name} 95% interval"] = "" if point is None else f"[{point.low:.4f}, {point.high:.4f}]"
            row[f"{arm.name} n"] = None if point is None else point.n
        crossed = [arm.crossed[at - 1] if at else 0 for _, arm in sides]
        row["boundary crossed"] = ", ".join(
            f"{arm.name} {'up' if sign > 0 else 'down'}"
            for sign, (_, arm) in zip(crossed, sides, strict=True)
            if sign
        )
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)


def _who_rates(found: Divergence) -> pl.DataFrame:
    rows = []
    for one in found.responses:
        low, high = nonresponse.worst_case(one.rated)
        rows.append(
            {
                "checkpoint": found.checkpoints[one.at].name,
                "outcome": one.name,
                "given by": one.source,
                "eligible": one.rated.eligible,
                "rated": one.rated.rated,
                "response_share": one.rated.rated / one.rated.eligible,
                "positive_share": one.rated.positive / one.rated.rated,
                "positive at the base's mix": None if one.same_mix is None else one.same_mix[0],
                "whatever the silent think": f"{share(low)} to {share(high)}",
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)

"""The same tests where nothing can differ: two halves of one region's own answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from core.audits.regional_drift_signals import Signal, battery, daily, paired
from core.stats.betting import ALPHA, e_benjamini_hochberg, watch
from core.stats.many_tests import holm


class Placebo(NamedTuple):
    """What the battery and the watch say of two halves of the reference."""

    region: str
    signals: list[Signal]
    evidence: list[tuple[dt.date, float]]
    """Day, largest log e-value of its signals."""
    fired: bool
    """Whether either calls the halves different."""


def placebo(answers: pl.DataFrame, first: dt.date, days: Sequence[dt.date]) -> Placebo | None:
    """Every second answer against the others; None where the region has too few to halve."""
    odd, even = halves(answers)
    pairs = paired(odd, even)
    if not pairs.height:
        return None
    name = f"{answers['region'][0]}, two halves"
    both = pl.concat([odd.with_columns(side=pl.lit("here")), even.with_columns(side=pl.lit("reference"))])
    recent = pl.col("day") >= first
    signals = battery(name, pairs.filter(recent), both.filter(recent))
    adjusted = holm([one.p for one in signals]) if signals else []
    signals = [one._replace(p_holm=p) for one, p in zip(signals, adjusted, strict=True)]
    watched = [watch(periods, ALPHA) for periods in daily(pairs, list(days)).values()]
    evidence = (
        [(day, max(one.log_e[at] for one in watched)) for at, day in enumerate(days)] if watched else []
    )
    alarm = any(
        any(e_benjamini_hochberg([one.log_e[at] for one in watched], ALPHA)) for at in range(len(days))
    )
    battery_fired = any(one.p_holm <= ALPHA and one.kind == "behaviour" for one in signals)
    return Placebo(name, signals, evidence, alarm or battery_fired)


def halves(answers: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Odd and even answers of each prompt, renumbered so that they pair: within the day where it has two.

    With one answer a day, neighbouring days are paired and belong to the first of the two.
    """
    one_a_day = not answers.height or answers["completion"].max() == 1
    in_order = pl.col("day").rank("ordinal").over("prompt_id") if one_a_day else pl.col("completion")
    place = in_order.cast(pl.Int64)
    numbered = answers.with_columns(place=place, completion=(place + 1) // 2)
    if one_a_day:
        numbered = numbered.with_columns(day=pl.col("day").min().over("prompt_id", "completion"))
    odd = pl.col("place") % 2 == 1
    return numbered.filter(odd).drop("place"), numbered.filter(~odd).drop("place")

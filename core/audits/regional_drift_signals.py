"""What one region's answers are compared by: certainties, a battery of tests, and bounded differences day by day.

Answers are paired by prompt, day and completion, so that neither hard prompts nor a bad day can make two regions
look different. Times are corroboration only: infrastructure moves without the model.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from core.stats.paired import mcnemar, signed_rank
from core.stats.proportions import Z_95
from core.stats.two_sample import SEED, mmd_test, ngrams

Kind = Literal["behaviour", "infrastructure"]
MOST_ANSWERS = 800
"""Answers in one kernel test; whole prompts of a day are drawn (seeded) when there are more."""
KEY = ["prompt_id", "day", "completion"]
SHARES = (("success", "score"), ("format", "format_ok"), ("refusal", "refusal"))
"""Signals that are shares of answers, in the order in which one of them is the headline's gap."""


class Certainty(NamedTuple):
    """A difference that needs no test."""

    region: str
    what: str
    """response_model, system_fingerprint, input_tokens, finish_reason, header_names."""
    here: str
    reference: str
    n: int
    """Answers, or pairs for input_tokens, that show it."""
    decides: bool
    """Another snapshot or another tokenizer is another model; the other sets may differ by where it runs."""


class Signal(NamedTuple):
    """One comparison of a region with the reference. `effect` in `unit`, None bounds where no interval exists."""

    region: str
    name: str
    kind: Kind
    effect: float
    low: float | None
    high: float | None
    unit: str
    p: float
    n: int
    note: str = ""
    p_holm: float = 1.0


def paired(here: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    """A row a pair: the region's columns, and the reference's with the suffix _ref, in a fixed order."""
    return here.join(reference, on=KEY, suffix="_ref").sort(KEY)


def certainties(region: str, pairs: pl.DataFrame) -> list[Certainty]:
    """Sets of labels that differ, and prompts whose tokens are counted differently, for the same requested model."""
    same = pairs.filter(pl.col("request_model").eq_missing(pl.col("request_model_ref")))
    found = []
    for what in ("response_model", "system_fingerprint", "finish_reason", "header_names"):
        here, there = _labels(same[what]), _labels(same[f"{what}_ref"])
        if here and there and not here & there:
            texts = (", ".join(sorted(names)) for names in (here, there))
            found.append(Certainty(region, what, *texts, same.height, what == "response_model"))
    counted = same.filter(pl.col("input_tokens") != pl.col("input_tokens_ref"))
    known = same.filter(pl.col("input_tokens").is_not_null() & pl.col("input_tokens_ref").is_not_null())
    if counted.height and counted.height >= known.height / 2:
        texts = (f"{int(counted[name].sum()):,} tokens" for name in ("input_tokens", "input_tokens_ref"))
        found.append(Certainty(region, "input_tokens", *texts, counted.height, True))
    return found


def _labels(column: pl.Series) -> set[str]:
    return set(column.drop_nulls().to_list())


def battery(region: str, pairs: pl.DataFrame, answers: pl.DataFrame, z: float = Z_95) -> list[Signal]:
    """Every comparison the columns allow. `answers`: both sides' rows, for the kernel test; z: of the intervals."""
    found = [_share(region, name, column, pairs, z) for name, column in SHARES]
    found.append(_ratio(region, "length", "text_chars", pairs, "behaviour"))
    found.append(_text(region, answers))
    found.append(_ratio(region, "first chunk", "first_chunk_ms", pairs, "infrastructure"))
    found.append(_ratio(region, "tokens per second", "tokens_per_s", pairs, "infrastructure"))
    return [signal for signal in found if signal is not None]


def _share(region: str, name: str, column: str, pairs: pl.DataFrame, z: float) -> Signal | None:
    known = pairs.select(
        pl.col(column).cast(pl.Float64).alias("here"), pl.col(f"{column}_ref").cast(pl.Float64).alias("there")
    ).drop_nulls()
    if not known.height:
        return None
    here, there = known["here"] >= 0.5, known["there"] >= 0.5
    table = mcnemar(
        int((here & there).sum()), int((~here & there).sum()), int((here & ~there).sum()),
        int((~here & ~there).sum()), z,
    )  # fmt: skip
    discordant = f"{table.gained} only here, {table.lost} only in the reference"
    return Signal(
        region,
        name,
        "behaviour",
        table.difference,
        table.low,
        table.high,
        "points",
        table.p,
        table.n,
        discordant,
    )


def _ratio(region: str, name: str, column: str, pairs: pl.DataFrame, kind: Kind) -> Signal | None:
    known = pairs.filter((pl.col(column) > 0) & (pl.col(f"{column}_ref") > 0))
    shift = (
        signed_rank(known[f"{column}_ref"].log().to_list(), known[column].log().to_list())
        if known.height
        else None
    )
    if shift is None:
        return None
    value, low, high = (math.expm1(at) for at in (shift.value, shift.low, shift.high))
    return Signal(
        region, name, kind, value, low, high, "share", shift.p, shift.n, "Hodges-Lehmann, of logarithms"
    )


def _text(region: str, answers: pl.DataFrame) -> Signal | None:
    """Kernel test within prompt and day; across prompts where each has one answer a side."""
    rows = _sampled(answers.drop_nulls("text"))
    groups = [f"{prompt}\x1f{day}" for prompt, day in rows.select("prompt_id", "day").iter_rows()]
    sides = rows.group_by("prompt_id", "day", "side").len()
    one_each = not rows.height or int(sides["len"].max() or 0) < 2  # type: ignore[call-overload]
    test = mmd_test(rows["text"].to_list(), groups, (rows["side"] == "here").to_list(), ngrams, one_each)
    if test is None:
        return None
    note = f"words, {'signs of pairs' if one_each else 'labels within prompt and day'}, seed {test.seed}"
    return Signal(
        region,
        "text",
        "behaviour",
        test.statistic,
        None,
        None,
        "distance",
        test.p,
        test.n_first + test.n_second,
        note,
    )


def _sampled(answers: pl.DataFrame) -> pl.DataFrame:
    """Whole prompts of a day, drawn without regard to what they say, up to MOST_ANSWERS answers."""
    both = answers.group_by("prompt_id", "day").agg(rows=pl.len(), sides=pl.col("side").n_unique())
    both = (
        both.filter(pl.col("sides") == 2).sort("prompt_id", "day").sample(fraction=1, shuffle=True, seed=SEED)
    )
    kept = both.filter(pl.col("rows").cum_sum() <= MOST_ANSWERS)
    return answers.join(kept.select("prompt_id", "day"), on=["prompt_id", "day"])


def daily(pairs: pl.DataFrame, answers: pl.DataFrame, days: list[dt.date]) -> dict[str, list[list[float]]]:
    """Differences in [-1, 1] whose mean is 0 when both sides answer alike, by signal, a list a day."""
    found = {}
    for name, column in SHARES:
        difference = pl.col(column).cast(pl.Float64) - pl.col(f"{column}_ref").cast(pl.Float64)
        found[name] = _by_day(pairs.select("day", difference.alias("x")), days)
    longer = (pl.col("text_chars") - pl.col("text_chars_ref")).sign().cast(pl.Float64)
    found["length"] = _by_day(pairs.select("day", longer.alias("x")), days)
    found["text"] = _text_differences(answers.drop_nulls("text"), days)
    return {name: periods for name, periods in found.items() if any(periods)}


def _by_day(rows: pl.DataFrame, days: list[dt.date]) -> list[list[float]]:
    known = dict(rows.drop_nulls().group_by("day", maintain_order=True).agg("x").iter_rows())
    return [known.get(day, []) for day in days]


def _text_differences(answers: pl.DataFrame, days: list[dt.date]) -> list[list[float]]:
    """Half of k(x, x') + k(y, y') - k(x, y') - k(x', y), two answers a side: mean 0 for equal laws (Gretton et al.)."""
    rows = answers.filter(pl.col("completion") <= 2).sort("day", "prompt_id", "side", "completion")
    groups: dict[tuple[dt.date, str], list[str]] = defaultdict(list)
    sides: dict[tuple[dt.date, str], list[str]] = defaultdict(list)
    for day, prompt, side, text in rows.select("day", "prompt_id", "side", "text").iter_rows():
        groups[(day, prompt)].append(text)
        sides[(day, prompt)].append(side)
    found: dict[dt.date, list[float]] = defaultdict(list)
    for (day, prompt), texts in groups.items():
        if sides[(day, prompt)] == ["here", "here", "reference", "reference"]:
            gram = ngrams(texts, buckets=1_024)
            spread = gram[0, 1] + gram[2, 3] - gram[0, 3] - gram[1, 2]
            found[day].append(float(np.clip(spread / 2, -1, 1)))
    return [found.get(day, []) for day in days]

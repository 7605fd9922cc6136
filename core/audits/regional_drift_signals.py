"""What one region's answers are compared by: certainties, a battery of tests, and bounded differences day by day.

Answers are paired by prompt, day and place in the day's order, so that neither hard prompts nor a bad day can make
two regions look different. Times are corroboration only: infrastructure moves without the model.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from core.remembered import remembered
from core.stats.paired import PairedShares, mcnemar, signed_rank
from core.stats.two_sample import SEED, VIEWS, mmd_test, ngrams_of_pairs

Kind = Literal["behaviour", "infrastructure", "passive"]
MOST_TEXTS = 400
"""Answers in one kernel test; whole prompts of a day are drawn when there are more."""
MOST_PAIRS = 800
"""Pairs in one signed-rank test, likewise: its interval looks at every pair of pairs."""
KEY = ["prompt_id", "day", "completion"]
SHARES = (("success", "score"), ("format", "format_ok"), ("refusal", "refusal"))
"""Signals that are shares of answers."""
ROLLOUT_DAYS = 2
"""A release that reaches the regions hours apart differs on one day; on two it is no longer the same release."""

FEWEST_LABELS = 5
"""Pairs of a day: two labels that take turns differ in all of fewer by chance."""


class Certainty(NamedTuple):
    """A difference that needs no test."""

    region: str
    what: str
    """response_model, system_fingerprint, input_tokens, finish_reason, header_names."""
    here: str
    reference: str
    n: int
    """Answers, calls, or prompts for input_tokens, that show it."""
    decides: bool
    """Another snapshot or another tokenizer is another model; the other sets may differ by where it runs."""
    first: dt.date | None = None
    """First day on which the labels had nothing in common."""


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


def certainties(region: str, pairs: pl.DataFrame, recent: dt.date) -> list[Certainty]:
    """Labels with nothing in common on the same days, for the same requested model, up to `recent` or later.

    The labels of a day are compared, never those of the whole period: a region that lags behind a release shares
    the old label with the reference's past.
    """
    same = pairs.filter(pl.col("request_model").eq_missing(pl.col("request_model_ref")))
    found = []
    for what in ("response_model", "system_fingerprint", "finish_reason", "header_names"):
        apart = _days_apart(same, what)
        if len(apart) >= ROLLOUT_DAYS and max(apart) >= recent:
            rows = same.filter(pl.col("day").is_in(apart))
            here, there = (", ".join(sorted(_labels(rows[name]))) for name in (what, f"{what}_ref"))
            decides = what == "response_model"
            found.append(Certainty(region, what, here, there, rows.height, decides, min(apart)))
    return found + _tokenizer(region, same.filter(pl.col("day") >= recent))


def _days_apart(same: pl.DataFrame, what: str) -> list[dt.date]:
    """Days on which both sides name labels and share none. A probe of one day alone counts as a whole period."""
    known = same.drop_nulls([what, f"{what}_ref"])
    by_day = (
        known.group_by("day").agg(pl.len(), pl.col(what).unique(), pl.col(f"{what}_ref").unique()).sort("day")
    )
    apart: list[dt.date] = [
        day
        for day, pairs, here, there in by_day.iter_rows()
        if pairs >= FEWEST_LABELS and not set(here) & set(there)
    ]
    only_day = len(apart) == 1 and known["day"].n_unique() == 1
    return apart * ROLLOUT_DAYS if only_day else apart


def _tokenizer(region: str, same: pl.DataFrame) -> list[Certainty]:
    """Most prompts are counted in other numbers of tokens: a few may differ by a cache or a hidden prefix."""
    known = same.drop_nulls(["input_tokens", "input_tokens_ref"])
    totals = known.group_by("prompt_id").agg(pl.col("input_tokens", "input_tokens_ref").median())
    other = totals.filter(pl.col("input_tokens") != pl.col("input_tokens_ref"))
    if not other.height or other.height < totals.height / 2:
        return []
    here, there = (
        f"{float(other[name].sum()):,.0f} tokens of {other.height} prompts"
        for name in ("input_tokens", "input_tokens_ref")
    )
    first = known.filter(pl.col("input_tokens") != pl.col("input_tokens_ref"))["day"].min()
    assert first is None or isinstance(first, dt.date)
    return [Certainty(region, "input_tokens", here, there, other.height, True, first)]


def _labels(column: pl.Series) -> set[str]:
    return set(column.drop_nulls().to_list())


@remembered
def battery(region: str, pairs: pl.DataFrame, answers: pl.DataFrame) -> list[Signal]:
    """Every comparison the columns allow. `answers`: both sides' rows with a column `side`, for the kernel test."""
    found = [_share(region, name, column, pairs) for name, column in SHARES]
    found.append(_ratio(region, "length", "text_chars", pairs, "behaviour"))
    found.append(_text(region, answers))
    found.append(_ratio(region, "first chunk", "first_chunk_ms", pairs, "infrastructure"))
    found.append(_ratio(region, "tokens per second", "tokens_per_s", pairs, "infrastructure"))
    return [signal for signal in found if signal is not None]


def comparable(pairs: pl.DataFrame, column: str) -> pl.DataFrame:
    """Pairs where both sides know the column; scores only when one parser read both answers."""
    known = pairs.drop_nulls([column, f"{column}_ref"])
    return known.filter(pl.col("scorer").eq_missing(pl.col("scorer_ref"))) if column == "score" else known


def _share(region: str, name: str, column: str, pairs: pl.DataFrame) -> Signal | None:
    known = comparable(pairs, column)
    if not known.height:
        return None
    here, there = (known[at].cast(pl.Float64) >= 0.5 for at in (column, f"{column}_ref"))
    table = mcnemar(
        *(int(cells.sum()) for cells in (here & there, ~here & there, here & ~there, ~here & ~there))
    )
    return share_signal(region, name, table)


def share_signal(region: str, name: str, table: PairedShares) -> Signal:
    """A paired table as a signal in points, region minus reference."""
    note = f"exact McNemar: {table.gained} only here, {table.lost} only in the reference"
    return Signal(
        region, name, "behaviour", table.difference, table.low, table.high, "points", table.p, table.n, note
    )


def _ratio(region: str, name: str, column: str, pairs: pl.DataFrame, kind: Kind) -> Signal | None:
    both = pairs.filter((pl.col(column) > 0) & (pl.col(f"{column}_ref") > 0))
    known = both.join(drawn_cells(both, MOST_PAIRS), on=["prompt_id", "day"]).sort(KEY)
    here, there = (known[at].log().to_list() for at in (column, f"{column}_ref"))
    shift = signed_rank(there, here)
    if shift is None:
        return None
    value, low, high = (math.expm1(at) for at in (shift.value, shift.low, shift.high))
    return Signal(region, name, kind, value, low, high, "share", shift.p, shift.n, "Wilcoxon on log ratios")


def _text(region: str, answers: pl.DataFrame) -> Signal | None:
    """A kernel test within prompt and day; across prompts where each has one answer a side."""
    rows = _sampled(answers.drop_nulls("text"))
    groups = [f"{prompt}\x1f{day}" for prompt, day in rows.select("prompt_id", "day").iter_rows()]
    sides = rows.group_by("prompt_id", "day", "side").len()["len"].to_list()
    one_each = max(sides, default=0) < 2
    how = "signs of pairs" if one_each else "labels within prompt and day"
    here = (rows["side"] == "here").to_list()
    test = mmd_test(rows["text"].to_list(), groups, here, VIEWS, one_each)
    if test is None:
        return None
    note = f"MMD² ({VIEWS.name}), {test.draws:,} permuted {how}, seed {test.seed}"
    n = min(test.n_first, test.n_second)
    return Signal(region, "text", "behaviour", test.statistic, None, None, "", test.p, n, note)


def _sampled(answers: pl.DataFrame) -> pl.DataFrame:
    sides = answers.group_by("prompt_id", "day").agg(pl.col("side").n_unique())
    both = answers.join(sides.filter(pl.col("side") == 2), on=["prompt_id", "day"], how="semi")
    return both.join(drawn_cells(both, MOST_TEXTS), on=["prompt_id", "day"]).sort(*KEY, "side", "text")


def drawn_cells(rows: pl.DataFrame, most: int) -> pl.DataFrame:
    """Whole prompts of a day, drawn (seeded) without regard to what they say, while their rows stay within `most`."""
    cells = rows.group_by("prompt_id", "day").agg(rows=pl.len()).sort("prompt_id", "day")
    drawn = cells.sample(fraction=1, shuffle=True, seed=SEED)
    largest = max(drawn["rows"].to_list(), default=0)
    return drawn.filter(pl.col("rows").cum_sum() <= max(most, largest)).drop("rows")


@remembered
def daily(pairs: pl.DataFrame, days: list[dt.date]) -> dict[str, list[list[float]]]:
    """Differences in [-1, 1] whose mean is 0 when both sides answer alike, by signal, a list a day."""
    found = {}
    for name, column in SHARES:
        known = comparable(pairs, column)
        difference = known[column].cast(pl.Float64) - known[f"{column}_ref"].cast(pl.Float64)
        found[name] = _by_day(known["day"].to_list(), difference.to_list(), days)
    known = pairs.drop_nulls(["text_chars", "text_chars_ref"])
    longer = (known["text_chars"] - known["text_chars_ref"]).sign().cast(pl.Float64)
    found["length"] = _by_day(known["day"].to_list(), longer.to_list(), days)
    found["words"] = _by_day(*_word_differences(pairs.drop_nulls(["text", "text_ref"])), days)
    return {name: periods for name, periods in found.items() if any(periods)}


def _by_day(at: list[dt.date], values: list[float], days: list[dt.date]) -> list[list[float]]:
    found: dict[dt.date, list[float]] = defaultdict(list)
    for day, value in zip(at, values, strict=True):
        found[day].append(value)
    return [found.get(day, []) for day in days]


def _word_differences(pairs: pl.DataFrame) -> tuple[list[dt.date], list[float]]:
    """Half of k(x, x') + k(y, y') - k(x, y') - k(x', y) of two answers a side: mean 0 for equal laws (Gretton et al.).

    Two pairs of a prompt that follow each other, of one day where it has two: each pair is used once. The value
    belongs to the day of the later one, so that one answer a day still tells.
    """
    days: list[dt.date] = []
    texts: list[str] = []
    waiting: dict[str, tuple[str, str]] = {}
    for prompt, day, here, there in (
        pairs.sort(KEY).select("prompt_id", "day", "text", "text_ref").iter_rows()
    ):
        before = waiting.pop(prompt, None)
        if before is None:
            waiting[prompt] = (here, there)
            continue
        texts += [before[0], here, before[1], there]
        days.append(day)
    at = 4 * np.arange(len(days))
    first, second = (
        np.concatenate([at + place for place in places]) for places in ((0, 2, 0, 1), (1, 3, 3, 2))
    )
    own, other, over, under = ngrams_of_pairs(texts, first, second, buckets=1_024).reshape(4, -1)
    spread = own + other - over - under
    return days, np.clip(spread / 2, -1, 1).tolist()

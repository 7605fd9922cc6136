"""Beside the verdict: whether the reward still tells right from wrong, what it pays for, and who rates at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.audits.reward_vs_outcome_measure import SEED, Checkpoint, in_force
from core.stats import discrimination, feature_prices, few_labels, nonresponse, trend

FEATURES = ("apologies", "caveats", "hedges", "refusals", "bullets", "boxed", "agreements")
LENGTH = "log length"
SHORT_CHARS = 20
"""Added to the length before its logarithm: a handful of empty answers must not rule a fit."""
FEWEST_PROMPTS = 20


class Telling(NamedTuple):
    """At one checkpoint: does the reward tell right from wrong answers to the same prompt?"""

    at: int
    auroc: discrimination.Auroc
    wrong_rewarded: trend.ClusteredMean | None
    """Share of wrong answers whose reward is above `threshold`."""
    threshold: float
    kl: float | None
    """Mean divergence from the reference policy, nats."""


class PriceList(NamedTuple):
    """What the reward pays for at the first and the last checkpoint, and the rise of its mean in parts."""

    first: tuple[feature_prices.Price, ...]
    last: tuple[feature_prices.Price, ...]
    first_at: int
    last_at: int
    first_mean: float
    last_mean: float
    parts: tuple[feature_prices.Part, ...]
    prompts: int
    seed: int


class PairPrices(NamedTuple):
    """What those who chose between two answers pay for."""

    chosen_by: str
    prices: tuple[feature_prices.Price, ...]
    pairs: int


class Response(NamedTuple):
    """Who rated under one checkpoint, and what that can hide."""

    at: int
    name: str
    source: str
    rated: nonresponse.Rated
    same_mix: tuple[float, float] | None
    """Positive share at the base's mix of users, and its standard error."""


class Judged(NamedTuple):
    """One checkpoint's share by few human labels and many of a judge."""

    at: int
    name: str
    powered: few_labels.Powered


def tellings(responses: pl.DataFrame, checkpoints: Sequence[Checkpoint]) -> tuple[Telling, ...]:
    """Of every checkpoint with right and wrong answers to the same prompts."""
    scored = responses.filter(pl.col("reward").is_finite() & pl.col("correct").is_not_null())
    if not scored.height:
        return ()
    names = [one.name for one in checkpoints]
    base = (
        scored.filter(pl.col("checkpoint") == names[0])["reward"]
        if names
        else pl.Series([], dtype=pl.Float64)
    )
    threshold = 0.0 if float(scored["reward"].min()) < 0 else _median(base)  # type: ignore[arg-type]
    found = []
    for at, name in enumerate(names):
        here = scored.filter(pl.col("checkpoint") == name)
        reward, right, prompt = (
            here["reward"].to_numpy(),
            here["correct"].to_numpy(),
            here["prompt"].to_numpy().astype(str),
        )
        auroc = discrimination.within_auroc(reward, right, prompt) if here.height else None
        if auroc is None:
            continue
        wrong = ~right.astype(bool)
        above = (reward[wrong] > threshold).astype(float)
        rewarded = trend.clustered_mean(above, prompt[wrong], (0.0, 1.0)) if wrong.any() else None
        kl = here["kl"].drop_nulls()
        found.append(
            Telling(at, auroc, rewarded, threshold, float(np.mean(kl.to_numpy())) if kl.len() else None)
        )
    return tuple(found)


def _median(values: pl.Series) -> float:
    return float(np.median(values.to_numpy())) if values.len() else 0.0


def fell(found: Sequence[Telling]) -> bool:
    """Whether the within-prompt AUROC of the last checkpoint is below that of the first, by the intervals of both."""
    if len(found) < 2:
        return False
    first, last = found[0].auroc, found[-1].auroc
    return last.value - first.value + math.hypot(last.high - last.value, first.value - first.low) < 0


def priced(responses: pl.DataFrame, checkpoints: Sequence[Checkpoint]) -> PriceList | None:
    """Prices within prompts at the first and last checkpoint that have rewards, and the rise between them."""
    scored = responses.filter(pl.col("reward").is_finite())
    ends = [
        (at, rows)
        for at, one in enumerate(checkpoints)
        if (rows := scored.filter(pl.col("checkpoint") == one.name))["prompt"].n_unique() >= FEWEST_PROMPTS
    ]
    if len(ends) < 2:
        return None
    (first_at, first), (last_at, last) = ends[0], ends[-1]
    names = _measured_features(pl.concat([first, last]))
    first, last = (rows.drop_nulls([name for name, _ in names]) for rows in (first, last))
    if not names or not first.height or not last.height:
        return None
    both = pl.concat([first, last])
    later = np.repeat([False, True], [first.height, last.height])
    labels = [label for _, label in names]
    prompt = both["prompt"].to_numpy().astype(str)
    parts = feature_prices.rise_parts(
        both["reward"].to_numpy(), _columns(both, names), labels, prompt, later, 300, SEED
    )
    of_first, of_last = (
        tuple(
            feature_prices.within_prices(
                rows["reward"].to_numpy(),
                _columns(rows, names),
                labels,
                rows["prompt"].to_numpy().astype(str),
            )
        )
        for rows in (first, last)
    )
    before, after = (float(np.mean(rows["reward"].to_numpy())) for rows in (first, last))
    count = both["prompt"].n_unique()
    return PriceList(of_first, of_last, first_at, last_at, before, after, tuple(parts), count, SEED)


def _measured_features(rows: pl.DataFrame) -> list[tuple[str, str]]:
    """(column, label) of what was measured on nearly every answer and varies; correctness first: it is controlled for."""
    wanted = [("correct", "correct"), ("length_chars", LENGTH), *((name, name) for name in FEATURES)]
    kept = []
    for column, label in wanted:
        known = rows[column].drop_nulls()
        if known.len() >= 0.9 * rows.height and known.n_unique() > 1:
            kept.append((column, label))
    return kept


def _columns(rows: pl.DataFrame, names: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
    columns = [rows[column].cast(pl.Float64).to_numpy() for column, _ in names]
    return np.column_stack([
        np.log(values + SHORT_CHARS) if label == LENGTH else values
        for values, (_, label) in zip(columns, names, strict=True)
    ])  # fmt: skip


def pair_prices(responses: pl.DataFrame) -> PairPrices | None:
    """Conditional logit over pairs shown side by side: a count stands for which of the two has more."""
    paired = responses.filter(pl.col("pair_id").is_not_null() & pl.col("chosen").is_not_null())
    if not paired.height:
        return None
    by = (
        paired.group_by(pl.col("chosen_by").fill_null("unknown"))
        .len()
        .sort("len", "chosen_by", descending=[True, False])
    )
    who = str(by["chosen_by"][0])
    mine = paired.filter(pl.col("chosen_by").fill_null("unknown") == who)
    won, lost = (
        mine.filter(pl.col("chosen") == chosen).unique("pair_id", keep="none") for chosen in (True, False)
    )
    met = won.join(lost, on="pair_id", suffix="_other").sort("pair_id")
    names, differences = [], []
    for column in ("length_chars", *FEATURES):
        both = met.select(column, f"{column}_other").drop_nulls()
        if both.height != met.height or not both.height:
            continue
        one, other = (both[name].cast(pl.Float64).to_numpy() for name in (column, f"{column}_other"))
        is_length = column == "length_chars"
        differences.append(
            np.log(one + SHORT_CHARS) - np.log(other + SHORT_CHARS) if is_length else np.sign(one - other)
        )
        names.append(LENGTH if is_length else column)
    prices = feature_prices.pair_prices(np.column_stack(differences), names) if names else []
    return PairPrices(who, tuple(prices), met.height) if prices else None


def response_rates(
    ratings: pl.DataFrame, eligible: pl.DataFrame, checkpoints: Sequence[Checkpoint]
) -> tuple[Response, ...]:
    """By checkpoint, name and source: rated of eligible, and the positive share at the base's mix of users."""
    if not checkpoints or not ratings.height or not eligible.height:
        return ()
    noon_ns = 43_200 * 10**9
    dated = eligible.with_columns(
        (pl.col("day").cast(pl.Int32).cast(pl.Int64) * 86_400 * 10**9 + noon_ns).alias("at_ns")
    )
    could = in_force(dated, checkpoints).group_by("position", "stratum").agg(pl.col("eligible").sum())
    whole = {(at, stratum): int(n) for at, stratum, n in could.iter_rows()}
    known = in_force(ratings.filter(pl.col("positive").is_not_null()), checkpoints)
    counted = known.group_by("name", "source", "position", "stratum").agg(
        pl.col("positive").sum().alias("positive"), pl.col("target").n_unique().alias("rated")
    )
    cells: dict[tuple[str, str, int], dict[str, nonresponse.Rated]] = {}
    for name, source, at, stratum, positive, rated in counted.sort(counted.columns).iter_rows():
        of = max(whole.get((at, stratum), 0), rated)
        cells.setdefault((name, source, at), {})[stratum] = nonresponse.Rated(
            min(int(positive), rated), rated, of
        )
    return tuple(_response(key, strata, cells, whole) for key, strata in sorted(cells.items()))


def _response(
    key: tuple[str, str, int],
    strata: dict[str, nonresponse.Rated],
    cells: dict[tuple[str, str, int], dict[str, nonresponse.Rated]],
    whole: dict[tuple[int, str], int],
) -> Response:
    name, source, at = key
    silent = sum(n for (position, stratum), n in whole.items() if position == at and stratum not in strata)
    base = min(position for one, by, position in cells if (one, by) == (name, source))
    mix = nonresponse.mix_of(cells[name, source, base])
    total = nonresponse.Rated(*(sum(cell[field] for cell in strata.values()) for field in range(3)))
    total = total._replace(eligible=total.eligible + silent)
    return Response(at, name, source, total, nonresponse.poststratified(strata, mix))


def judged(ratings: pl.DataFrame, checkpoints: Sequence[Checkpoint]) -> tuple[Judged, ...]:
    """Where people and a judge gave the same outcome: few human labels, narrowed by the judge's many."""
    if not checkpoints:
        return ()
    known = in_force(ratings.filter(pl.col("positive").is_not_null()), checkpoints)
    human, model = (
        known.filter(pl.col("source") == source)
        .group_by("name", "position", "target")
        .agg(pl.col("positive").mean())
        for source in ("human", "model")
    )
    found = []
    for name, at in human.select("name", "position").unique().sort("name", "position").iter_rows():
        gold, judge = (
            rows.filter((pl.col("name") == name) & (pl.col("position") == at)).sort("target")
            for rows in (human, model)
        )
        met = gold.join(judge, on="target", suffix="_judge").sort("target")
        only = judge.join(gold, on="target", how="anti").sort("target")
        powered = few_labels.powered_mean(
            met["positive"].to_numpy(), met["positive_judge"].to_numpy(), only["positive"].to_numpy()
        )
        if powered is not None:
            found.append(Judged(at, name, powered))
    return tuple(found)

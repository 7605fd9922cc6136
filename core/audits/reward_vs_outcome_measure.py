"""From rows to two arms, the proxy and the outcome, and what may be said about them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.stats import change_point, error_spending, trend

NS = 1_000_000_000
PLACEBO_DRAWS = 200
SEED = 20_261_125
Z_ONE_SIDED = 1.6448536269514722
Z_POWER = 0.8416212335729143
THUMBS = ("user_feedback", "thumbs", "thumbs_up", "feedback", "user_rating", "rating")
SUCCESSES = ("task_success", "resolved", "conversion", "converted")


class Checkpoint(NamedTuple):
    """One position on the axis."""

    name: str
    at: dt.datetime
    """UTC."""


class Rows(NamedTuple):
    """One arm's observations, arrays of one length."""

    name: str
    unit: str
    """share, points of a score between 0 and 1, or score."""
    about: str
    """Where they come from."""
    x: NDArray[np.float64]
    """Position of the checkpoint."""
    y: NDArray[np.float64]
    group: NDArray[np.str_] | NDArray[np.intp]
    """Compared only with itself: a test item, a prompt, a stratum of users."""
    cluster: NDArray[np.str_] | NDArray[np.intp]


class Point(NamedTuple):
    """One checkpoint's mean with its 95 % interval."""

    at: int
    mean: float
    low: float
    high: float
    n: int
    clusters: int


class Arm(NamedTuple):
    """One line: its points, its change from the base to the newest checkpoint, and how sure that is."""

    name: str
    unit: str
    about: str
    points: tuple[Point, ...]
    change: float
    low: float
    high: float
    """90 % interval (5 % on each side), widened for the looks taken."""
    z: float
    boundary: float
    looks: int
    n: int
    clusters: int
    detectable: float
    """The smallest change that this data show four times out of five."""
    crossed: tuple[int, ...]
    """Signs of the boundaries crossed at each look: -1, 0, 1."""
    began: change_point.Began | None


class Placebo(NamedTuple):
    """How often each test fires when checkpoints are shuffled within groups, at one look and 5 %."""

    draws: int
    proxy: int
    outcome: int
    both: int
    seed: int


def arm(rows: Rows, positions: int) -> Arm | None:
    """Points, trend and repeated looks of one arm; None when its rows cannot carry a trend."""
    rows = rows._replace(group=trend.codes(rows.group), cluster=trend.codes(rows.cluster))
    points = tuple(point for at in range(positions) if (point := _point(rows, at)) is not None)
    slopes = [_slope(rows, last) for last in range(1, positions)]
    if slopes[-1] is None or len(points) < 2:
        return None
    information = _rising([0.0 if one is None or one.se <= 0 else 1 / one.se**2 for one in slopes])
    if not information[-1]:
        return None
    limits = error_spending.boundaries(information, error_spending.evenly(len(information)))
    crossed = tuple(
        0 if one is None or abs(one.z) < limit else int(math.copysign(1, one.z))
        for one, limit in zip(slopes, limits, strict=True)
    )
    last, span = slopes[-1], positions - 1
    limit = next((one for one in reversed(limits) if math.isfinite(one)), Z_ONE_SIDED)
    reach = limit * last.se * span
    return Arm(
        rows.name, rows.unit, rows.about, points, last.value * span, last.value * span - reach, last.value * span + reach,
        last.z, limit, len(slopes), last.n, last.clusters, (limit + Z_POWER) * last.se * span, crossed,
        change_point.began(*_cells(rows, positions)),
    )  # fmt: skip


def _point(rows: Rows, at: int) -> Point | None:
    here = rows.x == at
    if not here.any():
        return None
    found = trend.clustered_mean(
        rows.y[here], rows.cluster[here], (0.0, 1.0) if rows.unit == "share" else None
    )
    return None if found is None else Point(at, found.value, found.low, found.high, found.n, found.clusters)


def _slope(rows: Rows, last: int) -> trend.Slope | None:
    seen = rows.x <= last
    if not seen.any():
        return None
    return trend.within_slope(rows.x[seen], rows.y[seen], rows.group[seen], rows.cluster[seen])


def _rising(information: Sequence[float]) -> list[float]:
    """Information as the boundaries need it: a look that brought none repeats the one before."""
    found: list[float] = []
    for one in information:
        before = found[-1] if found else 0.0
        found.append(one if one > before * (1 + 1e-9) else before)
    return found


def _cells(rows: Rows, positions: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums and counts by group and position."""
    groups = np.unique(rows.group, return_inverse=True)[1].reshape(-1)
    sums, counts = (np.zeros((int(groups.max()) + 1, positions)) for _ in range(2))
    place = rows.x.astype(int)
    np.add.at(sums, (groups, place), rows.y)
    np.add.at(counts, (groups, place), 1.0)
    return sums, counts


def placebo(proxy: Rows, outcome: Rows, draws: int = PLACEBO_DRAWS, seed: int = SEED) -> Placebo:
    """The same slopes after checkpoints were shuffled within each group: whatever fires then is a false alarm."""
    up = trend.shuffled_z(proxy.x, proxy.y, proxy.group, draws, seed) >= Z_ONE_SIDED
    down = trend.shuffled_z(outcome.x, outcome.y, outcome.group, draws, seed + 1) <= -Z_ONE_SIDED
    return Placebo(draws, int(up.sum()), int(down.sum()), int((up & down).sum()), seed)


def checkpoints_of(frames: dict[str, pl.DataFrame], since: int | None) -> list[Checkpoint]:
    """Checkpoints in order of their events, else of their first rows; `since` (UTC ns) keeps the last before it as base.

    Releases stand in where no event is a checkpoint. At most PLANNED_LOOKS + 1, the newest.
    """
    events = frames["checkpoints"]
    if "checkpoint" in events["kind"].to_list():
        events = events.filter(pl.col("kind") == "checkpoint")
    starts = dict(
        events.select("checkpoint", "at_ns").sort("at_ns", "checkpoint", descending=True).iter_rows()
    )
    for name in ("evals", "responses"):
        first = frames[name].group_by("checkpoint").agg(pl.col("at_ns").min())
        for checkpoint, at_ns in first.sort("checkpoint").iter_rows():
            starts.setdefault(checkpoint, at_ns)
    order = sorted(starts.items(), key=lambda pair: (pair[1], pair[0]))
    if since is not None:
        base = max((place for place, (_, at_ns) in enumerate(order) if at_ns <= since), default=0)
        order = order[base:]
    order = order[-(error_spending.PLANNED_LOOKS + 1) :]
    return [Checkpoint(name, dt.datetime.fromtimestamp(at_ns / NS, dt.UTC)) for name, at_ns in order]


def eval_rows(evals: pl.DataFrame, checkpoints: Sequence[Checkpoint]) -> Rows | None:
    """Task success on fixed items: one observation an item and checkpoint, by the scorer that tells of most of them."""
    told = _at_positions(evals, checkpoints)
    scored = told.filter(pl.col("completed") > 0)
    if not scored.height:
        return None
    by_scorer = scored.group_by("scorer").agg(pl.col("position").n_unique(), pl.len().alias("rows"))
    scorer = by_scorer.sort("position", "rows", "scorer", descending=[True, True, False])["scorer"][0]
    scored = scored.filter(pl.col("scorer") == scorer)
    item = (scored["task"] + "\x1f" + scored["item"]).to_numpy().astype(str)
    share = (scored["passed"] / scored["completed"]).to_numpy()
    errored = int(told.filter(pl.col("scorer") == scorer)["errored"].sum())
    about = f"fixed test items, scorer {scorer}" + (
        f", {errored:,} errored samples left out" if errored else ""
    )
    return Rows(
        "task success", "share", about, scored["position"].to_numpy().astype(float), share, item, item
    )


def reward_rows(responses: pl.DataFrame, checkpoints: Sequence[Checkpoint]) -> Rows | None:
    """Scores of the reward model, compared within a prompt."""
    scored = _at_positions(responses.filter(pl.col("reward").is_finite()), checkpoints)
    if not scored.height:
        return None
    reward = scored["reward"].to_numpy()
    unit = "points" if reward.min() >= 0 and reward.max() <= 1 else "score"
    prompt = scored["prompt"].to_numpy().astype(str)
    return Rows(
        "reward",
        unit,
        "scores of the reward model",
        scored["position"].to_numpy().astype(float),
        reward,
        prompt,
        prompt,
    )


def rating_rows(
    ratings: pl.DataFrame, checkpoints: Sequence[Checkpoint], names: Sequence[str]
) -> Rows | None:
    """Ratings of runs, compared within region and service; each falls to the checkpoint in force when it was given.

    Of several names and sources the one with most rows is taken; a judge and people are never mixed.
    """
    known = ratings.filter(pl.col("name").is_in(names) & pl.col("positive").is_not_null())
    if not known.height or not checkpoints:
        return None
    most = (
        known.group_by("name", "source").len().sort("len", "name", "source", descending=[True, False, False])
    )
    name, source = most.row(0)[:2]
    placed = in_force(known.filter((pl.col("name") == name) & (pl.col("source") == source)), checkpoints)
    if not placed.height:
        return None
    x = placed["position"].to_numpy().astype(float)
    group, cluster = (placed[column].to_numpy().astype(str) for column in ("stratum", "cluster"))
    return Rows(
        name,
        "share",
        f"outcomes named {name}, given by {source}",
        x,
        placed["positive"].to_numpy().astype(float),
        group,
        cluster,
    )


def in_force(rows: pl.DataFrame, checkpoints: Sequence[Checkpoint]) -> pl.DataFrame:
    """Rows with the `position` of the checkpoint in force at their at_ns; those before the first are left out."""
    starts = np.array([round(one.at.timestamp() * NS) for one in checkpoints])
    position = np.searchsorted(starts, rows["at_ns"].to_numpy(), side="right") - 1
    return rows.with_columns(pl.Series("position", position)).filter(pl.col("position") >= 0)


def _at_positions(rows: pl.DataFrame, checkpoints: Sequence[Checkpoint]) -> pl.DataFrame:
    at = {one.name: place for place, one in enumerate(checkpoints)}
    return rows.filter(pl.col("checkpoint").is_in(list(at))).with_columns(
        pl.col("checkpoint").replace_strict(at, return_dtype=pl.Int64).alias("position")
    )

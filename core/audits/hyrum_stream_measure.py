"""The measure of the audit of unwritten stream contracts: every upgrade in scope, feature by feature, and the placebo."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

import polars as pl

from core.audits.hyrum_stream_compare import Compared, compared
from core.audits.hyrum_stream_features import FEATURES, Key, Row, Sides, featured, sides, values
from core.audits.tps_chunking_typical import numbers
from core.stats.energy import DRAWS as ENERGY_DRAWS
from core.stats.energy import Energy, energy_test
from core.stats.many_tests import holm

ALPHA = 0.05
MOST_SPLITS, MOST_ROWS, MOST_ENERGY, MOST_DAYS = 20, 500, 400, 4
FEWEST_COVERED = 0.9
"""Share of responses that must have a feature for it to be part of the overall distance."""
State = Literal["outside", "inside", "unsure"]


class Judged(NamedTuple):
    """A feature with what can be said of it."""

    found: Compared
    state: State
    p_holm: float


class Placebo(NamedTuple):
    """Days of the old version against other days of it: how many splits called at least one feature changed."""

    splits: int
    fired: int
    features: int
    """Features called changed, of `tested`."""
    tested: int


class Upgrade(NamedTuple):
    """One version after another; features empty where there are too few responses."""

    sides: Sides
    features: tuple[Judged, ...]
    energy: Energy | None
    """Beside the verdict and no part of it: a day's load alone moves it."""
    usual_distance: float | None
    """The largest energy distance between two days of the old version."""
    placebo: Placebo

    def states(self, state: State) -> int:
        return sum(one.state == state for one in self.features)


class Reference(NamedTuple):
    """What is recorded of one version: this is what a later one will be compared with."""

    key: Key
    version: str
    responses: int
    days: int
    prompts: int
    first_on: dt.date
    last_on: dt.date
    preambles: tuple[int, int]
    """Tool calls with text before them, of tool calls."""
    medians: tuple[float | None, ...]
    """In the order of FEATURES; a share where the feature is a yes or no."""


class Streams(NamedTuple):
    """Every upgrade, the one that tells most first, and every version's record."""

    upgrades: tuple[Upgrade, ...]
    references: tuple[Reference, ...]
    limit: float
    level: float
    streams: int
    sampled: int
    replay: tuple[tuple[str, tuple[float, ...]], ...]
    """Arrivals of one stream of the old version and one of the new, ms."""
    changes: tuple[tuple[dt.date, str], ...]


def measured(frames: Mapping[str, pl.DataFrame], limit: float) -> Streams | None:
    """The measure; None where nothing was recorded."""
    streams = featured(frames["streams"])
    if streams.is_empty():
        return None
    keyed = streams.partition_by("source", "provider", "model", "region", as_dict=True)
    groups = {(str(k[0]), str(k[1]), str(k[2]), str(k[3])): rows for k, rows in sorted(keyed.items())}
    found = [one for key, rows in groups.items() if (one := sides(key, rows)) is not None]
    tested = len(FEATURES) * max(sum(one.enough for one in found), 1)
    level = 1 - ALPHA / tested
    upgrades = _judged([(one, _features(one, limit, level)) for one in found], limit)
    upgrades.sort(key=_rank)
    lists = frames["lists"]
    replay = _replay(lists, upgrades[0].sides) if upgrades else ()
    references = [
        _reference(key, str(name[0]), own)
        for key, rows in groups.items()
        for name, own in sorted(rows.partition_by("version", as_dict=True).items())
    ]
    marks = tuple(sorted({(row["day"], row["title"]) for row in frames["changes"].to_dicts()}))
    counted = int(frames["counted"]["streams"].sum())
    return Streams(tuple(upgrades), tuple(references), limit, level, counted, streams.height, replay, marks)


def _features(one: Sides, limit: float, level: float) -> list[Compared]:
    if not one.enough:
        return []
    prompts = one.pairs if one.paired else ()
    made = (compared(feature, one.before, one.after, prompts, limit, level) for feature in FEATURES)
    return [feature for feature in made if feature is not None]


def _judged(all_found: Sequence[tuple[Sides, list[Compared]]], limit: float) -> list[Upgrade]:
    """Holm over every feature of every upgrade: one wrong `outside` among all of them in at most 5 %."""
    adjusted = iter(holm([one.p_outside for _, features in all_found for one in features]))
    out = []
    for one, features in all_found:
        judged = tuple(_state(feature, next(adjusted)) for feature in features)
        energy = _energy(one, ENERGY_DRAWS) if judged else None
        usual = _usual_distance(one) if judged else None
        out.append(Upgrade(one, judged, energy, usual, placebo(one, limit, bool(judged))))
    return out


def _state(feature: Compared, p: float) -> Judged:
    if p <= ALPHA:
        return Judged(feature, "outside", p)
    return Judged(feature, "inside" if feature.p_inside <= ALPHA else "unsure", p)


def _rank(one: Upgrade) -> tuple[int, int, int, str]:
    ordered = 0 if one.states("outside") else 1 if one.states("unsure") else 2 if one.features else 3
    return (ordered, -one.states("outside"), -one.sides.every, one.sides.name)


def _usual_distance(one: Sides) -> float | None:
    days = sorted({str(row["day"]) for row in one.before})[-MOST_DAYS:]
    found = []
    for pair in combinations(days, 2):
        parts = [tuple(row for row in one.before if str(row["day"]) == day) for day in pair]
        if (made := _energy(one._replace(before=parts[0], after=parts[1]), 1)) is not None:
            found.append(made.distance)
    return max(found, default=None)


def _energy(one: Sides, draws: int) -> Energy | None:
    """Overall distance on the features that nearly every response has."""
    rows = (*one.before, *one.after)
    names = [
        feature.name
        for feature in FEATURES
        if all(
            len(values(side, feature.name)) >= FEWEST_COVERED * len(side) for side in (one.before, one.after)
        )
    ]
    if not names or not rows:
        return None
    whole = [
        [row for row in side if all(row[name] is not None for name in names)]
        for side in (one.before, one.after)
    ]
    if one.paired:
        by_prompt = [{str(row["prompt"]): row for row in side} for side in whole]
        prompts = [prompt for prompt in one.pairs if all(prompt in side for side in by_prompt)][:MOST_ENERGY]
        chosen, blocks = [[side[prompt] for prompt in prompts] for side in by_prompt], None
    else:
        chosen, blocks = _in_blocks(whole)
    if min(map(len, chosen)) < 2:
        return None
    table = [[[float(str(row[name])) for name in names] for row in side] for side in chosen]
    return energy_test(table[0], table[1], blocks, draws)


def _in_blocks(whole: Sequence[Sequence[Row]]) -> tuple[list[list[Row]], list[object]]:
    """As many rows of either side in every hour of the day, and the hours."""
    chosen: list[list[Row]] = [[], []]
    blocks: list[object] = []
    hours = sorted({int(str(row["hour_of_day"])) for row in whole[0]})
    for hour in hours:
        own = [[row for row in one if row["hour_of_day"] == hour] for one in whole]
        many = min(len(own[0]), len(own[1]), -(-MOST_ENERGY // max(len(hours), 1)))
        for side, rows in zip(chosen, own, strict=True):
            side.extend(rows[:many])
        blocks += [hour] * many
    return chosen, blocks


def placebo(one: Sides, limit: float, told: bool) -> Placebo:
    """Every way to part the old version's days in two halves, or as many as are looked at."""
    days = sorted({str(row["day"]) for row in one.before})
    if not told or len(days) < 2:
        return Placebo(0, 0, 0, 0)
    splits = fired = features = tested = 0
    for half in list(combinations(days, len(days) // 2))[:MOST_SPLITS]:
        parts = [
            [row for row in one.before if (str(row["day"]) in half) == inside] for inside in (True, False)
        ]
        prompts: tuple[str, ...] = ()
        if one.paired:
            asked = [{str(row["prompt"]) for row in part} for part in parts]
            prompts = tuple(sorted(asked[0] & asked[1]))
        found = [compared(feature, parts[0], parts[1], prompts, limit, 0.95) for feature in FEATURES]
        known = [feature for feature in found if feature is not None]
        changed = sum(p <= ALPHA for p in holm([feature.p_outside for feature in known]))
        splits, fired = splits + bool(known), fired + bool(changed)
        features, tested = features + changed, tested + len(known)
    return Placebo(splits, fired, features, tested)


def _reference(key: Key, version: str, rows: pl.DataFrame) -> Reference:
    calls = rows["preamble"].drop_nulls()
    medians = [
        (rows[feature.name].mean() if feature.yes_no else rows[feature.name].median()) for feature in FEATURES
    ]
    days = rows["day"].to_list()
    return Reference(
        key, version, rows.height, rows["day"].n_unique(), rows.filter(pl.col("prompt") != "")["prompt"].n_unique(),
        min(days), max(days), (int(calls.sum()), calls.len()),
        tuple(float(one) if isinstance(one, int | float) else None for one in medians),
    )  # fmt: skip


def _replay(lists: pl.DataFrame, one: Sides) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """Of each version the sampled stream whose pause before a tool call is nearest to the version's median."""
    rows = [
        row
        for row in lists.sort("stream_key").to_dicts()
        if (row["source"], row["provider"], row["model"], row["region"]) == one.key
    ]
    out = []
    for name, side in ((one.old, one.before), (one.new, one.after)):
        own = [row for row in rows if row["version"] == name]
        pauses = sorted(values(side, "tool_pause_ms"))
        usual = pauses[len(pauses) // 2] if pauses else 0.0
        if own:
            best = min(own, key=lambda row: abs((row["tool_pause_ms"] or 0.0) - usual))
            out.append((name, tuple(numbers(best["arrivals"]))))
    return tuple(out)

"""Coupled, decoupling, decoupled, cannot tell: each planted and found; a mere change of mix is not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import polars as pl
import pytest

from core.audit import Finding, Scope, TooLittle
from core.audits import reward_vs_outcome as audit
from core.audits import reward_vs_outcome_measure as arms
from core.audits.reward_vs_outcome import Divergence
from core.audits.reward_vs_outcome_measure import Arm
from core.ledger.store import Store
from tests.audits.retry_world import DAY
from tests.audits.reward_world import FIRST, WEEK, World, filled, frames_of, name_of, thumbs

SCOPE = Scope(dt.date(2026, 3, 1), dt.date(2026, 12, 31))


def fill(store: Store) -> None:
    """The newest rows of a small world in the week that every audit is asked about."""
    step = dt.timedelta(days=1)
    first = dt.datetime.combine(DAY, dt.time(), dt.UTC)
    filled(store, frames_of(World(checkpoints=5, items=60, prompts=30, step=step, first=first)))


@pytest.fixture
def empty() -> Iterator[Store]:
    store = Store.open(":memory:")
    yield store
    store.close()


def found(store: Store, world: World, scope: Scope = SCOPE) -> Divergence:
    filled(store, frames_of(world))
    measure = audit.measure(audit.load(store.ask, scope), scope)
    assert isinstance(measure, Divergence)
    return measure


def finding(measure: Divergence | TooLittle) -> Finding:
    return audit.judge(measure)


def test_decoupled_minus_four_plus_nine_over_thirteen_checkpoints(empty: Store) -> None:
    measure = found(empty, World(success_change=-0.06, reward_change=0.09, caveats_bought=3, items=900))
    verdict = finding(measure)
    assert (measure.verdict, verdict.status) == ("decoupled", "broken")
    assert verdict.reported.startswith("+")
    assert verdict.reported.endswith("in reward")
    assert verdict.supported.startswith("−")
    assert verdict.supported.endswith("in task success")
    assert measure.proxy.low <= 0.09 <= measure.proxy.high
    assert measure.outcome.low <= -0.06 <= measure.outcome.high
    assert measure.outcome.began is not None
    assert measure.outcome.began.low <= 0 <= measure.outcome.began.high
    assert "the proxy no longer buys the outcome" in verdict.sentence
    assert verdict.low is not None
    assert verdict.gap is not None
    assert verdict.high is not None
    assert verdict.low < verdict.gap < verdict.high < 0


def test_coupled_when_both_rise(empty: Store) -> None:
    measure = found(empty, World(success_change=0.05, reward_change=0.09))
    assert (measure.verdict, finding(measure).status) == ("coupled", "holds")


def test_a_drop_in_both_is_coupled_and_said(empty: Store) -> None:
    measure = found(empty, World(success_change=-0.08, reward_change=-0.09, items=1_200))
    assert measure.verdict == "coupled"
    assert "both fall" in finding(measure).sentence


def test_decoupling_when_the_reward_tells_right_from_wrong_worse(empty: Store) -> None:
    """Too few items to see a fall, but the reward has lost all knowledge of right and wrong."""
    measure = found(
        empty, World(items=60, reward_change=0.09, blurred=1.0, prompts=150, success_change=-0.02)
    )
    assert (measure.verdict, finding(measure).status) == ("decoupling", "watch")
    first, last = measure.tellings[0].auroc, measure.tellings[-1].auroc
    assert first.low > 0.7
    assert last.low < 0.5 < last.high


def test_cannot_tell_with_few_items_says_how_many(empty: Store) -> None:
    measure = found(empty, World(items=40, checkpoints=3, prompts=30))
    verdict = finding(measure)
    assert (measure.verdict, verdict.status) == ("cannot tell", "cannot tell")
    assert "the smallest fall of task success" in verdict.missing
    assert "times as many" in verdict.missing


@pytest.mark.parametrize(
    ("kept", "missing"),
    [
        (("change_events",), "no outcome at any checkpoint"),
        (("change_events", "eval_runs", "eval_samples"), "no reward and no ratings"),
        (("responses",), "no outcome at any checkpoint"),
    ],
)
def test_what_is_missing_is_named(empty: Store, kept: tuple[str, ...], missing: str) -> None:
    frames = frames_of(World(checkpoints=4, items=30))
    filled(empty, {name: rows for name, rows in frames.items() if name in kept})
    measure = audit.measure(audit.load(empty.ask, SCOPE), SCOPE)
    assert isinstance(measure, TooLittle)
    assert missing in measure.missing
    assert measure.how


def test_one_checkpoint_is_no_trend(empty: Store) -> None:
    filled(empty, frames_of(World(checkpoints=1, items=30)))
    measure = audit.measure(audit.load(empty.ask, SCOPE), SCOPE)
    assert isinstance(measure, TooLittle)
    assert "1 checkpoints, two are needed" in measure.missing


def test_a_changing_mix_of_users_does_not_fire(empty: Store) -> None:
    """EU gives 80 % thumbs up, US 60 %, for ever; US grows from a fifth to four fifths: the pooled line falls 12 points.

    The reward rises. Success by thumbs is compared within a region, so nothing is decoupled.
    """
    counts = []
    for place in range(13):
        eu = 160 - 10 * place
        us = 200 - eu
        counts.append([("eu", 2 * eu, eu, round(0.8 * eu)), ("us", 2 * us, us, round(0.6 * us))])
    frames = frames_of(World(reward_change=0.09))
    rated = thumbs(counts)
    rated["outcomes"] = rated["outcomes"].with_columns(pl.lit("task_success").alias("name"))
    filled(empty, {"change_events": frames["change_events"], "responses": frames["responses"]} | rated)
    measure = audit.measure(audit.load(empty.ask, SCOPE), SCOPE)
    assert isinstance(measure, Divergence)
    first, last = measure.outcome.points[0].mean, measure.outcome.points[-1].mean
    assert last - first == pytest.approx(-0.12, abs=0.01)
    assert abs(measure.outcome.change) < 0.01
    assert measure.verdict in ("coupled", "cannot tell")
    told = [one for one in measure.responses if one.at == 12]
    assert told[0].rated.rated * 2 == told[0].rated.eligible
    assert told[0].same_mix is not None
    assert told[0].same_mix[0] == pytest.approx(0.8 * 0.8 + 0.2 * 0.6, abs=0.01)


def test_thumbs_are_the_proxy_where_there_is_no_reward(empty: Store) -> None:
    """Thumbs from 60 to 69 % of 600 ratings a checkpoint while success on 900 items falls six points."""
    frames = frames_of(World(success_change=-0.06, items=900))
    rated = thumbs([[("eu", 700, 600, 360 + round(54 * place / 12))] for place in range(13)])
    kept = {name: frames[name] for name in ("change_events", "eval_runs", "eval_samples")}
    filled(empty, kept | rated)
    measure = audit.measure(audit.load(empty.ask, SCOPE), SCOPE)
    assert isinstance(measure, Divergence)
    assert (measure.proxy.name, measure.verdict) == ("user_feedback", "decoupled")
    assert measure.proxy.change == pytest.approx(0.09, abs=0.01)


def positives(store: Store) -> list[float]:
    """Share of thumbs up of each checkpoint."""
    measure = audit.measure(audit.load(store.ask, SCOPE), SCOPE)
    assert isinstance(measure, Divergence)
    return [point.mean for point in measure.proxy.points]


def test_an_older_file_that_is_read_later_does_not_take_a_rating_back(empty: Store) -> None:
    """Half of 40 users said yes; a file of an hour earlier, in which all said no, is read afterwards."""
    frames = frames_of(World(checkpoints=3, items=30))
    rated = thumbs([[("eu", 40, 40, 20)] for _ in range(3)])
    kept = {name: frames[name] for name in ("change_events", "eval_runs", "eval_samples")}
    filled(empty, kept | rated)
    earlier = rated["outcomes"].with_columns(pl.col("at_ns") - 3_600 * 10**9, pl.lit(0.0).alias("value"))
    filled(empty, {"outcomes": earlier}, "older file")
    assert positives(empty) == [0.5, 0.5, 0.5]


def test_the_newest_statement_of_an_event_counts_whatever_kind_and_day_it_names(empty: Store) -> None:
    """The second checkpoint was none, and the third comes into force after the range: neither is left behind."""
    frames = frames_of(World(checkpoints=4, items=30))
    events = frames["change_events"]
    filled(empty, {"change_events": events})
    none = events[1].with_columns(pl.lit("incident").alias("kind"))
    later = events[2].with_columns(
        pl.lit(dt.date(2027, 2, 1)).alias("day"), pl.col("at_ns") + 365 * 86_400 * 10**9
    )
    filled(empty, {"change_events": pl.concat([none, later])}, "restated")
    told = audit.load(empty.ask, SCOPE)["checkpoints"]
    assert told["checkpoint"].to_list() == [name_of(0), name_of(3)]


def test_an_answer_restated_for_another_service_leaves_the_first(empty: Store) -> None:
    """Stated for shop, restated for desk: shop has no answer left."""
    rows = frames_of(World(checkpoints=2))["responses"].with_columns(pl.lit("shop").alias("service_name"))
    filled(empty, {"responses": rows})
    filled(empty, {"responses": rows.with_columns(pl.lit("desk").alias("service_name"))}, "restated")
    read = {
        service: audit.load(empty.ask, SCOPE._replace(services=(service,)))["responses"].height
        for service in ("shop", "desk")
    }
    assert read == {"shop": 0, "desk": rows.height}


def test_errored_samples_are_left_out_and_counted(empty: Store) -> None:
    frames = frames_of(World(items=100, checkpoints=3))
    broken = pl.col("sample_id").is_in([f"item-{item}" for item in range(50)]) & (pl.col("run_id") == "run-2")
    frames["eval_samples"] = frames["eval_samples"].with_columns(
        pl.when(broken).then(pl.lit("error")).otherwise(pl.col("verdict")).alias("verdict")
    )
    filled(empty, frames)
    measure = audit.measure(audit.load(empty.ask, SCOPE), SCOPE)
    assert isinstance(measure, Divergence)
    assert [point.n for point in measure.outcome.points] == [100, 100, 50]
    assert "50 errored samples left out" in measure.outcome.about


def test_the_price_list_finds_what_was_bought(empty: Store) -> None:
    """Three caveats more, each paid 0.02: 0.06 of a rise of 0.09; nothing is paid for apologies."""
    measure = found(empty, World(reward_change=0.09, caveats_bought=3, prompts=150, items=60))
    assert measure.prices is not None
    last = {price.feature: price for price in measure.prices.last}
    assert last["caveats"].low <= 0.02 <= last["caveats"].high
    assert last["apologies"].low <= 0 <= last["apologies"].high
    parts = {part.feature: part for part in measure.prices.parts}
    assert parts["caveats"].value == pytest.approx(0.06, abs=0.012)
    rise = measure.prices.last_mean - measure.prices.first_mean
    assert sum(part.value for part in parts.values()) == pytest.approx(rise, abs=1e-9)


def test_since_the_range_takes_the_checkpoint_in_force_as_base(empty: Store) -> None:
    scope = SCOPE._replace(start=(FIRST + 8 * WEEK).date(), choices=(("since", "range"),))
    measure = found(empty, World(items=60), scope)
    assert [one.name for one in measure.checkpoints] == [name_of(place) for place in range(8, 13)]


def test_rows_after_the_link_was_made_are_not_seen(empty: Store) -> None:
    first = found(empty, World(items=60, checkpoints=4))
    pinned = SCOPE._replace(as_of=empty.latest_import())
    filled(empty, frames_of(World(items=60, checkpoints=13, seed=2)), "later")
    assert audit.measure(audit.load(empty.ask, pinned), pinned) == first


def test_pictures_have_intervals_and_tables_are_there(empty: Store) -> None:
    measure = found(empty, World(success_change=-0.06, reward_change=0.09, caveats_bought=3, items=900))
    drawn = audit.figures({}, measure)
    assert set(drawn) == {
        "reward_divergence",
        "reward_tells_right_from_wrong",
        "reward_price_list",
        "reward_rise",
        "reward_by_divergence",
    }
    table = drawn["reward_divergence"].layout.meta["rows"]
    assert len(table) == 26
    assert all(low < value < high for _, _, value, low, high, _ in table)
    assert audit.tables(measure)["Checkpoints"].height == 13
    told = audit.facts(measure)
    assert any(fact.about == "placebo" for fact in told)
    assert any("2,133" in fact.value for fact in told)


def test_a_judge_is_never_averaged_with_people(empty: Store) -> None:
    """40 human labels a checkpoint at 70 %; a judge that passes everything has 400: what people say stands."""
    rated = thumbs([[("eu", 400, 40, 28)] for _ in range(3)])
    human = rated["outcomes"].with_columns(pl.lit("task_success").alias("name"))
    judge = thumbs([[("eu", 400, 400, 400)] for _ in range(3)])["outcomes"].with_columns(
        pl.lit("task_success").alias("name"),
        pl.lit("model").alias("source"),
        (pl.col("outcome_key") + "j").alias("outcome_key"),
    )
    frames = frames_of(World(checkpoints=3, items=60))
    filled(empty, frames | {"runs": rated["runs"], "outcomes": pl.concat([human, judge])})
    measure = audit.measure(audit.load(empty.ask, SCOPE), SCOPE)
    assert isinstance(measure, Divergence)
    assert [one.powered.value for one in measure.judged] == pytest.approx([0.7, 0.7, 0.7])
    assert [one.powered.judge_mean for one in measure.judged] == [1.0, 1.0, 1.0]


def arms_of(world: World) -> tuple[Arm, Arm]:
    """Proxy and outcome of a world without a ledger in between."""
    frames = frames_of(world)
    evals = frames["eval_samples"].join(
        frames["eval_runs"].select("run_id", "model", "started_at_ns"), on="run_id"
    )
    told = evals.select(
        pl.col("model").alias("checkpoint"), pl.lit("support 1").alias("task"), "scorer", pl.col("sample_id").alias("item"),
        pl.col("started_at_ns").alias("at_ns"), (pl.col("verdict") == "pass").cast(pl.Int64).alias("passed"),
        pl.lit(1).alias("completed"), pl.lit(0).alias("errored"),
    )  # fmt: skip
    responses = frames["responses"].rename({"prompt_id": "prompt"})
    events = frames["change_events"].select("kind", pl.col("model").alias("checkpoint"), "at_ns")
    checkpoints = arms.checkpoints_of({"checkpoints": events, "evals": told, "responses": responses}, None)
    rows = arms.reward_rows(responses, checkpoints), arms.eval_rows(told, checkpoints)
    assert rows[0] is not None
    assert rows[1] is not None
    proxy, outcome = (arms.arm(one, world.checkpoints) for one in rows)
    assert proxy is not None
    assert outcome is not None
    return proxy, outcome


@pytest.mark.slow
def test_false_alarms_over_26_looks_stay_at_or_under_five_percent() -> None:
    """The reward rises by 30 points, success stays: decoupled at any look in at most 5 % of 400 worlds.

    2.2 points more are two standard deviations of 400.
    """
    fired = 0
    for seed in range(400):
        proxy, outcome = arms_of(World(seed=seed, checkpoints=27, items=120, prompts=20, reward_change=0.30))
        fired += any(up > 0 > down for up, down in zip(proxy.crossed, outcome.crossed, strict=True))
    print(f"decoupled at any of 26 looks without cause: {fired} of 400")
    assert fired / 400 <= 0.05 + 0.022


@pytest.mark.slow
def test_minus_four_plus_nine_over_thirteen_checkpoints_is_found_and_dated() -> None:
    """2,133 items, as the page says for one unpaired look; the fall begins after the third checkpoint.

    Found in at least 90 % of 100 worlds; the date's interval covers the third checkpoint in at least 90 %.
    """
    found = dated = 0
    misses = []
    for seed in range(100):
        planted = World(seed=seed, items=2_133, prompts=60, success_change=-0.04, reward_change=0.09, began=2)
        proxy, outcome = arms_of(planted)
        found += proxy.low > 0 > outcome.high
        assert outcome.began is not None
        dated += outcome.began.low <= 2 <= outcome.began.high
        misses.append(abs(outcome.began.at - 2))
    near = sum(miss <= 2 for miss in misses)
    print(
        f"-4/+9 points over 13 checkpoints: found {found} of 100, date covered {dated}, within two checkpoints {near}"
    )
    assert found >= 90
    assert dated >= 90

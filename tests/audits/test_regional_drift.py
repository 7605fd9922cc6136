"""Do regions serve one model: verdicts and statuses, certainties, dates, scope, revisions, one answer a prompt."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from typing import Any

import pytest

from core.audit import Finding, TooLittle
from core.audits import regional_drift as audit
from core.audits.regional_drift_measure import Drift
from core.ledger.store import Store
from tests.audits.drift_world import (
    OTHER,
    REFERENCE,
    drawn,
    measured,
    probe,
    release,
    scope,
    two_regions,
    verdicts,
    world,
)
from tests.audits.retry_world import DAY, Row, at_ns, call, line, run, send

SHORT = ("us-east-1", OTHER)
ABC = ("a b c", "a c d", "b d e")


def fill(store: Store) -> None:
    """Two regions in the week that every audit is asked about."""
    send(store, probes=two_regions())


@pytest.fixture
def bare() -> Iterator[Store]:
    opened = Store.open(":memory:")
    yield opened
    opened.close()


@pytest.fixture
def store(bare: Store) -> Store:
    """A ledger in which us-east-1 has most ordinary traffic and so is the reference."""
    send(bare, **traffic())
    return bare


def day(number: int) -> dt.date:
    return DAY + dt.timedelta(days=number)


def worse_from(number: int, region: str = OTHER) -> Any:
    return lambda at, here: {"success": 0.3, "longer": 0.6} if here == region and at >= number else {}


def finding(found: Drift) -> Finding:
    return audit.judge(found)


def test_equal_regions_hold(store: Store) -> None:
    found = measured(store, probes=world(40, k=4))
    assert verdicts(found) == {OTHER: "same", "eu-west-1": "same"}
    told = finding(found)
    assert (told.status, told.supported) == ("holds", f"2 of 2 answer as {found.reference}")
    assert found.placebo is not None
    assert not found.placebo.fired


def test_a_region_that_falls_behind_is_found_and_dated(store: Store) -> None:
    found = measured(store, probes=world(40, change=worse_from(20)))
    assert verdicts(found) == {OTHER: "different generation", "eu-west-1": "same"}
    (one,) = [region for region in found.regions if region.region == OTHER]
    assert one.since is not None
    assert one.since.low <= day(20) <= one.since.high
    assert one.alarm is not None
    assert one.alarm <= day(30)
    moved = {move.region: move for move in one.moved}
    assert moved[OTHER].high is not None
    assert moved[OTHER].high < 0
    assert moved[OTHER].change < -0.3
    assert all(abs(moved[name].change) < 0.1 for name in (REFERENCE, "eu-west-1"))
    told = finding(found)
    assert told.status == "broken"
    assert told.gap is not None
    assert told.sentence.startswith(
        f"1 of 2 regions serve a different behaviour than {REFERENCE}: {OTHER} since"
    )


def traffic() -> dict[str, Any]:
    """Most ordinary traffic in us-east-1: it is the reference."""
    calls = [
        call(f"{n:031d}c", "s", cloud_region=REFERENCE, request_model="m", response_model="m-1")
        for n in range(3)
    ]
    return {"calls": calls}


def test_a_recorded_release_that_reaches_all_holds_and_an_unrecorded_one_is_a_watch(store: Store) -> None:
    rows = world(40, change=lambda at, _: {"success": 0.3, "longer": 0.6} if at >= 20 else {}, k=4)
    found = measured(store, probes=rows)
    assert set(verdicts(found).values()) == {"both changed"}
    assert audit.moved_together(found) == day(20)
    assert finding(found).status == "watch"
    told = finding(measured(store, change_events=[release(day(21))]))
    assert told.status == "holds"
    assert "release 2" in told.sentence


def test_latency_that_moves_alone_is_infrastructure(store: Store) -> None:
    rows = world(40, change=lambda at, here: {"slow": 1.5} if here == OTHER and at >= 25 else {}, k=4)
    found = measured(store, probes=rows)
    assert verdicts(found) == {OTHER: "infrastructure only", "eu-west-1": "same"}
    assert finding(found).status == "holds"


def test_a_reference_that_became_slow_leaves_the_others_alone(store: Store) -> None:
    rows = world(40, change=lambda at, here: {"slow": 1.5} if here == REFERENCE and at >= 25 else {}, k=4)
    found = measured(store, probes=rows)
    assert set(verdicts(found).values()) == {"same"}
    assert [abs((move.day - day(25)).days) <= 1 for move in found.reference_shifts] == [True]
    assert any(fact.about == REFERENCE and "first chunk" in fact.name for fact in audit.facts(found))


def test_distance_is_no_move(store: Store) -> None:
    found = measured(
        store, probes=world(40, change=lambda _, here: {"slow": 2.0} if here == OTHER else {}, k=4)
    )
    assert verdicts(found)[OTHER] == "same"


def test_another_fingerprint_alone_is_infrastructure(store: Store) -> None:
    found = measured(
        store, probes=world(40, change=lambda _, here: {"system_fingerprint": f"fp_{here}"}, k=4)
    )
    assert set(verdicts(found).values()) == {"infrastructure only"}


@pytest.mark.parametrize("column", ["response_model", "input_tokens"])
def test_another_snapshot_or_tokenizer_is_certain(store: Store, column: str) -> None:
    other = {"response_model": "m-0", "input_tokens": 91}[column]
    rows = world(3, SHORT, lambda _, here: {column: other} if here == OTHER else {})
    found = measured(store, probes=rows)
    (one,) = found.regions
    assert one.verdict == "different generation"
    assert [certain.what for certain in one.certain if certain.decides] == [column]
    assert one.certain[0].first == day(0)
    assert finding(found).status == "broken"


def test_a_region_that_shares_the_old_snapshot_with_the_past_is_still_certain_to_lag(store: Store) -> None:
    """The reference moves to m-2 on day 10 and the region never does: over the whole period both know m-1."""
    rows = world(
        20, SHORT, lambda at, here: {"response_model": "m-2"} if here == REFERENCE and at >= 10 else {}
    )
    found = measured(store, probes=rows)
    assert found.regions[0].certain[0].first == day(10)
    assert found.regions[0].verdict == "different generation"


def test_a_release_that_arrives_a_day_later_is_no_lottery(store: Store) -> None:
    def rollout(at: int, here: str) -> dict[str, Any]:
        return {"response_model": "m-2"} if at >= (11 if here == OTHER else 10) else {}

    found = measured(store, probes=world(20, SHORT, rollout))
    assert found.regions[0].certain == []


def test_ordinary_traffic_alone_tells_snapshots_apart(bare: Store) -> None:
    calls = [
        call(f"{n:030d}c{here[0]}", "s", cloud_region=here, request_model="m", response_model=snapshot)
        for here, snapshot in ((REFERENCE, "m-2"), (OTHER, "m-1"))
        for n in range(3 if here == REFERENCE else 2)
    ]
    found = measured(bare, calls=calls)
    assert (found.reference, verdicts(found)) == (REFERENCE, {OTHER: "different generation"})
    told = finding(found)
    assert (told.status, told.n, told.gap) == ("broken", 2, None)
    assert set(audit.figures({}, found)) == {"drift_labels"}


def test_a_few_answers_cannot_tell(store: Store) -> None:
    told = finding(measured(store, probes=world(1, SHORT)))
    assert told.status == "cannot tell"
    assert "intervals reach past the limit" in told.missing
    assert "pairs a region" in told.missing


def test_too_little_names_the_table(store: Store) -> None:
    send(store, probes=world(2, (REFERENCE,)))
    found = audit.measure(audit.load(store.ask, scope()), scope())
    assert isinstance(found, TooLittle)
    assert (found.missing, found.n) == ("probes: only us-east-1 was probed", 24)


def test_one_look_decides_on_a_single_day(store: Store) -> None:
    """Below eight days the battery itself decides, Holm over its signals."""
    found = measured(store, probes=world(2, SHORT, worse_from(0), k=4))
    assert verdicts(found) == {OTHER: "different generation"}


def test_a_difference_that_is_over_is_a_watch(store: Store) -> None:
    rows = world(
        70, change=lambda at, here: {"success": 0.1, "longer": 0.5} if here == OTHER and at < 25 else {}
    )
    found = measured(store, probes=rows)
    (one,) = [region for region in found.regions if region.region == OTHER]
    assert (one.earlier, one.verdict == "different generation") == (True, False)
    assert finding(found).status == "watch"


def test_tests_that_differ_before_the_watch_alarms_are_a_watch(store: Store) -> None:
    """Nine days of a small shift: the window's tests reach 1 %, the e-process is not there yet."""
    rows = world(9, SHORT, lambda _, here: {"success": 0.6} if here == OTHER else {}, k=4, seed=4)
    found = measured(store, probes=rows)
    assert found.regions[0].suspected
    assert finding(found).status == "watch"


def test_one_completion_a_prompt_is_never_nan(store: Store) -> None:
    found = measured(store, probes=world(12, SHORT, k=1))
    for signal in found.regions[0].signals:
        assert math.isfinite(signal.effect)
        assert 0 < signal.p <= 1
    assert {"text", "success", "length"} <= {signal.name for signal in found.regions[0].signals}
    assert found.placebo is not None


def test_one_completion_a_prompt_still_finds_other_words(store: Store) -> None:
    rows = world(20, SHORT, lambda _, here: {"words": ABC} if here == OTHER else {}, k=1)
    assert verdicts(measured(store, probes=rows)) == {OTHER: "different generation"}


def test_hashes_alone_are_compared_and_never_called_the_same(store: Store) -> None:
    gone = {"text": None, "text_chars": None, "score": None, "format_ok": None, "refusal": None}
    rows = [row | gone | {"text_hash": f"{hash(row['prompt_id']) % 7:016x}"} for row in world(10, SHORT)]
    found = measured(store, probes=rows)
    assert verdicts(found) == {OTHER: "cannot tell"}
    assert "need a text or a score" in finding(found).missing


def test_scores_of_two_parsers_are_not_compared(store: Store) -> None:
    rows = world(12, SHORT, lambda _, here: {"scorer": f"parser {here}", "score": float(here == OTHER)})
    found = measured(store, probes=rows)
    assert "success" not in {signal.name for signal in found.regions[0].signals}
    assert found.two_scorers == [(OTHER, 12 * 6 * 2)]
    assert len(found.scorers) == 2
    assert any("parsers" in fact.note for fact in audit.facts(found))


def test_where_all_others_differ_the_reference_is_named_as_odd(store: Store) -> None:
    found = measured(store, probes=world(20, change=worse_from(0, REFERENCE)))
    assert set(verdicts(found).values()) == {"different generation"}
    assert finding(found).sentence.endswith(f"the odd one is {REFERENCE}.")


def test_the_reference_is_where_most_traffic_is(bare: Store) -> None:
    assert measured(bare, probes=world(2)).reference == OTHER  # first by name of equals
    assert measured(bare, **traffic()).reference == REFERENCE


def test_the_scope_chooses_regions_models_and_days(store: Store) -> None:
    send(store, probes=world(12))
    assert verdicts(measured(store, scope(regions=(OTHER,)))).keys() == {OTHER}
    nothing = scope(models=("other",))
    assert isinstance(audit.measure(audit.load(store.ask, nothing), nothing), TooLittle)
    assert measured(store, scope(5)).days == 5


def test_a_restated_probe_counts_once_and_an_undone_import_not_at_all(store: Store) -> None:
    rows = world(3, SHORT)
    send(store, probes=rows)
    before = measured(store).answers
    send(store, probes=[row | {"score": 0.0} for row in rows if row["region"] == OTHER])
    found = measured(store)
    success = next(one for one in found.regions[0].signals if one.name == "success")
    assert found.answers == before
    assert success.effect < -0.5
    newest = store.ask("select max(import_id) as newest from imports").item()
    store.undo([newest], "test")
    assert next(one for one in measured(store).regions[0].signals if one.name == "success").effect > -0.5


def test_other_kinds_of_probe_are_left_alone(store: Store) -> None:
    rows = [*world(3, SHORT), probe(OTHER, "page-1", DAY, kind="browser")]
    assert measured(store, probes=rows).answers == 3 * 6 * 2 * 2


def test_evals_of_the_same_samples_are_paired(store: Store) -> None:
    """20 samples: 12 pass in both, 6 only in the reference, 2 in neither: -6 / 20."""
    runs = [
        {"run_id": here, "tool": "inspect", "task": "t", "model": "m", "dataset_hash": "d", "region": here,
         "started_at_ns": 1_772_500_000 * 10**9, "status": "success"}
        for here in SHORT
    ]  # fmt: skip
    samples = [
        {"run_id": here, "sample_id": str(n), "epoch": 1, "scorer": "exact",
         "verdict": "pass" if n < (18 if here == REFERENCE else 12) else "fail"}
        for here in SHORT for n in range(20)
    ]  # fmt: skip
    found = measured(store, probes=world(2, SHORT), eval_runs=runs, eval_samples=samples)
    (evals,) = [one for one in found.regions[0].signals if one.name == "evals"]
    assert (evals.effect, evals.n, evals.p) == (-0.3, 20, 2 * 0.5**6)


def test_an_eval_sample_that_was_scored_again_counts_as_scored_last(store: Store) -> None:
    """One region fails all ten at first and passes all when scored again: nothing differs, each sample counts once."""
    runs = [
        {"run_id": here, "tool": "inspect", "task": "t", "model": "m", "dataset_hash": "d", "region": here,
         "started_at_ns": 1_772_500_000 * 10**9, "status": "success"}
        for here in SHORT
    ]  # fmt: skip

    def samples(region: str, verdict: str) -> list[Row]:
        return [
            {"run_id": region, "sample_id": str(n), "epoch": 1, "scorer": "exact", "verdict": verdict}
            for n in range(10)
        ]

    first = samples(REFERENCE, "pass") + samples(OTHER, "fail")
    send(store, probes=world(2, SHORT), eval_runs=runs, eval_samples=first)
    found = measured(store, eval_samples=samples(OTHER, "pass"))
    (evals,) = [one for one in found.regions[0].signals if one.name == "evals"]
    assert (evals.effect, evals.n) == (0.0, 10)


def test_a_release_restated_as_another_kind_or_day_is_no_release_of_the_range(store: Store) -> None:
    """One turns out to have been a holiday, one to come after the range."""
    events = [release(day(1), "none"), release(day(2), "later"), release(day(3), "real")]
    send(store, probes=world(5, SHORT), change_events=events)
    after = day(200)
    restated = [events[0] | {"kind": "holiday"}, events[1] | {"day": after, "at_ns": at_ns(after)}]
    found = measured(store, change_events=restated)
    assert [title for _, title, _ in found.releases] == ["real"]


def test_probes_that_came_later_do_not_change_what_an_older_link_shows(store: Store) -> None:
    """A release of model n concerns nobody until n is probed."""
    send(store, probes=world(5, SHORT), change_events=[release(day(3), "of n", model="n")])
    pinned = scope()._replace(as_of=store.latest_import())
    send(store, probes=[row | {"request_model": "n"} for row in world(1, SHORT)])
    assert measured(store, pinned).releases == []
    assert [title for _, title, _ in measured(store).releases] == ["of n"]


def test_a_probe_restated_to_another_day_leaves_the_first(store: Store) -> None:
    rows = world(5, SHORT)
    send(store, probes=rows)
    moved = [row | {"day": day(200), "at_ns": at_ns(day(200))} for row in rows if row["day"] == day(0)]
    assert measured(store, probes=moved).first_day == day(1)


def test_ordinary_traffic_is_compared_by_its_lengths(store: Store) -> None:
    lines = [
        line(f"{n:030d}{here[0]}x", f"o{n}{here[0]}", 1, output_tokens=tokens, cloud_region=here)
        for here, tokens in ((REFERENCE, 100), (OTHER, 300))
        for n in range(60)
    ]
    found = measured(store, probes=world(2, SHORT), attempts=lines, runs=[run("0" * 32)])
    (passive,) = [one for one in found.regions[0].signals if one.kind == "passive"]
    assert (passive.effect, passive.n) == (1.0, 60)


def test_figures_facts_and_tables(store: Store) -> None:
    found = measured(
        store, probes=world(40, change=worse_from(20)), change_events=[release(day(20), "<b>r</b>")]
    )
    drawn_figures = audit.figures({}, found)
    assert set(drawn_figures) == {"drift_strip", "drift_signals", "drift_distribution", "drift_moved"}
    strip = drawn_figures["drift_strip"]
    assert strip.layout.annotations[0].text == "&lt;b&gt;r&lt;/b&gt;"
    tables = audit.tables(found)
    assert tables["Regions"].height == 2
    assert tables["Pairs that differ most"].height == 100
    about = {fact.name for fact in audit.facts(found)}
    assert "placebo" in about
    assert any(name.startswith("pairs needed for a 10.0% canary") for name in about)


def test_large_samples_are_cut_by_a_stated_design(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    send(store, probes=world(6))
    monkeypatch.setattr(audit, "MOST_ANSWERS", 54)
    frames = audit.load(store.ask, scope())
    # 3 regions x 6 days x 6 prompts are 108 cells: half of the prompts, one answer each.
    assert frames["probes"].height == 3 * 6 * 3


def test_drawn_answers_are_what_they_say() -> None:
    from random import Random

    rows = [drawn(Random(n), OTHER, "p", DAY, 0, success=0.3) for n in range(400)]
    assert 0.2 < sum(row["score"] for row in rows) / 400 < 0.4

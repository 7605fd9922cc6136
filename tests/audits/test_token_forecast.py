"""The forecast on literal ledgers: every status, days in their own zone, bills, breaks, prices, limits."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.answers import findings
from core.audit import Scope, TooLittle
from core.audits import token_forecast as audit
from core.audits.token_forecast_measure import Forecast
from core.breaks import canonical, parse, read_rows
from core.ingest.options import ReadOptions
from core.ingest.own_tables.change_events import TEMPLATE, read
from core.ledger.store import Store
from core.state import State, set_state
from tests.audits.forecast_world import END, attempts, change, filled, scope, usage
from tests.audits.retry_world import charge, send
from tests.stats.public_series import WEEK, burstgpt, story

DAY = dt.timedelta(days=1)


def measure(store: Store, within: Scope) -> Any:
    return audit.measure(audit.load(store.ask, within), within)


def steady(days: int, noise: float = 0.03, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    first = END - (days - 1) * DAY
    return 1e6 * WEEK[(first.weekday() + np.arange(days)) % 7] * np.exp(random.normal(0, noise, days))


def told(within: Scope, found: Forecast) -> Scope:
    """The scope after every proposal was ticked and saved."""
    rows = [
        {"accept": True, "region": one.region, "start": one.start, "end": one.end, "name": "trough",
         "effect_share": None, "known_from": one.end + DAY}
        for one in audit.proposed(found)
    ]  # fmt: skip
    return within._replace(choices=(*within.choices, ("breaks", "1")), made=(("breaks", read_rows(rows)),))


@pytest.fixture(scope="module")
def troughed() -> Iterator[Store]:
    """A year that grows, and 40 % less over three of the last four weeks."""
    store = Store.open(":memory:")
    yield filled(store, attempts=attempts(story(364, 1)[1][:364]))
    store.close()


@pytest.fixture(scope="module")
def quiet() -> Iterator[Store]:
    store = Store.open(":memory:")
    yield filled(store, attempts=attempts(steady(364)))
    store.close()


def test_a_steady_year_holds(quiet: Store) -> None:
    found = measure(quiet, scope())
    finding = audit.judge(found)
    assert (finding.status, finding.bounds) == ("holds", "95%")
    assert finding.gap == pytest.approx(0, abs=0.02)
    assert found.regions[0].proposals == ()
    assert finding.sentence.startswith("The next 28 days take 28.08M tokens ($28.08)")
    assert "0% of its region-days were not normal demand" in finding.sentence


def test_the_average_over_a_trough_is_broken_once_the_break_is_accepted(troughed: Store) -> None:
    """(7 + 21 × 0.6) / 28 = 70 % of normal, less 5.4 % of growth from window to horizon: 34 % too little."""
    blind = measure(troughed, scope())
    truth = story(364, 1)[2][364:].sum()
    assert audit.judge(blind).status == "watch"
    assert audit.pending(blind) == 1
    assert "1 proposed break waits for a yes or no" in audit.judge(blind).sentence
    assert blind.regions[0].if_accepted == pytest.approx(truth, rel=0.05)
    found = measure(troughed, told(scope(), blind))
    finding = audit.judge(found)
    assert finding.status == "broken"
    assert finding.gap == pytest.approx(-0.34, abs=0.03)
    assert finding.high is not None
    assert finding.high < -0.25
    assert audit.the_total(found).value == pytest.approx(truth, rel=0.05)  # type: ignore[union-attr]
    assert "75.0% of its region-days were not normal demand" in finding.sentence
    assert audit.pending(found) == 0


def test_an_answer_of_normal_is_not_asked_again(troughed: Store) -> None:
    blind = measure(troughed, scope())
    text = canonical(
        one._replace(named=one.named._replace(effect_share=0.0))
        for one in parse(dict(told(scope(), blind).made)["breaks"])
    )
    found = measure(troughed, scope(made=(("breaks", text),)))
    assert found.regions[0].proposals == ()
    assert found.trailing == blind.trailing


def test_a_pinned_calendar_gives_the_same_numbers_again(troughed: Store) -> None:
    within = told(scope(), measure(troughed, scope()))
    assert measure(troughed, within) == measure(troughed, within)


def test_a_gap_across_the_limit_is_watched(troughed: Store) -> None:
    within = told(scope(), measure(troughed, scope()))
    finding = audit.judge(measure(troughed, within._replace(choices=(*within.choices, ("limit", "0.30")))))
    assert finding.status == "watch"


@pytest.mark.parametrize(
    ("low", "high", "status"),
    [(-0.05, 0.08, "holds"), (-0.05, 0.2, "watch"), (0.12, 0.3, "broken"), (-0.3, -0.12, "broken"), (-0.3, -0.05, "watch"),
     (-0.2, 0.2, "watch")],
)  # fmt: skip
def test_the_size_of_a_gap_is_judged_on_both_sides(low: float, high: float, status: str) -> None:
    assert audit.status_of(low, high, 0.1) == status


def test_what_nobody_can_forecast_cannot_be_told(store: Store) -> None:
    filled(store, attempts=attempts(burstgpt()["tokens"].to_numpy()))
    found = measure(store, scope())
    finding = audit.judge(found)
    assert finding.status == "cannot tell"
    assert finding.missing.startswith("moon-1: not forecastable at this grain")
    assert found.regions[0].model == "trailing 4 weeks"
    assert audit.figures({}, found)


def test_three_weeks_are_too_few_and_say_how_many_are_missing(store: Store) -> None:
    filled(store, attempts=attempts(steady(21)))
    finding = audit.judge(measure(store, scope()))
    assert (finding.status, finding.n) == ("cannot tell", 21)
    assert finding.missing.startswith("21 whole days of tokens are known, 28 are needed")


def test_five_weeks_have_a_forecast_without_an_interval(store: Store) -> None:
    filled(store, attempts=attempts(steady(40)))
    finding = audit.judge(measure(store, scope()))
    assert finding.status == "cannot tell"
    assert finding.supported == "28.00M tokens" or finding.supported.endswith("tokens")
    assert "no past forecast reaches 28 days ahead" in finding.missing or "needs 4" in finding.missing


def test_ninety_days_have_an_80_percent_interval_and_say_so(store: Store) -> None:
    filled(store, attempts=attempts(steady(90)))
    finding = audit.judge(measure(store, scope()))
    assert (finding.status, finding.bounds) == ("holds", "80%")


def test_no_tokens_is_not_a_zero(store: Store) -> None:
    filled(store, attempts=attempts(steady(30), input_tokens=None, output_tokens=None))
    found = measure(store, scope())
    assert isinstance(found, TooLittle)
    assert found.missing == "attempts: no traced call with tokens up to the end of the scope"


def test_days_are_days_of_the_region(store: Store) -> None:
    """Five calls a day at 0, 7, 12, 18 and 23 UTC: in Berlin the last of them belongs to the next day."""
    filled(store, attempts=attempts(np.full(60, 500_000.0), "eu-central-1"))
    found = measure(store, scope())
    region = found.regions[0]
    assert (region.region, region.zone) == ("eu-central-1", "Europe/Berlin")
    days = dict(region.history)
    # Each Berlin day has the calls of 23 UTC the day before (from 00:00 local in winter, 01:00 in summer) to 18 UTC.
    assert days[dt.date(2026, 11, 10)] == 500_000
    assert max(days) == END  # 23 UTC of 22 November is 23 November 00:00 there: the 22nd is whole
    assert min(days) == END - 58 * DAY
    assert found.rows_read.notes == ()


def test_an_unknown_region_is_utc_and_says_so(quiet: Store) -> None:
    found = measure(quiet, scope())
    assert found.regions[0].zone == "UTC"
    assert "moon-1 are UTC days" in found.rows_read.notes[0]


def test_a_silent_day_is_a_zero_where_others_sent_and_missing_where_nobody_did(store: Store) -> None:
    rows = attempts(np.full(60, 1000.0), "a") + attempts(np.full(60, 1000.0), "b")
    silent, dark = END - 9 * DAY, END - 5 * DAY
    kept = [
        row
        for row in rows
        if row["day"] != dark and not (row["day"] == silent and row["cloud_region"] == "b")
    ]
    filled(store, attempts=kept)
    assert audit.judge(measure(store, scope())).n == 59 + 59
    by_region = {one.region: dict(one.history) for one in measure(store, scope()).regions}
    assert (by_region["a"][silent], by_region["b"][silent]) == (1000, 0)
    assert (by_region["a"][dark], by_region["b"][dark]) == (None, None)


def test_the_history_is_longer_than_the_scope_and_ends_with_it(quiet: Store) -> None:
    found = measure(quiet, scope(end=END - 30 * DAY, start=END - 60 * DAY))
    assert len(found.regions[0].history) == 334
    assert found.first == END - 29 * DAY


def test_kinds_of_tokens(quiet: Store) -> None:
    whole = measure(quiet, scope()).trailing
    parts = {kind: measure(quiet, scope(choices=(("kind", kind),))) for kind in ("input", "output")}
    assert sum(part.trailing for part in parts.values()) == pytest.approx(whole)
    assert parts["output"].trailing == pytest.approx(whole / 3, rel=0.001)
    assert parts["input"].money is None
    assert isinstance(measure(quiet, scope(choices=(("kind", "cached"),))), TooLittle)


def test_money_is_at_the_price_of_its_day(store: Store) -> None:
    """A million tokens a day at a dollar a million: 28 dollars, of which the last 18 days cost half."""
    cheaper = change("half price", "price", END + 11 * DAY, {"factor": 0.5})
    bad = change("bad", "price", END, "{}")
    filled(store, attempts=attempts(np.full(120, 1e6)), change_events=[cheaper, bad])
    found = measure(store, scope())
    assert found.money is not None
    assert float(found.money.spends[0].value) == pytest.approx(10 + 18 / 2, rel=0.001)
    assert sum(found.money.ahead) == pytest.approx(19, rel=0.001)
    assert 'price event bad has no usable "factor"' in found.problems[0]
    assert "token_forecast_budget" in audit.figures({}, found)


def test_a_price_that_has_changed_is_averaged_from_its_day_on(store: Store) -> None:
    rows = attempts(np.full(120, 1e6))
    for row in rows:
        if row["day"] > END - 10 * DAY:
            row["expected_usd"] *= 3
    filled(store, attempts=rows, change_events=[change("dearer", "price", END - 9 * DAY, {"factor": 3})])
    found = measure(store, scope())
    assert found.money is not None
    assert float(found.money.spends[0].value) == pytest.approx(3 * 28, rel=0.001)


def two_models(regions: tuple[str, ...] = ("moon-1",)) -> list[dict[str, Any]]:
    """Half a million tokens a day of each of two models, at one dollar and at three dollars a million, a region."""
    rows = []
    for region in regions:
        rows += attempts(np.full(120, 5e5), region)
        dear = attempts(np.full(120, 5e5), region, model="claude-sonnet-4-2025-05-14")
        for row in dear:
            row |= {"trace_id": "dear" + row["trace_id"], "expected_usd": 3 * row["expected_usd"]}
        rows += dear
    return rows


def spent(found: Forecast) -> float:
    """Dollars of the next 28 days."""
    assert found.money is not None
    return float(found.money.spends[0].value)


def test_a_price_of_one_model_changes_that_models_part_of_the_money(store: Store) -> None:
    """$0.50 and $1.50 a day. The dear model at half price from the 11th day on: 10 × 2 + 18 × (0.5 + 0.75) = 42.50."""
    cheaper = change(
        "half", "price", END + 11 * DAY, {"factor": 0.5}, region="moon-1", model="claude-sonnet-4"
    )
    filled(store, attempts=two_models(), change_events=[cheaper])
    found = measure(store, scope())
    assert spent(found) == pytest.approx(42.5, rel=0.001)
    assert found.problems == ()
    facts = {fact.name: fact.value for fact in audit.facts(found)}
    assert facts["part of the money that half changes"] == "75.0%"


def test_prices_of_one_model_and_of_all_go_together(store: Store) -> None:
    """From the first day ahead the cheap model costs double, from the 15th on all half: 14 × 2.5 + 14 × 1.25 = 52.50."""
    events = [
        change("double", "price", END + DAY, {"factor": 2}, model="gpt-4o-mini"),
        change("half", "price", END + 15 * DAY, {"factor": 0.5}),
    ]
    filled(store, attempts=two_models(), change_events=events)
    assert spent(measure(store, scope())) == pytest.approx(52.5, rel=0.001)


def test_a_price_of_one_model_in_the_last_weeks_is_its_average_from_its_day_on(store: Store) -> None:
    """The dear model has cost double for ten days: the mix is of four weeks, its price of ten days: 28 × (0.5 + 3)."""
    rows = two_models()
    for row in rows:
        if row["model"].startswith("claude") and row["day"] > END - 10 * DAY:
            row["expected_usd"] *= 2
    dearer = change("double", "price", END - 9 * DAY, {"factor": 2}, model="claude-sonnet-4")
    filled(store, attempts=rows, change_events=[dearer])
    assert spent(measure(store, scope())) == pytest.approx(28 * 3.5, rel=0.001)


def test_a_price_of_a_model_that_is_not_used_is_said_to_change_nothing(store: Store) -> None:
    """A name covers its own snapshots (gpt-4o-2024-08-06), never another model that begins alike (gpt-4o-mini)."""
    other = change("other", "price", END + DAY, {"factor": 9}, model="gpt-4o")
    filled(store, attempts=two_models(), change_events=[other])
    found = measure(store, scope())
    assert spent(found) == pytest.approx(56, rel=0.001)
    assert found.problems == (
        'price event "other" is of gpt-4o, on which nothing was spent in the last four weeks: it changes nothing',
    )


def test_a_price_of_one_model_is_of_its_region_only(store: Store) -> None:
    """Two regions at $2 a day; in one of them the dear model is free of charge to a thousandth: 28 × (2 + 0.5015)."""
    free = change("free", "price", END + DAY, {"factor": 0.001}, region="a", model="claude-sonnet-4")
    filled(store, attempts=two_models(("a", "b")), change_events=[free])
    assert spent(measure(store, scope())) == pytest.approx(28 * 2.5015, rel=0.001)


def test_a_bills_prices_of_one_model_come_from_the_same_source(store: Store) -> None:
    """$1 a day of a named model and $1 of one the bill does not name: the named one at half price from tomorrow on."""
    lines = [
        charge(f"{model}{i}", "1", day=END - i * DAY, tokens=1_000_000, token_type="input", model=model)
        for i in range(90)
        for model in ("gpt-4o-mini", None)
    ]
    half = change("half", "price", END + DAY, {"factor": 0.5}, model="gpt-4o-mini")
    filled(store, cost_lines=lines, change_events=[half])
    assert spent(measure(store, scope(choices=(("source", "bill"),)))) == pytest.approx(28 * 1.5, rel=0.001)


def test_the_template_of_changes_has_prices_and_limits_that_are_used(store: Store) -> None:
    """What people start from must not end among the events that cannot be used."""
    (batch,) = read(io.BytesIO(TEMPLATE.encode()), "changes.csv", ReadOptions())
    filled(store, attempts=attempts(np.full(60, 1e6)))
    store.submit(batch)
    found = measure(store, scope())
    assert found.problems == ()
    assert [(event.title, float(event.factor)) for event in found.money.prices.events] == [
        ("A fifth less", 0.8)
    ]
    assert {view.title for view in found.limits} == {"Tier 4"}


def test_an_event_restated_as_another_kind_limits_and_prices_nothing(store: Store) -> None:
    """A limit that turned out to be an incident: its newest statement counts, and that is of another kind."""
    limit = change("l", "limit", END, {"tpm": 1}, region="moon-1")
    filled(store, attempts=attempts(np.full(60, 1e6)), change_events=[limit])
    assert len(measure(store, scope()).limits) == 1
    send(store, change_events=[limit | {"kind": "incident"}])
    assert measure(store, scope()).limits == ()


def test_a_bill_instead_of_traces(store: Store) -> None:
    """A usage report by day, restated once, beside cost lines of the same tokens: one of them counts, and only once."""
    first = END - 89 * DAY
    lines = [usage(f"u{i}", first + i * DAY, int(tokens)) for i, tokens in enumerate(steady(90))]
    costs = [
        charge(f"c{i}", "1", day=first + i * DAY, tokens=int(tokens), token_type="input")
        for i, tokens in enumerate(steady(90))
    ]
    filled(store, cost_lines=[*costs, *lines])
    send(store, cost_lines=[usage("u89", END, 2_000_000)])
    within = scope(choices=(("source", "bill"),))
    found = measure(store, within)
    history = dict(found.regions[0].history)
    assert found.rows_read.source == "openai_usage (usage lines)"
    assert (history[END], history[first]) == (2_000_000, int(steady(90)[0]))
    assert found.rows_read.notes[-1] == "the bill has days and no hours, so every region's days are UTC days"
    assert isinstance(measure(store, scope()), TooLittle)


def test_an_undone_bill_does_not_count(store: Store) -> None:
    filled(store, cost_lines=[usage("u", END, 5)])
    store.undo([1], "test")
    assert isinstance(measure(store, scope(choices=(("source", "bill"),))), TooLittle)


def limited(store: Store, *events: dict[str, Any]) -> Any:
    filled(store, attempts=attempts(np.full(120, 1e6)), change_events=list(events))
    return measure(store, scope())


def test_a_limit_that_every_call_hits_and_one_that_none_does(store: Store) -> None:
    """A call an hour carries 200,000 tokens in one minute: a limit of 150,000 a minute is always hit, 400,000 never."""
    found = limited(
        store,
        change("tight", "limit", END - 60 * DAY, {"tpm": 150_000}, region="moon-1"),
        change("wide", "limit", END - 60 * DAY, {"tpm": 400_000}, region="moon-1", model="gpt-4o-mini"),
        change("requests", "limit", END - 60 * DAY, {"rpm": 10}),
        change("useless", "limit", END, {"tpm": "many"}),
    )  # fmt: skip
    views = {view.title: view for view in found.limits}
    busy = {hour.hour: hour.chance for hour in views["tight"].hours if hour.weekday == 0}
    assert {hour for hour, chance in busy.items() if chance == 1} == {0, 7, 12, 18, 23}
    assert {week.chance for week in views["tight"].weeks} == {1.0}
    assert {week.chance for week in views["wide"].weeks} == {0.0}
    assert views["wide"].weeks[0].high > 0
    assert {week.chance for week in views["requests"].weeks} == {0.0}
    assert found.problems == ('limit event useless has neither "tpm" nor "rpm" above 0 in its attributes',)
    drawn = audit.figures({}, found)
    assert "token_forecast_headroom" in drawn
    assert audit.tables(found)["Headroom by week"].height == 12


def test_a_limit_without_calls_says_what_is_missing(store: Store) -> None:
    found = limited(store, change("other", "limit", END, {"tpm": 1}, region="moon-1", model="claude"))
    assert found.limits[0].why.startswith("attempts: no traced call that the limit covers")
    assert audit.tables(found)["Headroom by week"]["P(hit)"].to_list() == ["unknown"]


def test_a_restated_limit_counts_once(store: Store) -> None:
    first, later = (change("l", "limit", END, {"tpm": tpm}, region="moon-1") for tpm in (1, 7))
    filled(store, attempts=attempts(np.full(60, 1e6)), change_events=[first])
    send(store, change_events=[later])
    assert [view.per_minute for view in measure(store, scope()).limits] == [7.0]


def test_a_region_past_the_limit_makes_a_sum_that_holds_a_watch(store: Store) -> None:
    """Nine tenths of the traffic is steady; a tenth lies in a trough whose break has been accepted."""
    small = story(364, 1, growth=0.0)[1][:364] / 9
    filled(store, attempts=attempts(steady(364)) + attempts(small, "moon-2"))
    found = measure(store, told(scope(), measure(store, scope())))
    finding = audit.judge(found)
    assert audit.past_limit(found) == ["moon-2"]
    assert (finding.status, finding.gap) == ("watch", pytest.approx(-0.03, abs=0.015))
    assert "1 of 2 regions are past the limit (moon-2)" in finding.sentence


def test_the_sum_of_regions_is_the_sum(quiet: Store, store: Store) -> None:
    filled(store, attempts=attempts(steady(200), "a") + attempts(2 * steady(200), "b"))
    found = measure(store, scope())
    regions = {one.region: one for one in found.regions}
    assert found.totals[0].value == pytest.approx(sum(one.totals[0].value for one in regions.values()))
    assert found.trailing == pytest.approx(3 * regions["a"].trailing, rel=1e-5)
    assert list(audit.figures({}, found))[:3] == [
        "token_forecast_fan",
        "token_forecast_region",
        "token_forecast_gaps",
    ]


def test_filters_are_filters(store: Store) -> None:
    filled(store, attempts=attempts(steady(60), "a") + attempts(steady(60), "b", service_name="other"))
    assert [one.region for one in measure(store, scope(regions=("a",))).regions] == ["a"]
    assert [one.region for one in measure(store, scope(services=("other",))).regions] == ["b"]


def test_progress_rises_region_by_region_to_the_last_fit_and_names_no_region(store: Store) -> None:
    filled(store, attempts=attempts(steady(91), "a") + attempts(steady(91), "b"))
    told: list[tuple[float, str]] = []
    within = scope()
    found = audit.measure(audit.load(store.ask, within), within, lambda done, what: told.append((done, what)))
    assert found == measure(store, within)
    shares = [done for done, _ in told]
    assert shares == sorted(shares)
    assert (shares[0] > 0, shares[-1]) == (True, 1.0)
    fits = len(told) // 2
    assert told[0][1].startswith(f"Region 1 of 2: past forecast 1 of {fits} (calendar, 2026-")
    assert told[-1][1].startswith(
        f"Region 2 of 2: past forecast {fits} of {fits} (trailing 4 weeks as reported, "
    )


@pytest.mark.slow
def test_the_full_backtest_adds_the_slow_models(store: Store) -> None:
    filled(store, attempts=attempts(steady(91)))
    found = measure(store, scope(choices=(("backtest", "full"),)))
    models = [score.model for score in found.regions[0].league]
    assert models[-4:] == ["ETS", "STL + ETS", "SARIMAX", "Prophet"]
    assert audit.judge(found).status in ("holds", "watch")


def test_tables_and_facts_have_intervals_and_counts(troughed: Store) -> None:
    found = measure(troughed, scope())
    tables = audit.tables(found)
    assert tables["Proposed breaks"].row(0, named=True)["days"] == 21
    assert tables["Regions"]["interval"][0].startswith("80% [")
    used = tables["Backtest"].filter(pl.col("used") == "yes")
    assert used.height == 1
    assert used["95% interval"][0].startswith("[")
    facts = {(fact.name): fact for fact in audit.facts(found)}
    assert facts["tokens of the next 90 days"].interval.startswith("80% [")
    assert facts["hours read"].n == 364 * 5


def test_measuring_does_not_depend_on_the_order_of_rows(troughed: Store) -> None:
    frames = audit.load(troughed.ask, scope())
    expected = audit.measure(frames, scope())
    mixed = {name: rows.sample(fraction=1, shuffle=True, seed=4) for name, rows in frames.items()}
    assert audit.measure(mixed, scope()) == expected


def test_names_from_telemetry_stay_text(store: Store) -> None:
    filled(store, attempts=attempts(steady(120), "<b>x</b>"))
    found = measure(store, scope())
    written = str([figure.to_json() for figure in audit.figures({}, found).values()])
    assert "<b>x</b>" not in written.replace("\\u003c", "<").replace('"meta"', "")


def test_the_command_line_and_the_api_see_accepted_breaks(troughed: Store, tmp_path: Path) -> None:
    """Both pass through core.answers, which looks the newest revision up; an audit run alone knows of none."""
    text = dict(told(scope(), measure(troughed, scope())).made)["breaks"]
    state = State(path=tmp_path / "state.sqlite")
    set_state(state)
    try:
        assert findings(troughed.ask, scope(), "token-forecast")[0]["status"] == "watch"
        state.save_calendar(text, 0)
        assert findings(troughed.ask, scope(), "token-forecast")[0]["status"] == "broken"
    finally:
        set_state(None)
        state.close()

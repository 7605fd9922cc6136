"""Was the stream cut smaller under the same rate: fluidity by hand, ratios, every status, what is missing, simulation."""

from __future__ import annotations

import datetime as dt
import statistics
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from core.audit import Finding, Scope, TooLittle
from core.audits import tps_chunking as audit
from core.audits.tps_chunking_compare import compared, held, placebo
from core.audits.tps_chunking_measure import Chunking
from core.audits.tps_chunking_reader import fluidity, quality, spread_out
from core.ingest.streams import Chunks
from core.ledger.store import Store
from tests.audits.mcp_world import span
from tests.audits.retry_world import DAY, Row, at_ns, run, send
from tests.audits.stream_world import chunks, days, put, row

LLMPERF = Path(__file__).parents[3] / "shared/datasets/tps-chunking/llmperf_individual.parquet"
SCOPE = Scope(DAY, DAY + dt.timedelta(days=13))
"""Seven days before, seven looked at."""


def fill(store: Store) -> None:
    """Streams of the week that every audit is asked about."""
    put(store, days(0, 3, an_hour=5))


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store.open(":memory:")
    yield opened
    opened.close()


def told(store: Store, rows: list[Row], scope: Scope = SCOPE) -> tuple[Finding, Any]:
    if rows:
        put(store, rows)
    found = audit.measure(audit.load(store.ask, scope), scope)
    return audit.judge(found), found


def test_fluidity_by_hand() -> None:
    """D = 100. Gaps 50, 80, 300: slack 50, then 70; 300 > 170: floor((300 - 70 - 100) / 100) + 1 = 2 misses, 2 met."""
    assert fluidity([0, 50, 130, 430], [1, 1, 1, 1], 100) == 2 / 4
    # A chunk of four at once: three tokens leave 100 each as slack, and 400 is met.
    assert fluidity([0, 400], [4, 4], 100) == 1.0
    assert fluidity([0], [1], 100) is None


def test_quality_by_hand() -> None:
    """All tokens within a second, where nothing is expected yet: 1. Eight tokens at 3 s: nothing is read before; 0."""
    assert quality([500.0, 900.0], [3, 3]) == 1.0
    assert quality([3000.0], [8]) == 0.0
    smooth = quality([1000 + 1000 * at / 4.8 for at in range(20)], [1] * 20)
    late = quality([3000 + 1000 * at / 4.8 for at in range(20)], [1] * 20)
    assert late < smooth
    assert smooth > 0.85


def test_neither_rate_nor_fluidity_sees_chunks_of_8_4_and_1() -> None:
    """AUDITS.md 5: at 40 tokens/s 40.5, 40.6, 40.2 tokens/s, fluidity 1.000 each, and 5, 10 and 40 chunks/s."""
    for size, rate in ((8, 5), (4, 10), (1, 40)):
        random = Random(5)
        streams = [chunks(random, 400, size, 40.0) for _ in range(60)]
        rates, paces, smooth = [], [], []
        for one in streams:
            assert one.tokens is not None
            seconds = (one.t_ms[-1] - one.t_ms[0]) / 1000
            rates.append((sum(one.tokens) - one.tokens[0]) / seconds)
            paces.append((len(one.t_ms) - 1) / seconds)
            smooth.append(fluidity(one.t_ms, one.tokens))
        assert statistics.median(rates) == pytest.approx(40.3, abs=1)
        assert statistics.median(paces) == pytest.approx(rate, rel=0.05)
        assert statistics.median(one for one in smooth if one is not None) == pytest.approx(1.0, abs=0.0005)


def test_a_rate_that_is_held_by_smaller_chunks_is_broken(store: Store) -> None:
    finding, found = told(store, days(0, 7, 4) + days(7, 7, 1))
    assert (finding.status, finding.unit) == ("broken", "ratio")
    lead = found.kinds[0]
    assert lead.verdict == "rate held, unit changed"
    assert finding.gap == pytest.approx(0.25, abs=0.01)
    assert finding.low is not None
    assert finding.high is not None
    # Chunks of four hold 3.96 on average, because the last one of a response is seldom full
    assert 0.25 <= finding.low <= finding.gap <= finding.high < 0.255
    assert (lead.before.hours, lead.now.hours) == (21, 21)
    assert lead.before.chunks_per_s == pytest.approx(10, rel=0.05)
    assert lead.now.chunks_per_s == pytest.approx(40, rel=0.05)
    assert "rate held, unit changed" in finding.sentence
    assert finding.supported == "1 tokens a chunk, was 3.95" or finding.supported.startswith(
        "1 tokens a chunk, was "
    )
    assert set(audit.figures({}, found)) == {"chunk_ribbons", "chunk_staircase", "chunk_changes"}
    assert audit.evidence(store.ask, SCOPE).height == 500
    facts = {(fact.about, fact.name): fact for fact in audit.facts(found)}
    assert facts[("believed", "fluidity tells a stream cut smaller")].value == "no: 1 → 1"
    assert "more than the page can paint" in facts[("reader", "chunks a second")].note
    assert facts[("placebo", lead.name)].n == 40


def test_an_unchanged_stream_holds(store: Store) -> None:
    finding, found = told(store, days(0, 14))
    assert (finding.status, finding.missing) == ("holds", "")
    assert found.kinds[0].rate.held
    assert found.kinds[0].placebo.fired == 0


def test_a_slower_stream_of_the_same_unit_holds_and_says_the_rate(store: Store) -> None:
    finding, found = told(store, days(0, 7, 4, 40.0) + days(7, 7, 4, 30.0))
    assert finding.status == "holds"
    assert not found.kinds[0].rate.held
    assert finding.reported == "0.75× the rate"


def test_unit_and_rate_changed_is_a_watch(store: Store) -> None:
    finding, found = told(store, days(0, 7, 4, 40.0) + days(7, 7, 1, 30.0))
    assert (finding.status, found.kinds[0].verdict) == ("watch", "unit and rate changed")
    assert finding.sentence.count("unit and rate changed") == 1


def test_an_interval_across_the_limit_is_a_watch(store: Store) -> None:
    """A tenth smaller, by mixing sizes: the interval has the limit inside."""
    mixed = [one for day in range(7, 14) for one in days(day, 1, 4 if day % 2 else 3, seed=day)]
    finding, found = told(store, days(0, 7, 4) + mixed)
    assert (finding.status, found.kinds[0].verdict) == ("watch", "unsure")


@pytest.mark.parametrize(("hours", "an_hour", "enough"), [(8, 30, True), (7, 30, False), (8, 29, False)])
def test_eight_hours_with_thirty_responses_are_needed(
    hours: int, an_hour: int, enough: bool, store: Store
) -> None:
    rows = days(2, 1, 4, hours=range(hours), an_hour=an_hour) + days(
        9, 1, 1, hours=range(hours), an_hour=an_hour
    )
    finding, _ = told(store, rows)
    assert (finding.status == "broken") is enough
    if not enough:
        assert finding.status == "cannot tell"
        assert finding.supported == "1 tokens a chunk"
        assert "8 hours with 30 responses each are needed before" in finding.missing


def test_streams_of_two_recorders_are_never_compared(store: Store) -> None:
    """A switch from spans to a recorder looks like another unit and is none."""
    _, found = told(store, days(0, 7, 4, source="chunk_events") + days(7, 7, 1))
    assert {one.verdict for one in found.kinds} == {"too few"}


def test_many_kinds_are_told_together(store: Store) -> None:
    rows = [one for n in range(5) for one in days(0, 14, seed=n, cloud_region=f"r{n}")]
    _, found = told(store, [*rows, *days(0, 7, 4, cloud_region="x"), *days(7, 7, 1, cloud_region="x")])
    assert found.level == pytest.approx(1 - 0.05 / 6)
    assert found.kinds[0].key[3] == "x"
    assert [one.verdict for one in found.kinds[1:]] == ["same unit"] * 5


def test_characters_stand_for_tokens(store: Store) -> None:
    bare = [one | {"token_count": None, "output_tokens": None, "tokens": None, "tokens_per_s": None}
            for one in days(0, 7, 4) + days(7, 7, 1)]  # fmt: skip
    finding, found = told(store, bare)
    assert (finding.status, found.kinds[0].of) == ("broken", "characters")
    assert finding.supported.startswith("4 characters a chunk")


def test_what_is_missing_is_named(store: Store) -> None:
    assert "no stream in scope" in told(store, [])[0].missing
    send(store, metric_points=[{"name": "gen_ai.client.operation.time_per_output_chunk", "kind": "histogram", "at_ns": at_ns(DAY),
                                "day": DAY, "count": 5, "sum": 1.0}])  # fmt: skip
    missing = told(store, [])[0].missing
    assert "chunk sizes were not recorded; 1 points of time_per_output_chunk are averages" in missing
    assert "gen_ai.stream.chunk" in missing


def test_first_tokens_alone_are_no_chunks(store: Store) -> None:
    one = span(
        "a" * 32,
        "b" * 16,
        None,
        at_ns(DAY),
        at_ns(DAY) + 10**9,
        span_role="inference",
        gen_ai_request_stream=True,
    )
    send(store, spans=[one], runs=[run("a" * 32)])
    assert "only first tokens, of 1 responses" in told(store, [])[0].missing


def test_sizes_without_tokens_or_characters_are_named(store: Store) -> None:
    bare = [one | dict.fromkeys(("token_count", "output_tokens", "char_count")) for one in days(0, 1)]
    finding, found = told(store, bare)
    assert isinstance(found, TooLittle)
    assert "102 streams with neither tokens nor characters" in finding.missing


def test_a_restated_stream_counts_once_and_an_undone_one_not(store: Store) -> None:
    found = [row(at_ns(DAY), Chunks([1.0, 2.0], [1, 1]), "same")]
    put(store, found)
    put(store, [found[0] | {"cloud_region": "elsewhere"}])
    frames = audit.load(store.ask, SCOPE)
    assert frames["streams"]["region"].to_list() == ["elsewhere"]
    store.undo([2], "test")
    assert audit.load(store.ask, SCOPE)["streams"]["region"].to_list() == ["eu-west-1"]


def test_more_streams_than_fit_are_sampled(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "MOST_STREAMS", 700)
    finding, found = told(store, days(0, 7, 4) + days(7, 7, 1))
    assert found.streams == 1428
    assert found.sampled == pytest.approx(700, rel=0.15)
    assert (finding.status, found.kinds[0].before.hours) == ("broken", 21)


def test_a_constant_unit_has_an_interval_of_nothing_and_a_constant_rate_is_compared() -> None:
    change = compared("unit", [4.0] * 10, [1.0] * 10, 0.95)
    assert change is not None
    assert change[1:4] == pytest.approx((0.25, 0.25, 0.25))
    assert held([40.0] * 9, [41.0] * 9, 0.05, 0.05).held
    assert not held([40.0] * 9, [43.0] * 9, 0.05, 0.05).held
    assert placebo([4.0] * 15, 0.1) == (0, 0, 0)


def test_tokens_are_spread_as_evenly_as_whole_numbers_allow() -> None:
    assert all(sum(spread_out(whole, n)) == whole for whole in range(20) for n in range(1, 9))


@pytest.mark.skipif(not LLMPERF.is_file(), reason="needs ../shared/datasets/tps-chunking")
def test_the_llmperf_leaderboard_counted_chunks(store: Store) -> None:
    """AUDITS.md 5, December 2023, medians: "tokens/s" 25.8 against 66.0 (Anyscale 70B), 16.0 / 76.2 and 4.7 tokens a chunk
    (Fireworks 7B), 0.54 / 25.6 and 42.7 (Replicate 7B), 51.5 / 51.2 and 1.0 (Anyscale 7B). Chunk times are not in the file:
    evenly spaced ones stand for them, as many as it has chunks."""
    good = pl.read_parquet(LLMPERF).filter(pl.col("error_code") == "nan")
    rows = []
    for at, one in enumerate(good.to_dicts()):
        first, last, n = one["ttft_s"] * 1000, one["end_to_end_latency_s"] * 1000, one["chunks"]
        times = [first + (last - first) * place / max(n - 1, 1) for place in range(n)]
        rows.append(row(at_ns(DAY) + at * 10**9, Chunks(times), output=one["number_output_tokens"],
                        request_model="llama-2", provider_name=one["provider_model"], cloud_region=None))  # fmt: skip
    finding, found = told(store, rows, Scope(DAY, DAY))
    assert isinstance(found, Chunking)
    table = {line["stream"].split()[0]: line for line in audit.tables(found)["Streams"].to_dicts()}
    for name, claimed, true, in_a_chunk in (
        ("anyscale_70b", 25.8, 66.0, 2.6), ("fireworks_7b", 16.0, 76.2, 4.7), ("replicate_7b", 0.54, 25.6, 42.7),
        ("anyscale_7b", 51.5, 51.2, 1.0),
    ):  # fmt: skip
        line = table[name]
        assert line["the same, a chunk for a token"] == pytest.approx(
            claimed, abs=0.051 if claimed > 1 else 0.0051
        ), name
        assert line["a second, from the request"] == pytest.approx(true, abs=0.06), name
        assert line["a chunk"] == pytest.approx(in_a_chunk, abs=0.051), name
    assert finding.status == "cannot tell"
    assert "8 hours with 30 responses" in finding.missing


@pytest.mark.slow
def test_quiet_weeks_are_left_alone_and_planted_ones_found(store: Store) -> None:
    """200 quiet comparisons and 200 planted ones of 8 to 24 hours a side, medians of hours drawn with their noise."""
    random = Random(17)
    rates = {"quiet broken": 0, "quiet interval without 1": 0, "planted broken": 0, "covered": 0}
    for number in range(400):
        planted, hours = number % 2 == 1, random.choice((8, 12, 24))
        ratio = random.choice((0.25, 0.5, 2.0)) if planted else 1.0
        unit = [[size * random.lognormvariate(0, 0.02) for _ in range(hours)] for size in (4.0, 4.0 * ratio)]
        pace = [[40.0 * random.lognormvariate(0, 0.02) for _ in range(hours)] for _ in range(2)]
        change = compared("unit", unit[0], unit[1], 0.95)
        assert change is not None
        broken = (change.low > 1.1 or change.high < 0.9) and held(pace[0], pace[1], 0.05, 0.05).held
        rates["planted broken" if planted else "quiet broken"] += broken
        rates["covered"] += change.low <= ratio <= change.high
        rates["quiet interval without 1"] += not planted and not change.low <= 1 <= change.high
    print("\nof 200 each, covered of 400:", rates)
    assert rates["quiet broken"] == 0
    assert rates["quiet interval without 1"] <= 18
    assert rates["planted broken"] >= 195
    assert rates["covered"] >= 370

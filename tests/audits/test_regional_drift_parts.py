"""The drift audit's numbers by plain loops over rows, the upstream snapshots' known answers, false alarms and power."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import re
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import numpy as np
import polars as pl
import pytest

from core.audits import regional_drift_time as timing
from core.audits.regional_drift_measure import prepared
from core.audits.regional_drift_passive import ks
from core.audits.regional_drift_placebo import halves, placebo
from core.audits.regional_drift_signals import Signal, battery, daily, paired
from core.ledger.store import Store
from core.stats.betting import STAKES, watch
from core.stats.many_tests import holm
from core.stats.two_sample import hamming, ngrams
from tests.audits.drift_world import OTHER, REFERENCE, measured, probe, verdicts, world
from tests.audits.llmdrift_labels import accepted
from tests.audits.retry_world import DAY, Row, call

ANSWERS = Path(__file__).parents[3] / "shared/datasets/headline/llmdrift_answers.parquet"
SIDES = (REFERENCE, OTHER)


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store.open(":memory:")
    yield opened
    opened.close()


def frame(rows: list[Row]) -> pl.DataFrame:
    """Rows as the audit's SQL hands them over: answers of a day and prompt numbered by time."""
    made = pl.DataFrame(rows, infer_schema_length=None).with_columns(
        completion=pl.col("at_ns").rank("ordinal").over("region", "day", "prompt_id").cast(pl.Int64)
    )
    empty = {"system_fingerprint": pl.String, "refusal": pl.Boolean, "format_ok": pl.Boolean}
    return prepared(made.cast(empty | dict.fromkeys(("first_chunk_ms", "last_chunk_ms"), pl.Float64)))


def sides(rows: list[Row]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Pairs, and both sides' answers."""
    answers = frame(rows)
    here, there = (answers.filter(pl.col("region") == name) for name in (OTHER, REFERENCE))
    both = pl.concat([here.with_columns(side=pl.lit("here")), there.with_columns(side=pl.lit("reference"))])
    return paired(here, there), both


def plain_pairs(rows: list[Row]) -> list[tuple[Row, Row]]:
    """The n-th answer of a prompt and day in one region beside the n-th in the other, by loops."""
    cells: dict[tuple[str, dt.date, str], list[Row]] = {}
    for row in sorted(rows, key=lambda row: row["at_ns"]):
        cells.setdefault((row["prompt_id"], row["day"], row["region"]), []).append(row)
    found = []
    for (prompt, day, region), here in cells.items():
        if region == OTHER:
            found += list(zip(here, cells.get((prompt, day, REFERENCE), []), strict=False))
    return found


def test_shares_equal_a_plain_count_and_lengths_a_plain_estimate() -> None:
    rows = world(6, SIDES, lambda _, here: {"success": 0.5, "longer": 0.8} if here == OTHER else {})
    found = {one.name: one for one in battery(OTHER, *sides(rows))}
    pairs = plain_pairs(rows)
    gained = sum(a["score"] > b["score"] for a, b in pairs)
    lost = sum(a["score"] < b["score"] for a, b in pairs)
    tail = sum(math.comb(gained + lost, k) for k in range(min(gained, lost) + 1)) / 2 ** (gained + lost)
    assert found["success"].effect == pytest.approx((gained - lost) / len(pairs))
    assert found["success"].p == pytest.approx(min(1.0, 2 * tail))
    logs = [math.log(a["text_chars"] / b["text_chars"]) for a, b in pairs]
    walsh = [(logs[i] + logs[j]) / 2 for i in range(len(logs)) for j in range(i, len(logs))]
    assert found["length"].effect == pytest.approx(math.expm1(statistics.median(walsh)))
    assert found["success"].n == found["length"].n == len(pairs) == 6 * 6 * 2


def test_text_distance_equals_plain_sums_within_prompts() -> None:
    """Mean over cells of k(x,x') + k(y,y') - 2 k(x,y), over all places, less its mean under all relabellings."""
    rows = world(2, SIDES, lambda _, here: {"words": ("a", "b")} if here == OTHER else {})
    (found,) = [one for one in battery(OTHER, *sides(rows)) if one.name == "text"]
    cells: dict[tuple[str, dt.date], dict[str, list[str]]] = {}
    for row in rows:
        cells.setdefault((row["prompt_id"], row["day"]), {}).setdefault(row["region"], []).append(row["text"])
    plain = 0.0
    for cell in cells.values():
        texts = cell[OTHER] + cell[REFERENCE]
        gram = (hamming(texts) + ngrams(texts) + hamming(texts, 16)) / 3
        labels = [set(at) for at in itertools.combinations(range(4), 2)]
        plain += distance(gram, {0, 1}) - statistics.mean(distance(gram, side) for side in labels)
    assert found.effect == pytest.approx(plain / len(cells) ** 2)


def distance(gram: np.ndarray, first: set[int]) -> float:
    sign = [1 if at in first else -1 for at in range(4)]
    return float(sum(sign[i] * sign[j] * gram[i, j] / 4 for i in range(4) for j in range(4)))


def test_daily_differences_and_their_e_process_equal_plain_loops() -> None:
    rows = world(5, SIDES, lambda _, here: {"success": 0.4} if here == OTHER else {})
    days = sorted({row["day"] for row in rows})
    found = daily(sides(rows)[0], days)
    plain = [sorted(a["score"] - b["score"] for a, b in plain_pairs(rows) if a["day"] == day) for day in days]
    assert [sorted(period) for period in found["success"]] == plain
    # One start in five days: half of the money lies still, half is the mean over stakes of prod(1 + l x).
    wealth = [math.prod(1 + stake * x for period in plain for x in period) for stake in STAKES]
    assert watch(found["success"]).log_e[-1] == pytest.approx(math.log(0.5 + statistics.mean(wealth) / 2))
    assert all(-1 <= x <= 1 for period in found["words"] for x in period)
    assert sum(map(len, found["words"])) == 5 * 6  # two pairs of a prompt and day make one difference


def test_alarm_days_equal_a_plain_e_bh() -> None:
    log_e = {("a", "s"): [0.0, 3.1, 5.0], ("b", "s"): [0.0, 2.9, 3.6]}
    days = [DAY + dt.timedelta(days=n) for n in range(3)]
    watched = {key: watch([[]])._replace(log_e=values) for key, values in log_e.items()}
    # m = 2, alpha 5 %: one alone needs ln 40 = 3.69, both together ln 20 = 3.00 each.
    assert timing.alarms(watched, days, 0.05) == {("a", "s"): days[2], ("b", "s"): days[2]}


def test_the_split_equals_a_plain_search() -> None:
    random = Random(3)
    values = {DAY + dt.timedelta(days=n): random.gauss(1.0 if n >= 12 else 0.0, 0.3) for n in range(20)}
    (found,) = timing.splits({"x": values})
    y = list(values.values())
    sizes = {
        at: abs(statistics.mean(y[at:]) - statistics.mean(y[:at])) * math.sqrt(at * (20 - at) / 20)
        for at in range(2, 19)
    }
    assert found.day == DAY + dt.timedelta(days=max(sizes, key=lambda at: sizes[at]))
    assert found.p == 1 / 2000
    assert timing.splits({"x": dict(list(values.items())[:7])}) == []


def test_kolmogorov_smirnov_equals_the_published_one() -> None:
    from scipy.stats import ks_2samp

    random = np.random.default_rng(2)
    first, second = random.poisson(9, 300), random.poisson(10, 250)
    counts = [
        dict(zip(*(part.tolist() for part in np.unique(side, return_counts=True)), strict=True))
        for side in (first, second)
    ]
    distance, p = ks(*counts)
    plain = ks_2samp(first, second, method="asymp")
    assert distance == pytest.approx(plain.statistic)
    assert p == pytest.approx(plain.pvalue, rel=0.25)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_halves_share_no_answer_and_pair_up(k: int) -> None:
    answers = frame(world(4, (REFERENCE,), k=k))
    odd, even = halves(answers)
    assert set(odd["probe_id"]) | set(even["probe_id"]) == set(answers["probe_id"])
    assert not set(odd["probe_id"]) & set(even["probe_id"])
    assert paired(odd, even).height == 4 * 6 * k // 2


# The snapshots of Chen, Zaharia & Zou 2023, March against June, as two regions.

PAIRS = {"gpt-4": ("gpt-4-0314", "gpt-4-0613"), "gpt-3.5": ("gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613")}


@pytest.fixture(scope="module")
def upstream() -> pl.DataFrame:
    if not ANSWERS.is_file():
        pytest.skip(f"needs {ANSWERS.name} from the shared data folder")
    return pl.read_parquet(ANSWERS)


def boxed(answer: str, expected: str) -> bool:
    """The last number in a box, as upstream reads happy-number answers."""
    return re.findall(r"boxed\{(.*?)\}", answer)[-1:] == re.findall(r"boxed\{(.*?)\}", expected)


def bare_word(answer: str, expected: str) -> bool:
    """Upstream's reading of prime answers: a bare yes anywhere counts, else a bare no."""
    said = next((word for word in ("yes", "no") if re.search(rf"\b{word}\b", answer.lower())), "")
    return said == expected.lower()


def bracketed(answer: str, expected: str) -> bool:
    """The strict reading: the last [Yes] or [No]."""
    return re.findall(r"\[(yes|no)\]", answer.lower())[-1:] == [expected.lower()]


def answered(answer: str, _: str) -> bool:
    """No word of refusal."""
    return not re.search(
        r"sorry|cannot|can't|apolog|unable|as an ai|against my|appropriate", answer, re.IGNORECASE
    )


def compiles(answer: str, _: str) -> bool:
    """The answer as it stands is Python: no fence and no prose around it."""
    try:
        compile(answer, "answer", "exec")
    except SyntaxError:
        return False
    return True


Reading = Callable[[str, str], bool] | None
"""None: upstream's own labels, joined by id."""
READINGS: dict[str, Reading] = {
    "COUNTAHAPPYNUMBER": boxed, "PRIME_FULL": bare_word, "SENSITIVEQ": None, "LEETCODE_EASY": None,
}  # fmt: skip


def as_probes(upstream: pl.DataFrame, task: str, model: str, reading: Reading, name: str) -> list[Row]:
    """March as the reference, June as the other region: a prompt a row and snapshot."""
    rows = []
    for region, snapshot in zip(SIDES, PAIRS[model], strict=True):
        chosen = upstream.filter((pl.col("task") == task) & (pl.col("model") == snapshot)).sort("id")
        for prompt, text, expected in chosen.select("id", "answer", "ref_answer").iter_rows():
            right = accepted(task, snapshot, prompt) if reading is None else reading(text, expected)
            rows.append(
                probe(
                    region, f"{task}/{prompt}", DAY, scorer=name, score=float(right), text=text,
                    text_chars=len(text), refusal=None, format_ok=None, first_chunk_ms=None, last_chunk_ms=None,
                )
            )  # fmt: skip
    return rows


@pytest.mark.parametrize(
    ("task", "model", "reading", "march", "june"),
    [
        ("COUNTAHAPPYNUMBER", "gpt-4", boxed, 83.6, 35.2),
        ("COUNTAHAPPYNUMBER", "gpt-3.5", boxed, 30.6, 48.2),
        ("PRIME_FULL", "gpt-4", bare_word, 84.0, 51.1),
        ("PRIME_FULL", "gpt-3.5", bare_word, 49.6, 76.2),
        ("PRIME_FULL", "gpt-3.5", bracketed, 51.8, 68.0),
        ("SENSITIVEQ", "gpt-4", None, 21.0, 5.0),
        ("SENSITIVEQ", "gpt-3.5", None, 2.0, 8.0),
        ("LEETCODE_EASY", "gpt-4", None, 52.0, 10.0),
        ("LEETCODE_EASY", "gpt-3.5", None, 22.0, 2.0),
        # Parsers in place of the person and the judge: another instrument, other shares.
        ("SENSITIVEQ", "gpt-4", answered, 27.0, 2.0),
        ("SENSITIVEQ", "gpt-3.5", answered, 2.0, 8.0),
        ("LEETCODE_EASY", "gpt-4", compiles, 82.0, 12.0),
        ("LEETCODE_EASY", "gpt-3.5", compiles, 38.0, 2.0),
    ],
)
def test_the_snapshots_known_answers(
    upstream: pl.DataFrame,
    store: Store,
    task: str,
    model: str,
    reading: Reading,
    march: float,
    june: float,
) -> None:
    name = "upstream's label" if reading is None else reading.__name__
    rows = as_probes(upstream, task, model, reading, name)
    for region, expected in ((REFERENCE, march), (OTHER, june)):
        share = statistics.mean(row["score"] for row in rows if row["region"] == region)
        assert share == pytest.approx(expected / 100, abs=0.0011)
    calls = [call(f"{n:031d}c", "s", cloud_region=REFERENCE) for n in range(3)]
    found = measured(store, probes=rows, calls=calls)
    success = next(one for one in found.regions[0].signals if one.name == "success")
    assert success.effect == pytest.approx((june - march) / 100, abs=0.0011)
    assert success.low is not None
    assert success.high is not None
    assert success.low < success.effect < success.high
    assert verdicts(found) == {OTHER: "different generation"}
    assert found.scorers == [name]


def test_another_parser_alone_is_not_drift(upstream: pl.DataFrame, store: Store) -> None:
    """The June answers read loosely in one region and strictly in the other: 76.2 against 68.0 would look like drift."""
    june = [
        row
        for row in as_probes(upstream, "PRIME_FULL", "gpt-3.5", bare_word, "bare")
        if row["region"] == OTHER
    ]
    strict = [
        row
        for row in as_probes(upstream, "PRIME_FULL", "gpt-3.5", bracketed, "strict")
        if row["region"] == OTHER
    ]
    rows = june + [row | {"region": REFERENCE} for row in strict]
    found = measured(store, probes=rows)
    assert verdicts(found)[found.regions[0].region] != "different generation"
    assert found.two_scorers == [(found.regions[0].region, 1_000)]


def holm_fires(pairs: pl.DataFrame, both: pl.DataFrame) -> bool:
    """Whether the battery calls the sides different at 5 %, Holm over its signals."""
    signals: list[Signal] = battery(OTHER, pairs, both)
    return min(holm([one.p for one in signals])) <= 0.05


@pytest.mark.slow
def test_twenty_answers_a_region_are_enough_and_halves_stay_alike(upstream: pl.DataFrame) -> None:
    """Power of 200 draws of 20 prompts; placebo: 20 answers of one snapshot against 20 others of it."""
    random, told = Random(5), []
    for (task, reading), model in itertools.product(READINGS.items(), PAIRS):
        rows = as_probes(upstream, task, model, reading, task)
        prompts = sorted({row["prompt_id"] for row in rows})
        fired = 0
        for _ in range(200):
            chosen = set(random.sample(prompts, 20))
            fired += holm_fires(*sides([row for row in rows if row["prompt_id"] in chosen]))
        false, june = 0, [row for row in rows if row["region"] == OTHER]
        for _ in range(200):
            drawn = random.sample(june, 40)
            halved = [
                row | {"prompt_id": f"p{at % 20}", "region": SIDES[at // 20]} for at, row in enumerate(drawn)
            ]
            false += holm_fires(*sides(halved))
        told.append((task, model, fired / 200, false / 200))
    for task, model, power, false_share in told:
        print(f"{task} {model}: power at 20 answers {power:.3f}, placebo {false_share:.3f}")
    # One pair of the eight falls short of 95 % (0.87): code of gpt-3.5 differs by its fence, in about 7 of 20 answers.
    # All 50 show it (test_the_snapshots_known_answers).
    short = ("LEETCODE_EASY", "gpt-3.5")
    assert min(power for task, model, power, _ in told if (task, model) != short) >= 0.95
    assert min(power for task, model, power, _ in told if (task, model) == short) >= 0.8
    # 1,600 placebo draws at 5 %: at most three standard errors more.
    assert statistics.mean(share for *_, share in told) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1_600)


@pytest.mark.slow
def test_ninety_quiet_days_raise_no_more_alarms_than_promised() -> None:
    """500 quiet quarters of three regions beside a reference, every signal, looked at every day by e-BH."""
    days = [DAY + dt.timedelta(days=n) for n in range(90)]
    others = ("a", "b", "c")
    alarmed = 0
    for seed in range(500):
        answers = frame(world(90, (REFERENCE, *others), k=2, seed=seed, prompts=("p", "q")))
        there = answers.filter(pl.col("region") == REFERENCE)
        streams = {
            name: daily(paired(answers.filter(pl.col("region") == name), there), days) for name in others
        }
        alarmed += bool(timing.alarms(timing.watch_all(streams, 0.05), days, 0.05))
    print(f"e-BH over 15 e-processes: {alarmed / 500:.1%} of 500 quiet quarters alarmed")
    assert alarmed / 500 <= 0.05


@pytest.mark.slow
def test_the_placebo_fires_no_more_than_promised() -> None:
    """300 quiet months of one region, halved: the battery and the watch together, at 5 % each."""
    days = [DAY + dt.timedelta(days=n) for n in range(30)]
    fired = 0
    for seed in range(300):
        found = placebo(frame(world(30, (REFERENCE,), k=2, seed=seed)), days[2], days)
        assert found is not None
        fired += found.fired
    print(f"placebo halves: {fired / 300:.1%} of 300 called different")
    assert fired / 300 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)

"""What callers wait for: parts by hand, the critical path, lower bounds, statuses, clusters, known answers, placebo."""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from core.audit import Finding, Scope, TooLittle
from core.audits import voice_slo as audit
from core.audits.voice_slo_measure import FEWEST_CALLS, FEWEST_TURNS, Voice, measured
from core.audits.voice_slo_parts import PARTS, Waited, waited
from core.audits.voice_slo_turns import Read, VoiceTurn, read
from core.ledger.store import Store
from tests.audits.mcp_world import MS, span
from tests.audits.retry_world import DAY, Row, send
from tests.audits.voice_world import AT, Line, calls, livekit_turn, load, pipecat_turn

SHARED = Path(__file__).parents[3] / "shared/datasets/voice-slo"
SCOPE = Scope(DAY, DAY + dt.timedelta(days=6))
CLIENT = {"transport_secs": 0.06, "jitter_buffer_secs": 0.04}


def fill(store: Store) -> None:
    """Calls of which some think, in the week that every audit is asked about."""
    load(store, calls(40, 4, slow=0.2))


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store.open(":memory:")
    yield opened
    opened.close()


def told(store: Store, *files: Sequence[Line], scope: Scope = SCOPE) -> tuple[Finding, Any]:
    for at, lines in enumerate(files):
        load(store, lines, f"voice-{at}.jsonl")
    found = audit.measure(audit.load(store.ask, scope), scope)
    return audit.judge(found), found


def waits(store: Store, lines: Sequence[Line]) -> list[Waited]:
    if lines:
        load(store, lines)
    frames = audit.load(store.ask, SCOPE)
    return [waited(turn) for turn in read(frames["spans"], frames["events"], DAY).turns]


def parts(wait: Waited) -> dict[str, float]:
    """Parts that are not zero, in ms, to a tenth."""
    held = {name: round(value * 1000, 1) for name, value in zip(PARTS, wait.parts, strict=True)}
    return {name: value for name, value in held.items() if value}


def test_a_turn_by_hand(store: Store) -> None:
    (wait,) = waits(store, pipecat_turn("c", 1, AT, thought=0.5, client=CLIENT, heard=1.49))
    # Silence 200, transcript 100, decided 100 later: endpointing 300. Until the request 20. Token 200, thought 500,
    # sentence 100, byte 100: 1,320 at the server; silence 50, network 60, jitter 40: 1,470 of 1,490.
    assert parts(wait) == {
        "endpointing": 300, "final transcript": 100, "orchestration and tools": 20, "first LLM token": 200, "thinking": 500,
        "sentence": 100, "first TTS byte": 100, "leading silence": 50, "transport": 60, "jitter buffer": 40, "remainder": 20,
    }  # fmt: skip
    assert (wait.heard, wait.ttft_s, wait.answer_s) == (True, pytest.approx(0.2), pytest.approx(0.7))
    assert math.fsum(wait.parts) == pytest.approx(wait.total_s) == pytest.approx(1.49)


def test_livekit_by_hand(store: Store) -> None:
    (wait,) = waits(store, livekit_turn("room", "s1", AT, 0.9, **CLIENT, leading_silence_secs=0.05))
    # Transcript 300, decided at 400; request at 420, token at 670, speech asked for at 730, byte at 880, sound at 900.
    assert parts(wait) == {
        "endpointing": 100, "final transcript": 300, "orchestration and tools": 20, "first LLM token": 250,
        "first token to sentence": 60, "first TTS byte": 150, "leading silence": 50, "transport": 60, "jitter buffer": 40,
        "remainder": 20,
    }  # fmt: skip
    assert wait.total_s == pytest.approx(1.05)  # 900 + 50 + 60 + 40
    assert wait.heard


def test_livekits_own_spans_are_read_as_its_lines_are(store: Store) -> None:
    zero = round(AT * 1e9)

    def at(span_id: str, parent: str | None, name: str, start_ms: int, end_ms: int, **said: Any) -> Row:
        return span(
            "t",
            span_id,
            parent,
            zero + start_ms * MS,
            zero + end_ms * MS,
            name=name,
            attributes=json.dumps(said),
        )

    request = {"timestamp": AT + 1.42, "duration": 1.0, "ttft": 0.25}
    speech = {"timestamp": AT + 1.73, "duration": 1.0, "ttfb": 0.15}
    agent = {"lk.e2e_latency": 0.9, "lk.transcription_delay": 0.3, "lk.end_of_turn_delay": 0.4}
    rows = [
        at("a", None, "agent_turn", 410, 2900, **agent),
        at("b", "a", "llm_node", 420, 1420, **{"lk.response.ttft": 0.25}),
        at("c", "b", "llm_request", 420, 1420, **{"lk.llm_metrics": json.dumps(request)}),
        at("d", "a", "tts_node", 720, 1730),
        at("e", "d", "tts_request", 730, 1730, **{"lk.tts_metrics": json.dumps(speech)}),
        at("f", "a", "agent_speaking", 900, 2900),
    ]  # fmt: skip
    send(store, spans=rows)
    (spans,) = waits(store, [])
    other = Store.open(":memory:")
    (lines,) = waits(other, livekit_turn("room", "s1", AT, 0.9))
    other.close()
    assert parts(spans) == parts(lines)
    assert (spans.heard, spans.total_s, spans.ttft_s) == (False, pytest.approx(0.9), pytest.approx(0.25))


def test_what_ran_beside_a_longer_stage_counts_nothing(store: Store) -> None:
    """Speech that was made before the turn was decided waits for the decision: its own time is not on the path."""
    early = {
        "llm": 0.05,
        "token": 0.1,
        "sentence": 0.02,
        "byte": 0.05,
        "decided": 0.7,
        "transcript": 0.1,
        "spoke": 0.72,
    }
    (wait,) = waits(store, pipecat_turn("c", 1, AT, **early, silence=0.0, client=CLIENT, heard=0.82))
    assert parts(wait) == {
        "endpointing": 600, "final transcript": 100, "transport": 60, "jitter buffer": 40, "remainder": 20,
    }  # fmt: skip
    # The stages' own lengths, 50 + 100 + 20 + 50, are in no part: nobody waited for them.


def test_parts_add_up_in_every_turn_and_in_the_mean(store: Store) -> None:
    _, found = told(store, calls(40, 4, slow=0.3))
    for one in found.turns:
        assert math.fsum(one.wait.parts) == pytest.approx(one.wait.total_s, abs=1e-9)
    assert sum(part.mean_ms for part in found.parts) == pytest.approx(found.mean_ms)
    slowest = sorted((one.ms for one in found.turns), reverse=True)[: found.slowest]
    assert found.slowest == 8  # 5 % of 160
    assert sum(part.slow_ms for part in found.parts) == pytest.approx(sum(slowest) / 8)


def test_no_sum_of_quantiles_is_printed(store: Store) -> None:
    """Of parts whose slow turns differ the p95s add up to more than the p95 of the wait; no number shown is that sum."""
    _, found = told(store, calls(40, 4, slow=0.3))
    columns = [sorted(one.wait.parts[at] for one in found.turns) for at in range(len(PARTS))]
    summed = sum(held[math.ceil(0.95 * len(held)) - 1] for held in columns) * 1000
    assert abs(summed - found.p95.value) > 1
    shown = [fact.value for fact in audit.facts(found)] + [audit.judge(found).supported]
    assert f"{summed:,.0f}" not in " ".join(shown)


def test_thinking_is_found_where_first_tokens_are_fine(store: Store) -> None:
    finding, found = told(store, calls(40, 4, slow=0.3))
    assert finding.status == "broken"
    assert finding.reported.endswith("p95 first token")
    assert max(found.ttft_ms) < 600
    thinking = next(part for part in found.parts if part.name == "thinking")
    assert thinking.slow_ms > 1000
    assert "thinking" in finding.sentence
    assert finding.missing == ""


def test_quiet_data_hold(store: Store) -> None:
    finding, found = told(store, calls(40, 4))
    assert (finding.status, finding.missing) == ("holds", "")
    assert found.within.share == 1.0


@pytest.mark.parametrize(("past_ms", "status"), [(0.0, "holds"), (-0.1, "watch")])
def test_the_boundary_is_the_upper_end_of_the_interval(store: Store, past_ms: float, status: str) -> None:
    load(store, calls(40, 4, slow=0.3))
    found = audit.measure(audit.load(store.ask, SCOPE), SCOPE)
    assert isinstance(found, Voice)
    assert found.p95.high is not None
    at = SCOPE._replace(choices=(("limit", repr(found.p95.high + past_ms)),))
    assert audit.judge(audit.measure(audit.load(store.ask, at), at)).status == status


def test_across_the_limit_is_watched(store: Store) -> None:
    load(store, calls(40, 4, slow=0.3))
    found = audit.measure(audit.load(store.ask, SCOPE), SCOPE)
    assert isinstance(found, Voice)
    assert found.p95.low is not None
    between = SCOPE._replace(choices=(("limit", str((found.p95.low + found.p95.value) / 2)),))
    assert audit.judge(audit.measure(audit.load(store.ask, between), between)).status == "watch"


def silent(lines: Sequence[Line]) -> list[Line]:
    """The same without what the client said."""
    return [line for line in lines if line["type"] != "client_audio"]


@pytest.mark.parametrize("slow", [0.0, 0.5])
def test_a_server_alone_is_a_lower_bound_and_never_a_pass(store: Store, slow: float) -> None:
    finding, found = told(store, silent(calls(40, 4, slow=slow)))
    assert finding.status == "cannot tell"
    assert finding.sentence.startswith("Cannot tell what the caller heard; lower bound from server = ")
    assert ("past the limit already" in finding.sentence) == (slow > 0)
    assert finding.supported.startswith("≥")
    assert "0 of 160 turns were measured at the caller" in finding.missing
    assert "JSON lines" in finding.missing
    assert not found.heard


def test_a_few_turns_heard_do_not_pass_for_all(store: Store) -> None:
    few, rest = calls(40, 2, seed=1), silent(calls(40, 4, seed=2))
    finding, found = told(store, few, rest)
    assert found.heard
    assert finding.status == "cannot tell"
    assert "only 80 of 240 turns were measured at the caller" in finding.missing


@pytest.mark.parametrize(
    ("number", "turns", "enough"),
    [(29, 4, False), (30, 1, False), (30, 2, True), (58, 1, False), (59, 1, True)],
)
def test_fifty_nine_turns_of_thirty_calls(store: Store, number: int, turns: int, enough: bool) -> None:
    finding, found = told(store, calls(number, turns))
    assert isinstance(found, TooLittle) != enough
    if not enough:
        assert (finding.status, finding.gap) == ("cannot tell", None)
        assert f"{FEWEST_TURNS} of {FEWEST_CALLS} are needed" in finding.missing


def test_turns_that_are_worth_too_few_cannot_tell(store: Store) -> None:
    """Thirty calls of two turns that are always slow together are worth about thirty turns."""
    lines = []
    for call in range(30):
        for turn in range(2):
            thought = 2.0 + call / 100 if call % 10 == 0 else 0.0
            lines += pipecat_turn(
                f"c{call}",
                turn,
                AT + 60 * call + 9 * turn,
                thought=thought,
                client=CLIENT,
                heard=1.0 + thought,
            )
    finding, found = told(store, lines)
    assert found.p95_design.effective < FEWEST_TURNS
    assert finding.status == "cannot tell"
    assert "60 turns are worth" in finding.missing


def test_a_remainder_past_a_tenth_means_instrumentation_is_missing(store: Store) -> None:
    lines = [line | {"voice_to_voice_secs": line["voice_to_voice_secs"] + 0.3} if line["type"] == "client_audio" else line
             for line in calls(40, 4)]  # fmt: skip
    finding, found = told(store, lines)
    assert found.remainder.low > 0.10
    assert finding.status == "holds"
    assert "instrumentation missing here" in finding.missing


def test_speech_to_speech_has_one_part_and_says_so(store: Store) -> None:
    """Only what a recording heard: the whole wait is a remainder."""
    lines: list[Line] = []
    for call in range(60):
        named = {"room": f"r{call}", "speech_id": "s1"}
        stopped = AT + 60 * call
        lines += [
            {
                "type": "message_metrics",
                **named,
                "metrics": {"started_speaking_at": stopped + 1.4, "e2e_latency": 1.4},
            },
            {"type": "client_audio", **named, "voice_to_voice_secs": 1.5},
        ]
    finding, found = told(store, lines)
    assert found.remainder.value == pytest.approx(1.0)
    assert finding.reported == "unknown"
    assert "instrumentation missing here" in finding.missing


def test_a_greeting_and_an_answer_never_heard_are_no_turns(store: Store) -> None:
    greeting = [line | {"user_turn_start_time": None} for line in pipecat_turn("c", 0, AT)[:1]]
    assert waits(store, greeting) == []
    (wait,) = waits(store, livekit_turn("room", "s1", AT, None))
    assert (wait.heard, wait.total_s) == (
        False,
        pytest.approx(0.88),
    )  # the first byte: no sooner was it heard


def test_the_same_lines_twice_are_one_turn_and_an_undone_import_is_none(store: Store) -> None:
    lines = calls(40, 2)
    load(store, lines, "a.jsonl")
    load(
        store,
        [{"type": "TTFAMetricsData", **lines[0], "ttfa": 0.1, "ttfb": 0.1}, *lines][1:] + lines[:1],
        "b.jsonl",
    )
    _, found = told(store)
    assert len(found.turns) == 80
    store.undo([1, 2], "wrong file")
    assert isinstance(told(store)[1], TooLittle)


def rows_of(name: str) -> list[dict[str, str]]:
    path = SHARED / name
    if not path.exists():
        pytest.skip("shared/datasets/voice-slo is not here")
    with path.open() as lines:
        return list(csv.DictReader(lines))


def test_known_answer_first_tokens_against_first_tokens_of_the_answer(store: Store) -> None:
    """Published quantiles laid out as turns: of 100, 50 up to the median, 45 up to the p95, five at it."""
    on, off = rows_of("aiewf_ttft_vs_ttfat.csv")
    for row, expected in ((on, (65, 72, 1464, 5787)), (off, (62, 69, 62, 70))):
        token50, token95, answer50, answer95 = (
            float(row[name]) / 1000
            for name in ("raw_ttft_p50_ms", "raw_ttft_p95_ms", "ttfat_p50_ms", "ttfat_p95_ms")
        )
        lines = []
        for turn in range(100):
            token, answer = (token50, answer50) if turn < 50 else (token95, answer95)
            lines += pipecat_turn(f"{row['setting']}{turn}", 1, AT + 60 * turn, token=token, thought=answer - token,
                                  client=CLIENT, heard=0.8 + answer)  # fmt: skip
        held = Store.open(":memory:")
        _, found = told(held, lines)
        held.close()
        facts = {fact.name: fact.value for fact in audit.facts(found)}
        shown = [
            facts[f"first {what}, {at}"]
            for what in ("LLM token", "token of the answer")
            for at in ("median", "95th percentile")
        ]
        assert shown == [f"{value:,} ms" for value in expected]


def test_known_answer_voice_to_voice_of_seven_models(store: Store) -> None:
    """A model whose calls are all at its published median is heard to wait that long, silence and all."""
    for row in rows_of("aiewf_speech_to_speech.csv"):
        median, pad = float(row["non_tool_v2v_median_ms"]), float(row["silence_pad_mean_ms"])
        held = Store.open(":memory:")
        lines = []
        for call in range(60):
            lines += pipecat_turn(
                f"c{call}", 1, AT + 60 * call, silence=pad / 1000, client=CLIENT, heard=median / 1000
            )
        finding, found = told(held, lines)
        held.close()
        assert found.p95.value == pytest.approx(median)
        assert 75 <= next(part.mean_ms for part in found.parts if part.name == "leading silence") <= 341
        assert finding.status == ("holds" if median <= 1500 else "broken")


@pytest.mark.slow
def test_rates_of_placebo_false_alarms_and_finds(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Turns straight from numbers: the measure alone, on many worlds whose turns are alike within calls."""
    random = Random(20260303)
    nothing = pl.DataFrame(schema={"day": pl.Date, "title": pl.String})
    # Truth: log-normal waits, half of the variance of the call; p95 = 900 exp(1.645 * 0.2) = 1,250.7 ms.
    truth, worlds = 900 * math.exp(1.6448536 * 0.2), 400
    fired = broken_quiet = broken_planted = covered = within = 0
    for world in range(worlds):
        turns = []
        for call in range(60):
            own = random.gauss(0, 1)
            for turn in range(6):
                z = 0.5**0.5 * own + 0.5**0.5 * random.gauss(0, 1)
                heard = 0.9 * math.exp(0.2 * z)
                stopped = (call * 100 + turn) * 10**10
                turns.append(VoiceTurn(f"{world}-{call}", f"{turn}", f"{world}-{call}", DAY, "s", stopped,
                                       stopped + 10**8, None, None, (), None, None, heard))  # fmt: skip
        found = measured(Read(tuple(turns), 0), nothing, DAY, truth)
        assert isinstance(found, Voice)
        assert found.placebo is not None
        fired += found.placebo.fired
        assert found.p95.low is not None
        assert found.p95.high is not None
        covered += found.p95.low <= truth <= found.p95.high
        within += found.within.bounds.low <= 0.95 <= found.within.bounds.high
        broken_quiet += found.p95.low > truth  # the limit is the truth: the worst quiet world there is
        broken_planted += found.p95.low > truth * 0.85
    rates = [count / worlds for count in (fired, covered, within, broken_quiet, broken_planted)]
    with capsys.disabled():
        print("voice: placebo fired {:.1%}, p95 covered {:.1%}, share covered {:.1%}, broken at the limit {:.1%}, "
              "broken 15 % past it {:.1%}".format(*rates))  # fmt: skip
    assert rates[0] <= 0.05
    assert rates[1] >= 0.93
    assert rates[2] >= 0.93
    assert rates[3] <= 0.05
    assert rates[4] >= 0.8

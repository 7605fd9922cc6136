"""Voice metrics: lines of LiveKit and Pipecat to golden spans, refusals that name the field, and no words kept."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from core.ingest.files import read_path
from core.ingest.options import ReadOptions
from core.ingest.voice import livekit, pipecat
from core.ledger.batch import Batch
from core.ledger.store import Store
from tests.audits.voice_world import AT, body, livekit_turn, pipecat_turn

CLIENT = {"transport_secs": 0.06, "jitter_buffer_secs": 0.04}
READERS: dict[str, Any] = {"livekit": livekit, "pipecat": pipecat}
TURNS = {
    "livekit": livekit_turn("room-1", "s1", AT, 0.9, **CLIENT),
    "pipecat": pipecat_turn("room-1", 1, AT, client=CLIENT),
}


def batch(reader: Any, content: bytes, name: str = "voice.jsonl") -> Batch:
    (made,) = reader.read(io.BytesIO(content), name, ReadOptions())
    return made


def spans(made: Batch) -> list[tuple[Any, ...]]:
    """(name, operation, start and end in ms after the last word), in order."""
    rows = made.frames["spans"].sort("started_at_ns", "ended_at_ns", "name").to_dicts()
    zero = round(AT * 1e9)
    return [
        (row["name"], row["gen_ai_operation_name"], *(round((row[at] - zero) / 1e6) for at in ("started_at_ns", "ended_at_ns")))
        for row in rows
    ]  # fmt: skip


def test_livekit_golden() -> None:
    made = batch(livekit, body(TURNS["livekit"]))
    assert (made.rows_read, made.quarantined) == (5, [])
    assert spans(made) == [
        ("speech_to_text", "speech_to_text", 0, 300),
        ("voice_turn", "invoke_agent", 0, 900),
        ("chat", None, 420, 1420),
        ("text_to_speech", "text_to_speech", 730, 1730),
    ]
    rows = {row["name"]: row for row in made.frames["spans"].to_dicts()}
    assert {row["gen_ai_conversation_id"] for row in rows.values() if row["name"] == "voice_turn"} == {
        "room-1"
    }
    assert rows["chat"]["gen_ai_response_time_to_first_chunk_ns"] == pytest.approx(250e6, abs=1000)
    assert rows["text_to_speech"]["gen_ai_response_time_to_first_chunk_ns"] == pytest.approx(150e6, abs=1000)
    said = json.loads(rows["voice_turn"]["attributes"])
    assert (said["trueup.voice.transport_s"], said["trueup.voice.jitter_buffer_s"]) == (0.06, 0.04)
    events = {row["name"] for row in made.frames["span_events"].to_dicts()}
    assert events == {"trueup.voice.agent_started_speaking", "trueup.voice.eou_decided"}


def test_pipecat_golden() -> None:
    made = batch(pipecat, body(TURNS["pipecat"]))
    assert (made.rows_read, made.quarantined) == (4, [])
    assert spans(made) == [
        ("voice_turn", "invoke_agent", 0, 820),
        ("speech_to_text", "speech_to_text", 200, 300),
        ("chat", None, 420, 620),
        ("text_to_speech", "text_to_speech", 720, 820),
    ]
    zero = round(AT * 1e9)
    events = {row["name"].removeprefix("trueup.voice."): round((row["at_ns"] - zero) / 1e6)
              for row in made.frames["span_events"].to_dicts()}  # fmt: skip
    assert events == {
        "vad_stop": 200, "eou_decided": 400, "agent_started_speaking": 820, "first_answer_token": 620, "first_audible": 870,
    }  # fmt: skip
    assert set(made.frames["spans"]["service_name"]) == {"concierge"}
    assert set(made.frames["spans"]["cloud_region"]) == {"eu-west-1"}


@pytest.mark.parametrize("name", READERS)
def test_a_list_is_read_as_lines_are(name: str) -> None:
    listed = batch(READERS[name], json.dumps(TURNS[name]).encode())
    assert spans(listed) == spans(batch(READERS[name], body(TURNS[name])))


@pytest.mark.parametrize("name", READERS)
def test_twice_is_once_and_no_chat_counts_as_a_call(name: str, store: Store, tmp_path: Any) -> None:
    path = tmp_path / "voice.jsonl"
    path.write_bytes(body(TURNS[name]))
    first, second = ([*store.submit_many(list(read_path(path, ReadOptions())))] for _ in range(2))
    assert (first[0].already_known, second[0].already_known) == (False, True)
    store.derive()
    assert store.ask("select count(*) as n from calls").item() == 0


@pytest.mark.parametrize(
    ("reader", "place", "change", "field"),
    [
        ("livekit", 0, {"end_of_utterance_delay": "soon"}, "end_of_utterance_delay"),
        ("livekit", 0, {"end_of_utterance_delay": -3}, "end_of_utterance_delay"),
        ("livekit", 1, {"timestamp": "yesterday"}, "timestamp"),
        ("livekit", 1, {"duration": None}, "duration"),
        ("livekit", 2, {"ttfb": 1e9}, "ttfb"),
        ("livekit", 3, {"metrics": 5}, "metrics"),
        ("livekit", 1, {"type": "new_metrics"}, "type"),
        ("livekit", 4, {"transport_secs": "x"}, "transport_secs"),
        ("pipecat", 0, {"ttfb": "x"}, "ttfb"),
        ("pipecat", 0, {"user_turn_start_time": "x"}, "user_turn_start_time"),
        ("pipecat", 0, {"turn": None}, "turn"),
        ("pipecat", 1, {"ttfa": None}, "ttfa"),
        ("pipecat", 3, {"transport_secs": None, "jitter_buffer_secs": None}, "voice_to_voice_secs"),
    ],
)
def test_a_bad_line_is_refused_alone_and_names_its_field(
    reader: str, place: int, change: dict[str, Any], field: str
) -> None:
    lines = [line | change if at == place else line for at, line in enumerate(TURNS[reader])]
    made = batch(READERS[reader], body(lines))
    assert [one.field for one in made.quarantined] == [field]
    assert made.rows_read == len(lines)


def test_a_cut_line_is_refused_and_the_rest_is_read() -> None:
    made = batch(livekit, body(TURNS["livekit"])[:-20])
    assert (len(made.quarantined), len(spans(made))) == (1, 4)


def test_what_is_no_wait_is_counted_and_left_out() -> None:
    beside = [
        {"type": "vad_metrics", "timestamp": AT},
        {"type": "llm_metrics", "timestamp": AT, "duration": 1},
    ]
    made = batch(livekit, body([*TURNS["livekit"], *beside]))
    assert {(one.before) for one in made.repaired} == {
        "1 of vad_metrics",
        "1 of llm_metrics without speech_id",
    }


def test_words_in_a_line_are_not_kept() -> None:
    lines = [line | {"transcript": "my card number is", "text": "secret"} for line in TURNS["livekit"]]
    made = batch(livekit, body([*lines[:1], lines[1] | {"ttft": "secret"}]))
    assert "my card" not in str(made)
    made = batch(livekit, body(lines))
    assert "my card" not in str(made.frames["spans"].to_dicts())
    assert "secret" not in str(made.frames["spans"].to_dicts())

"""Streams by every door: chunk events, first tokens, messages, recordings, vLLM's benchmark; numbers by hand."""

from __future__ import annotations

import io
import json
from collections import Counter
from typing import Any

import pytest

from core.ingest.files import FileProblem, read_upload
from core.ingest.options import ReadOptions
from core.ingest.streams import Chunks, measured
from core.ledger.batch import Batch
from tests.ingest.otlp_requests import FIXTURES, request, span
from tests.ingest.test_otlp import decoded, event

needs_fixtures = pytest.mark.skipif(not FIXTURES.is_dir(), reason="needs ../shared/fixtures")
ROW: dict[str, Any] = {
    "stream_id": "s-1", "at": "2026-11-02T04:00:07.120Z", "provider": "OpenAI", "model": "gpt-4o",
    "response_model": "gpt-4o-2024-08-06", "version": "blue", "region": "eu-central-1", "service_name": "assist",
    "prompt_id": "p-1", "response_id": "chatcmpl-9", "trace_id": "858bfae005a281be2a05aa6c0d3117cc",
    "span_id": "00f067aa0ba902b7", "finish_reason": "tool_calls", "output_tokens": 30, "reasoning_tokens": 4,
    "t_ms": [100.0, 120.0, 140.0, 950.0], "tokens": [4, 3, 3, 20], "chars": [10, 12, 8, 60],
    "kind": ["reasoning", "text", "text", "tool_call"], "sentence_end": [0, 0, 1, 0],
}  # fmt: skip


def taken(*rows: dict[str, Any]) -> Batch:
    content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    (batch,) = read_upload(io.BytesIO(content), "streams.jsonl", ReadOptions())
    return batch


def test_the_numbers_of_a_stream_by_hand() -> None:
    """Gaps 20, 20, 810 ms; 30 tokens, 26 after the first chunk in 0.85 s."""
    told = measured(Chunks((100.0, 120.0, 140.0, 950.0), (4, 3, 3, 20), (10, 12, 8, 60),
                           ("reasoning", "text", "text", "tool_call")), 30, 4)  # fmt: skip
    assert (told["chunk_count"], told["token_count"], told["char_count"]) == (4, 30, 90)
    assert told["tokens_per_s"] == pytest.approx(26 / 0.85)
    assert told["chars_per_s"] == pytest.approx(80 / 0.85)
    assert (told["gap_p50_ms"], told["longest_gap_ms"]) == (20.0, 810.0)
    assert told["slow_gap_share"] == pytest.approx(1 / 3)
    assert (told["tool_pause_ms"], told["preamble_chars"], told["reasoning_tokens"]) == (810.0, 20, 4)
    assert told["output_tokens"] == 30  # its reasoning came in chunks


def test_reasoning_that_was_not_streamed_is_no_token_of_a_chunk() -> None:
    told = measured(Chunks((100.0, 200.0, 300.0)), 90, 60)
    assert (told["token_count"], told["output_tokens"]) == (None, 30)
    assert told["tokens_per_s"] == pytest.approx(20 / 0.2)  # 30 tokens in 3 chunks: 20 after the first
    assert told["reasoning_tokens"] == 60
    assert told["preamble_chars"] is None


def test_a_single_chunk_has_no_rate_and_no_gaps() -> None:
    told = measured(Chunks((100.0,), (5,)), 5)
    assert [told[name] for name in ("tokens_per_s", "gap_p50_ms", "slow_gap_share")] == [None, None, None]
    assert (told["chunk_count"], told["first_chunk_ms"], told["last_chunk_ms"]) == (1, 100.0, 100.0)


def test_pauses_at_the_ends_of_sentences_beside_the_others() -> None:
    """After a sentence 40 ms, elsewhere 10 ms."""
    times, ends, at = [0.0], [], 0.0
    for number in range(12):
        ends.append(number % 3 == 2)
        at += 40.0 if ends[-1] else 10.0
        times.append(at)
    told = measured(Chunks(times, sentence_end=[*ends, True]))
    assert told["sentence_gap_ratio"] == 4.0
    assert measured(Chunks(times[:5], sentence_end=[*ends[:4], True]))["sentence_gap_ratio"] is None


def test_chunk_events_of_ours_say_size_and_kind() -> None:
    chunks = [
        event("gen_ai.stream.chunk", ms, tokens=tokens, chars=4 * tokens, kind=kind)
        for ms, tokens, kind in ((100, 8, "text"), (200, 8, "text"), (1100, 3, "tool_call"))
    ]
    chunks[1]["attributes"] += [{"key": "gen_ai.stream.chunk.t_ms", "value": {"doubleValue": 205.5}}]
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.provider.name": "openai",
        "trueup.prompt_id": "p-1",
        "trueup.version": "blue",
    }
    row = decoded(request(span(said, events=chunks))).frames["streams"].row(0, named=True)
    assert row["t_ms"] == [100.0, 205.5, 1100.0]
    assert (row["tokens"], row["chars"], row["token_count"]) == ([8, 8, 3], [32, 32, 12], 19)
    assert row["kind"] == ["text", "text", "tool_call"]
    assert (row["tool_pause_ms"], row["preamble_chars"]) == (894.5, 64)
    assert (row["source"], row["request_model"], row["prompt_id"], row["version_label"]) == (
        "chunk_events", "m", "p-1", "blue",
    )  # fmt: skip
    assert row["stream_key"] == f"{row['trace_id']}/{row['span_id']}"
    assert row["hour"] == row["started_at_ns"] // 3_600_000_000_000


@pytest.mark.parametrize("broken", [{"tokens": "many"}, {"kind": "song"}, {"t": -5}, {"tokens": 2**40}])
def test_a_chunk_that_says_nonsense_leaves_the_others_alone(broken: dict[str, Any]) -> None:
    chunks = [
        event("gen_ai.stream.chunk", 100, tokens=1, kind="text"),
        event("gen_ai.stream.chunk", 200, **broken),
    ]
    row = (
        decoded(request(span({"gen_ai.operation.name": "chat"}, events=chunks)))
        .frames["streams"]
        .row(0, named=True)
    )
    assert row["chunk_count"] == 2
    assert row["tokens"] is None or row["kind"] is None


@pytest.mark.parametrize(
    ("said", "chars"),
    [
        ({"gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [
            {"type": "text", "content": "Let me check."}, {"type": "tool_call", "name": "f"}]}])}, 13),
        ({"gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"type": "tool_call", "name": "f"}]}])}, 0),
        ({"gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "tool_call"}]}])},
         None),
        ({"gen_ai.output.messages": '[{"parts": 5, "tool_call'}, None),
        ({"llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "f",
          "llm.output_messages.0.message.content": "One moment"}, 10),
        ({"llm.output_messages.0.message.contents.0.message_content.type": "text",
          "llm.output_messages.0.message.contents.0.message_content.text": "Hm",
          "llm.output_messages.0.message.contents.1.tool_call.function.name": "f"}, 2),
        ({"ai.response.toolCalls": '[{"toolName":"f"}]', "ai.response.text": ""}, 0),
    ],
)  # fmt: skip
def test_text_before_a_tool_call_is_counted_and_not_kept(said: dict[str, Any], chars: int | None) -> None:
    batch = decoded(request(span({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", **said})))
    rows = batch.frames["streams"].to_dicts() if "streams" in batch.frames else []
    assert [row["preamble_chars"] for row in rows] == ([] if chars is None else [chars])
    assert all((row["source"], row["t_ms"], row["chunk_count"]) == ("messages", None, None) for row in rows)
    assert "Let me" not in repr(batch.frames)


@needs_fixtures
def test_streams_of_real_instrumentations() -> None:
    """FORMATS.md 1.5: OpenLLMetry one event a chunk, OpenInference and the AI SDK one for the first token."""
    found: Counter[tuple[str, str]] = Counter()
    for name in ("openllmetry", "openinference", "js_ai_sdk", "genai_official_content_httpstable"):
        content = (FIXTURES / name / "traces.otlp.jsonl").read_bytes()
        for batch in read_upload(io.BytesIO(content), "traces.jsonl", ReadOptions()):
            for row in batch.frames["streams"].to_dicts() if "streams" in batch.frames else []:
                found[(name, row["source"])] += 1
                assert row["request_model"] or row["response_model"]
                if row["chunk_count"]:
                    assert 0 <= row["first_chunk_ms"] <= row["last_chunk_ms"]
    assert found[("openllmetry", "chunk_events")] == 6
    assert found[("openinference", "first_token")] >= 6
    assert found[("js_ai_sdk", "first_token")] >= 1
    assert found[("genai_official_content_httpstable", "messages")] >= 1


def test_every_column_of_a_recording() -> None:
    row = taken(ROW).frames["streams"].row(0, named=True)
    wanted = {
        "stream_key": "s-1", "source": "recorder", "trace_id": ROW["trace_id"], "span_id": ROW["span_id"],
        "response_id": "chatcmpl-9", "provider_name": "openai", "request_model": "gpt-4o",
        "response_model": "gpt-4o-2024-08-06", "version_label": "blue", "cloud_region": "eu-central-1",
        "service_name": "assist", "prompt_id": "p-1", "finish_reason": "tool_calls", "output_tokens": 30, "token_count": 30,
        "char_count": 90, "chunk_count": 4, "first_chunk_ms": 100.0, "last_chunk_ms": 950.0, "tool_pause_ms": 810.0,
        "preamble_chars": 20, "reasoning_tokens": 4, "tokens": [4, 3, 3, 20], "chars": [10, 12, 8, 60], "kind": ROW["kind"],
        "t_ms": ROW["t_ms"], "started_at_ns": 1_793_592_007_120_000_000,
    }  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted


def test_what_a_recording_leaves_out_is_unknown() -> None:
    (row,) = (
        taken({"at": ROW["at"], "provider": "x", "model": "m", "t_ms": [1, 2]}).frames["streams"].to_dicts()
    )
    for name in (
        "token_count",
        "output_tokens",
        "char_count",
        "preamble_chars",
        "tool_pause_ms",
        "kind",
        "prompt_id",
    ):
        assert row[name] is None
    assert len(row["stream_key"]) >= 16


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"t_ms": []}, "t_ms"), ({"t_ms": [5, 4]}, "t_ms"), ({"t_ms": ["1"]}, "t_ms"), ({"t_ms": [1e12]}, "t_ms"),
        ({"tokens": [1]}, "tokens"), ({"chars": [1, 2, 3, -4]}, "chars"), ({"kind": ["text"] * 3 + ["song"]}, "kind"),
        ({"sentence_end": [2] * 4}, "sentence_end"), ({"at": "yesterday"}, "at"), ({"provider": ""}, "provider"),
        ({"model": None}, "model"), ({"trace_id": "12"}, "trace_id"), ({"output_tokens": -1}, "output_tokens"),
    ],
)  # fmt: skip
def test_a_bad_row_is_refused_alone_and_says_what_to_write(change: dict[str, Any], field: str) -> None:
    batch = taken(ROW | {"stream_id": "s-2"}, ROW | change)
    assert batch.frames["streams"].height == 1
    (refused,) = batch.quarantined
    assert (refused.row_number, refused.field) == (2, field)
    assert "rite" in refused.reason or "every row" in refused.reason


def test_a_stream_that_comes_again_in_the_file_restates_it() -> None:
    batch = taken(ROW, ROW | {"version": "green"})
    assert batch.frames["streams"]["version_label"].to_list() == ["green"]
    assert len(batch.quarantined) == 1


def test_no_text_of_a_recording_is_kept() -> None:
    batch = taken(ROW | {"text": "private words"}, ROW | {"text": "private words", "t_ms": []})
    assert "private" not in repr(batch.frames) + repr(batch.quarantined)


RUN: dict[str, Any] = {
    "date": "20261120-101500", "endpoint_type": "openai", "model_id": "meta/llama", "tokenizer_id": "meta/llama",
    "num_prompts": 3, "request_rate": "inf", "version": "0.14", "region": "eu-1", "input_lens": [5, 6, 7],
    "output_lens": [8, 2, 0], "ttfts": [0.2, 0.3, 0.0], "itls": [[0.02, 0.03], [0.5], []],
    "start_times": [11.0, 11.5, 12.0], "generated_texts": ["a", "b", ""], "errors": ["", "", "503"],
}  # fmt: skip


def bench(*runs: dict[str, Any]) -> Batch:
    content = b"\n".join(json.dumps(run).encode() for run in runs)
    (batch,) = read_upload(io.BytesIO(content), "vllm.json", ReadOptions())
    return batch


def test_a_detailed_result_of_vllm() -> None:
    batch = bench(RUN)
    assert (batch.format, batch.rows_read, len(batch.quarantined)) == ("vllm_bench", 3, 1)
    first, second = batch.frames["streams"].to_dicts()
    assert first["t_ms"] == pytest.approx([200.0, 220.0, 250.0])
    assert (first["chunk_count"], first["output_tokens"], first["token_count"]) == (3, 8, None)
    assert second["started_at_ns"] - first["started_at_ns"] == 500_000_000
    assert (first["request_model"], first["version_label"], first["cloud_region"]) == (
        "meta/llama",
        "0.14",
        "eu-1",
    )
    assert (first["prompt_id"], second["prompt_id"]) == ("bench-0-5", "bench-1-6")


@pytest.mark.parametrize("times", [7, "11.0", {"a": 1}, [11.0], None])
def test_start_times_that_are_no_list_of_the_requests_are_left_to_the_request_rate(times: object) -> None:
    """At 4 requests a second the second begins 0.25 s after the first."""
    first, second = bench(RUN | {"start_times": times, "request_rate": 4.0}).frames["streams"].to_dicts()
    assert second["started_at_ns"] - first["started_at_ns"] == 250_000_000


def test_two_runs_in_one_file_are_two(tmp_path: object) -> None:
    batch = bench(RUN, RUN | {"date": "20261121-101500"})
    assert batch.frames["streams"]["stream_key"].n_unique() == 4


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"itls": None}, "--save-detailed"), ({"ttfts": [0.1]}, "not of one length"), ({"date": "today"}, "write it like"),
    ],
)  # fmt: skip
def test_a_result_without_detail_says_what_to_run(change: dict[str, Any], told: str) -> None:
    with pytest.raises(FileProblem, match=told):
        bench(RUN | change)

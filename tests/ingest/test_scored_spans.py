"""Scores and features out of chat spans: attributes always, the answer's text only where content is kept."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from core.ingest.files import read_path
from core.ingest.options import ReadOptions
from core.ingest.otlp.answer_text import answer_text
from core.ingest.otlp.scored_spans import ATTRIBUTES, MARKS
from core.ingest.otlp.wire import WireEvent
from tests.ingest.otlp_requests import (
    FIXTURES,
    SPAN_ID,
    START_NS,
    TRACE_ID,
    decoded,
    fixtures,
    request,
    row,
    span,
)

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.id": "chatcmpl-9",
}
ANSWER = "I'm sorry, I can't help with that."
MESSAGES = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": ANSWER}]}])
SAID = {
    "trueup.reward.score": 1.25, "trueup.kl": 0.031, "trueup.correct": True, "trueup.checkpoint": "ckpt-400",
    "trueup.prompt_id": "p-17", "trueup.pair_id": "pair-9", "trueup.chosen": False, "trueup.chosen_by": "model",
    "trueup.response.language": "en", "trueup.response.word_list": "mine", "trueup.response.length_chars": 412,
    "trueup.response.apologies": 1, "trueup.response.caveats": 2, "trueup.response.hedges": 3,
    "trueup.response.refusals": 4, "trueup.response.bullets": 5, "trueup.response.boxed": 6,
    "trueup.response.agreements": 7,
}  # fmt: skip


def responses(values: dict[str, Any], capture: bool = False, **fields: Any) -> list[dict[str, Any]]:
    resource = {"service.name": "assist", "cloud.region": "eu-west-1"}
    batch = decoded(request(span(values, **fields), resource=resource), ReadOptions(capture_content=capture))
    return batch.frames["responses"].rows(named=True) if "responses" in batch.frames else []


def test_every_attribute_fills_its_column() -> None:
    assert responses(CHAT | SAID) == [
        {
            "response_key": f"{TRACE_ID}/{SPAN_ID}", "at_ns": START_NS + 500_000_000, "day": dt.date(2026, 3, 31),
            "trace_id": TRACE_ID, "span_id": SPAN_ID, "response_id": "chatcmpl-9", "prompt_id": "p-17",
            "pair_id": "pair-9", "chosen": False, "chosen_by": "model", "checkpoint": "ckpt-400", "model": "gpt-4o-mini",
            "region": "eu-west-1", "service_name": "assist", "language": "en", "reward": 1.25, "kl": 0.031,
            "correct": True, "length_chars": 412, "apologies": 1, "caveats": 2, "hedges": 3, "refusals": 4, "bullets": 5,
            "boxed": 6, "agreements": 7, "word_list": "mine", "attributes": None,
        }
    ]  # fmt: skip


@pytest.mark.parametrize("column", ATTRIBUTES)
def test_every_alias_fills_its_column_and_the_first_wins(column: str) -> None:
    keys = ATTRIBUTES[column][1]
    for key in keys:
        (found,) = responses(CHAT | {key: 1})
        assert found[column] in (1, 1.0, True, "1"), key
    (both,) = responses(CHAT | {keys[-1]: 0, keys[0]: 1})
    assert both[column] in (1, 1.0, True, "1")


def test_attributes_stay_on_the_span() -> None:
    stored = json.loads(row(CHAT | {"reward.score": 0.5})["attributes"])
    assert stored["reward.score"] == 0.5


def test_what_cannot_be_read_is_null_and_no_row_alone() -> None:
    (found,) = responses(CHAT | {"trueup.reward.score": "high", "reward.score": 0.5})
    assert found["reward"] == 0.5  # the next name in order
    assert responses(CHAT | {"trueup.reward.score": "high"}) == []


def test_only_chats_have_responses() -> None:
    assert responses({"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "m"} | SAID) == []
    assert responses({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"} | SAID) == []
    assert responses(SAID, name="GET /") == []
    assert responses(CHAT) == []


def test_the_text_is_counted_only_where_content_is_kept() -> None:
    values = CHAT | {"gen_ai.output.messages": MESSAGES}
    assert responses(values) == []
    (found,) = responses(values, capture=True)
    assert (found["length_chars"], found["apologies"], found["refusals"], found["word_list"]) == (
        len(ANSWER), 1, 1, "en-2026-11",
    )  # fmt: skip
    (scored,) = responses(values | {"reward.score": 0.5}, capture=True)
    assert (scored["reward"], scored["refusals"]) == (0.5, 1)


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.output.messages": MESSAGES},
        {"gen_ai.output.messages": json.loads(MESSAGES)},
        {"gen_ai.completion.0.content": ANSWER},
        {"gen_ai.completion": ANSWER},
        {"llm.output_messages.0.message.content": ANSWER},
        {
            "llm.output_messages.0.message.contents.0.message_content.type": "reasoning",
            "llm.output_messages.0.message.contents.0.message_content.text": "a thought",
            "llm.output_messages.0.message.contents.1.message_content.type": "text",
            "llm.output_messages.0.message.contents.1.message_content.text": ANSWER,
        },
        {"ai.response.text": ANSWER},
        {"langfuse.observation.output": ANSWER},
        {"langfuse.observation.output": json.dumps({"role": "assistant", "content": ANSWER})},
    ],
)
def test_the_answer_in_every_dialect(attributes: dict[str, Any]) -> None:
    assert answer_text(attributes, []) == ANSWER


def test_the_answer_in_events() -> None:
    whole = json.dumps({"index": 0, "message": {"content": ANSWER}})
    for said in (
        {"message": json.dumps({"content": ANSWER})},
        {"content": ANSWER},
        {"gen_ai.event.content": whole},
    ):
        assert answer_text({}, [WireEvent("gen_ai.choice", 1, said)]) == ANSWER


def test_tool_calls_reasoning_and_odd_shapes_are_no_answer() -> None:
    for held in (
        [],
        [{}],
        [{"parts": [{"type": "tool_call", "content": "x"}]}],
        {"a": 1},
        "[broken",
        7,
        None,
        [7],
        [[]],
    ):
        text = answer_text({"gen_ai.output.messages": held}, [])
        assert text in (None, "[broken")


def test_captured_answers_of_every_instrumentation() -> None:
    """The fixtures' model always says the same sentence, of 38 characters, unless it calls a tool."""
    fixtures()
    lengths: dict[str, set[int]] = {}
    for path in sorted(FIXTURES.glob("*/traces.otlp.jsonl")):
        for batch in read_path(path, ReadOptions(capture_content=True)):
            if "responses" in batch.frames:
                lengths.setdefault(path.parent.name, set()).update(batch.frames["responses"]["length_chars"])
            plain = next(iter(read_path(path, ReadOptions())))
            assert "responses" not in plain.frames
    assert {name for name, found in lengths.items() if len("The weather in Paris is 14C and rainy.") in found} >= {
        "genai_official_content_httpstable", "js_ai_sdk", "openinference", "openllmetry",
    }  # fmt: skip


def test_marks_are_the_documented_names() -> None:
    assert len(MARKS) == len(set(MARKS))
    assert {"trueup.reward.score", "reward.score", "reward_model.score"} <= set(MARKS)

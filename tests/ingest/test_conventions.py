"""Every column of spans from at least one key of every dialect that has it, one value asserted for each."""

from __future__ import annotations

import hashlib
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from core.ingest.otlp.conventions import TABLE
from core.ingest.otlp.frames import SPAN_COLUMNS
from core.ingest.otlp.span_cells import STORED
from tests.ingest.otlp_requests import kept, row

ANSWER = {
    "id": "chatcmpl-1",
    "choices": [],
    "model": "gpt-4o-mini-2024-07-18",
    "service_tier": "flex",
    "system_fingerprint": "fp_1",
}
LANGCHAIN = {"generations": [[{"message": {"kwargs": {"response_metadata": {"id": "chatcmpl-lc"}}}}]]}
USAGE = {"input": 156, "cache_read_input_tokens": 1024, "output": 32, "output_reasoning": 64}


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def text(value: Any) -> str:
    return orjson.dumps(value).decode()


GOLDEN: tuple[tuple[str, str, Any, Any], ...] = (
    ("gen_ai_operation_name", "gen_ai.operation.name", "chat", "chat"),
    ("gen_ai_operation_name", "llm.request.type", "completion", "text_completion"),
    ("gen_ai_operation_name", "openinference.span.kind", "EMBEDDING", "embeddings"),
    ("gen_ai_operation_name", "ai.operationId", "ai.streamText.doStream", "chat"),
    ("gen_ai_operation_name", "langfuse.observation.type", "generation", "chat"),
    ("gen_ai_operation_name", "traceloop.span.kind", "tool", "execute_tool"),
    ("gen_ai_provider_name", "gen_ai.provider.name", "aws.bedrock", "aws.bedrock"),
    ("gen_ai_provider_name", "gen_ai.system", "vertex_ai", "gcp.vertex_ai"),
    ("gen_ai_provider_name", "gen_ai.system", "az.ai.openai", "azure.ai.openai"),
    ("gen_ai_provider_name", "gen_ai.system", "openai.chat", "openai"),
    ("gen_ai_provider_name", "gen_ai.provider.name", "langgraph", None),
    ("gen_ai_provider_name", "llm.provider", "anthropic", "anthropic"),
    ("gen_ai_provider_name", "llm.system", "openai", "openai"),
    ("gen_ai_provider_name", "ai.model.provider", "anthropic.messages", "anthropic"),
    ("gen_ai_request_model", "gen_ai.request.model", "gpt-4o-mini", "gpt-4o-mini"),
    ("gen_ai_request_model", "llm.request.model", "gpt-4o", "gpt-4o"),
    ("gen_ai_request_model", "llm.request.model_name", "claude", "claude"),
    ("gen_ai_request_model", "ai.model.id", "gpt-4o", "gpt-4o"),
    ("gen_ai_request_model", "langfuse.observation.model.name", "gpt-4o", "gpt-4o"),
    ("gen_ai_request_model", "llm.invocation_parameters", text({"model": "gpt-5"}), "gpt-5"),
    ("gen_ai_request_model", "embedding.invocation_parameters", text({"model": "emb"}), "emb"),
    ("gen_ai_response_model", "gen_ai.response.model", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
    ("gen_ai_response_model", "ai.response.model", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
    ("gen_ai_response_model", "llm.response.model_name", "claude-1", "claude-1"),
    ("gen_ai_response_model", "llm.model_name", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
    ("gen_ai_response_model", "embedding.model_name", "emb", "emb"),
    ("gen_ai_response_id", "gen_ai.response.id", "msg_1", "msg_1"),
    ("gen_ai_response_id", "ai.response.id", "chatcmpl-2", "chatcmpl-2"),
    ("gen_ai_response_id", "output.value", text(ANSWER), "chatcmpl-1"),
    ("gen_ai_response_id", "output.value", text(LANGCHAIN), "chatcmpl-lc"),
    ("gen_ai_response_id", "output.value", text({"id": "an order, no answer"}), None),
    ("provider_request_id", "anthropic.request.id", "req_1", "req_1"),
    ("provider_request_id", "http.response.header.x_request_id", ["req_2"], "req_2"),
    ("provider_request_id", "http.response.header.request-id", ["req_3"], "req_3"),
    ("gen_ai_request_stream", "gen_ai.request.stream", True, True),
    ("gen_ai_request_stream", "gen_ai.is_streaming", False, False),
    ("gen_ai_request_stream", "llm.invocation_parameters", text({"stream": True}), True),
    ("gen_ai_response_finish_reasons", "gen_ai.response.finish_reasons", ["stop", "length"], "stop,length"),
    ("gen_ai_response_finish_reasons", "ai.response.finishReason", "tool-calls", "tool_calls"),
    ("gen_ai_response_finish_reasons", "anthropic.message.stop_reason", "max_tokens", "length"),
    ("gen_ai_response_finish_reasons", "llm.finish_reason", "refusal", "refusal"),
    ("gen_ai_response_finish_reasons", "llm.response.finish_reason", "stop", "stop"),
    ("gen_ai_response_time_to_first_chunk_ns", "gen_ai.response.time_to_first_chunk", 0.0625, 62_500_000),
    ("gen_ai_response_time_to_first_chunk_ns", "ai.response.msToFirstChunk", 192.5, 192_500_000),
    ("gen_ai_usage_input_tokens", "gen_ai.usage.input_tokens", 2424, 2424),
    ("gen_ai_usage_input_tokens", "gen_ai.usage.prompt_tokens", "200", 200),
    ("gen_ai_usage_input_tokens", "llm.usage.prompt_tokens", 200, 200),
    ("gen_ai_usage_input_tokens", "ai.usage.inputTokens", 1180, 1180),
    ("gen_ai_usage_input_tokens", "ai.usage.promptTokens", 1180, 1180),
    ("gen_ai_usage_input_tokens", "llm.token_count.prompt", 1180, 1180),
    # Langfuse's parts are disjoint: 156 uncached + 1,024 cached
    ("gen_ai_usage_input_tokens", "langfuse.observation.usage_details", text(USAGE), 1180),
    ("gen_ai_usage_output_tokens", "gen_ai.usage.output_tokens", 96, 96),
    ("gen_ai_usage_output_tokens", "gen_ai.usage.completion_tokens", 96, 96),
    ("gen_ai_usage_output_tokens", "ai.usage.outputTokens", 96, 96),
    ("gen_ai_usage_output_tokens", "llm.token_count.completion", 96, 96),
    # 32 text + 64 reasoning
    ("gen_ai_usage_output_tokens", "langfuse.observation.usage_details", text(USAGE), 96),
    ("gen_ai_usage_cache_read_input_tokens", "gen_ai.usage.cache_read.input_tokens", 5, 5),
    ("gen_ai_usage_cache_read_input_tokens", "gen_ai.usage.cache_read_input_tokens", 5, 5),
    ("gen_ai_usage_cache_read_input_tokens", "gen_ai.usage.details.cache_read_tokens", 5, 5),
    ("gen_ai_usage_cache_read_input_tokens", "ai.usage.cachedInputTokens", 5, 5),
    ("gen_ai_usage_cache_read_input_tokens", "llm.token_count.prompt_details.cache_read", 5, 5),
    ("gen_ai_usage_cache_read_input_tokens", "langfuse.observation.usage_details", text(USAGE), 1024),
    ("gen_ai_usage_cache_write_input_tokens", "gen_ai.usage.cache_write.input_tokens", 7, 7),
    ("gen_ai_usage_cache_write_input_tokens", "gen_ai.usage.cache_creation.input_tokens", 7, 7),
    ("gen_ai_usage_cache_write_input_tokens", "llm.token_count.prompt_details.cache_write", 7, 7),
    ("gen_ai_usage_reasoning_output_tokens", "gen_ai.usage.reasoning.output_tokens", 64, 64),
    ("gen_ai_usage_reasoning_output_tokens", "gen_ai.usage.reasoning_tokens", 64, 64),
    ("gen_ai_usage_reasoning_output_tokens", "ai.usage.reasoningTokens", 64, 64),
    ("gen_ai_usage_reasoning_output_tokens", "llm.token_count.completion_details.reasoning", 64, 64),
    ("gen_ai_usage_reasoning_output_tokens", "langfuse.observation.usage_details", text(USAGE), 64),
    ("service_tier", "openai.response.service_tier", "flex", "flex"),
    ("service_tier", "gen_ai.openai.response.service_tier", "default", "default"),
    ("service_tier", "anthropic.response.service_tier", "standard", "standard"),
    ("service_tier", "openai.request.service_tier", "auto", None),
    ("service_tier", "output.value", text(ANSWER), "flex"),
    ("system_fingerprint", "openai.response.system_fingerprint", "fp_4", "fp_4"),
    ("system_fingerprint", "gen_ai.openai.response.system_fingerprint", "fp_4", "fp_4"),
    ("system_fingerprint", "output.value", text(ANSWER), "fp_1"),
    ("reported_cost_usd", "operation.cost", 0.000125, Decimal("0.000125000000")),
    ("reported_cost_usd", "llm.cost.total", 0.1, Decimal("0.100000000000")),
    # 0.0000234 + 0.0000576
    (
        "reported_cost_usd",
        "langfuse.observation.cost_details",
        text({"input": 2.34e-05, "output": 5.76e-05}),
        Decimal("0.000081000000"),
    ),
    ("gen_ai_conversation_id", "gen_ai.conversation.id", "conv-1", "conv-1"),
    ("gen_ai_conversation_id", "session.id", "sess-7", "sess-7"),
    ("gen_ai_conversation_id", "traceloop.association.properties.thread_id", "t-1", "t-1"),
    ("gen_ai_conversation_id", "ai.telemetry.metadata.sessionId", "sess-7", "sess-7"),
    ("gen_ai_conversation_id", "langfuse.session.id", "sess-7", "sess-7"),
    ("gen_ai_conversation_id", "metadata", text({"thread_id": "thread-42"}), "thread-42"),
    ("enduser_hash", "user.id", "u-123", sha("u-123")),
    ("enduser_hash", "enduser.id", "u-123", sha("u-123")),
    ("enduser_hash", "gen_ai.user", "u-123", sha("u-123")),
    ("enduser_hash", "langfuse.user.id", "u-123", sha("u-123")),
    ("enduser_hash", "ai.telemetry.metadata.userId", "u-123", sha("u-123")),
    ("enduser_hash", "llm.invocation_parameters", text({"user": "u-123"}), sha("u-123")),
    ("enduser_hash", "metadata", text({"user_id": "u-123"}), sha("u-123")),
    ("gen_ai_agent_name", "gen_ai.agent.name", "planner", "planner"),
    ("gen_ai_agent_name", "agent.name", "planner", "planner"),
    ("gen_ai_agent_name", "agent_name", "planner", "planner"),
    ("gen_ai_workflow_name", "gen_ai.workflow.name", "refunds", "refunds"),
    ("gen_ai_workflow_name", "traceloop.workflow.name", "refunds", "refunds"),
    ("gen_ai_workflow_name", "langfuse.trace.name", "refunds", "refunds"),
    ("gen_ai_tool_name", "gen_ai.tool.name", "get_weather", "get_weather"),
    ("gen_ai_tool_name", "ai.toolCall.name", "get_weather", "get_weather"),
    ("gen_ai_tool_name", "tool.name", "get_weather", "get_weather"),
    ("gen_ai_tool_call_id", "gen_ai.tool.call.id", "call_1", "call_1"),
    ("gen_ai_tool_call_id", "ai.toolCall.id", "call_1", "call_1"),
    ("arguments_hash", "gen_ai.tool.call.arguments", '{"city":"Paris"}', sha('{"city":"Paris"}')),
    ("arguments_hash", "ai.toolCall.args", '{"city":"Paris"}', sha('{"city":"Paris"}')),
    ("arguments_hash", "gen_ai.input.messages", "[1]", sha("[1]")),
    ("arguments_hash", "ai.prompt.messages", "[1]", sha("[1]")),
    ("arguments_hash", "input.value", "hello", sha("hello")),
    ("arguments_hash", "traceloop.entity.input", "hello", sha("hello")),
    ("arguments_hash", "langfuse.observation.input", "hello", sha("hello")),
    ("arguments_hash", "gen_ai.prompt.0.content", "hi", sha('[["gen_ai.prompt.0.content","hi"]]')),
    ("max_retries_setting", "ai.settings.maxRetries", 2, 2),
    ("server_address", "server.address", "api.openai.com", "api.openai.com"),
    ("server_address", "url.full", "https://u:p@api.openai.com:443/v1/x?key=1", "api.openai.com"),
    ("server_address", "gen_ai.openai.api_base", "https://api.openai.com/v1/", "api.openai.com"),
    ("url_path", "url.full", "https://api.openai.com/v1/responses?key=secret#x", "/v1/responses"),
    ("url_path", "http.url", "http://127.0.0.1:8899/v1/messages", "/v1/messages"),
    ("url_path", "http.target", "/v1/messages?beta=true", "/v1/messages"),
    ("http_request_method", "http.request.method", "POST", "POST"),
    ("http_request_method", "http.method", "GET", "GET"),
    ("http_response_status_code", "http.response.status_code", 429, 429),
    ("http_response_status_code", "http.status_code", "200", 200),
    ("http_request_resend_count", "http.request.resend_count", 2, 2),
    ("http_request_resend_count", "http.request.header.x_stainless_retry_count", ["1"], 1),
    ("http_request_resend_count", "http.request.header.x-stainless-retry-count", ["0"], 0),
    ("retry_after_ns", "http.response.header.retry_after_ms", ["60"], 60_000_000),
    ("retry_after_ns", "http.response.header.retry-after", ["2"], 2_000_000_000),
    ("mcp_method_name", "mcp.method.name", "tools/list", "tools/list"),
    ("error_type", "error.type", "openai.RateLimitError", "openai.RateLimitError"),
    ("cloud_region", "cloud.region", "eu-west-1", "eu-west-1"),
)


@pytest.mark.parametrize(("column", "key", "value", "expected"), GOLDEN)
def test_golden_value(column: str, key: str, value: Any, expected: Any) -> None:
    assert row({key: value})[column] == expected


def test_every_mapped_column_has_a_golden_value() -> None:
    assert {column for column, *_ in GOLDEN} >= set(STORED)


def test_spans_has_exactly_the_columns_of_the_schema() -> None:
    schema = (Path(__file__).parents[2] / "core" / "ledger" / "schema.sql").read_text()
    body = schema.split("create table if not exists spans (")[1].split("\n);")[0]
    declared = set(re.findall(r"^ {4}([a-z_0-9]+) ", body, re.MULTILINE)) - {"import_id"}
    computed = {"duration_ns", "duration_bucket", "day", "hour"}
    assert set(SPAN_COLUMNS) | computed == declared
    assert set(row()) == declared


def test_no_key_feeds_one_column_twice() -> None:
    for column in TABLE:
        names = [key if isinstance(key, str) else key[0] for key in column.keys]
        assert len(names) == len(set(names)), column.name


def test_the_newest_name_wins_and_a_contradiction_stays() -> None:
    both = {"gen_ai.usage.prompt_tokens": 10, "gen_ai.usage.input_tokens": 12}
    for values in (both, dict(reversed(both.items()))):
        stored = row(values)
        assert stored["gen_ai_usage_input_tokens"] == 12
        assert kept(stored) == {"gen_ai.usage.prompt_tokens": 10}


def test_an_agreeing_second_name_is_not_kept() -> None:
    assert kept(row({"gen_ai.usage.prompt_tokens": 12, "gen_ai.usage.input_tokens": 12})) == {}


@pytest.mark.parametrize("value", [-1, 2.5, True, "many", 2**70, [], {"a": 1}])
def test_an_unreadable_count_is_null_never_zero(value: Any) -> None:
    stored = row(
        {"gen_ai.usage.input_tokens": value} if value != 2**70 else {"gen_ai.usage.input_tokens": "1e30"}
    )
    assert stored["gen_ai_usage_input_tokens"] is None


def test_unreadable_value_is_kept_as_it_came() -> None:
    assert kept(row({"gen_ai.usage.input_tokens": "many"})) == {"gen_ai.usage.input_tokens": "many"}


def test_absent_usage_is_null() -> None:
    stored = row({"gen_ai.operation.name": "chat"})
    assert stored["gen_ai_usage_input_tokens"] is None
    assert stored["gen_ai_usage_output_tokens"] is None


def test_langfuse_map_with_inclusive_total_is_taken_as_it_is() -> None:
    # 1,180 + 96 = 1,276: `input` already contains the 1,024 cached tokens
    usage = {"input": 1180, "output": 96, "total": 1276, "input_cached_tokens": 1024}
    stored = row({"langfuse.observation.usage_details": text(usage)})
    assert stored["gen_ai_usage_input_tokens"] == 1180
    assert stored["gen_ai_usage_cache_read_input_tokens"] == 1024


def test_unknown_attributes_are_kept() -> None:
    values = {"lab.call": "c1", "lab.n": 3, "lab.list": ["a", "b"], "lab.map": {"x": 1.5}}
    assert kept(row(values)) == values

"""What captured spans of real instrumentations are taken for, and the traps of each dialect."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson
import polars as pl
import pytest

from core.ingest.files import read_path
from core.ingest.options import ReadOptions
from tests.ingest.otlp_requests import decoded, event, fixtures, kept, request, row, span

EXPECTED: dict[str, dict[tuple[str, str], int]] = {
    "anthropic_native_sdk": {
        ("anthropic_native", "inference"): 16,
        ("http", "http"): 24,
        ("other", "app"): 15,
    },
    "genai_official": {
        ("anthropic_native", "inference"): 16,
        ("genai", "inference"): 55,
        ("http", "http"): 82,
        ("other", "app"): 52,
    },
    "genai_official_agents": {
        ("genai", "agent"): 10,
        ("genai", "inference"): 16,
        ("genai", "tool"): 8,
        ("genai", "workflow"): 5,
        ("http", "http"): 22,
        ("mcp", "app"): 11,
        ("mcp", "tool"): 4,
        ("other", "app"): 17,
    },
    "httpx_only": {("http", "http"): 19, ("other", "app"): 10},
    "js_ai_sdk": {
        ("http", "http"): 13,
        ("other", "app"): 9,
        ("vercel_ai", "chain"): 9,
        ("vercel_ai", "inference"): 13,
        ("vercel_ai", "tool"): 2,
    },
    "js_otel_openai": {("genai", "inference"): 8, ("http", "http"): 14, ("other", "app"): 9},
    "langfuse_sdk": {("langfuse", "app"): 1, ("langfuse", "inference"): 1},
    "mcp2_native_stdio": {("mcp", "app"): 6, ("mcp", "tool"): 4, ("other", "app"): 2},
    "openai_v2_2.4b0_default": {("genai", "inference"): 30, ("http", "http"): 58, ("other", "app"): 37},
    "openinference": {
        ("anthropic_native", "inference"): 16,
        ("http", "http"): 82,
        ("openinference", "inference"): 55,
        ("other", "app"): 52,
    },
    "openinference_agents": {
        ("http", "http"): 22,
        ("mcp", "app"): 11,
        ("mcp", "tool"): 4,
        ("openinference", "agent"): 15,
        ("openinference", "chain"): 25,
        ("openinference", "inference"): 32,
        ("openinference", "tool"): 8,
        ("other", "app"): 17,
    },
    "openllmetry": {
        ("anthropic_native", "inference"): 16,
        ("http", "http"): 82,
        ("openllmetry", "inference"): 53,
        ("other", "app"): 52,
    },
    "openllmetry_mcp1": {("openllmetry", "app"): 24, ("openllmetry", "tool"): 3, ("other", "app"): 5},
}
"""Spans of each capture; the sums by scope agree with the scope and name counts of the JSON lines themselves."""


def captured(name: str) -> pl.DataFrame:
    path = fixtures(name, "traces.otlp.jsonl")
    return pl.concat([batch.frames["spans"] for batch in read_path(path, ReadOptions())])


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_dialects_and_roles_of_a_capture(name: str) -> None:
    spans = captured(name)
    assert Counter(spans.select("dialect", "span_role").iter_rows()) == EXPECTED[name]


@pytest.mark.parametrize("name", ["genai_official", "openinference", "openllmetry"])
def test_every_successful_chat_has_its_response_id(name: str) -> None:
    spans = captured(name).filter(
        (pl.col("span_role") == "inference")
        & (pl.col("gen_ai_operation_name") == "chat")
        & (pl.col("error_class").is_null())
        & (pl.col("gen_ai_usage_output_tokens") > 1)
    )
    assert spans.height > 10
    assert spans["gen_ai_response_id"].null_count() == 0


def test_openinference_failures_keep_the_model_that_was_asked_for() -> None:
    failed = captured("openinference").filter(
        (pl.col("dialect") == "openinference") & pl.col("error_class").is_not_null()
    )
    assert failed.height > 10
    assert failed["gen_ai_request_model"].null_count() == 0
    assert failed.filter(pl.col("gen_ai_response_id").is_null())["gen_ai_response_model"].null_count() > 0


def test_attempt_numbers_of_captured_headers() -> None:
    spans = captured("http_headers_captured").filter(pl.col("span_role") == "http")
    assert spans["http_request_resend_count"].null_count() == 0
    assert spans["provider_request_id"].null_count() == 0
    assert (
        spans.filter(pl.col("http_response_status_code") == 429)["retry_after_ns"].to_list()
        == [60_000_000] * 4
    )


PRIVATE = (
    "You are a weather bot",
    "Weather in Paris",
    "14C",
    "u-123",
    "Rate limit reached",
    "backend down",
    "pk-lf",
    "Traceback",
    "x-scenario",
)


@pytest.mark.parametrize("name", [*sorted(EXPECTED), "genai_official_content_httpstable", "eval_events"])
def test_no_content_person_or_secret_is_stored(name: str) -> None:
    for path in sorted(fixtures(name).glob("*.otlp.jsonl")):
        for batch in read_path(path, ReadOptions()):
            for table in batch.frames.values():
                stored = table.select(pl.col(pl.String)).write_ndjson()
                assert [word for word in PRIVATE if word in stored] == []


def test_content_is_kept_when_asked_for_secrets_are_not() -> None:
    values = {"gen_ai.input.messages": "[hello]", "gen_ai.headers": "authorization", "user.id": "u-123"}
    failed = {"status": {"code": 2, "message": "hello again"}}
    assert kept(row(values, **failed)) == {}
    assert kept(row(values, capture=True, **failed))["gen_ai.input.messages"] == "[hello]"
    assert "gen_ai.headers" not in kept(row(values, capture=True))
    assert "user.id" not in kept(row(values, capture=True))


CASES: tuple[tuple[str, dict[str, Any], str, dict[str, Any]], ...] = (
    (
        "AI SDK: the outer span only adds up",
        {"ai.operationId": "ai.generateText", "gen_ai.usage.input_tokens": 5},
        "ai",
        {"span_role": "chain", "gen_ai_operation_name": None, "gen_ai_usage_input_tokens": 5},
    ),
    (
        "AI SDK: one doGenerate an attempt",
        {"ai.operationId": "ai.generateText.doGenerate", "ai.settings.maxRetries": 2},
        "ai",
        {"span_role": "inference", "gen_ai_operation_name": "chat", "dialect": "vercel_ai"},
    ),
    (
        "AI SDK: embeddings",
        {"ai.operationId": "ai.embed.doEmbed"},
        "ai",
        {"span_role": "inference", "gen_ai_operation_name": "embeddings"},
    ),
    (
        "Anthropic's own SDK leaves resend_count out when it is 0, and is a call though it has http.*",
        {"gen_ai.operation.name": "chat", "http.request.method": "POST"},
        "com.anthropic.sdk.python",
        {"span_role": "inference", "http_request_resend_count": 0, "dialect": "anthropic_native"},
    ),
    (
        "a bare HTTP client span",
        {"http.method": "POST", "http.url": "http://127.0.0.1/v1/x", "http.status_code": 503},
        "opentelemetry.instrumentation.httpx",
        {"span_role": "http", "dialect": "http", "error_class": "overloaded"},
    ),
    (
        "OpenLLMetry's workflow span says invoke_agent too",
        {
            "gen_ai.operation.name": "invoke_agent",
            "traceloop.span.kind": "workflow",
            "traceloop.entity.name": "w",
        },
        "opentelemetry.instrumentation.langchain",
        {"span_role": "workflow", "gen_ai_workflow_name": "w"},
    ),
    (
        "OpenLLMetry names its framework as provider",
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "langgraph"},
        "opentelemetry.instrumentation.langchain",
        {"span_role": "agent", "gen_ai_provider_name": None},
    ),
    (
        "old OpenLLMetry",
        {"llm.request.type": "chat", "gen_ai.system": "OpenAI"},
        "opentelemetry.instrumentation.openai",
        {"span_role": "inference", "gen_ai_provider_name": "openai"},
    ),
    (
        "pydantic-ai's agent adds up its calls",
        {"gen_ai.aggregated_usage.input_tokens": 9, "agent_name": "a"},
        "pydantic-ai",
        {
            "span_role": "agent",
            "dialect": "pydantic_ai",
            "gen_ai_agent_name": "a",
            "gen_ai_usage_input_tokens": None,
        },
    ),
    (
        "fetching a stored answer calls no model",
        {"gen_ai.operation.name": "fetch_response"},
        "opentelemetry.instrumentation.genai.openai",
        {"span_role": "app", "gen_ai_operation_name": "fetch_response"},
    ),
    (
        "a hand-written span with a model",
        {"gen_ai.request.model": "gpt-4o"},
        "my.app",
        {"span_role": "inference", "gen_ai_operation_name": "chat", "dialect": "genai"},
    ),
    (
        "LangChain's agent by OpenInference",
        {"openinference.span.kind": "AGENT"},
        "openinference.instrumentation.langchain",
        {"span_role": "agent", "gen_ai_operation_name": "invoke_agent"},
    ),
    (
        "a retriever",
        {"openinference.span.kind": "RETRIEVER"},
        "openinference.instrumentation.langchain",
        {"span_role": "retrieval", "gen_ai_operation_name": "retrieval"},
    ),
)


@pytest.mark.parametrize(
    ("values", "scope", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_trap(values: dict[str, Any], scope: str, expected: dict[str, Any]) -> None:
    stored = row(values, scope=scope)
    assert {name: stored[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("name", "scope", "role", "tool", "method"),
    [
        ("MCP send tools/call get_weather", "mcp-python-sdk", "tool", "get_weather", "tools/call"),
        ("tools/call get_weather", "mcp-python-sdk", "tool", "get_weather", "tools/call"),
        ("MCP send tools/list", "mcp-python-sdk", "app", None, "tools/list"),
        ("tools/list.mcp", "opentelemetry.instrumentation.mcp", "app", None, "tools/list"),
        ("ResponseStreamWriter", "opentelemetry.instrumentation.mcp", "app", None, None),
    ],
)
def test_mcp_by_span_name(name: str, scope: str, role: str, tool: str | None, method: str | None) -> None:
    stored = row(scope=scope, name=name)
    assert (stored["span_role"], stored["gen_ai_tool_name"], stored["mcp_method_name"]) == (
        role,
        tool,
        method,
    )


def test_exception_event_gives_the_type_and_the_class() -> None:
    failed = span(
        {"openinference.span.kind": "LLM"},
        status={"code": 2, "message": "Error code: 429 - You exceeded your current quota"},
        events=[event("exception", exception__type="openai.RateLimitError", exception__message="private")],
    )
    batch = decoded(request(failed, scope="openinference.instrumentation.openai"))
    stored = batch.frames["spans"].row(0, named=True)
    assert (stored["error_type"], stored["error_class"]) == ("openai.RateLimitError", "quota")
    assert stored["status_message_class"] == "quota"
    assert orjson.loads(batch.frames["span_events"]["attributes"][0]) == {
        "exception.type": "openai.RateLimitError"
    }


def test_a_handled_exception_is_no_error() -> None:
    stored = row(status={"code": 1}, events=[event("exception", exception__type="KeyError")])
    assert (stored["error_type"], stored["error_class"]) == ("KeyError", None)


def test_a_404_is_an_answer_for_a_server_and_an_error_for_a_client() -> None:
    values = {"http.request.method": "GET", "http.response.status_code": 404}
    assert row(values, kind=2)["error_class"] is None
    assert row(values, kind=3)["error_class"] == "not_found"


def test_a_trace_back_in_the_message_says_nothing() -> None:
    message = "RuntimeError('x')Traceback (most recent call last):\n  timeout=connect(rate_limit)"
    assert row(status={"code": 2, "message": message})["error_class"] == "unknown"


def test_first_chunk_from_an_event_on_the_span_s_own_clock() -> None:
    stored = row({"openinference.span.kind": "LLM"}, events=[event("First Token Stream Event", 40)])
    assert stored["gen_ai_response_time_to_first_chunk_ns"] == 40_000_000
    late = row({"openinference.span.kind": "LLM"}, events=[event("First Token Stream Event", 9000)])
    assert late["gen_ai_response_time_to_first_chunk_ns"] is None


def test_langfuse_completion_start_is_the_first_chunk() -> None:
    # the span starts at 2026-03-31T23:33:20Z
    values = {
        "langfuse.observation.type": "generation",
        "langfuse.observation.completion_start_time": '"2026-03-31T23:33:20.250000Z"',
    }
    assert row(values, scope="langfuse-sdk")["gen_ai_response_time_to_first_chunk_ns"] == 250_000_000

"""Which attribute of which dialect fills which column of `spans`: a rename upstream is one line here.

Source: FORMATS.md section 1.6, OpenTelemetry GenAI semantic conventions and the dialects measured there.
Keys stand in order of trust: the first that is present and readable wins. A key that loses against a
different value stays in `attributes`, so that no contradiction is lost. Keys with a colon are fields of a
JSON attribute, taken apart by core.ingest.otlp.embedded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from core.ingest import values
from core.ingest.values import count, text

Read = Callable[[Any], Any]


class Column(NamedTuple):
    """A column, how its values are read, and its keys; a key with its own unit brings its own reading.

    A name with a leading underscore is not stored: it feeds the decisions in core.ingest.otlp.roles.
    """

    name: str
    read: Read
    keys: tuple[str | tuple[str, Read], ...]


_HEADER = "http.response.header."

TABLE = (
    Column("gen_ai_operation_name", text, ("gen_ai.operation.name",)),
    Column(
        "gen_ai_provider_name",
        values.provider,
        ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider"),
    ),
    Column(
        "gen_ai_request_model",
        text,
        (
            "gen_ai.request.model",
            "llm.request.model",
            "llm.request.model_name",
            "ai.model.id",
            "langfuse.observation.model.name",
            "llm.invocation_parameters:model",
            "embedding.invocation_parameters:model",
        ),
    ),
    Column(
        "gen_ai_response_model",
        text,
        (
            "gen_ai.response.model",
            "llm.response.model_name",
            "ai.response.model",
            "output.value:model",
            "llm.model_name",
            "embedding.model_name",
        ),
    ),
    Column(
        "gen_ai_response_id",
        text,
        ("gen_ai.response.id", "llm.response.id", "ai.response.id", "output.value:id"),
    ),
    Column(
        "provider_request_id",
        text,
        (
            "anthropic.request.id",
            "openai.request.id",
            "aws.request_id",
            _HEADER + "x-request-id",
            _HEADER + "request-id",
            _HEADER + "x-amzn-requestid",
        ),
    ),
    Column(
        "gen_ai_request_stream",
        values.boolean,
        (
            "gen_ai.request.stream",
            "gen_ai.is_streaming",
            "llm.is_streaming",
            "llm.invocation_parameters:stream",
        ),
    ),
    Column(
        "gen_ai_response_finish_reasons",
        values.finish_reasons,
        (
            "gen_ai.response.finish_reasons",
            "llm.response.finish_reason",
            "ai.response.finishReason",
            "anthropic.message.stop_reason",
            "llm.finish_reason",
        ),
    ),
    Column(
        "gen_ai_response_time_to_first_chunk_ns",
        values.seconds_ns,
        (
            "gen_ai.response.time_to_first_chunk",
            ("ai.response.msToFirstChunk", values.milliseconds_ns),
        ),
    ),
    Column(
        "gen_ai_usage_input_tokens",
        count,
        (
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.prompt_tokens",
            "llm.usage.prompt_tokens",
            "ai.usage.inputTokens",
            "ai.usage.promptTokens",
            "ai.usage.tokens",
            "llm.token_count.prompt",
            "langfuse.usage:input",
        ),
    ),
    Column(
        "gen_ai_usage_output_tokens",
        count,
        (
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
            "llm.usage.completion_tokens",
            "ai.usage.outputTokens",
            "ai.usage.completionTokens",
            "llm.token_count.completion",
            "langfuse.usage:output",
        ),
    ),
    Column(
        "gen_ai_usage_cache_read_input_tokens",
        count,
        (
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.details.cache_read_tokens",
            "gen_ai.usage.details.cache_read_input_tokens",
            "llm.usage.cache_read_input_tokens",
            "ai.usage.inputTokenDetails.cacheReadTokens",
            "ai.usage.cachedInputTokens",
            "llm.token_count.prompt_details.cache_read",
            "langfuse.usage:cache_read",
        ),
    ),
    Column(
        "gen_ai_usage_cache_write_input_tokens",
        count,
        (
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.details.cache_write_tokens",
            "gen_ai.usage.details.cache_creation_input_tokens",
            "llm.usage.cache_creation_input_tokens",
            "ai.usage.inputTokenDetails.cacheWriteTokens",
            "llm.token_count.prompt_details.cache_write",
            "langfuse.usage:cache_write",
        ),
    ),
    Column(
        "gen_ai_usage_reasoning_output_tokens",
        count,
        (
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.details.reasoning_tokens",
            "ai.usage.reasoningTokens",
            "ai.usage.outputTokenDetails.reasoningTokens",
            "llm.token_count.completion_details.reasoning",
            "langfuse.usage:reasoning",
        ),
    ),
    Column(
        "service_tier",
        values.response_tier,
        (
            "openai.response.service_tier",
            "gen_ai.openai.response.service_tier",
            "anthropic.response.service_tier",
            "output.value:service_tier",
            "openai.request.service_tier",
            "gen_ai.openai.request.service_tier",
            "llm.invocation_parameters:service_tier",
        ),
    ),
    Column(
        "system_fingerprint",
        text,
        (
            "openai.response.system_fingerprint",
            "gen_ai.openai.response.system_fingerprint",
            "gen_ai.openai.system_fingerprint",
            "output.value:system_fingerprint",
        ),
    ),
    Column(
        "reported_cost_usd",
        values.usd,
        ("operation.cost", "llm.cost.total", "gen_ai.usage.cost", "langfuse.cost:total"),
    ),
    Column(
        "gen_ai_conversation_id",
        text,
        (
            "gen_ai.conversation.id",
            "session.id",
            "langfuse.session.id",
            "traceloop.association.properties.session_id",
            "traceloop.association.properties.thread_id",
            "ai.telemetry.metadata.sessionId",
            "metadata:thread_id",
        ),
    ),
    Column(
        "enduser_hash",
        values.hash16,
        (
            "enduser.id",
            "user.id",
            "enduser.pseudo.id",
            "gen_ai.user",
            "llm.user",
            "langfuse.user.id",
            "traceloop.association.properties.user_id",
            "ai.telemetry.metadata.userId",
            "llm.invocation_parameters:user",
            "metadata:user_id",
        ),
    ),
    Column("gen_ai_agent_name", text, ("gen_ai.agent.name", "agent.name", "agent_name", "graph.node.id")),
    Column(
        "gen_ai_workflow_name",
        text,
        ("gen_ai.workflow.name", "traceloop.workflow.name", "langfuse.trace.name"),
    ),
    Column("gen_ai_tool_name", text, ("gen_ai.tool.name", "ai.toolCall.name", "tool.name")),
    Column("gen_ai_tool_call_id", text, ("gen_ai.tool.call.id", "ai.toolCall.id")),
    Column(
        "arguments_hash",
        values.hash16,
        (
            "gen_ai.tool.call.arguments",
            "ai.toolCall.args",
            "tool_arguments",
            "traceloop.entity.input",
            "gen_ai.input.messages",
            "ai.prompt.messages",
            "ai.prompt",
            "gen_ai.prompt",
            "input.value",
            "langfuse.observation.input",
        ),
    ),
    Column("max_retries_setting", count, ("ai.settings.maxRetries",)),
    Column(
        "server_address",
        text,
        (
            "server.address",
            "net.peer.name",
            ("url.full", values.url_host),
            ("http.url", values.url_host),
            ("gen_ai.openai.api_base", values.url_host),
        ),
    ),
    Column("url_path", values.url_path, ("url.path", "url.full", "http.url", "http.target")),
    Column("http_request_method", text, ("http.request.method", "http.method")),
    Column(
        "http_response_status_code", values.http_status, ("http.response.status_code", "http.status_code")
    ),
    Column(
        "http_request_resend_count",
        values.small_count,
        ("http.request.resend_count", "http.request.header.x-stainless-retry-count"),
    ),
    Column(
        "retry_after_ns",
        values.seconds_ns,
        ((_HEADER + "retry-after-ms", values.milliseconds_ns), _HEADER + "retry-after"),
    ),
    Column("mcp_method_name", text, ("mcp.method.name",)),
    Column("error_type", text, ("error.type",)),
    Column("_cloud_region", text, ("cloud.region", "aws.region", "gcp.location")),
    Column("_openinference_kind", text, ("openinference.span.kind",)),
    Column("_traceloop_kind", text, ("traceloop.span.kind",)),
    Column("_entity_name", text, ("traceloop.entity.name",)),
    Column("_request_type", text, ("llm.request.type",)),
    Column("_ai_operation", text, ("ai.operationId",)),
    Column("_langfuse_type", text, ("langfuse.observation.type",)),
    Column("_first_chunk_at_ns", values.instant_ns, ("langfuse.observation.completion_start_time",)),
)

"""What may be kept of what telemetry carries: content is dropped unless asked for, secrets always.

Content is what people and models wrote: prompts, completions, tool arguments and results, retrieved
documents, error messages. Instrumentations send it by default more often than not (OpenLLMetry,
OpenInference, AI SDK, pydantic-ai, Langfuse), so the lists name every dialect.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from core.ingest.values import without_query

LONGEST_TEXT = 1_000
"""Characters kept of an unknown text attribute: longer ones are prose, and prose is content."""

SHORT_TEXT = 100
"""Characters of a metadata text that is a label rather than prose: metadata is where people write freely."""

_CONTENT = """
    gen_ai.input.messages gen_ai.output.messages gen_ai.system_instructions gen_ai.prompt gen_ai.completion
    gen_ai.tool.definitions gen_ai.tool.call.arguments gen_ai.tool.call.result gen_ai.tool.description
    gen_ai.retrieval.query.text gen_ai.retrieval.documents gen_ai.evaluation.explanation
    gen_ai.agent.description gen_ai.request.structured_output_schema gen_ai.request.stop_sequences
    gen_ai.input gen_ai.output gen_ai.event.content gen_ai.content.prompt gen_ai.content.completion
    input.value output.value metadata.input metadata.output tool.parameters tool.description
    tool_arguments tool_response tool_result final_result all_messages all_messages_events events
    model_request_parameters logfire.msg logfire.json_schema
    traceloop.entity.input traceloop.entity.output traceloop.prompt.template
    ai.prompt ai.schema ai.schema.description ai.values ai.value ai.embedding ai.embeddings
    ai.toolCall.args ai.toolCall.result ai.response.text ai.response.object ai.response.toolCalls
    ai.response.reasoning ai.response.files ai.result.text ai.result.object ai.result.toolCalls
    langfuse.observation.input langfuse.observation.output langfuse.trace.input langfuse.trace.output
    langfuse.observation.status_message langfuse.observation.model.parameters
    llm.invocation_parameters embedding.invocation_parameters
    exception.message exception.stacktrace error.message error.stack otel.status_description
    lk.chat_ctx lk.user_input lk.instructions lk.function_tools lk.response.text lk.response.function_calls lk.user_transcript
    lk.function_tool.arguments lk.function_tool.output lk.input_text lk.amd.transcript transcript text text_output
    db.statement db.query.text db.query.parameter http.request.body http.response.body url.query
    client.address http.client_ip client.socket.address net.sock.peer.addr metadata input output prompt completion query.text
"""
CONTENT_KEYS = frozenset(_CONTENT.split())

CONTENT_PREFIXES = (
    "lk.pii.",
    "gen_ai.prompt.",
    "gen_ai.completion.",
    "gen_ai.memory.",
    "gen_ai.event.",
    "llm.input_messages.",
    "llm.output_messages.",
    "llm.prompts.",
    "llm.completions.",
    "llm.choices.",
    "llm.tools.",
    "llm.prompt_template.",
    "llm.functions",
    "llm.function_call",
    "message.",
    "message_content.",
    "input.images.",
    "embedding.embeddings.",
    "embedding.text",
    "embedding.vector",
    "retrieval.documents",
    "reranker.",
    "document.",
    "ai.prompt.",
    "db.query.parameter.",
)

CONTENT_EXCEPTIONS = frozenset({"gen_ai.prompt.name", "gen_ai.prompt.version", "llm.prompt_template.version"})
"""Names of prompts, not prompts."""

_SECRET = re.compile(
    r"(^|[._-])(headers?|authorization|cookies?|set-cookie|api[._-]?key|x-api-key|password|passwd|secret"
    r"|credentials?|private_key|public_key|bearer|access_token|refresh_token|id_token|command_args|command_line"
    r"|command)($|[._-])",
    re.IGNORECASE,
)

_PERSON = re.compile(
    r"(^|[._-])(e?mail(_address)?|phone(_number)?|user[._-]?(id|name|email|full_name)|ip_address)$"
    r"|^enduser\.|^gen_ai\.user$|^llm\.user$|^lk\.pii\.(participant|room|sip)|^lk\.sip\.(phone|h\.)",
    re.IGNORECASE,
)

_SAFE_HEADER = re.compile(
    r"^http\.(request|response)\.header\.(x[-_](stainless|ratelimit|envoy|amzn)[-_][a-z0-9_-]+"
    r"|(x[-_])?(request|client[-_]request|amzn[-_]requestid|correlation)[-_]id|cf[-_]ray|traceparent"
    r"|retry[-_]after([-_]ms)?|(openai|anthropic)[-_](processing[-_]ms|version|model|ratelimit[a-z0-9_-]*)"
    r"|content[-_](type|length|encoding)|user[-_]agent|date|server)$"
)
"""Captured headers worth keeping; a wildcard capture also brings tokens and cookies, which are not."""


def is_secret(key: str) -> bool:
    """Request-header dumps (gen_ai.headers, ai.request.headers.*), keys and passwords: dropped always."""
    if key.startswith("http.") and ".header." in key:
        return _SAFE_HEADER.match(key) is None
    return _SECRET.search(key) is not None


def is_person(key: str) -> bool:
    """Names a person: never kept, not even with content; the user's id survives as enduser_hash."""
    return _PERSON.search(key) is not None


def is_content(key: str) -> bool:
    """Written by a person or a model: dropped unless capture_content."""
    if key in CONTENT_KEYS:
        return True
    return key.startswith(CONTENT_PREFIXES) and key not in CONTENT_EXCEPTIONS


def kept(value: Any, capture_content: bool) -> Any:
    """The value as it may be stored: URLs lose their queries, long unknown texts are cut and say so."""
    if type(value) is not str:
        if isinstance(value, list):
            return [kept(item, capture_content) for item in value]
        return kept_attributes(value, capture_content) if isinstance(value, dict) else value
    if "://" in value:
        value = without_query(value)
    if len(value) > LONGEST_TEXT and not capture_content:
        return f"{value[:200]}... (cut, {len(value):,} characters)"
    return value


def kept_attributes(attributes: dict[str, Any], capture_content: bool) -> dict[str, Any]:
    """Attributes of an event, record or point without secrets, and without content unless asked for."""
    return {
        key: kept(value, capture_content)
        for key, value in attributes.items()
        if _may_stay(key, capture_content)
    }


@lru_cache(maxsize=20_000)
def _may_stay(key: str, capture_content: bool) -> bool:
    """Remembered, because the same few keys come with every event and resource."""
    return not is_secret(key) and not is_person(key) and (capture_content or not is_content(key))

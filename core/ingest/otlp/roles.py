"""What a span stands for: its dialect, its operation in one vocabulary, and the role the ledger gives it."""

from __future__ import annotations

from typing import NamedTuple

SCOPES: tuple[tuple[str, str], ...] = (
    ("com.anthropic.sdk", "anthropic_native"),
    ("openinference.", "openinference"),
    ("@arizeai/openinference", "openinference"),
    ("opentelemetry.instrumentation.genai", "genai"),
    ("opentelemetry.util.genai", "genai"),
    ("opentelemetry.instrumentation.openai_v2", "genai"),
    ("opentelemetry.instrumentation.google_genai", "genai"),
    ("@opentelemetry/instrumentation-openai", "genai"),
    ("opentelemetry.instrumentation.httpx", "http"),
    ("opentelemetry.instrumentation.requests", "http"),
    ("opentelemetry.instrumentation.urllib", "http"),
    ("opentelemetry.instrumentation.aiohttp", "http"),
    ("@opentelemetry/instrumentation-undici", "http"),
    ("@opentelemetry/instrumentation-http", "http"),
    ("@opentelemetry/instrumentation-fetch", "http"),
    ("opentelemetry.instrumentation.openai", "openllmetry"),
    ("opentelemetry.instrumentation.anthropic", "openllmetry"),
    ("opentelemetry.instrumentation.langchain", "openllmetry"),
    ("opentelemetry.instrumentation.llamaindex", "openllmetry"),
    ("opentelemetry.instrumentation.bedrock", "openllmetry"),
    ("opentelemetry.instrumentation.cohere", "openllmetry"),
    ("opentelemetry.instrumentation.groq", "openllmetry"),
    ("opentelemetry.instrumentation.mistralai", "openllmetry"),
    ("opentelemetry.instrumentation.ollama", "openllmetry"),
    ("opentelemetry.instrumentation.google_generativeai", "openllmetry"),
    ("opentelemetry.instrumentation.mcp", "openllmetry"),
    ("traceloop", "openllmetry"),
    ("@traceloop/", "openllmetry"),
    ("langfuse", "langfuse"),
    ("pydantic-ai", "pydantic_ai"),
    ("mcp", "mcp"),
)
"""Instrumentation scope names begin so; longer beginnings stand before the shorter ones they contain."""


class Signs(NamedTuple):
    """What a span says about its own kind, as received; None where it says nothing."""

    name: str
    kind: str
    operation: str | None
    openinference: str | None
    traceloop: str | None
    ai_operation: str | None
    langfuse: str | None
    request_type: str | None
    mcp_method: str | None
    tool_name: str | None
    model: str | None
    has_http: bool
    has_aggregate: bool


class Role(NamedTuple):
    """The role, and the operation name that goes with it (None when there is none)."""

    role: str
    operation: str | None


def dialect_of_scope(scope_name: str) -> str | None:
    """Dialect by the instrumentation's name; None for an unknown one, then the attributes decide."""
    if scope_name == "ai":
        return "vercel_ai"
    return next((dialect for start, dialect in SCOPES if scope_name.startswith(start)), None)


def dialect_of_signs(signs: Signs) -> str:
    """Dialect by attributes, for spans an application or an unknown library wrote itself."""
    if signs.openinference:
        return "openinference"
    if signs.ai_operation:
        return "vercel_ai"
    if signs.langfuse:
        return "langfuse"
    if signs.mcp_method:
        return "mcp"
    if signs.traceloop:
        return "openllmetry"
    if signs.operation or signs.model or signs.tool_name:
        return "genai"
    return "http" if signs.has_http and signs.kind == "client" else "other"


OPERATIONS = {
    "chat": "inference",
    "text_completion": "inference",
    "generate_content": "inference",
    "embeddings": "inference",
    "execute_tool": "tool",
    "invoke_agent": "agent",
    "invoke_workflow": "workflow",
    "retrieval": "retrieval",
    "execute_task": "chain",
    "plan": "chain",
}
"""Role of an operation. One that is not listed (create_agent, fetch_response, memory) asks no model: app."""

_RENAMED = {"completion": "text_completion", "embedding": "embeddings", "rerank": "retrieval"}

_OPENINFERENCE = {
    "LLM": Role("inference", "chat"),
    "EMBEDDING": Role("inference", "embeddings"),
    "AGENT": Role("agent", "invoke_agent"),
    "CHAIN": Role("chain", None),
    "TOOL": Role("tool", "execute_tool"),
    "RETRIEVER": Role("retrieval", "retrieval"),
    "RERANKER": Role("retrieval", "retrieval"),
}
_LANGFUSE = {
    "generation": Role("inference", "chat"),
    "embedding": Role("inference", "embeddings"),
    "agent": Role("agent", "invoke_agent"),
    "tool": Role("tool", "execute_tool"),
    "chain": Role("chain", None),
    "retriever": Role("retrieval", "retrieval"),
}
_TRACELOOP = {
    "workflow": Role("workflow", "invoke_workflow"),
    "task": Role("chain", None),
    "agent": Role("agent", "invoke_agent"),
    "tool": Role("tool", "execute_tool"),
}


def mcp_method_of_name(name: str) -> str | None:
    """MCP method in a span name: "MCP send tools/call x", "tools/call x", OpenLLMetry's "tools/list.mcp"."""
    words = name.removeprefix("MCP send ").removesuffix(".mcp").split(" ", 1)[0]
    known = (
        "tools/",
        "prompts/",
        "resources/",
        "server/",
        "completion/",
        "logging/",
        "notifications/",
        "sampling/",
    )
    if words.startswith(known) or words in ("initialize", "ping"):
        return words
    return None


def _ai_sdk(operation_id: str) -> Role:
    """AI SDK: doGenerate and doStream are the attempts, doEmbed too; what encloses them only adds them up."""
    last = operation_id.rsplit(".", 1)[-1]
    if operation_id == "ai.toolCall":
        return Role("tool", "execute_tool")
    if last in ("doGenerate", "doStream"):
        return Role("inference", "chat")
    return Role("inference", "embeddings") if last == "doEmbed" else Role("chain", None)


def role_of(signs: Signs, dialect: str) -> Role:
    """The role of a span: the most specific sign wins, a bare HTTP client span is http, the rest is app."""
    if signs.name == "ResponseStreamWriter":
        return Role("app", None)
    if signs.mcp_method:
        return Role("tool", "execute_tool") if signs.mcp_method == "tools/call" else Role("app", None)
    if signs.ai_operation:
        return _ai_sdk(signs.ai_operation)
    if signs.traceloop == "workflow":
        return _TRACELOOP["workflow"]
    if signs.operation:
        operation = _RENAMED.get(signs.operation, signs.operation)
        return Role(OPERATIONS.get(operation, "app"), operation)
    if signs.openinference:
        return _OPENINFERENCE.get(signs.openinference.upper(), Role("app", None))
    if signs.langfuse:
        return _LANGFUSE.get(signs.langfuse, Role("app", None))
    if signs.traceloop in _TRACELOOP:
        return _TRACELOOP[signs.traceloop]
    return _unnamed(signs, dialect)


def _unnamed(signs: Signs, dialect: str) -> Role:
    """Spans without any word for their operation: old dialects, bare HTTP, the application's own."""
    if signs.has_aggregate:
        return Role("agent", "invoke_agent")
    if signs.request_type:
        operation = _RENAMED.get(signs.request_type, signs.request_type)
        return Role(OPERATIONS.get(operation, "app"), operation)
    if signs.tool_name and dialect != "other":
        return Role("tool", "execute_tool")
    if signs.has_http and signs.kind == "client":
        return Role("http", None)
    if signs.model:
        word = signs.name.split(" ", 1)[0]
        return Role("inference", word if OPERATIONS.get(word) == "inference" else "chat")
    return Role("app", None)

"""The official GenAI conventions as emitted by their packages 1.3b0, and the Anthropic SDK's own spans.

Shapes follow spans captured from opentelemetry-instrumentation-genai-{openai,langchain,anthropic} 1.3b0 with
httpx 0.66b2 and anthropic 2.12.0: one GenAI span a logical call with every SDK retry inside it, no token usage on
failed calls, no message content.
"""

from __future__ import annotations

from functools import lru_cache
from random import Random

from data.demo import wire
from data.demo.pieces import ERRORS, HOSTS, Emitted, Scope, answered_send, http_spans, server_span
from data.demo.world import Call, Run, Tool

SCHEMA = "https://opentelemetry.io/schemas/1.37.0"
GENAI_OPENAI = Scope("opentelemetry.instrumentation.genai.openai", "1.3b0", SCHEMA)
GENAI_LANGCHAIN = Scope("opentelemetry.instrumentation.genai.langchain", "1.3b0", SCHEMA)
GENAI_ANTHROPIC = Scope("opentelemetry.instrumentation.genai.anthropic", "1.3b0", SCHEMA)
ANTHROPIC_SDK = Scope("com.anthropic.sdk.python", "2.12.0")
AGENT = "checkout_agent"

NATIVE_ERRORS = {
    "rate_limit": "rate_limit_error",
    "server": "api_error",
    "overloaded": "overloaded_error",
    "timeout": "client_timeout_error",
    "bad_request": "invalid_request_error",
}


@lru_cache(maxsize=64)
def _chat_head(provider: str, request_model: str) -> bytes:
    return wire.kind_and_name(f"chat {request_model}", 3) + wire.attributes(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": request_model,
            "server.address": HOSTS[provider],
            "server.port": 443,
        }
    )


@lru_cache(maxsize=64)
def _response_head(provider: str, snapshot: str, finish: str) -> bytes:
    pairs: dict[str, wire.Attribute] = {
        "gen_ai.response.finish_reasons": (finish,),
        "gen_ai.response.model": snapshot,
    }
    if provider == "openai":
        pairs["openai.response.service_tier"] = "default"
    return wire.attributes(pairs)


@lru_cache(maxsize=64)
def _error(provider: str, error: str) -> bytes:
    kind, message = ERRORS[provider][error]
    return wire.attribute("error.type", f"{provider}.{kind}") + wire.error(message)


def usage(call: Call) -> bytes:
    """Token counts in the current names; zero cache and reasoning counts are left out, as the packages do."""
    out = wire.count("gen_ai.usage.input_tokens", call.input_tokens)
    out += wire.count("gen_ai.usage.output_tokens", call.output_tokens)
    if call.cache_read_tokens:
        out += wire.count("gen_ai.usage.cache_read.input_tokens", call.cache_read_tokens)
    if call.cache_write_tokens:
        out += wire.count("gen_ai.usage.cache_write.input_tokens", call.cache_write_tokens)
    if call.reasoning_tokens:
        out += wire.count("gen_ai.usage.reasoning.output_tokens", call.reasoning_tokens)
    return out


def _chat_body(run: Run, call: Call, finish: str) -> bytes:
    model = call.model
    body = _chat_head(model.provider, model.request_name)
    if run.service.stream:
        body += _STREAM
    if run.service.dialect == "genai_langchain":
        body += wire.attribute("gen_ai.conversation.id", run.conversation)
    if call.error == "broken_stream":
        # Seen in captures: model and id are known from the first chunk, usage never arrives.
        body += wire.attribute("gen_ai.response.model", model.snapshot)
        body += wire.attribute("gen_ai.response.id", call.response_id) + _first_chunk(call)
    if call.error:
        return body + _error(model.provider, call.error)
    body += _response_head(model.provider, model.snapshot, finish)
    body += wire.attribute("gen_ai.response.id", call.response_id) + usage(call)
    return body + (_first_chunk(call) if run.service.stream else b"") + wire.UNSET


_STREAM = wire.attribute("gen_ai.request.stream", True)


def _first_chunk(call: Call) -> bytes:
    """Seconds from the call's start, back-off included, as the packages measure it."""
    seconds = (answered_send(call).end_ns - call.start_ns) / 1e9
    return wire.attribute("gen_ai.response.time_to_first_chunk", seconds)


def openai_chat(rng: Random, run: Run) -> tuple[Emitted, bytes]:
    """support-triage: chat spans under the server span, HTTP spans in stable names with captured headers."""
    root_id = rng.randbytes(8)
    out: Emitted = []
    for call in run.calls:
        span_id = rng.randbytes(8)
        out += http_spans(rng, run, call, span_id, stable=True, captured=True)
        body = _chat_body(run, call, "stop")
        out.append(
            (GENAI_OPENAI, wire.span(run.trace_id, span_id, root_id, call.start_ns, call.end_ns, body))
        )
    out.append(server_span(run, root_id, stable=True))
    return out, root_id


def langchain_agent(rng: Random, run: Run) -> tuple[Emitted, bytes]:
    """checkout-agent: invoke_agent over chat and execute_tool, HTTP spans in legacy names."""
    root_id, agent_id = rng.randbytes(8), rng.randbytes(8)
    out: Emitted = []
    last = len(run.steps) - 1
    for position, step in enumerate(run.steps):
        span_id = rng.randbytes(8)
        if isinstance(step, Call):
            out += http_spans(rng, run, step, span_id, stable=False)
            body = _chat_body(run, step, "stop" if position == last else "tool_calls")
        else:
            body = _tool_body(step)
        out.append(
            (GENAI_LANGCHAIN, wire.span(run.trace_id, span_id, agent_id, step.start_ns, step.end_ns, body))
        )
    body = _AGENT_HEAD + wire.attribute("gen_ai.conversation.id", run.conversation)
    body += wire.UNSET if run.ok else _agent_error(run)
    start_ns, end_ns = run.start_ns + 900_000, run.end_ns - 200_000
    out.append((GENAI_LANGCHAIN, wire.span(run.trace_id, agent_id, root_id, start_ns, end_ns, body)))
    out.append(server_span(run, root_id, stable=False))
    return out, root_id


_AGENT_HEAD = wire.kind_and_name(f"invoke_agent {AGENT}", 1) + wire.attributes(
    {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": AGENT}
)


def _agent_error(run: Run) -> bytes:
    last = run.steps[-1]
    if isinstance(last, Tool):
        return wire.attribute("error.type", "RuntimeError") + wire.error("order service is not available")
    return _error(last.model.provider, last.error)


@lru_cache(maxsize=64)
def _tool_head(name: str, ok: bool) -> bytes:
    pairs: dict[str, wire.Attribute] = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
    pairs |= {"gen_ai.tool.type": "function", "gen_ai.agent.name": AGENT}
    if not ok:
        pairs["error.type"] = "RuntimeError"
    ending = wire.UNSET if ok else wire.error("order service is not available")
    return wire.kind_and_name(f"execute_tool {name}", 1) + wire.attributes(pairs) + ending


def _tool_body(tool: Tool) -> bytes:
    return _tool_head(tool.name, tool.ok) + wire.attribute("gen_ai.tool.call.id", tool.call_id)


@lru_cache(maxsize=64)
def _native_head(request_model: str) -> bytes:
    return wire.kind_and_name("anthropic.messages.create", 3) + wire.attributes(
        {
            "server.address": HOSTS["anthropic"],
            "server.port": 443,
            "gen_ai.provider.name": "anthropic",
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": request_model,
            "gen_ai.request.max_tokens": 2048,
            "http.request.method": "POST",
            "http.route": "/v1/messages",
            "url.scheme": "https",
            "url.path": "/v1/messages",
            "url.full": "https://api.anthropic.com/v1/messages",
        }
    )


def _native_body(call: Call) -> bytes:
    send = answered_send(call)
    body = _native_head(call.model.request_name)
    if send.status:
        body += wire.count("http.response.status_code", send.status)
        body += wire.attribute("anthropic.request.id", "req_011" + send.request_id[:21])
    if len(call.sends) > 1:
        body += wire.count("http.request.resend_count", len(call.sends) - 1)
    if call.error:
        return body + wire.attribute("error.type", NATIVE_ERRORS[call.error]) + wire.error()
    body += wire.attribute("gen_ai.response.id", call.response_id)
    body += wire.count("gen_ai.response.model", call.model.snapshot) + usage(call)
    if call.cache_write_tokens:
        body += wire.count(
            "anthropic.usage.cache_creation.ephemeral_5m_input_tokens", call.cache_write_tokens
        )
    return body + _NATIVE_END


_NATIVE_END = (
    wire.attribute("anthropic.response.service_tier", "standard")
    + wire.attribute("anthropic.message.stop_reason", "end_turn")
    + wire.OK
)


def anthropic_chat(rng: Random, run: Run) -> tuple[Emitted, bytes]:
    """doc-extract: the contributed chat span, inside it the SDK's own, inside that the HTTP spans."""
    root_id = rng.randbytes(8)
    out: Emitted = []
    for call in run.calls:
        outer_id, native_id = rng.randbytes(8), rng.randbytes(8)
        out += http_spans(rng, run, call, native_id, stable=True)
        native = wire.span(
            run.trace_id,
            native_id,
            outer_id,
            call.start_ns + 150_000,
            call.end_ns - 150_000,
            _native_body(call),
        )
        out.append((ANTHROPIC_SDK, native))
        body = _chat_body(run, call, "stop")
        out.append(
            (GENAI_ANTHROPIC, wire.span(run.trace_id, outer_id, root_id, call.start_ns, call.end_ns, body))
        )
    out.append(server_span(run, root_id, stable=True))
    return out, root_id

"""OpenLLMetry 0.62.4 and OpenInference, as their packages emit them with content capture switched off.

OpenLLMetry's Anthropic span is not made current, so HTTP spans are its siblings; its OpenAI service here has no
HTTP instrumentation at all, so its attempts cannot be known. OpenInference tells of every call twice: LangChain's
span in the agent's tree and the OpenAI one beside it under the root.
"""

from __future__ import annotations

from functools import lru_cache
from random import Random

from data.demo import wire
from data.demo.pieces import ERRORS, URLS, Emitted, Scope, http_spans, server_span
from data.demo.world import Call, Run, Tool

LLMETRY_OPENAI = Scope("opentelemetry.instrumentation.openai.v1", "0.62.4")
LLMETRY_ANTHROPIC = Scope("opentelemetry.instrumentation.anthropic", "0.62.4")
INFERENCE_OPENAI = Scope("openinference.instrumentation.openai", "0.1.66")
INFERENCE_LANGCHAIN = Scope("openinference.instrumentation.langchain", "0.1.80")
TOOL_SCOPE = Scope("returns-agent.tools", "3.2.0")


@lru_cache(maxsize=64)
def _llmetry_head(name: str, provider: str, request_model: str) -> bytes:
    pairs: dict[str, wire.Attribute] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": request_model,
    }
    if provider == "openai":
        pairs |= {"gen_ai.is_streaming": False, "gen_ai.openai.api_base": "https://api.openai.com/v1/"}
    return wire.kind_and_name(name, 3) + wire.attributes(pairs)


@lru_cache(maxsize=64)
def _llmetry_response(snapshot: str) -> bytes:
    return wire.attributes({"gen_ai.response.model": snapshot, "gen_ai.response.finish_reasons": ("stop",)})


def _llmetry_body(name: str, call: Call) -> bytes:
    provider = call.model.provider
    body = _llmetry_head(name, provider, call.model.request_name)
    if call.error:
        kind, message = ERRORS[provider][call.error]
        body += wire.count("error.type", kind) + wire.error(message)
        return body + wire.exception_event(call.end_ns, f"{provider}.{kind}", message)
    body += _llmetry_response(call.model.snapshot) + wire.attribute("gen_ai.response.id", call.response_id)
    body += wire.count("gen_ai.usage.input_tokens", call.input_tokens)
    body += wire.count("gen_ai.usage.output_tokens", call.output_tokens)
    body += wire.count("gen_ai.usage.total_tokens", call.input_tokens + call.output_tokens)
    body += wire.count("gen_ai.usage.cache_read.input_tokens", call.cache_read_tokens)
    if provider == "openai":
        return body + wire.count("gen_ai.usage.reasoning_tokens", call.reasoning_tokens) + wire.UNSET
    return body + wire.count("gen_ai.usage.cache_creation.input_tokens", call.cache_write_tokens) + wire.OK


def llmetry_openai(rng: Random, run: Run) -> tuple[Emitted, bytes]:
    """search-rerank: no HTTP spans: attempts are unobservable."""
    root_id = rng.randbytes(8)
    out: Emitted = []
    for call in run.calls:
        body = _llmetry_body("openai.chat", call)
        item = wire.span(run.trace_id, rng.randbytes(8), root_id, call.start_ns, call.end_ns, body)
        out.append((LLMETRY_OPENAI, item))
    out.append(server_span(run, root_id, stable=False))
    return out, root_id


def llmetry_anthropic(rng: Random, run: Run) -> tuple[Emitted, bytes]:
    """returns-agent: HTTP spans beside the model span, and the application's own tool spans."""
    root_id = rng.randbytes(8)
    out: Emitted = []
    for step in run.steps:
        if isinstance(step, Call):
            out += http_spans(rng, run, step, root_id, stable=False)
            scope, body = LLMETRY_ANTHROPIC, _llmetry_body("anthropic.chat", step)
        else:
            scope, body = TOOL_SCOPE, _tool_body(step)
        out.append(
            (scope, wire.span(run.trace_id, rng.randbytes(8), root_id, step.start_ns, step.end_ns, body))
        )
    out.append(server_span(run, root_id, stable=False))
    return out, root_id


@lru_cache(maxsize=64)
def _tool_head(name: str, ok: bool) -> bytes:
    pairs: dict[str, wire.Attribute] = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
    if not ok:
        pairs["error.type"] = "LookupError"
    ending = wire.UNSET if ok else wire.error("return not found")
    return wire.kind_and_name(f"execute_tool {name}", 1) + wire.attributes(pairs) + ending


def _tool_body(tool: Tool) -> bytes:
    return _tool_head(tool.name, tool.ok) + wire.attribute("gen_ai.tool.call.id", tool.call_id)


@lru_cache(maxsize=64)
def _inference_head(name: str, kind: str, request_model: str, snapshot: str) -> bytes:
    pairs: dict[str, wire.Attribute] = {"openinference.span.kind": kind}
    if kind == "LLM":
        pairs |= {
            "llm.system": "openai",
            "input.value": "__REDACTED__",
            "input.mime_type": "application/json",
            "llm.invocation_parameters": f'{{"model": "{request_model}", "stream": false}}',
        }
        if name == "ChatOpenAI":
            pairs["llm.provider"] = "openai"
        if snapshot:
            pairs |= {"llm.model_name": snapshot, "llm.finish_reason": "stop"}
            pairs["output.mime_type"] = "application/json"
    return wire.kind_and_name(name, 1) + wire.attributes(pairs)


def _inference_llm(name: str, run: Run, call: Call) -> bytes:
    """An LLM span; the response id stands only in output.value, whose messages a collector has cut out."""
    model = call.model
    session = wire.attribute("session.id", run.conversation) if name == "ChatOpenAI" else b""
    if call.error:
        kind, message = ERRORS[model.provider][call.error]
        body = (
            _inference_head(name, "LLM", model.request_name, "") + session + wire.error(f"{kind}: {message}")
        )
        return body + wire.exception_event(call.end_ns, f"openai.{kind}", message)
    answer = f'"id":"{call.response_id}","model_name":"{model.snapshot}","service_tier":"default"'
    if name == "ChatCompletion":
        output = f'{{{answer.replace("model_name", "model")},"choices":[],"object":"chat.completion"}}'
    else:
        message = f'{{"kwargs":{{"content":"__REDACTED__","response_metadata":{{{answer}}}}}}}'
        output = (
            f'{{"generations":[[{{"text":"__REDACTED__","message":{message}}}]],"llm_output":{{{answer}}}}}'
        )
    body = _inference_head(name, "LLM", model.request_name, model.snapshot) + session
    body += wire.attribute("output.value", output)
    body += wire.count("llm.token_count.prompt", call.input_tokens)
    body += wire.count("llm.token_count.completion", call.output_tokens)
    body += wire.count("llm.token_count.total", call.input_tokens + call.output_tokens)
    body += wire.count("llm.token_count.prompt_details.cache_read", call.cache_read_tokens)
    body += wire.count("llm.token_count.completion_details.reasoning", call.reasoning_tokens)
    return body + wire.OK


def _inference_holder(name: str, kind: str, run: Run, ok: bool) -> bytes:
    body = _inference_head(name, kind, "", "") + wire.attribute("session.id", run.conversation)
    return body + (wire.OK if ok else wire.error("the model call failed"))


def inference_agent(rng: Random, run: Run) -> tuple[Emitted, bytes]:
    """kb-answer through the LiteLLM gateway: each call is told of by LangChain and by the OpenAI client."""
    root_id, agent_id = rng.randbytes(8), rng.randbytes(8)
    out: Emitted = []
    for call in run.calls:
        client_id, node_id = rng.randbytes(8), rng.randbytes(8)
        start, end, trace = call.start_ns, call.end_ns, run.trace_id
        out += http_spans(rng, run, call, client_id, stable=True, url=URLS["litellm"])
        body = _inference_llm("ChatCompletion", run, call)
        out.append((INFERENCE_OPENAI, wire.span(trace, client_id, root_id, start, end, body)))
        body = _inference_llm("ChatOpenAI", run, call)
        item = wire.span(trace, rng.randbytes(8), node_id, start - 130_000, end + 120_000, body)
        out.append((INFERENCE_LANGCHAIN, item))
        body = _inference_holder("model", "CHAIN", run, not call.error)
        item = wire.span(trace, node_id, agent_id, start - 200_000, end + 180_000, body)
        out.append((INFERENCE_LANGCHAIN, item))
    body = _inference_holder("kb_agent", "AGENT", run, run.ok)
    item = wire.span(run.trace_id, agent_id, root_id, run.start_ns + 500_000, run.end_ns - 50_000, body)
    out.append((INFERENCE_LANGCHAIN, item))
    out.append(server_span(run, root_id, stable=True))
    return out, root_id

"""The Vercel AI SDK (ai 6) with undici, in OTLP/JSON as the JavaScript exporter writes it.

One `ai.generateText` a logical call and one `ai.generateText.doGenerate` an attempt. Ids are hex text, instants
are strings, int64 values are JSON numbers (the Python JSON exporter writes strings), start times are whole
milliseconds. Message content is off (`recordInputs: false, recordOutputs: false`).
"""

from __future__ import annotations

from random import Random

from data.demo.pieces import OPENAI_ERRORS, ROUTE, URLS, Emitted, Scope
from data.demo.world import ERROR_NAMES, MAX_RETRIES, Call, Run, Send

UNDICI = Scope("@opentelemetry/instrumentation-undici", "0.33.0")
AI = Scope("ai", "")
APP = Scope("web-chat.server", "2.4.0")
MS_NS = 1_000_000

_TAIL = '"links":[],"droppedLinksCount":0,"flags":257}'


def _text(key: str, value: str) -> str:
    return f'{{"key":"{key}","value":{{"stringValue":"{value}"}}}}'


def _number(key: str, value: int) -> str:
    return f'{{"key":"{key}","value":{{"intValue":{value}}}}}'


def _span(
    run: Run, span_id: str, parent_id: str, name: str, kind: int, times: tuple[int, int], attrs: str, end: str
) -> bytes:
    """One span object; `end` carries events and status. JavaScript starts spans on a whole millisecond."""
    parent = f'"parentSpanId":"{parent_id}",' if parent_id else ""
    return (
        f'{{"traceId":"{run.trace_id.hex()}","spanId":"{span_id}",{parent}"name":"{name}","kind":{kind},'
        f'"startTimeUnixNano":"{times[0] // MS_NS * MS_NS}","endTimeUnixNano":"{times[1]}",'
        f'"attributes":[{attrs}],"droppedAttributesCount":0,{end},{_TAIL}'
    ).encode()


_FINE = '"events":[],"droppedEventsCount":0,"status":{"code":0}'


def _bad(at_ns: int, kind: str, message: str) -> str:
    pairs = f"{_text('exception.type', kind)},{_text('exception.message', message)}"
    event = (
        f'{{"attributes":[{pairs}],"name":"exception","timeUnixNano":"{at_ns}","droppedAttributesCount":0}}'
    )
    return f'"events":[{event}],"droppedEventsCount":0,"status":{{"code":2,"message":"{message}"}}'


_UNDICI_HEAD = ",".join(
    (
        _text("http.request.method", "POST"),
        _text("http.request.method_original", "POST"),
        _text("url.full", URLS["openai"]),
        _text("url.path", "/v1/chat/completions"),
        _text("url.query", ""),
        _text("url.scheme", "https"),
        _text("server.address", "api.openai.com"),
        _number("server.port", 443),
        _text("network.peer.address", "203.0.113.10"),
        _number("network.peer.port", 443),
        _text("network.protocol.version", "1.1"),
    )
)


def _http_span(run: Run, send: Send, span_id: str, parent_id: str) -> bytes:
    times = (send.start_ns, send.end_ns)
    if send.status == 0:
        attrs = f"{_UNDICI_HEAD},{_text('error.type', 'HeadersTimeoutError')}"
        return _span(
            run,
            span_id,
            parent_id,
            "POST",
            3,
            times,
            attrs,
            _bad(send.end_ns, "Error", "Headers Timeout Error"),
        )
    attrs = f"{_UNDICI_HEAD},{_number('http.response.status_code', send.status)}"
    if send.status < 400:
        return _span(run, span_id, parent_id, "POST", 3, times, attrs, _FINE)
    attrs += f",{_text('error.type', str(send.status))}"
    end = '"events":[],"droppedEventsCount":0,"status":{"code":2}'
    return _span(run, span_id, parent_id, "POST", 3, times, attrs, end)


def _ai_head(operation: str, model: str) -> str:
    return ",".join(
        (
            _text("operation.name", f"{operation} reply"),
            _text("resource.name", "reply"),
            _text("ai.operationId", operation),
            _text("ai.telemetry.functionId", "reply"),
            _text("ai.model.provider", "openai.chat"),
            _text("ai.model.id", model),
            _number("ai.settings.maxRetries", MAX_RETRIES),
        )
    )


def _usage(call: Call) -> str:
    fresh = call.input_tokens - call.cache_read_tokens
    return ",".join(
        (
            _text("ai.response.finishReason", "stop"),
            _number("ai.usage.inputTokens", call.input_tokens),
            _number("ai.usage.inputTokenDetails.noCacheTokens", fresh),
            _number("ai.usage.inputTokenDetails.cacheReadTokens", call.cache_read_tokens),
            _number("ai.usage.outputTokens", call.output_tokens),
            _number("ai.usage.totalTokens", call.input_tokens + call.output_tokens),
            _number("ai.usage.cachedInputTokens", call.cache_read_tokens),
        )
    )


def _response(call: Call) -> str:
    stop = (
        '{"key":"gen_ai.response.finish_reasons","value":{"arrayValue":{"values":[{"stringValue":"stop"}]}}}'
    )
    return ",".join(
        (
            _text("ai.response.id", call.response_id),
            _text("ai.response.model", call.model.snapshot),
            _usage(call),
            stop,
            _text("gen_ai.response.id", call.response_id),
            _text("gen_ai.response.model", call.model.snapshot),
            _number("gen_ai.usage.input_tokens", call.input_tokens),
            _number("gen_ai.usage.output_tokens", call.output_tokens),
        )
    )


def _attempt_spans(rng: Random, run: Run, call: Call, send: Send, parent_id: str) -> Emitted:
    span_id = rng.randbytes(8).hex()
    model = call.model.request_name
    attrs = f"{_ai_head('ai.generateText.doGenerate', model)},{_text('gen_ai.system', 'openai.chat')}"
    attrs += f",{_text('gen_ai.request.model', model)}"
    end = _FINE
    if send.status == 200:
        attrs += f",{_response(call)}"
    else:
        _, message = OPENAI_ERRORS[ERROR_NAMES[send.status]]
        end = _bad(send.end_ns, "AI_APICallError", message)
    times = (send.start_ns - 500_000, send.end_ns + 300_000)
    http = _http_span(run, send, rng.randbytes(8).hex(), span_id)
    name = "ai.generateText.doGenerate"
    return [(UNDICI, http), (AI, _span(run, span_id, parent_id, name, 1, times, attrs, end))]


def generate_text(rng: Random, run: Run) -> tuple[Emitted, bytes]:
    """web-chat: generateText under the server span, a doGenerate and an undici span an attempt."""
    root = rng.randbytes(8)
    out: Emitted = []
    for call in run.calls:
        span_id = rng.randbytes(8).hex()
        for send in call.sends:
            out += _attempt_spans(rng, run, call, send, span_id)
        attrs = _ai_head("ai.generateText", call.model.request_name)
        end = _FINE
        if call.error:
            _, message = OPENAI_ERRORS[call.error]
            end = _bad(
                call.end_ns,
                "AI_RetryError",
                f"Failed after {len(call.sends)} attempts. Last error: {message}",
            )
        else:
            attrs += f",{_usage(call)}"
        times = (call.start_ns, call.end_ns)
        out.append((AI, _span(run, span_id, root.hex(), "ai.generateText", 1, times, attrs, end)))
    attrs = f"{_text('http.request.method', 'POST')},{_text('http.route', ROUTE)},{_text('url.path', ROUTE)}"
    attrs += f",{_number('http.response.status_code', 200 if run.ok else 502)}"
    end = _FINE if run.ok else '"events":[],"droppedEventsCount":0,"status":{"code":2}'
    times = (run.start_ns, run.end_ns)
    out.append((APP, _span(run, root.hex(), "", f"POST {ROUTE}", 2, times, attrs, end)))
    return out, root

"""A program as a user would write it: OpenAI's client, instrumented, exporting OTLP to Trueup.

python -m tests.live.client PROVIDER_BASE_URL TRUEUP_TRACES_URL
Prints one line a call: its trace id and its name. The program knows nothing of Trueup but the URL.
"""

from __future__ import annotations

import sys

import openai
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

CALLS = ("ok", "retry_500", "exhaust_429", "stream")


def main(provider_url: str, traces_url: str) -> None:
    tracers = TracerProvider(resource=Resource({"service.name": "weather-desk", "cloud.region": "eu-west-1"}))
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=traces_url)))
    trace.set_tracer_provider(tracers)
    OpenAIInstrumentor().instrument()
    HTTPX2ClientInstrumentor().instrument()
    client = openai.OpenAI(base_url=provider_url, api_key="none", max_retries=2)
    for name in CALLS:
        with trace.get_tracer("weather-desk").start_as_current_span("POST /weather") as span:
            print(f"{span.get_span_context().trace_id:032x} {name}", flush=True)
            _call(client, name)
    tracers.shutdown()


def _call(client: openai.OpenAI, name: str) -> None:
    question = [{"role": "user", "content": "Weather in Paris?"}]
    try:
        answer = client.chat.completions.create(
            model="gpt-4o-mini",
            messages=question,  # type: ignore[arg-type]
            user=f"{name}/{name}",
            stream=name == "stream",
        )
        if name == "stream":
            list(answer)
    except openai.RateLimitError as error:
        print(f"given up: {error.status_code}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])

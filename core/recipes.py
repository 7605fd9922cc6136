"""Set-up recipes shown on an empty ledger and on the data page: how to make calls, attempts and bills visible.

HTTP client spans are the only place where an SDK's own retries show (measured over every instrumentation of
docs/formats.md); two header settings give each of them its attempt number and the provider's request id.
"""

from __future__ import annotations

from typing import NamedTuple

REQUEST_HEADERS = "x-stainless-retry-count"
RESPONSE_HEADERS = "x-request-id,request-id,retry-after,retry-after-ms,openai-processing-ms"


class Recipe(NamedTuple):
    """One way to send data: copy, run, look."""

    title: str
    language: str
    text: str


PYTHON_SHELL = f"""\
pip install openai opentelemetry-sdk opentelemetry-exporter-otlp-proto-http \\
    opentelemetry-instrumentation-genai-openai opentelemetry-instrumentation-httpx

# These two make attempts visible: the attempt's number and the provider's request id.
export OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST={REQUEST_HEADERS}
export OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_RESPONSE={RESPONSE_HEADERS}

export OTEL_SERVICE_NAME=my-agent
export OTEL_RESOURCE_ATTRIBUTES=cloud.region=eu-west-1
"""

PYTHON = """\
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor, HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint="{endpoint}")))
trace.set_tracer_provider(provider)

OpenAIInstrumentor().instrument()
HTTPX2ClientInstrumentor().instrument()  # openai from 3, anthropic from 2: without it attempts stay unknown
HTTPXClientInstrumentor().instrument()   # older clients
"""

JAVASCRIPT = """\
// npm install @opentelemetry/sdk-node @opentelemetry/exporter-trace-otlp-http \\
//     @opentelemetry/instrumentation-openai @opentelemetry/instrumentation-undici
// node --import ./tracing.mjs app.mjs
import { NodeSDK } from "@opentelemetry/sdk-node";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OpenAIInstrumentation } from "@opentelemetry/instrumentation-openai";
import { UndiciInstrumentation } from "@opentelemetry/instrumentation-undici";

new NodeSDK({
  serviceName: "my-agent",
  traceExporter: new OTLPTraceExporter({ url: "{endpoint}" }),
  instrumentations: [
    new OpenAIInstrumentation(),
    new UndiciInstrumentation({
      // These two make attempts visible: the attempt's number and the provider's request id.
      headersToSpanAttributes: {
        requestHeaders: [{request_headers}],
        responseHeaders: [{response_headers}],
      },
    }),
  ],
}).start();
"""

COLLECTOR = """\
receivers:
  otlp:
    protocols:
      http:
        endpoint: 127.0.0.1:4318
exporters:
  # Live: every batch goes straight to Trueup.
  otlp_http/trueup:
    traces_endpoint: {endpoint}
    compression: gzip
  # Or on file, to be loaded later: python -m core ingest traces.jsonl
  file/trueup:
    path: ./traces.jsonl
service:
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [otlp_http/trueup, file/trueup]
# Header capture is set where the HTTP client runs, in the app's environment:
#   OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST={request_headers}
#   OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_RESPONSE={response_headers}
"""

FILES = """\
# Traces from a collector's file exporter, FOCUS and vendor bills, gateway logs: detected by content.
python -m core ingest traces.jsonl focus.csv exports/

# A made-up product's traces and bills, to look around. Every page then says that it shows demo data.
python -m core demo
"""


INCUMBENTS = """\
# Langfuse: observations as pages of JSON (repeat with page=2, 3, ...), scores likewise.
curl -u "$LANGFUSE_PUBLIC_KEY:$LANGFUSE_SECRET_KEY" \\
    "$LANGFUSE_HOST/api/public/observations?limit=100&page=1" > langfuse-observations-1.json
curl -u "$LANGFUSE_PUBLIC_KEY:$LANGFUSE_SECRET_KEY" \\
    "$LANGFUSE_HOST/api/public/v2/scores?limit=100&page=1" > langfuse-scores-1.json

# Phoenix: all spans of a project through its own client.
python -c 'from phoenix.client import Client
Client().spans.get_spans_dataframe(limit=100_000).to_parquet("phoenix-spans.parquet")'

# LiteLLM: its spend log straight from its database, see docs/sql-sources.md; or as JSON:
curl -H "Authorization: Bearer $LITELLM_MASTER_KEY" \\
    "$LITELLM_HOST/spend/logs?start_date=2026-11-01&end_date=2026-11-30" > litellm.json

python -m core ingest langfuse-observations-1.json langfuse-scores-1.json phoenix-spans.parquet litellm.json
"""

PROBES = """\
# Fixed prompts to every region with your own keys, a few times a day. Copy both files and put your regions in.
cp docs/recipes/regional_probes/probe.py docs/recipes/regional_probes/probes.toml .
python probe.py probes.toml
python -m core ingest probes.jsonl
"""


MCP_TITLE = "MCP: client and server spans of a turn"
MCP = """\
# The official SDK (mcp 2 and newer) makes client and server spans itself once both processes have a tracer provider.
# Over stdio a server inherits nothing: give it its own exporter.
pip install "mcp>=2" opentelemetry-distro opentelemetry-exporter-otlp-proto-http
export OTEL_EXPORTER_OTLP_TRACES_ENDPOINT={endpoint}
OTEL_SERVICE_NAME=my-agent opentelemetry-instrument python agent.py
# and as the command of the server in the client's configuration:
#   env OTEL_SERVICE_NAME=orders-mcp opentelemetry-instrument python orders_mcp.py

# For clocks: name the machine on both sides. Browsers have none: set session.id on their spans.
export OTEL_EXPERIMENTAL_RESOURCE_DETECTORS=host
"""

VOICE_TITLE = "Voice: what callers wait for, from LiveKit or Pipecat"
VOICE = """\
# A few lines in the agent write its metrics as JSON lines; docs/recipes/voice has both, and what the client has to add.
cp docs/recipes/voice/livekit_lines.py .      # or pipecat_lines.py
python agent.py                               # appends to voice-metrics.jsonl
python -m core ingest voice-metrics.jsonl

# Without a client_audio line of the caller's client (or of a recording) a page can show a lower bound and no more.
"""


STREAMS_TITLE = "Streams: the gateway's spans and histograms"
STREAMS = """\
# Spans of the gateway say how many requests a node holds; its metrics are the histograms behind your p99.
export OTEL_EXPORTER_OTLP_TRACES_ENDPOINT={endpoint}
export OTEL_EXPORTER_OTLP_METRICS_ENDPOINT={metrics_endpoint}
OTEL_SERVICE_NAME=my-gateway opentelemetry-instrument python gateway.py

# Prometheus instead of OTLP: save /metrics with the time in the file's name, as often as you scrape.
curl -s "$GATEWAY/metrics" > gateway-1-$(date +%s).prom
python -m core ingest gateway-1-*.prom

# What a node holds, where a load test has said it: otherwise errors by load say it, if it ever failed.
printf 'ts,kind,title,service_name,streams\\n%s,limit,Load test,my-gateway,60\\n' "$(date -u +%FT%TZ)" > capacity.csv
python -m core ingest capacity.csv
"""


CHUNKS_TITLE = "Chunks: when each piece of a stream arrived"
CHUNKS = """\
# Your own streaming client, wrapped: a line a response, with times, sizes and kinds of chunks, and no text.
cp docs/recipes/stream_recorder/stream_recorder.py .    # or stream_recorder.mjs for JavaScript
#   from stream_recorder import Recorder
#   recorder = Recorder("streams.jsonl", provider="openai", region="eu-west-1", version="2026-11")
#   watch = recorder.watch(prompt_id="p-017")           # before the request
#   for chunk in watch.events(client.chat.completions.create(..., stream=True)): ...
python -m core ingest streams.jsonl

# A server of your own: vLLM's benchmark keeps every chunk's time.
vllm bench serve --save-result --save-detailed --metadata region=eu-1 version=0.14 ...
"""


def recipes(address: str) -> list[Recipe]:
    """Every recipe with this app's own address, `address` being scheme, host and port."""
    endpoint, metrics = (f"{address.rstrip('/')}/v1/{signal}" for signal in ("traces", "metrics"))
    quoted = [
        ", ".join(f'"{name}"' for name in names.split(",")) for names in (REQUEST_HEADERS, RESPONSE_HEADERS)
    ]
    javascript = _filled(JAVASCRIPT, endpoint, *quoted)
    collector = _filled(COLLECTOR, endpoint, REQUEST_HEADERS, RESPONSE_HEADERS)
    return [
        Recipe("Python: packages and settings", "bash", PYTHON_SHELL),
        Recipe("Python: start of the program", "python", _filled(PYTHON, endpoint, "", "")),
        Recipe("JavaScript: tracing.mjs", "javascript", javascript),
        Recipe("OpenTelemetry Collector", "yaml", collector),
        Recipe("Files and demo data", "bash", FILES),
        Recipe("Probes: the same prompts to every region", "bash", PROBES),
        Recipe(MCP_TITLE, "bash", _filled(MCP, endpoint, "", "")),
        Recipe(CHUNKS_TITLE, "bash", CHUNKS),
        Recipe(
            STREAMS_TITLE, "bash", _filled(STREAMS.replace("{metrics_endpoint}", metrics), endpoint, "", "")
        ),
        Recipe(VOICE_TITLE, "bash", VOICE),
        Recipe("What Langfuse, Phoenix or LiteLLM already hold", "bash", INCUMBENTS),
    ]


def _filled(text: str, endpoint: str, request_headers: str, response_headers: str) -> str:
    return (
        text.replace("{endpoint}", endpoint)
        .replace("{request_headers}", request_headers)
        .replace("{response_headers}", response_headers)
    )

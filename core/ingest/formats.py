"""The formats Trueup reads, in the order they are tried: adding one is a module and a row here (see core.ingest)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from core.ingest.bills import (
    anthropic_billing,
    aws_cur,
    azure_costs,
    focus,
    gcp_billing,
    litellm,
    openai_billing,
    openrouter,
)
from core.ingest.evals import (
    braintrust,
    deepeval,
    inspect_logs,
    lm_eval,
    openai_evals_api,
    openai_evals_legacy,
    promptfoo,
    ragas,
)
from core.ingest.options import ReadOptions
from core.ingest.otlp import files as otlp_files
from core.ingest.otlp.requests import LOGS, METRICS, TRACES
from core.ingest.own_tables import (
    callers,
    change_events,
    outcomes_csv,
    probes,
    responses_file,
    stream_recordings,
)
from core.ingest.platforms import langfuse, langsmith, phoenix, prometheus_text, vllm_bench
from core.ingest.voice import livekit, pipecat
from core.ledger.batch import Batch

HEAD_BYTES = 64 * 1024


class Format(NamedTuple):
    """One format: `detect(head, name)` sees the first HEAD_BYTES and the file's name, `read` yields batches."""

    name: str
    title: str
    detect: Callable[[bytes, str], bool]
    read: Callable[[BinaryIO, str, ReadOptions], Iterator[Batch]]


class UnknownFormat(ValueError):
    """No format recognises the bytes; the message lists the known ones."""


def _has_openai_costs(head: bytes, name: str) -> bool:
    """A report of costs alone: one reader reads both reports, and lists them under two names."""
    return openai_billing.detect(head, name) and b"organization.usage." not in head


FORMATS: tuple[Format, ...] = (
    Format(
        TRACES.name,
        "OpenTelemetry traces (OTLP protobuf, JSON or JSON lines)",
        otlp_files.detector(TRACES),
        otlp_files.read,
    ),
    Format(
        LOGS.name,
        "OpenTelemetry logs (OTLP protobuf, JSON or JSON lines)",
        otlp_files.detector(LOGS),
        otlp_files.read,
    ),
    Format(
        METRICS.name,
        "OpenTelemetry metrics (OTLP protobuf, JSON or JSON lines)",
        otlp_files.detector(METRICS),
        otlp_files.read,
    ),
    Format(
        prometheus_text.NAME,
        "Prometheus text: a saved /metrics page or /federate answer",
        prometheus_text.detect,
        prometheus_text.read,
    ),
    Format(livekit.NAME, "LiveKit voice metrics (JSON lines or JSON)", livekit.detect, livekit.read),
    Format(pipecat.NAME, "Pipecat voice metrics (JSON lines or JSON)", pipecat.detect, pipecat.read),
    Format(inspect_logs.NAME, "Inspect AI log (.eval or JSON)", inspect_logs.detect, inspect_logs.read),
    Format(
        lm_eval.NAME,
        "lm-evaluation-harness results (JSON) and samples (JSON lines)",
        lm_eval.detect,
        lm_eval.read,
    ),
    Format(promptfoo.NAME, "promptfoo results (JSON or JSON lines)", promptfoo.detect, promptfoo.read),
    Format(
        openai_evals_legacy.NAME,
        "OpenAI evals (oaieval) log (JSON lines)",
        openai_evals_legacy.detect,
        openai_evals_legacy.read,
    ),
    Format(
        openai_evals_api.NAME,
        "OpenAI Evals API runs and output items (JSON)",
        openai_evals_api.detect,
        openai_evals_api.read,
    ),
    Format(deepeval.NAME, "DeepEval test run or evaluation result (JSON)", deepeval.detect, deepeval.read),
    Format(ragas.NAME, "Ragas result (CSV)", ragas.detect, ragas.read),
    Format(
        braintrust.NAME,
        "Braintrust experiment: result, summary or events (JSON or JSON lines)",
        braintrust.detect,
        braintrust.read,
    ),
    Format(focus.NAME, "FOCUS 1.0 to 1.4 billing export (CSV or Parquet)", focus.detect, focus.read),
    Format(
        callers.NAME,
        "Callers: which service calls under which project or key (CSV)",
        callers.detect,
        callers.read,
    ),
    Format(
        outcomes_csv.NAME,
        "Outcomes: what became of runs, answers and conversations (CSV)",
        outcomes_csv.detect,
        outcomes_csv.read,
    ),
    Format(
        responses_file.NAME,
        "Scored responses with their features (CSV or Parquet)",
        responses_file.detect,
        responses_file.read,
    ),
    Format(
        change_events.NAME,
        "Change events: deployments, releases, limits, prices (CSV, JSON or JSON lines)",
        change_events.detect,
        change_events.read,
    ),
    Format(
        langsmith.NAME,
        "LangSmith feedback (JSON or JSON lines)",
        langsmith.detect,
        langsmith.read,
    ),
    Format(
        probes.NAME,
        "Probes: fixed prompts sent to every region (JSON, JSON lines or CSV)",
        probes.detect,
        probes.read,
    ),
    Format(
        stream_recordings.NAME,
        "Recorded streams: when each chunk arrived (JSON or JSON lines)",
        stream_recordings.detect,
        stream_recordings.read,
    ),
    Format(
        vllm_bench.NAME,
        "vLLM bench serve results, detailed (JSON or JSON lines)",
        vllm_bench.detect,
        vllm_bench.read,
    ),
    Format(litellm.NAME, "LiteLLM spend logs (JSON, JSON lines or CSV)", litellm.detect, litellm.read),
    Format(
        aws_cur.NAME,
        "AWS Cost and Usage Report 2.0 or legacy (CSV or Parquet)",
        aws_cur.detect,
        aws_cur.read,
    ),
    Format(
        azure_costs.NAME,
        "Azure cost details, actual or amortised (CSV)",
        azure_costs.detect,
        azure_costs.read,
    ),
    Format(
        gcp_billing.NAME,
        "Google Cloud billing export (JSON, JSON lines, CSV or Parquet)",
        gcp_billing.detect,
        gcp_billing.read,
    ),
    Format(
        anthropic_billing.NAME,
        "Anthropic usage and cost reports (JSON)",
        anthropic_billing.detect,
        anthropic_billing.read,
    ),
    Format(
        langfuse.NAME,
        "Langfuse observations, traces and scores (JSON, JSON lines or CSV)",
        langfuse.detect,
        langfuse.read,
    ),
    Format(
        phoenix.NAME,
        "Phoenix spans and annotations (JSON, JSON lines, CSV or Parquet)",
        phoenix.detect,
        phoenix.read,
    ),
    Format(openrouter.NAME, "OpenRouter activity (JSON)", openrouter.detect, openrouter.read),
    Format("openai_costs", "OpenAI organization costs (JSON)", _has_openai_costs, openai_billing.read),
    Format("openai_usage", "OpenAI organization usage (JSON)", openai_billing.detect, openai_billing.read),
)
"""Telemetry first: its sign is the clearest. Evals before spans and spend logs, whose fields theirs may quote.

The last row catches OpenAI reports that are empty or mixed.
"""


def detect(head: bytes, name: str) -> Format:
    """The format of a file from its first HEAD_BYTES; raises UnknownFormat naming every known format."""
    for known in FORMATS:
        if known.detect(head, name):
            return known
    titles = "; ".join(known.title for known in FORMATS)
    raise UnknownFormat(f"No known format recognises the content. Known formats: {titles}.")

"""A small shop's traces and its bill, as a collector and a provider would write them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import Any, NamedTuple

START_NS = 1_795_000_000 * 10**9
DAY = "2026-11-18"
"""The UTC day of START_NS (1,795,000,000 s after 1970)."""
MS = 10**6
MODEL = "gpt-4o-mini"


def _attributes(values: dict[str, str | int]) -> list[dict[str, Any]]:
    return [
        {
            "key": key,
            "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value},
        }
        for key, value in values.items()
    ]


class Names(NamedTuple):
    """The texts of a trace that its sender chooses."""

    service: str = "shop"
    run: str = "invoke_agent shop"
    model: str = MODEL
    region: str = "eu-west-1"


SHOP = Names()


def run_spans(number: int, names: Names = SHOP) -> list[dict[str, Any]]:
    """A run: an agent makes one model call; every fourth is answered 500 first and sent again by the SDK.

    The audit tells from 30 runs on.
    """
    trace = hashlib.sha256(f"run {number}".encode()).hexdigest()[:32]
    start = START_NS + number * 60_000 * MS
    statuses = (500, 200) if number % 4 == 0 else (200,)

    def span(
        place: int, parent: int, name: str, kind: int, at: int, long: int, **more: Any
    ) -> dict[str, Any]:
        return {
            "traceId": trace,
            "spanId": f"{number + 1:08x}{place:08x}",
            "parentSpanId": f"{number + 1:08x}{parent:08x}" if parent else "",
            "name": name,
            "kind": kind,
            "startTimeUnixNano": str(start + at * MS),
            "endTimeUnixNano": str(start + (at + long) * MS),
            "attributes": _attributes(more.pop("attributes", {})),
            **more,
        }

    chat: dict[str, str | int] = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": names.model,
        "gen_ai.response.model": names.model, "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100,
    }  # fmt: skip
    agent: dict[str, str | int] = {"gen_ai.operation.name": "invoke_agent"}
    spans = [
        span(1, 0, names.run, 1, 0, 1000, attributes=agent),
        span(2, 1, f"chat {names.model}", 3, 10, 900, attributes=chat),
    ]
    for place, status in enumerate(statuses):
        sent: dict[str, str | int] = {
            "http.request.method": "POST", "url.full": "https://api.openai.com/v1/chat/completions",
            "server.address": "api.openai.com", "http.response.status_code": status,
        }  # fmt: skip
        if status == 500:
            sent["error.type"] = "500"
        if place:
            sent["http.request.resend_count"] = place
        code = {"code": 2} if status == 500 else {}
        spans.append(span(3 + place, 2, "POST", 3, 20 + 400 * place, 350, attributes=sent, status=code))
    return spans


def traces(runs: range, names: Names = SHOP) -> bytes:
    """One OTLP/JSON request: also one line of a collector's file."""
    resource = {"attributes": _attributes({"service.name": names.service, "cloud.region": names.region})}
    scope = {
        "scope": {"name": "opentelemetry.instrumentation.genai.openai"},
        "spans": [one for number in runs for one in run_spans(number, names)],
    }
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}).encode()


def trace_lines(runs: range) -> bytes:
    """A collector's file: one request a line, ten runs each."""
    pieces = [runs[at : at + 10] for at in range(0, len(runs), 10)]
    return b"\n".join(traces(piece) for piece in pieces) + b"\n"


def focus_bill(usd: str, provider: str = "OpenAI") -> bytes:
    """A FOCUS CSV with one line: what the day's model use cost."""
    line = {
        "BilledCost": usd, "EffectiveCost": usd, "ListCost": usd, "ContractedCost": usd, "BillingCurrency": "USD",
        "BillingAccountId": "shop", "BillingPeriodStart": "2026-11-01T00:00:00Z",
        "BillingPeriodEnd": "2026-12-01T00:00:00Z", "ChargeCategory": "Usage",
        "ChargePeriodStart": f"{DAY}T00:00:00Z", "ChargePeriodEnd": "2026-11-19T00:00:00Z",
        "ProviderName": provider, "ServiceCategory": "AI and Machine Learning", "ServiceName": "API",
        "SkuMeter": f"{MODEL} input tokens", "ChargeDescription": MODEL,
        "ConsumedQuantity": "50000", "ConsumedUnit": "Tokens",
    }  # fmt: skip
    text = io.StringIO()
    writer = csv.DictWriter(text, list(line), lineterminator="\n")
    writer.writeheader()
    writer.writerow(line)
    return text.getvalue().encode()

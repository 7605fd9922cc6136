"""The retry audit's worked scenario, from OTLP bytes to the cent.

A run plans (one model call, the step crashes), then calls a tool step that fails twice with 500 and succeeds. A model
call costs $0.010, a tool call $0.002:

    plan crash            1 x 0.010             = 0.010   never rescued
    two 500s              2 x (0.010 + 0.002)   = 0.024   rescued
    converting attempt    1 x (0.010 + 0.002)   = 0.012
                                                  -----
                                                  0.046   = 3.83 x 0.012; model calls alone 4 x 0.010 = 4.00 x 0.010
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from core.audit import Scope, TooLittle
from core.audits import retry_ledger
from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_traces
from core.ledger.store import Store

START_NS = 1_795_000_000 * 10**9
MS = 10**6
OK, ERROR = 1, 2
PRICES = """
[[model]]
provider = "*"
model = "*"
input = 0.0
output = 0.0
per_request_usd = 0.010

[[tool]]
name = "*"
per_call_usd = 0.002
"""


class Sender:
    """Builds one OTLP request; times in milliseconds after the run's start."""

    def __init__(self) -> None:
        self.request = ExportTraceServiceRequest()
        resource = self.request.resource_spans.add()
        resource.resource.attributes.append(_attribute("service.name", "shop"))
        scope = resource.scope_spans.add()
        scope.scope.name = "opentelemetry.instrumentation.genai.openai"
        self._spans = scope.spans

    def span(
        self, number: int, parent: int, name: str, start: int, end: int, status: int, **attributes: Any
    ) -> None:
        """One span; span ids are small numbers, 0 is no parent."""
        span = self._spans.add(name=name, kind=3 if "gen_ai_request_model" in attributes else 1)
        span.trace_id = bytes(15) + b"\x01"
        span.span_id = number.to_bytes(8, "big")
        span.parent_span_id = parent.to_bytes(8, "big") if parent else b""
        span.start_time_unix_nano = START_NS + start * MS
        span.end_time_unix_nano = START_NS + end * MS
        span.status.code = status
        for key, value in attributes.items():
            span.attributes.append(_attribute(_dotted(key), value))


def _dotted(key: str) -> str:
    for known in (
        "gen_ai.operation.name",
        "gen_ai.request.model",
        "gen_ai.provider.name",
        "gen_ai.tool.name",
    ):
        if known.replace(".", "_") == key:
            return known
    return {
        "input_tokens": "gen_ai.usage.input_tokens",
        "output_tokens": "gen_ai.usage.output_tokens",
        "error_type": "error.type",
    }[key]


def _attribute(key: str, value: str | int) -> KeyValue:
    as_any = AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
    return KeyValue(key=key, value=as_any)


MODEL = {
    "gen_ai_operation_name": "chat",
    "gen_ai_provider_name": "openai",
    "gen_ai_request_model": "gpt-4o-mini",
    "input_tokens": 1000,
    "output_tokens": 100,
}
TOOL = {"gen_ai_operation_name": "execute_tool", "gen_ai_tool_name": "charge_card"}


def steps_as_spans() -> bytes:
    """Every step has a span of its own."""
    sender = Sender()
    sender.span(1, 0, "invoke_agent shop", 0, 900, OK, gen_ai_operation_name="invoke_agent")
    sender.span(2, 1, "plan", 10, 100, ERROR)
    sender.span(3, 2, "chat gpt-4o-mini", 11, 90, OK, **MODEL)
    for number, status in enumerate((ERROR, ERROR, OK)):
        at, first = 200 + 200 * number, 10 * (number + 1)
        sender.span(first, 1, "call tool", at, at + 150, status)
        sender.span(first + 1, first, "chat gpt-4o-mini", at + 1, at + 50, OK, **MODEL)
        failure = {"error_type": "500"} if status == ERROR else {}
        sender.span(
            first + 2, first, "execute_tool charge_card", at + 60, at + 140, status, **TOOL, **failure
        )
    return sender.request.SerializeToString()


def flat_with_named_agents() -> bytes:
    """No step spans: the planner and the executor are agents under the run."""
    sender = Sender()
    sender.span(1, 0, "POST /checkout", 0, 900, OK)
    sender.span(2, 1, "invoke_agent planner", 10, 100, ERROR, gen_ai_operation_name="invoke_agent")
    sender.span(3, 2, "chat gpt-4o-mini", 11, 90, OK, **MODEL)
    sender.span(4, 1, "invoke_agent executor", 200, 890, OK, gen_ai_operation_name="invoke_agent")
    for number, status in enumerate((ERROR, ERROR, OK)):
        at, first = 210 + 200 * number, 10 * (number + 1)
        sender.span(first + 1, 4, "chat gpt-4o-mini", at + 1, at + 50, OK, **MODEL)
        failure = {"error_type": "500"} if status == ERROR else {}
        sender.span(first + 2, 4, "execute_tool charge_card", at + 60, at + 140, status, **TOOL, **failure)
    return sender.request.SerializeToString()


def errors_on_the_model_calls() -> bytes:
    """The framework marks the model call of a failed step as failed too."""
    sender = Sender()
    sender.span(1, 0, "invoke_agent shop", 0, 900, OK, gen_ai_operation_name="invoke_agent")
    sender.span(2, 1, "plan", 10, 100, ERROR)
    sender.span(3, 2, "chat gpt-4o-mini", 11, 90, ERROR, **MODEL)
    sender.span(4, 1, "tool call", 200, 890, OK)
    for number, status in enumerate((ERROR, ERROR, OK)):
        at, first = 210 + 200 * number, 10 * (number + 1)
        sender.span(first + 1, 4, "chat gpt-4o-mini", at + 1, at + 50, status, **MODEL)
        sender.span(first + 2, 4, "execute_tool charge_card", at + 60, at + 140, status, **TOOL)
    return sender.request.SerializeToString()


SHAPES = {
    "steps": steps_as_spans(),
    "agents": flat_with_named_agents(),
    "errors on the model calls": errors_on_the_model_calls(),
}


@pytest.mark.parametrize("body", SHAPES.values(), ids=SHAPES)
def test_worked_scenario_to_the_cent(body: bytes, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    store = Store.open(tmp_path / "ledger.duckdb", price_overrides=prices)
    store.submit(decode_traces(body, "application/x-protobuf", ReadOptions(), "otlp/http", "sha"))
    day = dt.datetime.fromtimestamp(START_NS / 1e9, dt.UTC).date()
    scope = Scope(day, day, as_of=store.derive())
    retries = retry_ledger.measure(retry_ledger.load(store.ask, scope), scope)
    assert not isinstance(retries, TooLittle)
    store.close()

    attempts = retries.grains[0]
    assert (attempts.n, attempts.failed) == (4, 3)  # 3 / 4 = 75 %
    assert (retries.product.converted, retries.product.runs) == (1, 1)
    assert (retries.spend.inference_lines, retries.spend.tool_lines) == (4, 3)
    assert retries.all_in_usd == Decimal("0.046")
    money = {
        row["bucket"]: row["usd"] for row in retry_ledger.bridge_rows(retries) if row["bridge"] == "money"
    }
    assert money["converting"] == Decimal("0.012")
    assert money["unrescued"] == Decimal("0.010")
    assert money["rescued"] == Decimal("0.024")
    counts = {
        row["bucket"]: row["count"] for row in retry_ledger.bridge_rows(retries) if row["bridge"] == "count"
    }
    assert (counts["converting"], counts["rescued"], counts["unrescued"]) == (1, 2, 1)
    assert retries.inference_multiplier == pytest.approx(4.0)
    assert retries.all_in_multiplier == pytest.approx(0.046 / 0.012)  # 3.83


def test_bill_in_another_currency_is_compared_in_it_or_not_at_all(tmp_path: Path) -> None:
    """With EUR, calls are priced by the overrides (4 x 0.010 + 3 x 0.002 = EUR 0.046), never by the USD catalogue."""
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    spent = "select sum(expected_usd)::varchar as amount, min(price_source) as source from attempts"
    for name, overrides, expected in (
        ("with", prices, ("0.046000000000", "override")),
        ("without", None, (None, "no_tool_price")),
    ):
        store = Store.open(tmp_path / f"{name}.duckdb", price_overrides=overrides, currency="EUR")
        store.submit(decode_traces(steps_as_spans(), "application/x-protobuf", ReadOptions(), "otlp", "sha"))
        store.derive()
        assert store.ask(spent).row(0) == expected
        store.close()

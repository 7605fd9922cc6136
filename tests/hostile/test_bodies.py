"""Damaged OTLP bodies through the real application: never a 5xx, nothing lost, everything counted.

A few hundred in the normal run, 20,000 in `make slow`. A failure prints its seed; the body is written to test-report/.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from core.audit import Scope, TooLittle
from core.audits import every_audit
from core.ingest.options import ReadOptions
from core.ingest.otlp import BadRequest, decode_traces
from tests import otlp_bodies
from tests.hostile.mutate import YEAR_1_NS, YEAR_9999_NS, byte_damage, json_bytes, json_damage
from tests.ingest.otlp_requests import START_NS, as_protobuf, event, request, span
from tests.web.test_server import serving, wait_until_derived

REPORT = Path("test-report")
ATTRIBUTES: dict[str, Any] = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20, "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.response.finish_reasons": ["stop"], "http.request.header.x_stainless_retry_count": ["1"],
    "llm.invocation_parameters": '{"model": "gpt-4o"}', "langfuse.observation.usage_details": '{"input": 3}',
    "nested": {"a": [1, {"b": 2.5}]}, "retry-after": "3", "operation.cost": 0.25,
}  # fmt: skip
KINDS = ("trace json", "trace protobuf", "logs json", "logs protobuf", "metrics protobuf")


COUNTED = """
select
    (select sum(rows_read) from imports)::bigint as read_rows,
    (select count(*) from spans)
        + (select count(*) from duplicates where table_name = 'spans' and kind = 'exact')
        + (select coalesce(sum(rows_accepted), 0) from imports where format <> 'otlp_traces')
        + (select count(*) from quarantine)::bigint as kept_rows
"""
"""Spans by themselves: an accepted span can bring events and a stream along."""


def base(kind: str) -> Any:
    """A sound body: a document for JSON, bytes for protobuf."""
    call = span(
        ATTRIBUTES,
        events=[event("exception", 3, exception__type="Timeout")],
        status={"code": 2, "message": "429"},
    )
    if kind == "trace json":
        return request(
            call, span({"http.status_code": 503}, spanId="00000000000000aa", parentSpanId=call["spanId"])
        )
    if kind == "trace protobuf":
        return as_protobuf(request(call))
    if kind == "logs json":
        record = {
            "timeUnixNano": str(otlp_bodies.AT_NS), "eventName": "gen_ai.evaluation.result", "body": {"stringValue": "x"},
            "traceId": call["traceId"], "spanId": call["spanId"],
            "attributes": [{"key": "gen_ai.evaluation.score.value", "value": {"doubleValue": 0.5}}],
        }  # fmt: skip
        return {"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": {}, "logRecords": [record]}]}]}
    return otlp_bodies.logs_body() if kind == "logs protobuf" else otlp_bodies.metrics_body()


def damaged(seed: int) -> tuple[str, str, bytes, bool]:
    """(address, media type, body, gzip) of a seed."""
    random = Random(seed)
    kind = random.choice(KINDS)
    sound = base(kind)
    if isinstance(sound, dict):
        body = json_bytes(json_damage(sound, random))
        body = byte_damage(body, random) if random.random() < 0.2 else body
        media = "application/json"
    else:
        body, media = byte_damage(sound, random, base("trace protobuf")), "application/x-protobuf"
    signal = kind.split()[0].removesuffix("s") + "s"
    zipped = random.random() < 0.2
    if zipped:
        body = gzip.compress(body, 1)
        body = byte_damage(body, random) if random.random() < 0.3 else body
    return f"/v1/{signal}", media, body, zipped


def send_damaged(folder: Path, seeds: range) -> Counter[int]:
    """Send each seed's body; returns how often each status was answered."""
    answers: Counter[int] = Counter()
    with serving(folder, queue_limit=10_000) as (client, process):
        good = otlp_bodies.protobuf(range(1, 4))
        assert (
            client.post(
                "/v1/traces", content=good, headers={"content-type": "application/x-protobuf"}
            ).status_code
            == 200
        )
        for seed in seeds:
            address, media, body, zipped = damaged(seed)
            headers = {"content-type": media} | ({"content-encoding": "gzip"} if zipped else {})
            answer = client.post(address, content=body, headers=headers)
            answers[answer.status_code] += 1
            if answer.status_code not in (200, 400, 413, 415):
                _keep(seed, body)
            assert answer.status_code in (200, 400, 413, 415), (
                f"seed {seed}: {answer.status_code} {answer.text[:300]}"
            )
            if answer.status_code == 400:
                assert len(answer.content) > 20, f"seed {seed}: an answer that says nothing"
        store = process.ledger()
        wait_until_derived(process, store.latest_import())
        first = store.ask(
            "select count(*) from spans where span_id in ($a, $b, $c)",
            a=f"{1:016x}",
            b=f"{2:016x}",
            c=f"{3:016x}",
        )
        assert first.item() == 3, "what was acknowledged before is there"
        read, kept = store.ask(COUNTED).row(0)
        assert read == kept, "what was read is there, refused, or an exact repeat"
        for audit in every_audit():
            scope = Scope(*store.ask("select min(day), max(day) from spans").row(0), as_of=store.version())
            measure = audit.measure(audit.load(store.ask, scope), scope)
            assert isinstance(measure, TooLittle) or audit.judge(measure).sentence
    return answers


def _keep(seed: int, body: bytes) -> None:
    REPORT.mkdir(exist_ok=True)
    (REPORT / f"body-{seed}.bin").write_bytes(body)


def test_some_hundred_damaged_bodies(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    answers = send_damaged(tmp_path, range(400))
    assert answers[200] > 50
    assert answers[400] > 50
    faults = [record.exc_text for record in caplog.records if record.name == "trueup.ingest"]
    assert not faults, faults[0]


@pytest.mark.slow
def test_twenty_thousand_damaged_bodies(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    answers = send_damaged(tmp_path, range(1_000, 21_000))
    print(f"20,000 damaged bodies: {dict(answers)}")
    faults = [record.exc_text for record in caplog.records if record.name == "trueup.ingest"]
    assert not faults, faults[0]


def count_spans(body: bytes) -> int | None:
    """Spans of a protobuf body by Google's own decoder; None when it is none."""
    message = ExportTraceServiceRequest()
    try:
        message.ParseFromString(body)
    except DecodeError:
        return None
    return sum(len(scope.spans) for holder in message.resource_spans for scope in holder.scope_spans)


@pytest.mark.parametrize("seed", range(300))
def test_spans_of_a_decodable_body_are_kept_or_refused(seed: int) -> None:
    random = Random(seed)
    body = byte_damage(
        base("trace protobuf"), random, as_protobuf(request(span(), span(spanId="00000000000000ab")))
    )
    expected = count_spans(body)
    try:
        batch = decode_traces(body, "application/x-protobuf", ReadOptions())
    except BadRequest:
        assert expected is None, f"seed {seed}"
        return
    spans = batch.frames["spans"].height if "spans" in batch.frames else 0
    assert expected == batch.rows_read == spans + len(batch.quarantined)


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        ({"startTimeUnixNano": str(YEAR_1_NS)}, 0),
        ({"startTimeUnixNano": str(YEAR_9999_NS), "endTimeUnixNano": str(YEAR_9999_NS)}, 0),
        ({"endTimeUnixNano": str(START_NS - 1)}, 1),  # an end before the start is repaired and told
        ({"endTimeUnixNano": "1"}, None),
        ({"traceId": "0" * 32}, 0),
        ({"traceId": "abc"}, 0),
        ({"spanId": None}, 0),
        ({"name": ""}, 1),
        ({"name": "x" * 100_000}, 1),
        ({"kind": 99}, 1),
        ({"kind": "SPAN_KIND_CLIENT"}, 0),  # enums are numbers in OTLP/JSON
        ({"attributes": [{"key": f"k{n}", "value": {"intValue": n}} for n in range(10_000)]}, 1),
        ({"attributes": [{"key": "k", "value": {"stringValue": "v" * 100_000}}]}, 1),
        ({"events": [event(f"e{n}", n) for n in range(10_000)]}, 1),
        ({"attributes": [{"key": "gen_ai.usage.input_tokens", "value": {"doubleValue": "NaN"}}]}, 1),
        ({"attributes": [{"key": "gen_ai.usage.input_tokens", "value": {"doubleValue": "Infinity"}}]}, 1),
        ({"attributes": [{"key": "gen_ai.usage.input_tokens", "value": {"intValue": str(2**80)}}]}, None),
        ({"parentSpanId": "eee19b7ec3c1b174"}, 1),  # its own parent
        ({"status": {"code": 7}}, 1),
        ({"links": "none"}, 1),
    ],
)
def test_odd_spans_are_kept_or_refused_with_a_reason(changed: dict[str, Any], kept: int | None) -> None:
    body = json.dumps(request(span(ATTRIBUTES, **changed))).encode()
    batch = decode_traces(body, "application/json", ReadOptions())
    spans = batch.frames["spans"].height if "spans" in batch.frames else 0
    assert spans + len(batch.quarantined) == 1
    assert kept in (None, spans)
    assert all(len(row.reason) > 20 for row in batch.quarantined)


def test_cycles_crowds_and_strangers_are_derived(tmp_path: Path) -> None:
    """Parents that are each other's children, ten thousand children, ids that repeat with other content."""
    ring = [span(spanId=f"{n:016x}", parentSpanId=f"{n % 3 + 1:016x}", traceId="1" * 32) for n in range(1, 4)]
    crowd = [
        span(
            ATTRIBUTES,
            spanId=f"{n:016x}",
            parentSpanId="00000000000003e7" if n > 1000 else "",
            traceId="2" * 32,
        )
        for n in range(999, 11_000)
    ]
    again = [span({"gen_ai.operation.name": "chat", "n": n}, traceId="3" * 32) for n in range(50)]
    with serving(tmp_path) as (client, process):
        for spans in (ring, crowd, again):
            body = json.dumps(request(*spans)).encode()
            assert (
                client.post(
                    "/v1/traces", content=body, headers={"content-type": "application/json"}
                ).status_code
                == 200
            )
        wait_until_derived(process, 3)
        assert process.ledger().ask("select count(*) from runs where superseded_by > 3").item() == 3

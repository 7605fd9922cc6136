"""Ten times more than the app can take, for a minute: it says so, keeps its memory, and loses or doubles nothing.

Senders here are rude: they go on with other spans at once, whatever they are told. Beside them the SDK's own exporter
sends as applications do and must see everything delivered.
"""

from __future__ import annotations

import collections
import http.client
import json
import os
import threading
import time
import urllib.parse
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from core.ledger.store import Store
from tests import otlp_bodies
from tests.bench.ingest import rss_mib
from tests.live.app import running_app

FLOOD_S = float(os.environ.get("TRUEUP_TEST_FLOOD_S", "60"))
SENDERS, SPANS_A_BODY, EXPORTED = 24, 512, 3_000
MOST_MIB = 2_048
TEMPLATE = otlp_bodies.protobuf(range(1, 1 + SPANS_A_BODY))
MARK = b"\x0a\x10" + bytes(12)
"""Field 1 of 16 bytes, a span's trace id, and its first 12 bytes, which a body of its own has for itself."""


class Tally:
    """What senders were told."""

    def __init__(self) -> None:
        self.statuses: collections.Counter[int] = collections.Counter()
        self.acknowledged: set[int] = set()
        self.without_retry_after = 0
        self.lock = threading.Lock()

    def tell(self, number: int, status: int, retry_after: str | None) -> None:
        with self.lock:
            self.statuses[status] += 1
            if status == 200:
                self.acknowledged.add(number)
            self.without_retry_after += status in (429, 503) and not retry_after


def body(number: int) -> bytes:
    """The number-th body: the template's spans under trace ids of their own."""
    return TEMPLATE.replace(MARK, MARK[:2] + number.to_bytes(12, "big"))


def flood(address: str, sender: int, tally: Tally, ends: float) -> None:
    at = urllib.parse.urlsplit(address)
    connection = http.client.HTTPConnection(str(at.hostname), at.port, timeout=120)
    number = sender << 32
    while time.monotonic() < ends:
        number += 1
        connection.request("POST", "/v1/traces", body(number), {"Content-Type": "application/x-protobuf"})
        answer = connection.getresponse()
        answer.read()
        tally.tell(number, answer.status, answer.headers["Retry-After"])
    connection.close()


def export(address: str, done: threading.Event) -> None:
    """Spans of an application that is instrumented as its authors' documentation says, a batch a second."""
    provider = TracerProvider(resource=Resource({"service.name": "patient"}))
    exporter = OTLPSpanExporter(f"{address}/v1/traces", timeout=600)
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter, max_queue_size=2 * EXPORTED, max_export_batch_size=512, export_timeout_millis=600_000
        )
    )
    tracer = provider.get_tracer("test")
    for number in range(EXPORTED):
        tracer.start_span(f"call {number}").end()
    provider.force_flush(600_000)
    provider.shutdown()
    done.set()


@pytest.mark.slow
def test_a_flood_is_refused_politely_and_everything_acknowledged_is_there_once(tmp_path: Path) -> None:
    tally, delivered, peak_mib = Tally(), threading.Event(), 0
    # Twenty-four senders that wait for their answers cannot fill the usual queue of 256: a queue of eight stands for more.
    with running_app(tmp_path, queue_limit="8", ingest_memory_mib="2") as address:
        pid = _pid(tmp_path)
        ends = time.monotonic() + FLOOD_S
        senders = [threading.Thread(target=flood, args=(address, n + 1, tally, ends)) for n in range(SENDERS)]
        patient = threading.Thread(target=export, args=(address, delivered))
        for one in (*senders, patient):
            one.start()
        for one in senders:
            one.join()
        patient.join(timeout=600)
        peak_mib = rss_mib(pid, peak=True)
    store = Store.open(tmp_path / "trueup.duckdb")
    flooded = "from spans where service_name is distinct from 'patient'"
    spans, distinct = store.ask(f"select count(*), count(distinct trace_id) {flooded}").row(0)
    patient_spans = store.ask(
        "select count(*), count(distinct name) from spans where service_name = 'patient'"
    ).row(0)
    store.close()
    print(
        f"{sum(tally.statuses.values()) * SPANS_A_BODY / FLOOD_S:,.0f} spans/s offered for {FLOOD_S:.0f} s: "
        f"{dict(tally.statuses)}, {len(tally.acknowledged) * SPANS_A_BODY / FLOOD_S:,.0f} spans/s taken, peak {peak_mib} MiB"
    )
    assert set(tally.statuses) <= {200, 429, 503}
    assert tally.statuses[429] > tally.statuses[200] / 10, "there was no overload to speak of"
    assert tally.without_retry_after == 0
    assert spans == distinct == len(tally.acknowledged) * SPANS_A_BODY
    assert delivered.is_set()
    assert patient_spans == (EXPORTED, EXPORTED)
    assert peak_mib < MOST_MIB


def _pid(data_dir: Path) -> int:
    return int(json.loads((data_dir / "trueup.duckdb.app.json").read_text(encoding="utf-8"))["pid"])

"""Findings as metrics, read back by Prometheus's own parser and by our own OTLP ingest."""

from __future__ import annotations

import datetime as dt
import math
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_metrics, decode_traces
from core.ledger.store import Store
from core.readings import Ingest, Readings, otlp_request, prometheus_text, readings
from core.settings import Settings
from core.web import metrics
from core.web.process import Process
from tests import otlp_bodies
from tests.alerts.board import LATER_NS, keep
from tests.web.over_http import over_http, receiver, wait_for
from tests.web.test_server import HASHED, TOKEN

NOW = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
INGEST = Ingest(3, 256, 7, 6, {"derive": False, "watch": True})
BEARER = {"Authorization": f"Bearer {TOKEN}"}
Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def told(store: Store) -> Readings:
    keep(store, 1, "holds")
    keep(store, 2, "broken")
    keep(
        store,
        2,
        "cannot tell",
        "token_forecast",
        gap=None,
        low=None,
        high=None,
        unit='a"b\\c\nd',
        newest_day=None,
    )
    keep(store, 2, "watch", "regional_drift", gap=-0.5, unit='q"u\\o\nte')
    return readings(store.ask, INGEST._replace(version=2), NOW)


def parsed(text: str) -> Values:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_status_is_one_hot_and_what_is_unknown_is_absent(told: Readings) -> None:
    values = parsed(prometheus_text(told))
    status = {labels: value for (name, labels), value in values.items() if name == "trueup_finding_status"}
    assert len(status) == 3 * 4
    assert [dict(labels) for labels, value in status.items() if value == 1] == [
        {"audit": "regional-drift", "status": "watch"},
        {"audit": "retry-ledger", "status": "broken"},
        {"audit": "token-forecast", "status": "cannot tell"},
    ]
    gaps = {labels: value for (name, labels), value in values.items() if name == "trueup_finding_gap"}
    assert gaps == {
        (("audit", "regional-drift"), ("unit", 'q"u\\o\nte')): -0.5,
        (("audit", "retry-ledger"), ("unit", "share")): 0.25,
    }
    retry = (("audit", "retry-ledger"),)
    assert values["trueup_finding_n", retry] == 1000
    # The newest day, 22 November, ends 2.5 days before noon of the 25th.
    assert values["trueup_finding_data_age_seconds", retry] == 2.5 * 86_400
    assert values["trueup_finding_computed_timestamp_seconds", retry] == 1_795_000_002
    assert ("trueup_finding_data_age_seconds", (("audit", "token-forecast"),)) not in values


def test_ingest_is_counted(told: Readings) -> None:
    values = parsed(prometheus_text(told))
    assert values["trueup_ingest_queue_depth", ()] == 3
    assert values["trueup_imports_total", ()] == 0
    assert values["trueup_import_rows_total", (("outcome", "quarantined"),)] == 0
    assert values["trueup_fault", (("part", "watch"),)] == 1
    assert values["trueup_fault", (("part", "derive"),)] == 0


def test_otlp_carries_the_same_through_our_own_ingest(told: Readings, store: Store) -> None:
    body = otlp_request(told, {"service.name": "trueup"}).SerializeToString()
    receipt = store.submit(decode_metrics(body, "application/x-protobuf", ReadOptions()))
    points = sum(len(series.points) for series in told.series)
    assert (receipt.rows_accepted, receipt.rows_quarantined) == (points, 0)
    rows = store.ask("select * from metric_points order by name")
    assert set(rows["service_name"]) == {"trueup"}
    kept = {(name.replace(".", "_"), value) for name, value in rows.select("name", "value").iter_rows()}
    text = {
        (name.removesuffix("_total").removesuffix("_seconds"), value)
        for (name, _), value in parsed(prometheus_text(told)).items()
    }
    assert kept == text
    status = rows.filter((rows["name"] == "trueup.finding.status") & (rows["value"] == 1))
    assert '"status":"broken"' in "".join(status["attributes"])
    assert set(rows.filter(rows["name"] == "trueup.imports")["kind"]) == {"sum"}


def test_a_scrape_needs_a_read_token(tmp_path: Path) -> None:
    with over_http(tmp_path, read_tokens=HASHED) as process:
        process.ledger().submit(
            decode_traces(otlp_bodies.protobuf(range(1, 2)), "application/x-protobuf", ReadOptions())
        )
        wait_for(lambda: process.ledger().version() == 1)
        keep(process.ledger(), 1, "broken", at_ns=LATER_NS)
        address = f"{process.address()}/metrics"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(address, timeout=240)
        with urllib.request.urlopen(urllib.request.Request(address, headers=BEARER), timeout=240) as answer:
            assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
            values = parsed(answer.read().decode())
    broken = (("audit", "retry-ledger"), ("status", "broken"))
    assert values["trueup_finding_status", broken] == 1
    assert values["trueup_import_rows_total", (("outcome", "accepted"),)] == 1
    assert all(math.isfinite(value) for value in values.values())


def test_metrics_are_sent_at_once_after_a_change_and_again_after_a_failure(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "LOOK_S", 0.02)
    monkeypatch.setattr(metrics, "SHORTEST_S", 0.02)
    monkeypatch.setattr(metrics, "wait_s", lambda failures, asked: 0.02)
    keep(store, 1, "holds")
    stopping = threading.Event()
    with receiver() as at:
        at.answers.append((503, {}))
        settings = Settings(
            data_dir=tmp_path,
            otlp_metrics_endpoint=f"{at.address}/v1/metrics",
            otlp_metrics_headers="x-team=ml",
        )
        process = Process(settings, "127.0.0.1", 8501, store)
        thread = threading.Thread(target=metrics.keep_sending_metrics, args=(process, stopping))
        thread.start()
        try:
            wait_for(lambda: len(at.requests) == 2 and process.metrics_error is None)
            keep(store, 2, "broken")  # sent long before the minute is over
            wait_for(lambda: len(at.requests) == 3)
        finally:
            stopping.set()
            thread.join(timeout=240)
    request = at.requests[-1]
    assert (request.path, request.headers["x-team"]) == ("/v1/metrics", "ml")
    batch = decode_metrics(request.body, request.headers["content-type"], ReadOptions())
    points = batch.frames["metric_points"]
    now = points.filter((points["name"] == "trueup.finding.status") & (points["value"] == 1))
    assert '"status":"broken"' in now["attributes"].item()


def test_an_app_that_would_send_to_itself_does_not(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, otlp_metrics_endpoint="http://localhost:8501/v1/metrics")
    process = Process(settings, "127.0.0.1", 8501)
    metrics.keep_sending_metrics(process, threading.Event())
    assert "is this app" in str(process.metrics_error)

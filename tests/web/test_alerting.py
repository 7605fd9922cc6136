"""The thread that tells people: retries, restarts and what /readyz says, against real servers."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from core.alerts.changes import AlertMark
from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_traces
from core.ledger.store import Store
from core.settings import Settings
from core.state import State
from core.web import alerting, metrics
from core.web.alerting import Alerts
from core.web.process import Process
from tests import otlp_bodies
from tests.alerts.board import LATER_NS, keep
from tests.web.over_http import over_http, receiver, wait_for


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def alerts_of(store: Store, folder: Path, **settings: Any) -> Alerts:
    process = Process(Settings(data_dir=folder, **settings), "127.0.0.1", 8501, store)
    return Alerts(process, process.public_url(), State(path=folder / "state.sqlite"))


def changes_in(body: bytes) -> list[tuple[str, str]]:
    return [(one["before"], one["status"]) for one in json.loads(body)["changes"]]


def test_a_failure_is_tried_again_later_and_nothing_is_told_twice(store: Store, tmp_path: Path) -> None:
    with receiver() as at:
        settings = {"alert_webhook_url": at.address, "alert_webhook_format": "json"}
        alerts = alerts_of(store, tmp_path, **settings)
        keep(store, 1, "holds")
        alerts.look()
        keep(store, 2, "broken")
        assert len(alerts.look().changes) == 1
        at.answers.append((503, {}))
        alerts.deliver()
        assert "webhook: the receiver answered 503; 1 or more changes wait" in str(alerts.error())
        alerts.deliver()  # its time has not come
        assert len(at.requests) == 1
        again = alerts_of(store, tmp_path, **settings)  # a restart forgets the pause, not the change
        again.look()
        again.deliver()
        again.deliver()
        assert [changes_in(request.body) for request in at.requests] == [[("holds", "broken")]] * 2
        assert at.requests[0].headers["idempotency-key"] == at.requests[1].headers["idempotency-key"]
        assert again.error() is None
        alerts_of(store, tmp_path, **settings).look()
        alerts_of(store, tmp_path, **settings).deliver()
        assert len(at.requests) == 2


def test_changes_that_waited_come_in_one_message_in_order(store: Store, tmp_path: Path) -> None:
    with receiver() as at:
        alerts = alerts_of(store, tmp_path, alert_webhook_url=at.address, alert_webhook_format="json")
        for version, status in enumerate(("holds", "watch", "broken"), 1):
            keep(store, version, status)
            alerts.look()
        alerts.deliver()
        assert [changes_in(request.body) for request in at.requests] == [
            [("holds", "watch"), ("watch", "broken")]
        ]


def test_one_channel_that_fails_does_not_hold_the_other(store: Store, tmp_path: Path) -> None:
    with receiver() as at:
        alerts = alerts_of(
            store, tmp_path, alert_webhook_url=at.address, alert_email_to=("a@example.org",)
        )  # no smtp_host
        keep(store, 1, "holds")
        alerts.look()
        keep(store, 2, "broken")
        alerts.look()
        alerts.deliver()
        assert len(at.requests) == 1
        assert str(alerts.error()).startswith("email: alert_email_to is set and smtp_host is not")


def test_the_running_app_tells_of_a_change_and_goes_on_when_nobody_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receiver hangs up; ingest and /readyz answer all the same, and /readyz says what failed."""
    monkeypatch.setattr(alerting, "LOOK_S", 0.05)
    monkeypatch.setattr(metrics, "LOOK_S", 0.05)
    with receiver() as at:
        at.answers.append((500, {"Retry-After": "0"}))
        wanted = {
            "alert_webhook_url": f"{at.address}/hook",
            "alert_webhook_format": "json",
            "public_url": "https://trueup.example.org",
        }
        with over_http(tmp_path, **wanted) as process:
            store = process.ledger()
            store.submit(
                decode_traces(otlp_bodies.protobuf(range(1, 2)), "application/x-protobuf", ReadOptions())
            )
            wait_for(lambda: store.version() == 1)
            keep(store, 1, "holds", at_ns=LATER_NS)
            noted = State(path=tmp_path / "state.sqlite")
            wait_for(lambda: (tmp_path / "state.sqlite").exists() and "holds" in _noticed(noted))
            keep(store, 1, "broken", at_ns=LATER_NS + 10**9)
            wait_for(lambda: at.requests)
            wait_for(lambda: "answered 500" in str(_ready(process)["alert_error"]))
            body = json.loads(at.requests[0].body)
            assert body["changes"][0]["link"].startswith("https://trueup.example.org/retry_ledger?")
            assert _ready(process)["ready"] is True


def _ready(process: Process) -> Any:
    with urllib.request.urlopen(f"{process.address()}/readyz", timeout=240) as answer:
        return json.load(answer)


def _noticed(state: State) -> list[str]:
    """The status last noticed of the retry ledger."""
    with state.session() as session:
        return list(session.scalars(select(AlertMark.status).where(AlertMark.audit == "retry_ledger")))


def test_without_a_channel_the_thread_ends_at_once(tmp_path: Path) -> None:
    thread = threading.Thread(
        target=alerting.keep_alerting,
        args=(Process(Settings(data_dir=tmp_path), "127.0.0.1", 1), threading.Event()),
    )
    began = time.monotonic()
    thread.start()
    thread.join(timeout=240)
    assert not thread.is_alive(), time.monotonic() - began
    assert not (tmp_path / "state.sqlite").exists()

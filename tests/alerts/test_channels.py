"""Sending, to real servers on this machine: what arrives, and what is said when it does not."""

from __future__ import annotations

import email
import json
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from core.alerts.channels import Refused, channels, send_mail, send_webhook
from core.post import NotSent
from core.settings import Settings
from tests.alerts.test_messages import CHANGE, LINK
from tests.web.over_http import receiver
from tests.web.test_process import free_port

BOARD = "https://trueup.example.org"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


class Mailbox:
    """Keeps envelopes; refuses one recipient."""

    def __init__(self) -> None:
        self.envelopes: list[Any] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.startswith("gone@"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.envelopes.append((envelope, session.ssl is not None))
        return "250 OK"


@contextmanager
def mail_server(**options: Any) -> Iterator[tuple[Mailbox, int]]:
    """An SMTP server on a free port."""
    box = Mailbox()
    port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield box, port
    finally:
        controller.stop()


def mailing(port: int, *recipients: str, **settings: Any) -> Settings:
    return Settings(
        alert_email_to=recipients or ("oncall@example.org",),
        alert_email_from="trueup@example.org",
        smtp_host="127.0.0.1",
        smtp_port=port,
        **{"smtp_tls": "none", **settings},
    )


def test_nothing_configured_is_no_channel() -> None:
    assert channels(Settings()) == {}
    both = Settings(alert_webhook_url="http://127.0.0.1:1/", alert_email_to=("a@example.org",))
    assert list(channels(both)) == ["webhook", "email"]


@pytest.mark.parametrize("form", ["slack", "json"])
def test_a_webhook_gets_one_request(form: str) -> None:
    with receiver() as at:
        settings = Settings(alert_webhook_url=f"{at.address}/hook?key=1", alert_webhook_format=form)
        send_webhook(settings, [CHANGE], BOARD)
        (request,) = at.requests
    assert request.path == "/hook?key=1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["idempotency-key"] == CHANGE.id
    assert ("blocks" if form == "slack" else "changes") in json.loads(request.body)


def test_a_refusal_is_told_without_the_address_and_its_wait_is_heard() -> None:
    with receiver() as at:
        settings = Settings(alert_webhook_url=f"{at.address}/secret-path")
        at.answers.append((429, {"Retry-After": "7"}))
        with pytest.raises(NotSent, match="answered 429") as refused:
            send_webhook(settings, [CHANGE], BOARD)
        assert refused.value.wait_s == 7.0
        assert "secret-path" not in str(refused.value)
        at.answers.append((302, {"Location": f"{at.address}/elsewhere"}))
        with pytest.raises(NotSent, match="answered 302"):
            send_webhook(settings, [CHANGE], BOARD)
        assert [request.path for request in at.requests] == ["/secret-path", "/secret-path"]
    with pytest.raises(NotSent, match="does not answer: Connection refused"):
        send_webhook(settings, [CHANGE], BOARD)


def test_a_mail_arrives() -> None:
    with mail_server() as (box, port):
        send_mail(mailing(port, "a@example.org", "b@example.org"), [CHANGE], BOARD)
    ((envelope, _),) = box.envelopes
    assert envelope.mail_from == "trueup@example.org"
    assert envelope.rcpt_tos == ["a@example.org", "b@example.org"]
    message = email.message_from_bytes(envelope.content, policy=policy.default)
    assert message["Subject"] == "Trueup: broken (was holds): The retry ledger"
    assert LINK in message.get_content()  # type: ignore[attr-defined]


def test_one_refused_recipient_does_not_make_the_others_hear_twice() -> None:
    with mail_server() as (box, port):
        with pytest.raises(Refused, match="refused 1 of 2 recipients"):
            send_mail(mailing(port, "gone@example.org", "b@example.org"), [CHANGE], BOARD)
        with pytest.raises(NotSent, match="refused every recipient"):
            send_mail(mailing(port, "gone@example.org"), [CHANGE], BOARD)
    assert [envelope.rcpt_tos for envelope, _ in box.envelopes] == [["b@example.org"]]


def test_a_server_without_tls_gets_neither_mail_nor_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "not to be seen")
    signed = {"smtp_user": "u", "smtp_password_env": "SMTP_PASSWORD"}
    with mail_server() as (box, port):
        with pytest.raises(NotSent, match="mail server: "):
            send_mail(mailing(port, smtp_tls="starttls"), [CHANGE], BOARD)
        with pytest.raises(NotSent, match="in the open"):
            send_mail(mailing(port, **signed), [CHANGE], BOARD)
    assert box.envelopes == []
    with pytest.raises(NotSent, match="smtp_host is not"):
        send_mail(Settings(alert_email_to=("a@example.org",)), [CHANGE], BOARD)


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's context, with a certificate for 127.0.0.1 that this process trusts."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, so no certificate can be made")
    pem, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", str(key), "-out", str(pem), "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    return context


def test_starttls_and_a_password_from_the_environment(
    certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[tuple[bytes, bytes]] = []

    def check(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        tried.append((given.login, given.password))
        return AuthResult(success=given.password == b"right", handled=False)

    signed = {"smtp_tls": "starttls", "smtp_user": "u", "smtp_password_env": "SMTP_PASSWORD"}
    options = {"tls_context": certificate, "authenticator": check, "auth_required": True}
    with mail_server(**options) as (box, port):
        settings = mailing(port, **signed)
        with pytest.raises(NotSent, match="smtp_password_env names holds no password"):
            send_mail(settings, [CHANGE], BOARD)
        monkeypatch.setenv("SMTP_PASSWORD", "wrong")
        with pytest.raises(NotSent, match="it answered 535") as refused:
            send_mail(settings, [CHANGE], BOARD)
        assert "wrong" not in str(refused.value)
        monkeypatch.setenv("SMTP_PASSWORD", "right")
        send_mail(settings, [CHANGE], BOARD)
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(NotSent, match="mail server: "):  # a certificate nobody vouches for
            send_mail(settings, [CHANGE], BOARD)
    assert (b"u", b"right") in tried
    assert [secured for _, secured in box.envelopes] == [True]

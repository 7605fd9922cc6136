"""Where the process reaches out: only to what its operator configured, over http alone, with a token for one host."""

from __future__ import annotations

import ast
import http.client
import os
from pathlib import Path

import pytest

from core.post import NotSent, opener, post
from core.pulls import configured
from core.settings import BadSetting, read_settings
from core.web import running
from tests.web.over_http import receiver

ROOT = Path(__file__).parents[2]
REACH_OUT = {
    "urllib.request",
    "http.client",
    "smtplib",
    "socket",
    "ftplib",
    "requests",
    "httpx",
    "urllib3",
    "aiohttp",
    "sqlalchemy",
}
WHO = {
    "core/alerts/channels.py": "alert_webhook_url and smtp_host",
    "core/ledger/spark.py": "engine",
    "core/post.py": "what the operator's addresses are sent by",
    "core/pulls.py": "sql_sources",
    "core/state.py": "state_url",
    "core/web/running.py": "the app that owns the ledger, on this machine",
}
"""Modules that can open a connection, and what says where to."""
INSIDE = (
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1:1/",
    "http://[::1]:1/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:1/",
)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def opens_connections(path: Path) -> bool:
    """Whether the module names something that connects; sqlalchemy only by create_engine."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import) and any(
            alias.name in REACH_OUT - {"sqlalchemy"} for alias in node.names
        ):
            return True
        if isinstance(node, ast.ImportFrom) and (
            node.module in REACH_OUT - {"sqlalchemy"}
            or any(alias.name == "create_engine" for alias in node.names)
        ):
            return True
    return False


def test_a_closed_list_of_modules_can_open_a_connection() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("core", "pages")
        for path in (ROOT / folder).rglob("*.py")
        if opens_connections(path)
    }
    assert found == set(WHO)


def test_nothing_is_reached_until_it_is_configured() -> None:
    plain = read_settings({}, Path("/nonexistent"))
    assert (
        plain.alert_webhook_url,
        plain.otlp_metrics_endpoint,
        plain.alert_email_to,
        plain.sql_sources,
    ) == ("", "", (), None)
    assert configured(plain) == []


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "ftp://host/x", "gopher://host", "//host", "javascript:alert(1)", "data:,x"],
)
def test_only_http_addresses_can_be_configured(address: str) -> None:
    for name in ("TRUEUP_ALERT_WEBHOOK_URL", "TRUEUP_OTLP_METRICS_ENDPOINT"):
        with pytest.raises(BadSetting):
            read_settings({name: address}, Path("/nonexistent"))


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "jar:file:///etc/passwd"]
)
def test_no_other_scheme_is_opened_even_when_one_gets_there(address: str) -> None:
    with pytest.raises(NotSent):
        post(address, b"x", {})
    with pytest.raises(OSError, match="unknown url type"):
        opener().open(address, timeout=5)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_by_nothing_and_the_token_stays(status: int) -> None:
    with receiver() as there, receiver() as elsewhere:
        there.answers.extend([(status, {"Location": f"{elsewhere.address}/taken"})] * 2)
        with pytest.raises(NotSent, match=str(status)):
            post(f"{there.address}/hook", b"x", {"authorization": "Bearer secret"})
        app = running.RunningApp(os.getpid(), there.address, "secret")
        with pytest.raises(running.AppRefused):
            running.post(app, "/api/undo", [])
        assert [one.headers["authorization"] for one in there.requests] == ["Bearer secret"] * 2
        assert elsewhere.requests == []


@pytest.mark.parametrize("address", INSIDE)
def test_what_a_file_or_an_address_says_is_never_fetched(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Addresses come in spans, bills, prices and links; reading them opens nothing."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    from core.markdown import html
    from tests.hostile.seeds import SOUND
    from tests.hostile.test_shapes import take, throwaway

    monkeypatch.setattr(http.client.HTTPConnection, "connect", refuse)
    monkeypatch.setattr("socket.create_connection", refuse)
    with throwaway() as store:
        for name, seeds in SOUND.items():
            for seed in seeds:
                if not seed.startswith((b"PAR1", b"PK", b"\n")):
                    take(
                        store,
                        name,
                        seed.replace(b"gpt-4o", address.encode()).replace(b"openai", address.encode()),
                    )
    assert "<img" not in html(f"![x]({address}) [y]({address})")

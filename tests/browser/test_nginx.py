"""docs/recipes/nginx with a real nginx: TLS, HTTP/2, WebSocket, gzip, gRPC, a base path, and signing in through it."""

from __future__ import annotations

import gzip
import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest
from playwright.sync_api import Browser, expect

from tests import oidc, otlp_bodies
from tests.browser.reader import WINDOW, shared_link, wait_complete
from tests.live.app import ROOT, free_port, running_app

RECIPE = ROOT / "docs" / "recipes" / "nginx" / "trueup.conf"
SEARCHED = f"{os.environ['PATH']}:/usr/sbin"
"""Debian puts nginx where only root looks."""
LACKING = [name for name in ("nginx", "openssl") if shutil.which(name, path=SEARCHED) is None]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(bool(LACKING), reason=f"{' and '.join(LACKING)} not on PATH: make nginx"),
]
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
BASE = "/team/trueup"


class Proxied(NamedTuple):
    """An app behind nginx."""

    port: int
    certificate: Path
    folder: Path

    @property
    def origin(self) -> str:
        return f"https://127.0.0.1:{self.port}"


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, signed by itself."""
    made, key = folder / "certificate.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    return made, key


def configuration(folder: Path, port: int, app: int, otlp: int) -> str:
    """The recipe as it stands, with this test's ports, files and base path in the places an operator changes."""
    made, key = certificate(folder)
    text = RECIPE.read_text(encoding="utf-8")
    for there, here in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"), ("trueup.example.org;", "127.0.0.1;"),
        ("/etc/ssl/trueup/fullchain.pem", str(made)), ("/etc/ssl/trueup/privkey.pem", str(key)),
        ("127.0.0.1:8501", f"127.0.0.1:{app}"), ("127.0.0.1:4317", f"127.0.0.1:{otlp}"),
        ("location / {", f"location {BASE}/ {{"),
    ):  # fmt: skip
        assert there in text, there
        text = text.replace(there, here)
    own = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    types = "types { text/html html; }"
    return f"daemon off; pid {folder}/pid; error_log stderr; events {{}} http {{ access_log off; {own} {types} {text} }}"


@pytest.fixture(scope="module")
def proxied(demo_ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp("nginx")
    port, app, otlp = free_port(), free_port(), free_port()
    shutil.copytree(demo_ledger, folder / "ledger")
    back, more, lists = f"https://127.0.0.1:{port}{BASE}/oauth2callback", {}, {}
    (folder / "nginx.conf").write_text(configuration(folder, port, app, otlp))
    nginx = shutil.which("nginx", path=SEARCHED) or "nginx"
    server = subprocess.Popen([nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"])
    with nullcontext("") if oidc.missing() else oidc.running_provider(back) as provider:
        if provider:
            (folder / "secrets.toml").write_text(oidc.secrets(provider, back))
            more, lists = {"STREAMLIT_SECRETS_FILES": str(folder / "secrets.toml")}, {"viewers": "viewer"}
        more |= {"STREAMLIT_SERVER_BASE_URL_PATH": BASE, "TRUEUP_GRPC_PORT": str(otlp)}
        public = f"https://127.0.0.1:{port}{BASE}"
        try:
            with running_app(folder / "ledger", app, more, base_path=BASE, public_url=public, **lists):
                _wait_for(port)
                yield Proxied(port, folder / "certificate.pem", folder / "ledger")
        finally:
            server.terminate()
            server.wait(timeout=120)


def _wait_for(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("nginx does not listen")


def trusting(proxied: Proxied, protocols: list[str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(proxied.certificate))
    context.set_alpn_protocols(protocols)
    return context


def get(proxied: Proxied, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body over TLS."""
    connection = http.client.HTTPSConnection(
        "127.0.0.1", proxied.port, context=trusting(proxied, ["http/1.1"]), timeout=240
    )
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    told = answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
    connection.close()
    return told


def test_tls_http2_and_headers(proxied: Proxied) -> None:
    offered = trusting(proxied, ["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", proxied.port)) as plain,
        offered.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        assert secured.selected_alpn_protocol() == "h2"
    status, headers, page = get(proxied, f"{BASE}/", **{"accept-encoding": "gzip"})
    assert status == 200
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert headers["server"] == "nginx"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    page = gzip.decompress(page) if headers.get("content-encoding") == "gzip" else page
    script = re.search(rb'src="\./(static/js/index\.[^"]+\.js)"', page)
    assert script is not None
    status, headers, body = get(proxied, f"{BASE}/{script[1].decode()}", **{"accept-encoding": "gzip"})
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert len(body) < len(gzip.decompress(body)) / 2


def test_our_addresses_are_under_the_path_and_streamlits_own_are_not_answered(proxied: Proxied) -> None:
    paths = ("/healthz", "/shared/nothing", "/_stcore/metrics", "/_stcore/agent/openapi.json")
    assert [get(proxied, f"{BASE}{path}")[0] for path in paths] == [200, 404, 404, 404]
    assert get(proxied, "/healthz")[0] in (403, 404)  # nginx's own: only what is under the path is passed on


def test_grpc_passes_the_proxy(proxied: Proxied) -> None:
    trusted = grpc.ssl_channel_credentials(proxied.certificate.read_bytes())
    with grpc.secure_channel(f"127.0.0.1:{proxied.port}", trusted) as channel:
        call = channel.unary_unary(EXPORT)
        if oidc.missing():
            assert call(otlp_bodies.protobuf(range(1, 3)), timeout=240) == b""
        else:
            with pytest.raises(grpc.RpcError) as error:
                call(otlp_bodies.protobuf(range(1, 3)), timeout=240)
            assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_pages_work_through_it_and_links_keep_the_path(proxied: Proxied, browser: Browser) -> None:
    context = browser.new_context(viewport=WINDOW, ignore_https_errors=True)
    page = context.new_page()
    page.goto(f"{proxied.origin}{BASE}/retry_ledger?region=eu-central-1")
    if not oidc.missing():
        page.get_by_role("button", name="Sign in").click()
        page.locator("input[name=login]").fill("viewer")
        page.locator("input[name=password]").fill("any")
        page.locator("button[type=submit]").click()
        page.wait_for_url(re.compile(f"^{proxied.origin}{BASE}/retry_ledger"))
        cookies = [one for one in context.cookies() if one["name"].startswith("_streamlit_user")]
        assert cookies
        assert all(one["secure"] and one["httpOnly"] and one["path"] == BASE for one in cookies)
    expect(page.get_by_role("heading", level=1)).to_have_text("The retry counted three ways")
    wait_complete(page)
    assert page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
    assert shared_link(page).startswith(f"{proxied.origin}{BASE}/retry_ledger?")
    page.goto(f"{proxied.origin}{BASE}/data")
    wait_complete(page)
    page.get_by_text("How to send data").click()
    expect(page.get_by_text(f"{proxied.origin}{BASE}/v1/traces").first).to_be_visible()
    context.close()

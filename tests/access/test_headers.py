"""Headers on every answer, addresses that are never answered, the way back after a sign-in, and a base path."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import streamlit
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from core.settings import Settings
from core.web.base_path import BasePath
from core.web.headers import Headers, first_scripts, inline_scripts, policy
from core.web.process import Process
from core.web.server import routes
from core.web.sign_in_return import COOKIE, SignInReturn, kept_page, wanted_page

SECURE = Settings(public_url="https://t.example")


def plain(_request: Request) -> Response:
    answer = PlainTextResponse("page")
    answer.set_cookie("_streamlit_session", "x", httponly=True)
    return answer


async def socket(given: WebSocket) -> None:
    await given.accept()
    await given.send_text("hello")
    await given.close()


def client(settings: Settings = SECURE) -> TestClient:
    served = [
        Route(path, plain) for path in ("/", "/_stcore/metrics", "/_stcore/agent/mcp", "/_stcore/health")
    ]
    app = Starlette(
        routes=[*served, WebSocketRoute("/_stcore/stream", socket)],
        middleware=[Middleware(Headers, settings=settings)],
    )
    return TestClient(app)


def test_every_answer_has_them_and_the_server_names_no_version() -> None:
    for path in ("/", "/nowhere", "/_stcore/metrics"):
        told = client().get(path).headers
        assert "frame-ancestors 'none'" in told["content-security-policy"]
        assert told["x-content-type-options"] == "nosniff"
        assert told["x-frame-options"] == "DENY"
        assert told["referrer-policy"] == "same-origin"
        assert told["server"] == "trueup"
        assert "camera=()" in told["permissions-policy"]


def test_https_is_promised_only_where_it_is_served() -> None:
    assert client().get("/").headers["strict-transport-security"] == "max-age=31536000"
    assert "; Secure" in client().get("/").headers["set-cookie"]
    for address in ("", "http://t.example"):
        told = client(Settings(public_url=address)).get("/").headers
        assert "strict-transport-security" not in told
        assert "Secure" not in told["set-cookie"]


@pytest.mark.parametrize(
    ("path", "base", "status"),
    [("/_stcore/health", "", 200), ("/_stcore/metrics", "", 404), ("/_stcore/agent/mcp", "", 404),
     ("/_stcore/agent/", "", 404), ("//_stcore/metrics", "", 404), ("/team/_stcore/metrics", "/team", 404),
     ("/_stcore/metrics", "/team", 404), ("/%5Fstcore/metrics", "", 404)],
)  # fmt: skip
def test_streamlits_numbers_and_remote_control_are_not_answered(path: str, base: str, status: int) -> None:
    assert client(Settings(base_path=base)).get(f"http://testserver{path}").status_code == status


def test_the_websocket_passes_untouched() -> None:
    with client().websocket_connect("/_stcore/stream") as opened:
        assert opened.receive_text() == "hello"


def test_an_answers_own_policy_stays() -> None:
    """A shared page's is stricter."""
    process = Process(Settings(), "127.0.0.1", 8501)
    app = Starlette(routes=routes(process), middleware=[Middleware(Headers, settings=Settings())])
    told = TestClient(app).get("/shared/nothing").headers
    assert told["content-security-policy"].startswith("default-src 'none'; base-uri 'none'")
    assert told["referrer-policy"] == "no-referrer"
    assert len(told.get_list("content-security-policy")) == 1


def test_pages_name_the_scripts_of_the_verdict_and_nothing_else_does() -> None:
    """Each is there, each that they need is there or on Streamlit's own list, and a shared page loads none."""
    scripts = Path(streamlit.__file__).parent / "static"
    named = re.findall(r"<\./(static/js/[\w.-]+\.js)>; rel=modulepreload; crossorigin", first_scripts())
    assert any("/Html." in name for name in named)
    page = (scripts / "index.html").read_text()
    for name in named:
        needed = re.findall(r'from"\./([\w.-]+\.js)"', (scripts / name).read_text())
        assert [one for one in needed if f"static/js/{one}" not in (*named, page) and one not in page] == []
    served = [Route("/", lambda _: HTMLResponse("page")), Route("/text", plain), Route("/shared", own_policy)]
    app = TestClient(Starlette(routes=served, middleware=[Middleware(Headers, settings=SECURE)]))
    assert [app.get(path).headers.get("link") for path in ("/", "/text", "/shared")] == [
        first_scripts(),
        None,
        None,
    ]


def own_policy(_request: Request) -> Response:
    return HTMLResponse("page", headers={"content-security-policy": "default-src 'none'"})


def test_the_policy_names_no_other_host_and_no_inline_script_but_streamlits_own() -> None:
    told = dict(part.split(" ", 1) for part in policy(inline_scripts()).split("; "))
    assert told["default-src"] == "'none'"
    assert "unsafe" not in told["script-src"]
    assert len(re.findall("'sha256-", told["script-src"])) == 1
    for sources in told.values():
        assert not re.search(r"\*|https?:|\w\.\w", sources)


@pytest.mark.parametrize(
    ("referer", "expected"),
    [
        ("http://testserver/retry_ledger?region=eu&days=7", "/retry_ledger?region=eu&days=7"),
        ("http://testserver/", "/"),
        ("http://evil.example/retry_ledger", ""),
        ("http://testserver//evil.example/x", ""),
        ("http://testserver/\\evil.example", ""),
        ("http://testserver/a\r\nset-cookie: x=y", ""),
        ("http://testserver/auth/logout", ""),
        ("http://testserver/oauth2callback?code=1", ""),
        ("http://testserver/" + "x" * 4000, ""),
        ("http://[", ""),
        ("", ""),
    ],
)
def test_only_pages_of_this_app_are_remembered(referer: str, expected: str) -> None:
    assert wanted_page(referer, "testserver") == expected


def test_the_base_path_is_part_of_where_one_may_come_back_to() -> None:
    assert wanted_page("http://t/team/data", "t", "/team") == "/team/data"
    assert wanted_page("http://t/teams/data", "t", "/team") == ""
    assert (
        wanted_page("http://t/team//evil.example", "t", "/team") == "/team//evil.example"
    )  # a path of this host
    assert kept_page(f"{COOKIE}=%2Fdata", "/team") == ""


def sign_in_app(works: bool = True) -> TestClient:
    def login(_request: Request) -> Response:
        return RedirectResponse("http://provider.example/auth", 302)

    def back(_request: Request) -> Response:
        answer = RedirectResponse("/", 302)
        if works:
            answer.set_cookie("_streamlit_user", "signed")
        return answer

    app = Starlette(
        routes=[Route("/auth/login", login), Route("/oauth2callback", back)],
        middleware=[Middleware(SignInReturn)],
    )
    return TestClient(app, follow_redirects=False)


def test_a_sign_in_leads_back_to_the_page_and_forgets_it() -> None:
    browser = sign_in_app()
    out = browser.get("/auth/login?provider=x", headers={"referer": "http://testserver/data?from=2026-01-01"})
    assert out.headers["location"] == "http://provider.example/auth"
    kept = out.headers["set-cookie"]
    assert all(part in kept for part in ("Max-Age=600", "HttpOnly", "SameSite=Lax", "Path=/"))
    assert browser.get("/oauth2callback?code=1").headers["location"] == "/data?from=2026-01-01"
    assert browser.get("/oauth2callback?code=1").headers["location"] == "/"


def test_a_sign_in_that_did_not_work_or_a_forged_cookie_leads_to_the_start() -> None:
    browser = sign_in_app(works=False)
    browser.get("/auth/login", headers={"referer": "http://testserver/data"})
    assert browser.get("/oauth2callback?error=access_denied").headers["location"] == "/"
    forged = sign_in_app().get("/oauth2callback", headers={"cookie": f"{COOKIE}=%2F%2Fevil.example"})
    assert forged.headers["location"] == "/"


def test_our_addresses_are_found_under_the_base_path_and_at_the_root() -> None:
    def told(request: Request) -> Response:
        return PlainTextResponse(request.url.path)

    served = [Route(path, told) for path in ("/healthz", "/api/imports", "/team/data")]
    browser = TestClient(Starlette(routes=served, middleware=[Middleware(BasePath, base="/team")]))
    paths = (
        "/healthz",
        "/team/healthz",
        "/team/api/imports",
        "/team/data",
        "/teams/healthz",
        "/team/team/healthz",
    )
    assert [browser.get(path).status_code for path in paths] == [200, 200, 200, 200, 404, 404]

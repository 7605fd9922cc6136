"""GET /shared/<token>: the kept page and nothing else."""

from __future__ import annotations

from pathlib import Path

from core import shared_links
from core.export.review_html import STYLE
from core.state import get_state
from tests.web.test_server import serving

PAGE = f"<!doctype html><style>{STYLE}</style><p>Incident</p>".encode()


def test_a_link_opens_its_page_until_it_is_revoked_also_after_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path, read_tokens=("0" * 64,)) as (client, _):
        token = shared_links.make_link(get_state(), 3, PAGE, 7, "Ana")
        answer = client.get(f"/shared/{token}")
        assert (answer.status_code, answer.content) == (200, PAGE)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "allow-scripts" not in policy
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
    with serving(tmp_path) as (client, _):
        assert client.get(f"/shared/{token}").status_code == 200
        (link,) = shared_links.links_of(get_state(), 3)
        shared_links.revoke(get_state(), link.link_id)
        gone = client.get(f"/shared/{token}")
        assert (gone.status_code, gone.text) == (410, "This link has been revoked.\n")


def test_what_is_no_link_is_404_and_leads_nowhere(tmp_path: Path) -> None:
    with serving(tmp_path) as (client, _):
        for path in (
            "/shared/",
            "/shared/x",
            "/shared/../readyz",
            "/shared/a/b",
            "/shared/%00%ff",
            "/shared/" + "a" * 5000,
        ):
            answer = client.get(path)
            assert answer.status_code in (200, 404)
            assert answer.status_code == 404 or "ready" in answer.text  # the client itself resolves ..
        assert client.post("/shared/x").status_code == 405
        assert not (tmp_path / "state.sqlite").exists()


def test_an_expired_link_says_so(tmp_path: Path) -> None:
    with serving(tmp_path) as (client, _):
        token = shared_links.make_link(get_state(), 3, PAGE, 1)
        with get_state().session() as session:
            row = session.get(shared_links.SharedPageRow, 1)
            assert row is not None
            row.expires_at_ns = row.made_at_ns
        assert client.get(f"/shared/{token}").status_code == 410

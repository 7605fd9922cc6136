"""A real OpenID provider for tests: oidc-provider on node, started on loopback; `make oidc` installs it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.live.app import free_port

HERE = Path(__file__).resolve().parent
MODULES = Path(os.environ.get("OIDC_PROVIDER_DIR", Path.home() / ".cache" / "trueup" / "oidc"))
"""Outside the repository: `make oidc` runs npm there with the lock file beside this."""
COOKIE_SECRET = "a-cookie-secret-of-the-tests-only"


def missing() -> str:
    """What the provider lacks to run; nothing when it can."""
    if shutil.which("node") is None:
        return "node is not on PATH"
    if not (MODULES / "node_modules" / "oidc-provider").is_dir():
        return f"oidc-provider is not in {MODULES}: make oidc"
    return ""


@contextlib.contextmanager
def running_provider(redirect_uri: str) -> Iterator[str]:
    """The provider's address, for one client that may return to `redirect_uri`."""
    port = free_port()
    command = ["node", str(HERE / "provider.mjs"), str(MODULES), str(port), redirect_uri]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.strip() == "listening":
                break
        else:
            raise RuntimeError(f"the provider ended with {process.wait()}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=120)


def secrets(provider: str, redirect_uri: str) -> str:
    """The text of secrets.toml that makes Streamlit sign in there."""
    return f"""[auth]
redirect_uri = "{redirect_uri}"
cookie_secret = "{COOKIE_SECRET}"
client_id = "trueup"
client_secret = "a-secret-of-the-tests-only"
server_metadata_url = "{provider}/.well-known/openid-configuration"
client_kwargs = {{ prompt = "login" }}
"""

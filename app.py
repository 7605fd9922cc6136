"""The process: `streamlit run app.py` starts pages, OTLP and the JSON API together, and owns the ledger file."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.roles import require_sign_in
from core.settings import read_settings
from core.web.process import Process
from core.web.server import lifespan, middleware, routes

_secrets = [name for name in st.get_option("secrets.files") if Path(name).exists()]
if _secrets and not st.secrets.load_if_toml_exists():
    raise SystemExit(
        f"Trueup cannot start: the secrets in {', '.join(_secrets)} cannot be read, so nobody could sign in."
    )
settings = read_settings()
require_sign_in("auth" in st.secrets if _secrets else False, settings)

if (served := str(st.get_option("server.baseUrlPath") or "").strip("/")) != settings.base_path.strip("/"):
    raise SystemExit(
        f"Trueup cannot start: Streamlit serves /{served}, base_path is {settings.base_path or '/'}. "
        "Start it with: python -m core serve"
    )

process = Process(
    settings=settings,
    host=st.get_option("server.address") or "0.0.0.0",  # unset means every interface
    port=st.get_option("server.port"),
)

# Streamlit finds the app by reading this assignment's syntax: it must stay a plain call of st.App.
app = st.App(
    Path(__file__).resolve().parent / "pages" / "shell.py",
    routes=routes(process),
    middleware=middleware(process),
    lifespan=lifespan(process),
)

if __name__ == "__main__":
    app.run(config={"server.address": process.settings.bind_address, "server.port": process.settings.port})

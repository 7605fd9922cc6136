"""The frame around every page: navigation, scope and data version. No page runs outside it.

No folder pages/ may lie beside this file: Streamlit would run its scripts directly on a deep link, past the sign-in.
"""

import sys
from pathlib import Path

import streamlit as st

PAGES = Path(__file__).resolve().parent
sys.path[:0] = [] if str(PAGES.parent) in sys.path else [str(PAGES.parent)]

from core import projects, ui, view  # noqa: E402
from core.audits import every_audit  # noqa: E402
from core.ui import access, waiting  # noqa: E402

icon = str(PAGES / "static" / "icon.png")
st.logo(str(PAGES / "static" / "logo.svg"), size="large", icon_image=icon)

menu = {"": [st.Page(PAGES / "overview.py", title="Overview", default=True)]}
for name in ("reviews", "timeline", "data", "imports", "deck", "access"):
    menu[""].append(st.Page(PAGES / f"{name}.py", title=name.capitalize(), url_path=name))
for audit in every_audit():
    name = view.name_of(audit)
    page = st.Page(view.page_of(audit), title=view.titled(name), url_path=name)
    menu.setdefault(audit.SECTION, []).append(page)
current = st.navigation(menu, position=access.navigation(), expanded=True)
# The page icon is a file: for its own icons Streamlit has the browser fetch a font from another machine.
st.set_page_config(
    f"{current.title}{access.project_title()} · Trueup", icon, layout="wide", initial_sidebar_state=300
)
for style in ("print.css", "verdict.css"):
    st.html(PAGES / "static" / style)
waiting.let_draw("styles", waiting.SCRIPT_S)
with projects.within(projects.current()):  # told once a run: a page looks it up a hundred times
    access.frame()
    ui.scope_controls()
    current.run()

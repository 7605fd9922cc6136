"""The timeline page: lanes, the same rows as a table, and the audits at the time that was selected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core import demo, downloads, timeline, ui, view
from core.audits import every_audit
from core.charts import noted, themed
from core.export import alt_text
from core.ledger.current import get_store
from core.timeline import Moment

_KEY = "timeline"
EVERYTHING, SIDEBAR = "everything on record", "the sidebar's days"


def timeline_page() -> None:
    """Everything the page shows below its title."""
    within = ui.scope()
    bound: Any = {"bind": "query-params", "width": 260}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        by = st.selectbox("A verdict stands at the", timeline.DATED_BY, key="dated_by", **bound)
        days = st.selectbox("Show", (EVERYTHING, SIDEBAR), key="days_shown", **bound)
    # ui.ask keeps answers until new imports: the worker writes findings without any.
    told = timeline.read(get_store().ask, within, every_audit(), by, days == SIDEBAR)
    if not told.moments:
        st.text(
            "Nothing is on record yet. Verdicts come with the first data; change events are added on the page Data, by a "
            "file or by traces."
        )
        return
    with st.container(border=True, gap="small"):
        st.markdown("**What moved together**")
        st.caption(
            "Bars: how long a verdict held. Points: when it changed, and change events. Select one to open it."
        )
        picked = _chart(told)
    rows = timeline.table(told)
    with st.container(border=True, gap="small"):
        st.markdown("**The same as a table**")
        st.caption("Newest first. Select a row to open it.")
        selected = ui.table(rows, "Changes of verdicts and change events", f"{_KEY}_rows")
        name = f"trueup_timeline_v{within.as_of}"
        ui.download(downloads.rows_download(name, rows, demo.note(ui.ask)), f"{_KEY}_csv")
    for row in dict.fromkeys([*picked, *selected]):
        if row < len(told.moments):
            _opened(told.moments[row])


def _chart(told: timeline.Timeline) -> list[int]:
    """Draws the lanes; the rows of the points that are selected."""
    figure = noted(timeline.figure(told), demo.note(ui.ask))
    shown = themed(figure, st.context.theme.type == "dark")
    config = downloads.picture_config(_KEY, "PNG")
    words = alt_text("Timeline", figure)
    event: Any = st.plotly_chart(
        shown, theme=None, config=config, key=_KEY, alt=words, on_select="rerun", selection_mode="points"
    )
    points = event["selection"]["points"] if isinstance(event, Mapping) else []
    return [row for one in points for row in _rows_of(one.get("customdata"))]


def _rows_of(given: object) -> list[int]:
    """A point's customdata comes as a number or as a list of one."""
    one = given[0] if isinstance(given, list) and given else given
    return [one] if isinstance(one, int) else []


def _opened(one: Moment) -> None:
    with st.container(border=True, gap="small"):
        st.text(f"{one.at:%Y-%m-%d %H:%M} UTC, {one.lane}: {one.what}{f' ({one.more})' if one.more else ''}")
        start, end = one.days
        st.caption(f"Opens {start} to {end} as of import {one.as_of}, in a new tab.")
        with st.container(horizontal=True, gap="small"):
            for title, address in timeline.links_at(one, every_audit(), view.origin_of(st.context.url)):
                st.link_button(title, address, type="secondary")

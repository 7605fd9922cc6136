"""Frames as tables: numbers in their units, instants in the reader's zone. Cells are never Markdown."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st
from polars import selectors

from core import view
from core.settings import read_settings

_INSTANT = "YYYY-MM-DD HH:mm:ss z"


def table(rows: pl.DataFrame, name: str, key: str | None = None) -> list[int]:
    """A frame with its units; with a key, one row can be selected and is returned."""
    zone = read_settings().time_zone
    shown = view.shown(rows, zone)
    days = shown.select(selectors.date()).columns
    forms: dict[str, Any] = {day: st.column_config.DateColumn() for day in days}
    instants = shown.select(selectors.datetime()).columns
    forms |= {at: st.column_config.DatetimeColumn(format=_INSTANT, timezone=zone) for at in instants}
    numbers = view.number_formats(rows)
    forms |= {column: st.column_config.NumberColumn(format=form) for column, form in numbers.items()}
    look: dict[str, Any] = {"hide_index": True, "column_config": forms, "placeholder": "", "alt": name}
    if key is None:
        st.dataframe(shown, **look)
        return []
    event = st.dataframe(shown, key=key, on_select="rerun", selection_mode="single-row", **look)
    return [row for row in event["selection"]["rows"] if row < rows.height]

"""Incident reviews: saved views in order, what they said then and say now, notes, exports and shared links."""

from core import ui
from core.ui.reviews import reviews_page

ui.header("Reviews", "What did we see when, and does it still hold?")
reviews_page()

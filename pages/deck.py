"""Decks: figures for a meeting, as slides and a workbook."""

from core import ui
from core.ui import deck as drawn

ui.header("Deck", "Figures for a meeting: order, titles and notes, exported as editable slides.")
deck = drawn.chosen()
if deck is not None:
    drawn.slides_table(deck)
    drawn.exports(deck)
    drawn.template(deck)

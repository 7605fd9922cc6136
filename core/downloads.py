"""Files a page offers: each is made when it is clicked."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import plotly.graph_objects as go
import polars as pl

from core import deck_content, decks, links, view
from core.audit import Ask, Finding, Scope
from core.decks import Deck
from core.export import Source, csv_bytes, figure_csv, figure_xlsx
from core.export.deck import deck_pptx, figure_pptx
from core.export.workbook import deck_xlsx
from core.ingest.own_tables.templates import TEMPLATES


class Download(NamedTuple):
    """A file that is made when it is clicked."""

    label: str
    name: str
    make: Callable[[], bytes]


def downloads(
    audit: ModuleType,
    name: str,
    figure: go.Figure,
    finding: Finding,
    scope: Scope,
    link: str,
    demo: bool = False,
) -> list[Download]:
    """CSV, XLSX and PPTX of what is drawn."""
    source = Source(
        finding.sentence, view.titled(name), links.scope_text(scope), f"as of import {scope.as_of}", link
    )
    return [
        Download("CSV", file_name(audit, name, scope, "csv"), partial(figure_csv, figure)),
        Download("XLSX", file_name(audit, name, scope, "xlsx"), partial(figure_xlsx, figure, source)),
        Download("PPTX", file_name(audit, name, scope, "pptx"), partial(figure_pptx, figure, source, demo)),
    ]


def deck_downloads(ask: Ask, deck: Deck, origin: str, told: deck_content.Told) -> list[Download]:
    """A deck's slides and workbook, asked anew on the click; `told(done, of)` hears how far it is, (0, 0) at the end."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", deck.name).strip("_").lower() or "deck"
    return [
        Download("Slides (PPTX)", f"trueup_{name}.pptx", partial(_deck_pptx, ask, deck, origin, told)),
        Download("Workbook (XLSX)", f"trueup_{name}.xlsx", partial(_deck_xlsx, ask, deck, origin, told)),
    ]


def _deck_pptx(ask: Ask, deck: Deck, origin: str, told: deck_content.Told) -> bytes:
    try:
        return deck_pptx(deck_content.content(ask, deck, origin, told=told), decks.template_of(deck.deck_id))
    finally:
        told(0, 0)


def _deck_xlsx(ask: Ask, deck: Deck, origin: str, told: deck_content.Told) -> bytes:
    try:
        return deck_xlsx(deck_content.content(ask, deck, origin, told=told))
    finally:
        told(0, 0)


def rows_download(name: str, rows: pl.DataFrame, note: str = "") -> Download:
    """A table's rows as CSV, under a note where they are of demo data."""
    return Download("Download CSV", f"{name}.csv", partial(csv_bytes, rows.columns, rows.rows(), note))


def templates() -> list[Download]:
    """A CSV to start from for each table that people write themselves."""
    return [
        Download(name.capitalize(), f"trueup_{name}.csv", partial(str.encode, text))
        for name, text in TEMPLATES.items()
    ]


def file_name(audit: ModuleType, figure: str, scope: Scope, ending: str) -> str:
    """Audit, figure and data version, so that two downloads can be told apart."""
    return f"trueup_{view.name_of(audit)}_{figure}_v{scope.as_of}.{ending}"


PRINT_CM, PRINT_DPI = 20, 300
PICTURE_SCALE = 3
PICTURE_WIDTH = -(-round(PRINT_CM / 2.54 * PRINT_DPI) // PICTURE_SCALE)
"""Pixels before scaling, whatever the window's size: at 20 cm text of 12 px is printed in 8.6 pt."""


def picture_config(name: str, form: str, height: int | None = None) -> dict[str, Any]:
    """The chart's menu: one button, which saves PNG or SVG in the browser, at 300 dpi when it is printed 20 cm wide."""
    options = {"format": form.lower(), "filename": f"trueup_{name}", "scale": PICTURE_SCALE}
    options |= {"width": PICTURE_WIDTH} | ({"height": height} if height else {})
    return {"displaylogo": False, "modeBarButtons": [["toImage"]], "toImageButtonOptions": options}

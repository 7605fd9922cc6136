"""Files a page offers: each is made when it is clicked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import plotly.graph_objects as go
import polars as pl

from core import links, view
from core.audit import Finding, Scope
from core.export import Source, csv_bytes, drawn_table, figure_csv, figure_xlsx
from core.export.deck import NATIVE_FORMS, figure_pptx
from core.ingest.templates import TEMPLATES


class Download(NamedTuple):
    """A file that is made when it is clicked."""

    label: str
    name: str
    make: Callable[[], bytes]


def downloads(
    audit: ModuleType, name: str, figure: go.Figure, finding: Finding, scope: Scope, link: str
) -> list[Download]:
    """CSV and XLSX of what is drawn; PPTX where the form has an editable chart."""
    source = Source(
        finding.sentence, view.titled(name), links.scope_text(scope), f"as of import {scope.as_of}", link
    )
    made = [
        Download("CSV", file_name(audit, name, scope, "csv"), partial(figure_csv, figure)),
        Download("XLSX", file_name(audit, name, scope, "xlsx"), partial(figure_xlsx, figure, source)),
    ]
    if drawn_table(figure).form in NATIVE_FORMS:
        made.append(
            Download("PPTX", file_name(audit, name, scope, "pptx"), partial(figure_pptx, figure, source))
        )
    return made


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


def picture_config(name: str, form: str) -> dict[str, Any]:
    """The chart's menu: one button, which saves PNG or SVG in the browser."""
    options = {"format": form.lower(), "filename": f"trueup_{name}", "scale": 2}
    return {"displaylogo": False, "modeBarButtons": [["toImage"]], "toImageButtonOptions": options}

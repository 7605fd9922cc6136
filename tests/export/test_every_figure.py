"""Every figure that any audit draws becomes a slide with its numbers: a new audit or form is checked without being named."""

from __future__ import annotations

from types import ModuleType

import pytest

from core.export import Source, Table, drawn_table
from core.export.deck import figure_pptx
from core.ledger.store import Store
from tests.export.reading import charts, series, slides, tables
from tests.test_every_audit import SCOPE, audit, filled  # noqa: F401

SOURCE = Source("A finding.", "A figure", "2026-03-02 to 2026-03-08", "as of import 1", "http://x/?as_of=1")


def measured(table: Table) -> list[float]:
    """What the rows measure: every number of a table that is neither a place on an axis nor an interval's end."""
    if table.form == "dumbbell":
        columns = [at for at, name in enumerate(table.columns) if at and not name.endswith((" low", " high"))]
    else:
        columns = [table.columns.index("share" if table.form == "stacked_share" else "value")]
    return [float(row[at]) for row in table.rows for at in columns if row[at] is not None]


def test_a_slide_has_every_number_of_its_figure(audit: ModuleType, filled: Store) -> None:  # noqa: F811
    frames = audit.load(filled.ask, SCOPE)
    for name, figure in audit.figures(frames, audit.measure(frames, SCOPE)).items():
        table = drawn_table(figure)
        (slide,) = slides(figure_pptx(figure, SOURCE))
        parts = [
            numbers for chart in charts(slide) for one in series(chart).values() for numbers in one.values()
        ]
        shown = [number for numbers in parts for number in numbers if number is not None]
        if table.form in (
            "grid",
            "sankey",
            "scatter",
            "span_waterfall",
            "twice",
            "barcode",
            "capacity",
            "buckets",
        ):
            assert len(tables(slide)[0]) > 1, name
        elif table.form == "waterfall":  # a bar across zero is two, so lengths are compared as sums
            lengths = sum(abs(number) for numbers in parts[1:] for number in numbers if number is not None)
            assert lengths == pytest.approx(sum(abs(value) for value in measured(table))), name
        elif table.form == "ecdf":
            assert {shown[0], max(measured(table))} <= set(shown), name
        else:
            assert set(measured(table)) <= set(shown), name

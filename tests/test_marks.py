"""Change events on an axis: a handful of labels, none over another, every event under the pointer."""

from __future__ import annotations

import datetime as dt
import doctest
from itertools import pairwise

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.charts import Bar, Line, Mark, bars, lines, palette
from core.charts.marks import LABEL_ROWS, MOST_LABELS, labels

START = dt.date(2026, 1, 1)
DAYS = [START + dt.timedelta(days=day) for day in range(28)]


def names(figure: go.Figure) -> list[str]:
    """Texts written at the marks."""
    return [one.text for one in figure.layout.annotations]


def hovers(figure: go.Figure) -> list[str]:
    """What the pointer tells of the marks."""
    return [text for trace in figure.data if trace.mode == "markers" for text in trace.customdata]


def test_names_without_their_common_beginning() -> None:
    assert doctest.testmod(palette).failed == 0


def test_many_marks_have_a_line_and_a_name_each_and_few_labels() -> None:
    marks = [Mark(day, f"checkpoint {at}") for at, day in enumerate(DAYS)]
    figure = lines([Line("a", DAYS, [1.0] * 28)], "count", marks)
    assert len(figure.layout.shapes) == 28
    assert hovers(figure) == [f"checkpoint {at}" for at in range(28)]
    assert 1 <= len(names(figure)) <= MOST_LABELS
    assert "checkpoint 27" in names(figure)  # the newest first


def test_what_the_figure_found_itself_is_labelled_before_all_others() -> None:
    marks = [Mark(day, f"checkpoint {at}") for at, day in enumerate(DAYS)]
    figure = lines([Line("a", DAYS, [1.0] * 28)], "count", [*marks, Mark(DAYS[3], "alarm", True)])
    assert "alarm +1" in names(figure)
    assert "checkpoint 3; alarm" in hovers(figure)


def test_one_day_has_one_line_and_one_label() -> None:
    marks = [Mark(DAYS[9], "deploy of <b>a</b>"), Mark(DAYS[9], "deploy of b")]
    figure = lines([Line("a", DAYS, [1.0] * 28)], "count", marks)
    assert len(figure.layout.shapes) == 1
    assert names(figure) == ["deploy of &lt;b&gt;a&lt;/b&gt; +1"]


def test_no_marks_draw_nothing() -> None:
    figure = lines([Line("a", DAYS, [1.0] * 28)], "count")
    assert (len(figure.data), names(figure), len(figure.layout.shapes)) == (1, [], 0)


@given(st.lists(st.tuples(st.integers(0, 27), st.text(min_size=1, max_size=60)), max_size=40))
def test_labels_of_a_row_never_meet(drawn: list[tuple[int, str]]) -> None:
    """The oracle lays every label out again: its letters left or right of its line, as shares of the axis."""
    found = labels([Mark(DAYS[at], text) for at, text in drawn], DAYS)
    assert len(found) <= MOST_LABELS
    for row in range(LABEL_ROWS):
        spans = []
        for label in found:
            if label.row == row:
                at = DAYS.index(label.at) / 27  # type: ignore[arg-type]
                width = 0.021 * min(len(label.text), 32)
                spans.append((at - width, at) if label.side == "right" else (at, at + width))
        assert all(left[1] < right[0] for left, right in pairwise(sorted(spans)))


@pytest.mark.parametrize("value", [-0.3, 0.3])
def test_a_bar_to_the_left_has_its_label_at_its_left(value: float) -> None:
    figure = bars([Bar("a", value, value - 0.1, value + 0.1)], "share")
    text = next(trace for trace in figure.data if trace.type == "scatter" and trace.mode == "text")
    # The label stands at the interval's far end: -0.4 for a bar to -0.3, 0.4 for a bar to 0.3.
    assert (text.x[0], text.textposition[0]) == (
        (pytest.approx(-0.4), "middle left") if value < 0 else (pytest.approx(0.4), "middle right")
    )
    low, high = figure.layout.xaxis.range
    assert (low < -0.4) if value < 0 else (high > 0.4)

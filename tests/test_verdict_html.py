"""The verdict's numbers and the picture of its gap: places on the axis, hostile names, and that it says what the verdict says."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser

import pytest

from core.audit import Finding, Scope
from core.audits import every_audit, retry_ledger
from core.verdict_html import Cell, allowed, gap_html, numbers_html
from tests.audits.retry_world import DAY

HOSTILE = "<img src=x onerror=alert(1)> **b** [x](//evil) \"' &amp;"
SCOPE = Scope(DAY, DAY)
FINDING = Finding("x", "broken", "1", "2", 0.4, 0.3, 0.5, "share", 9, "sentence")


class Read(HTMLParser):
    """The tags and texts a browser would make of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag."""
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        """A text between tags."""
        self.texts.append(data)


def places(html: str) -> dict[str, list[float]]:
    """Class -> left edges in percent of the axis."""
    found: dict[str, list[float]] = {}
    for kind, left in re.findall(r'class="verdict-([a-z]+)" style="left:(-?[\d.]+)%', html):
        found.setdefault(kind, []).append(float(left))
    return found


def test_names_are_texts_letter_by_letter() -> None:
    read = Read(numbers_html([Cell(HOSTILE, HOSTILE, HOSTILE)], [1.0, 2.0]))
    assert set(read.tags) == {"dl", "div", "dt", "dd"}
    assert read.texts == [HOSTILE] * 3


def test_the_gap_stands_where_its_number_is() -> None:
    # The axis runs from 0 to 0.5 with 6 % of that free at both ends: -0.03 to 0.53, 0.56 long.
    html = gap_html(FINDING, (-math.inf, 0.2))
    found = places(html)
    assert found["gap"] == [pytest.approx((0.4 + 0.03) / 0.56 * 100, abs=0.01)]
    assert found["interval"] == [pytest.approx((0.3 + 0.03) / 0.56 * 100, abs=0.01)]
    assert f"width:{0.2 / 0.56 * 100:.2f}%" in html
    assert found["limit"] == [pytest.approx((0.2 + 0.03) / 0.56 * 100, abs=0.01)]
    assert found["none"] == [pytest.approx(0.03 / 0.56 * 100, abs=0.01)]
    assert found["allowed"] == [0.0]
    assert "Gap 40.0%, 95% [30.0%, 50.0%], limit 20.0%: broken" in html
    assert Read(html).texts == ["limit 20.0%", "0"]


def test_a_limit_s_name_stands_and_no_gap_s_gives_way_to_it() -> None:
    # 0 and the limit 0.02 lie 4 % of the axis apart: two names there would be one blot.
    html = gap_html(FINDING, (-math.inf, 0.02))
    assert Read(html).texts == ["limit 2.0%"]
    assert len(places(html)["none"]) == 1


def test_a_ratio_has_no_gap_at_one_and_a_limit_on_each_side() -> None:
    found = FINDING._replace(gap=0.5, low=0.4, high=0.6, unit="ratio")
    html = gap_html(found, (0.9, 1.1))
    at = places(html)
    assert at["limit"] == sorted(at["limit"], reverse=True)
    assert at["limit"][1] < at["none"][0] < at["limit"][0]


def test_an_unknown_gap_has_no_picture() -> None:
    assert gap_html(FINDING._replace(gap=None, low=None, high=None), None) == ""
    assert gap_html(FINDING._replace(gap=math.nan), None) == ""


def test_a_gap_without_interval_is_a_point() -> None:
    found = places(gap_html(FINDING._replace(low=None, high=None), None))
    assert set(found) == {"gap", "none"}


def test_a_gap_of_nothing_is_drawn_in_the_middle_of_its_axis() -> None:
    html = gap_html(FINDING._replace(gap=0.0, low=0.0, high=0.0, status="holds"), None)
    assert places(html)["gap"] == [50.0]
    assert "verdict-holds" in html


def test_every_audit_draws_its_own_limit_or_none() -> None:
    drawn = {audit.__name__.rpartition(".")[2]: allowed(audit, SCOPE) for audit in every_audit()}
    assert allowed(retry_ledger, SCOPE._replace(choices=(("limit", "0.50"),))) == (-math.inf, 0.5)
    assert drawn["token_forecast"] == (-0.1, 0.1)
    assert drawn["tps_chunking"] == (0.9, 1.1)
    assert drawn["retry_ledger"] == (-math.inf, 0.2)
    assert [name for name, within in drawn.items() if within is None] == [
        "streaming_backend", "hyrum_stream", "regional_drift", "reward_vs_outcome",
    ]  # fmt: skip

"""The regional drift page as its reader meets it: headline, strip, forest and distribution under each of the four statuses."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.audits import regional_drift as audit
from core.ledger.current import set_store
from core.ledger.store import Store
from tests.audits.drift_world import OTHER, REFERENCE, Change, probe, world
from tests.audits.retry_world import DAY, Row, call, send
from tests.shown import numbers, small_print

SHELL = Path(__file__).resolve().parents[1] / "pages" / "shell.py"
DAYS = 40
STRIP, FOREST, DISTRIBUTION = "drift_strip", "drift_signals", "drift_distribution"


@pytest.fixture
def traffic(store: Store) -> Iterator[Store]:
    """A ledger that pages find, in which us-east-1 has most ordinary traffic and so is the reference."""
    st.cache_data.clear()
    st.cache_resource.clear()
    set_store(store)
    ordinary = {"cloud_region": REFERENCE, "request_model": "m", "response_model": "m-1"}
    send(store, calls=[call(f"{n:031d}c", "s", **ordinary) for n in range(3)])
    yield store
    set_store(None)


def opened(store: Store, probes: list[Row]) -> AppTest:
    send(store, probes=probes)
    store.derive()  # only then is it a version that pages show
    app = AppTest.from_file(str(SHELL), default_timeout=120)
    app.query_params["from"], app.query_params["to"] = str(DAY), str(DAY + dt.timedelta(days=DAYS - 1))
    app.run()
    app.switch_page(str(SHELL.parent / "models" / "regional_drift.py")).run()
    assert not app.exception, [one.message for one in app.exception]
    return app


def status(app: AppTest) -> str:
    """The verdict's badge: the first thing under the title that is coloured as a status."""
    badges = [str(one.value) for one in app.markdown if "-badge[" in str(one.value)]
    return next(
        text.partition("[")[2].rstrip("]") for text in badges if text.partition("[")[2].rstrip("]") in WORDS
    )


WORDS = ("holds", "watch", "broken", "cannot tell")


def pictures(app: AppTest) -> dict[str, dict[str, Any]]:
    """Plotly's own description of each chart, by the caption that stands with it."""
    names = {text: name for name, text in audit.CAPTIONS.items()}
    shown = [names[str(one.value)] for one in app.caption if str(one.value) in names]
    charts = [json.loads(one.proto.spec) for one in app.get("plotly_chart")]
    assert len(shown) == len(charts)
    return dict(zip(shown, charts, strict=True))


def worse(first: int, region: str = "") -> Change:
    """From that day on answers are shorter and fail more often: in one region, or in all."""
    return lambda at, here: (
        {"success": 0.3, "longer": 0.6} if here == (region or here) and at >= first else {}
    )


def test_one_region_behind_is_broken_and_every_picture_shows_it(traffic: Store) -> None:
    app = opened(traffic, world(DAYS, change=worse(20, OTHER)))
    assert app.title[0].value == audit.TITLE
    assert status(app) == "broken"
    headline = f"1 of 2 regions serve a different behaviour than {REFERENCE}: {OTHER} since"
    assert any(text.value.startswith(headline) for text in app.text)
    drawn = pictures(app)
    assert {STRIP, FOREST, DISTRIBUTION} <= drawn.keys()
    (strip,) = [trace for trace in drawn[STRIP]["data"] if trace["type"] == "heatmap"]
    assert list(strip["y"]).count(OTHER) == 1
    assert len(strip["x"]) == DAYS
    for named in (OTHER, "eu-west-1", "placebo"):
        assert named in json.dumps(drawn[FOREST])
    sides = {str(trace.get("name")).partition(" (n ")[0] for trace in drawn[DISTRIBUTION]["data"]}
    assert {OTHER, REFERENCE} <= sides


def test_equal_regions_hold_and_are_drawn_all_the_same(traffic: Store) -> None:
    app = opened(traffic, world(DAYS, k=4))
    assert status(app) == "holds"
    assert numbers(app)["Supported"] == "2"
    assert f"of 2 answer as {REFERENCE}" in small_print(app)
    assert {STRIP, FOREST, DISTRIBUTION} <= pictures(app).keys()


def test_a_release_nobody_announced_is_a_watch(traffic: Store) -> None:
    app = opened(traffic, world(DAYS, change=worse(20), k=4))
    assert status(app) == "watch"
    assert {STRIP, FOREST} <= pictures(app).keys()


def test_a_probe_of_one_region_cannot_tell_and_says_what_is_missing(traffic: Store) -> None:
    app = opened(traffic, [probe(REFERENCE, "prompt-1", DAY)])
    assert status(app) == "cannot tell"
    assert any(text.value.startswith("Missing: ") for text in app.text)
    assert "green-badge[" not in " ".join(str(one.value) for one in app.markdown)

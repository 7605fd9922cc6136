"""A bar while an answer is made, and an answer that is kept when it is whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core import ui
from core.audit import Scope
from core.audits import token_forecast
from core.ledger.current import set_store
from core.ledger.store import Store
from core.made import resolved
from core.ui import held, waiting
from tests.audits.forecast_world import END, attempts, filled

SHELL = Path(__file__).resolve().parents[1] / "pages" / "shell.py"


def half_made() -> None:
    """A page whose reader sees it while its answer is at 40 %."""
    import streamlit as st

    from core.ui import waiting

    waiting.PATIENCE_S = float(st.query_params["patience"])
    with waiting.bar() as tell:
        tell(0.1, "Region 1 of 2: past forecast 2 of 10")
        tell(0.4, "Region 1 of 2: past forecast 8 of 10")
        if st.query_params["stop"] == "yes":
            st.stop()
    st.text("made")


def page(patience: str, stop: str) -> AppTest:
    app = AppTest.from_function(half_made)
    app.query_params["patience"], app.query_params["stop"] = patience, stop
    app.run()
    assert not app.exception
    return app


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page sets is set back."""
    monkeypatch.setattr(waiting, "PATIENCE_S", waiting.PATIENCE_S)


def test_the_bar_shows_the_share_and_what_is_done() -> None:
    (bar,) = page("0", "yes").get("progress")
    assert (bar.proto.value, bar.proto.text) == (40, "Region 1 of 2: past forecast 8 of 10")


def test_the_bar_is_gone_when_the_answer_is_there() -> None:
    app = page("0", "no")
    assert not app.get("progress")
    assert [text.value for text in app.text] == ["made"]


def test_an_answer_within_a_second_shows_no_bar() -> None:
    assert not page("60", "yes").get("progress")


def test_the_forecast_page_makes_its_answer_once_and_keeps_it(store: Store) -> None:
    st.cache_data.clear()
    st.cache_resource.clear()
    set_store(store)
    filled(store, attempts=attempts([4e5 + 1e4 * (day % 7) for day in range(90)]))
    store.derive()
    app = AppTest.from_file(str(SHELL), default_timeout=120)
    app.query_params["from"], app.query_params["to"] = str(END), str(END)
    app.run()
    page = str(SHELL.parent / "counts" / "token_forecast.py")
    app.switch_page(page).run()
    assert not app.exception
    told = [text.value for text in app.text if text.value.startswith("The next 28 days take")]
    assert len(told) == 1
    version = held.version(store), held.changes(store), id(store)
    within = resolved(token_forecast, Scope(END, END, as_of=version[0], currency=store.currency))
    kept = ui._answered(token_forecast.__name__, within, *version, _make=waiting.not_kept)
    assert kept.finding.sentence == told[0]
    set_store(None)

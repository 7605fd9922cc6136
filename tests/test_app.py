"""Pages through Streamlit's own test runner: the frame, the empty ledger, scope, links, hostile names.

The address is written by the browser, which this runner does not imitate; tests/browser has that part.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.ingest.options import ReadOptions
from core.ingest.otlp import decode_traces
from core.ledger.current import set_store
from core.ledger.store import Store
from core.state import State, set_state
from tests.shown import numbers

PAGES = Path(__file__).resolve().parents[1] / "pages"
AT_NS = 1_772_442_000 * 10**9  # 2026-03-02 09:00 UTC
HOSTILE = "<script>alert(1)</script> **bold** [x](javascript:alert(1)) :red[y] $z$"
RUNS = 40
TRACE = f"{7:032x}"


def attribute(key: str, value: str | int) -> dict[str, object]:
    return {
        "key": key,
        "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value},
    }


def span(
    trace: int, number: int, parent: int, name: str, failed: bool = False, **attributes: str | int
) -> dict[str, object]:
    """One span of a run, `number` tenths of a second after its start."""
    start = AT_NS + trace * 60 * 10**9 + number * 10**8
    return {
        "traceId": f"{trace:032x}", "spanId": f"{trace * 16 + number:016x}", "name": name, "kind": 3,
        "parentSpanId": f"{trace * 16 + parent:016x}" if parent else "",
        "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + 5 * 10**7),
        "status": {"code": 2} if failed else {},
        "attributes": [attribute(key.replace("__", "."), value) for key, value in attributes.items()],
    }  # fmt: skip


def body(first: int, last: int) -> bytes:
    """Runs of a root, and a model call sent twice in every fourth of them, as OTLP/JSON."""
    spans = []
    for trace in range(first, last):
        call = {
            "gen_ai__operation__name": "chat",
            "gen_ai__provider__name": "openai",
            "gen_ai__request__model": "gpt-4o-mini",
        }
        used = {"gen_ai__usage__input_tokens": 1000, "gen_ai__usage__output_tokens": 100}
        spans += [span(trace, 1, 0, HOSTILE), span(trace, 2, 1, "chat", **call, **used)]
        host = {
            "http__request__method": "POST",
            "server__address": "api.openai.com",
            "url__full": "https://api.openai.com/v1/chat/completions",
        }
        if trace % 4 == 0:
            spans.append(span(trace, 3, 2, "POST", True, **host, http__response__status_code=500))
        spans.append(span(trace, 4, 2, "POST", **host, http__response__status_code=200))
    resource = {"attributes": [attribute("service.name", HOSTILE), attribute("cloud.region", "eu-west-1")]}
    return json.dumps(
        {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "x"}, "spans": spans}]}]}
    ).encode()


@pytest.fixture
def empty(store: Store) -> Iterator[Store]:
    """An empty ledger that pages find."""
    st.cache_data.clear()
    st.cache_resource.clear()
    set_store(store)
    yield store
    set_store(None)


@pytest.fixture
def ledger(empty: Store) -> Store:
    """Forty runs in two imports, each one a data version."""
    for first in (1, 21):
        empty.submit(decode_traces(body(first, first + RUNS // 2), "application/json", ReadOptions()))
        empty.derive()
    return empty


def opened(page: str = "", **query: str) -> AppTest:
    app = AppTest.from_file(str(PAGES / "shell.py"), default_timeout=240)
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    if page:
        app.switch_page(str(PAGES / page)).run()
    assert not app.exception, [one.message for one in app.exception]
    return app


def texts(app: AppTest) -> list[str]:
    return [one.value for one in app.text]


def markdown(app: AppTest) -> str:
    """Everything Streamlit would read as Markdown."""
    return " ".join(
        str(one.value) for kind in ("markdown", "caption", "title", "badge") for one in app.get(kind)
    )


def test_an_empty_ledger_teaches_how_to_send_the_first_trace(empty: Store) -> None:
    app = opened()
    code = " ".join(one.value for one in app.code)
    for needed in (
        "http://localhost:8501/v1/traces", "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST",
        "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_RESPONSE", "HTTPX2ClientInstrumentor",
        "UndiciInstrumentation", "otlp_http/trueup", "python -m core demo",
    ):  # fmt: skip
        assert needed in code
    assert "holds" not in markdown(app)


def test_an_empty_ledger_never_looks_healthy(empty: Store) -> None:
    app = opened("counts/retry_ledger.py")
    assert ":gray-badge[cannot tell]" in markdown(app)
    assert "green" not in markdown(app)
    assert any(text.startswith("Missing: ") for text in texts(app))


def test_the_board_and_the_page_tell_the_same(ledger: Store) -> None:
    board, page = opened(), opened("counts/retry_ledger.py")
    told = [numbers(app) for app in (board, page)]
    assert told[0].items() <= told[1].items()
    assert set(told[1]) - set(told[0]) == {"Product counts", "SRE counts", "Finance counts"}
    assert set(told[0]) == {"Reported", "Supported", "Gap", "n"}
    assert told[0]["n"] == str(RUNS)


def test_every_page_opens_with_data(ledger: Store) -> None:
    assert len(opened("counts/retry_ledger.py").get("plotly_chart")) > 3
    assert len(opened("data.py").dataframe) >= 1
    assert len(opened("imports.py").dataframe) == 1


def test_telemetry_is_never_markdown(ledger: Store) -> None:
    for page, query in (("", {}), ("counts/retry_ledger.py", {"trace": TRACE}), ("data.py", {})):
        app = opened(page, **query)
        assert "script" not in markdown(app)
        assert "javascript" not in markdown(app)


def test_a_change_is_added_by_hand_and_shown_as_it_was_typed(ledger: Store) -> None:
    app = opened("data.py")
    app.text_input(key="change_ts").input("2026-03-02T09:00:00Z")
    app.text_input(key="change_title").input(HOSTILE)
    app.selectbox[0].select("limit")
    app.button[0].click()
    app.run()
    (stored,) = ledger.ask("select kind, title from change_events").rows()
    assert stored == ("limit", HOSTILE)
    assert HOSTILE in [cell for table in app.dataframe for cell in table.value.to_numpy().ravel()]
    assert "script" not in markdown(app)
    app.text_input(key="change_ts").input("<b>soon</b>")
    app.button[0].click().run()
    assert any("Not added: ts is '<b>soon</b>'" in text.value for text in app.text)
    assert len(ledger.ask("select * from change_events")) == 1


def test_a_link_pins_the_numbers_and_the_pin_can_be_let_go(ledger: Store) -> None:
    pinned = opened("counts/retry_ledger.py", as_of="1")
    assert numbers(pinned)["n"] == str(RUNS // 2)
    assert "Pinned to data version 1" in markdown(pinned)
    freed = pinned.sidebar.button[0].click().run()
    assert numbers(freed)["n"] == str(RUNS)


def test_more_data_does_not_move_a_pinned_page(ledger: Store) -> None:
    before = numbers(opened("counts/retry_ledger.py", as_of="2"))
    ledger.submit(decode_traces(body(101, 121), "application/json", ReadOptions()))
    ledger.derive()
    assert numbers(opened("counts/retry_ledger.py", as_of="2")) == before
    assert numbers(opened("counts/retry_ledger.py")) != before


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("as_of", "99", "The link asks for data version 99; the newest here is 2."),
        ("as_of", "x", 'The link\'s data version "x" is not a whole number from 1.'),
        ("region", "moon", 'The link names the region "moon", which is not in the ledger.'),
        ("to", "2026-13-02", 'The link\'s to "2026-13-02" is not a day'),
        ("to", "2020-01-01", "ends before it begins"),
    ],
)
def test_a_bad_value_in_the_address_falls_back_and_says_so(
    ledger: Store, key: str, value: str, complaint: str
) -> None:
    app = opened(**{key: value})
    assert any(complaint in text for text in texts(app))
    assert numbers(app)["n"] == str(RUNS)


def test_a_setting_is_read_from_the_address(ledger: Store) -> None:
    code = " ".join(one.value for one in opened("counts/retry_ledger.py", retry_ledger_limit="0.50").code)
    assert "retry_ledger_limit=0.50" in code


def test_scope_reaches_the_numbers_and_the_share_link(ledger: Store) -> None:
    app = opened("counts/retry_ledger.py", region="eu-west-1", **{"from": "2026-03-02"}, to="2026-03-02")
    link = app.code[0].value
    assert "from=2026-03-02&to=2026-03-02&region=eu-west-1&as_of=2" in link
    nothing = opened("counts/retry_ledger.py", **{"from": "2025-01-01"}, to="2025-01-02")
    assert ":gray-badge[cannot tell]" in markdown(nothing)


def test_a_board_link_keeps_the_break_calendar_it_showed(ledger: Store, tmp_path: Path) -> None:
    """A link that names the first calendar shows the first, one that names none shows the newest and says so."""
    state = State(path=tmp_path / "state.sqlite")
    set_state(state)
    try:
        assert "_breaks=0" in opened(as_of="2").code[0].value
        state.save_calendar("2026-03-02..2026-03-03\teu-west-1\teffect=estimated\tknown=always\tA fair", 0)
        assert "_breaks=1" in opened(as_of="2").code[0].value
        old = opened(as_of="2", _breaks="0")
        assert "_breaks=0" in old.code[0].value
        assert (
            "This link shows break calendar 0; the newest is 1. Open the page from the menu to see it."
            in texts(old)
        )
        assert any(
            text.startswith("The address names no break calendar") for text in texts(opened(as_of="2"))
        )
        assert not any("break calendar" in text for text in texts(opened()))
    finally:
        set_state(None)
        state.close()


def test_a_link_opens_its_run(ledger: Store) -> None:
    app = AppTest.from_file(str(PAGES / "counts" / "retry_ledger.py"), default_timeout=240)
    app.query_params["trace"] = TRACE
    app.run()
    assert not app.exception
    assert any(one.value == TRACE for one in app.code)
    app.query_params["trace"] = "nonsense"
    assert any("is not a trace id" in text for text in texts(app.run()))


def test_demo_data_says_so(empty: Store) -> None:
    empty.submit(decode_traces(body(1, 3), "application/json", ReadOptions(demo=True)))
    empty.derive()
    for page in ("", "data.py", "counts/retry_ledger.py"):
        assert "Demo data" in markdown(opened(page))

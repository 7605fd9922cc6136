"""Double counting: each case is an overlap of instrumentations seen in real traces."""

from __future__ import annotations

from core.ledger.dedup import removals
from core.ledger.trace import Span, Trace
from tests.ledger.make import http, span

ROOT = span("root", 0, 9_000, "app")


def removed(*spans: Span) -> dict[str, tuple[str, str]]:
    return {key: tuple(value) for key, value in removals(Trace([ROOT, *spans])).items()}  # type: ignore[misc]


def test_vendor_span_inside_contributed_span_with_one_response_id() -> None:
    """The inner one is kept: it declares resends."""
    outer = span("outer", 10, 500, parent="root", response_id="msg_1")
    inner = span("inner", 11, 499, parent="outer", response_id="msg_1", dialect="anthropic_native")
    assert removed(outer, inner) == {"outer": ("response_id", "inner")}


def test_siblings_with_one_response_id_keep_the_one_that_holds_the_http_spans() -> None:
    langchain = span("lc", 10, 500, parent="root", response_id="r", scope_name="langchain")
    openai = span("oa", 20, 490, parent="root", response_id="r", scope_name="openai")
    assert removed(langchain, openai, http("h", 30, 480, parent="oa")) == {"lc": ("response_id", "oa")}


def test_wrapper_without_response_id_goes_by_ancestry() -> None:
    outer = span("outer", 10, 500, parent="root", status="ERROR")
    inner = span("inner", 11, 499, parent="outer", status="ERROR")
    assert removed(outer, inner) == {"outer": ("ancestry", "inner")}


def test_sum_of_two_calls_is_a_roll_up() -> None:
    outer = span("outer", 10, 500, parent="root")
    assert removed(outer, span("a", 20, 100, parent="outer"), span("b", 200, 300, parent="outer")) == {
        "outer": ("roll_up", "b")
    }


def test_agent_used_as_a_tool_is_not_a_wrapper() -> None:
    outer = span("outer", 10, 500, parent="root")
    tool = span("tool", 20, 400, "tool", parent="outer", tool_name="ask")
    assert removed(outer, tool, span("inner", 30, 300, parent="tool")) == {}


def test_failed_siblings_of_two_scopes_go_by_containment() -> None:
    outer = span("lc", 10, 500, parent="chain", scope_name="langchain", status="ERROR")
    inner = span("oa", 20, 490, parent="root", scope_name="openai", status="ERROR")
    http_span = http("h", 30, 480, 500, parent="oa")
    assert removed(span("chain", 5, 510, "chain", parent="root"), outer, inner, http_span) == {
        "lc": ("containment", "oa")
    }


def test_containment_with_two_candidates_removes_nothing() -> None:
    """Two inner calls at once: which of them the outer span tells of cannot be known."""
    outer = span("lc", 10, 500, parent="root", scope_name="langchain")
    inner = [span(name, 20, 490, parent="root", scope_name="openai") for name in ("a", "b")]
    assert removed(outer, *inner) == {}


def test_two_calls_of_one_scope_are_two_calls() -> None:
    assert removed(span("a", 10, 500, parent="root"), span("b", 20, 490, parent="root")) == {}


def test_client_and_server_span_of_one_tool_call() -> None:
    client = span("client", 10, 50, "tool", parent="root", tool_name="weather", scope_name="mcp")
    server = span("server", 12, 48, "tool", parent="client", tool_name="weather", status="ERROR")
    assert removed(client, server) == {"client": ("ancestry", "server")}


def test_chain_of_wrappers_points_at_the_innermost() -> None:
    one = span("one", 10, 500, parent="root")
    two = span("two", 11, 499, parent="one")
    three = span("three", 12, 498, parent="two")
    assert removed(one, two, three) == {"one": ("ancestry", "three"), "two": ("ancestry", "three")}

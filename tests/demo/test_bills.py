"""What the bills say, against the truth and against the tokens in the traces, to the last digit."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from itertools import accumulate
from typing import Any

import pytest

from data.demo.plan import DAY_NS, SERVICES, day_start_ns, first_day
from data.demo.prices import Tokens, amounts, token_prices
from tests.demo import recount
from tests.demo.conftest import World
from tests.demo.recount import Seen

MODELS = {service.model.snapshot: service.model for service in SERVICES} | {
    service.fallback.snapshot: service.fallback for service in SERVICES if service.fallback
}
OUTER = {
    "checkout-agent": "opentelemetry.instrumentation.genai.langchain",
    "support-triage": "opentelemetry.instrumentation.genai.openai",
    "doc-extract": "com.anthropic.sdk.python",
    "returns-agent": "opentelemetry.instrumentation.anthropic",
    "search-rerank": "opentelemetry.instrumentation.openai.v1",
    "kb-answer": "openinference.instrumentation.openai",
    "web-chat": "ai",
}
"""The one scope whose spans are counted for a service."""


def number(attributes: dict[str, Any], *names: str) -> int:
    return next((int(attributes[name]) for name in names if name in attributes), 0)


def traced_usd(span: Seen) -> Decimal:
    """Catalogue price of the tokens a span reports."""
    held = span.attributes
    model = MODELS[str(held.get("gen_ai.response.model") or held.get("llm.model_name"))]
    total = number(held, "gen_ai.usage.input_tokens", "llm.token_count.prompt")
    read = number(
        held,
        "gen_ai.usage.cache_read.input_tokens",
        "llm.token_count.prompt_details.cache_read",
        "ai.usage.cachedInputTokens",
    )
    write = number(held, "gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens")
    output = number(held, "gen_ai.usage.output_tokens", "llm.token_count.completion")
    prices = token_prices(model, span.end_ns // DAY_NS)
    return sum(amounts(Tokens(total - read - write, read, write, output), prices), Decimal(0))


def traced_total(world: World) -> Decimal:
    """What the spans that report usage come to, each call once."""
    total = Decimal(0)
    for span in recount.distinct(recount.all_spans(world.files)):
        usage = {"gen_ai.usage.output_tokens", "llm.token_count.completion"} & set(span.attributes)
        if usage and span.scope == OUTER[span.service]:
            total += traced_usd(span)
    return total


def billed(world: World) -> dict[str, Decimal]:
    return {"openai": recount.openai_usd(world.files), "focus": recount.focus_usd(world.files)}


@pytest.mark.parametrize("name", ["loud", "quiet"])
def test_bills_equal_the_truth_to_the_digit(name: str, request: pytest.FixtureRequest) -> None:
    world: World = request.getfixturevalue(name)
    expected = {bill: Decimal(usd) for bill, usd in world.truth["bills"]["by_bill_usd"].items()}
    assert billed(world) == expected
    parts = Decimal(world.truth["totals"]["billed_usd"]) + Decimal(world.truth["untraced_usd"])
    assert sum(expected.values()) == parts == Decimal(world.truth["bills"]["total_usd"])


def test_quiet_bills_equal_the_traces_to_the_digit(quiet: World) -> None:
    assert traced_total(quiet) == sum(billed(quiet).values())


def test_loud_bills_exceed_the_traces_by_what_was_planted(loud: World) -> None:
    totals = loud.truth["totals"]
    gap = sum(billed(loud).values()) - traced_total(loud)
    # billed = traced + hidden re-sends + the untraced caller + broken streams, which report no usage
    planted = Decimal(totals["hidden_usd"]) + Decimal(loud.truth["untraced_usd"])
    assert gap == planted + Decimal(totals["broken_stream_usd"])
    assert gap > 0


def test_costs_equal_usage_at_catalogue_prices(loud: World) -> None:
    total = Decimal(0)
    for (start, _, model), row in recount.openai_pages(loud.files, "usage").items():
        assert row["input_tokens"] == row["input_uncached_tokens"] + row["input_cached_tokens"]
        tokens = Tokens(row["input_uncached_tokens"], row["input_cached_tokens"], 0, row["output_tokens"])
        total += sum(amounts(tokens, token_prices(MODELS[model], start // 86_400)), Decimal(0))
    assert total == recount.openai_usd(loud.files)


def test_requests_by_project_equal_the_truth(loud: World) -> None:
    requests: Counter[str] = Counter()
    for (_, project, _), row in recount.openai_pages(loud.files, "usage").items():
        requests[project] += row["num_model_requests"]
    expected = loud.truth["bills"]["by_project"]
    assert requests == {project: expected[project]["requests"] for project in requests}
    assert requests["proj_nightly_evals"] == loud.truth["untraced_requests"] > 0


def test_hidden_requests_and_the_untraced_caller_begin_on_their_days(loud: World) -> None:
    planted = loud.truth["planted"]
    midnight = day_start_ns(first_day(90))
    start_s = midnight // 1_000_000_000
    answered: Counter[int] = Counter()
    for span in recount.distinct(recount.all_spans(loud.files)):
        if span.service == "checkout-agent" and span.is_send and span.http_status == 200:
            answered[(span.end_ns - midnight) // DAY_NS] += 1
    requests: Counter[int] = Counter()
    untraced: Counter[int] = Counter()
    for (start, project, _), row in recount.openai_pages(loud.files, "usage").items():
        if project == planted["hidden_project"] == "proj_checkout":
            requests[(start - start_s) // 86_400] += row["num_model_requests"]
        if project == planted["untraced_project"]:
            untraced[(start - start_s) // 86_400] += row["num_model_requests"]
    gap = [requests[day] - answered[day] for day in range(90)]
    running = list(accumulate(gap))
    # Late booking moves requests near midnight to the next day: the running sum comes back to zero.
    before = running[: planted["hidden_from_day"]]
    assert max(map(abs, before)) <= 2
    assert before.count(0) > len(before) / 2
    assert running[-1] == loud.truth["totals"]["hidden_requests"] > 20
    assert min(untraced) == planted["untraced_from_day"] > planted["hidden_from_day"]
    assert untraced.total() == loud.truth["untraced_requests"]


def test_the_later_bill_restates_one_day(loud: World) -> None:
    restated = loud.truth["bills"]["restated_usd"]
    gap = Decimal(restated["final"]) - Decimal(restated["first"])
    before = [path for path in loud.files if "restated" not in path.name]
    assert recount.openai_usd(loud.files) - recount.openai_usd(before) == gap > 0


def test_spend_rows_join_the_spans_by_response_id(loud: World) -> None:
    rows, bad = recount.litellm_rows(loud.files)
    assert bad == loud.truth["planted"]["damaged_bill_rows"]
    spans = [s for s in recount.distinct(recount.all_spans(loud.files)) if s.name == "ChatCompletion"]
    outputs = "".join(str(s.attributes.get("output.value", "")) for s in spans)
    assert len(rows) == len(spans)
    assert all(row["request_id"] in outputs for row in rows if row["status"] == "success")
    spend = sum((Decimal(row["spend"]) for row in rows), Decimal(0))
    assert spend == Decimal(loud.truth["bills"]["by_project"]["proj_gateway"]["usd"]) > 0


def test_damaged_rows_are_there_to_be_refused(loud: World) -> None:
    values = [row["amount"]["value"] for row in recount.openai_pages(loud.files, "costs").values()]
    assert sum(isinstance(value, str) for value in values) == loud.truth["planted"]["damaged_bill_rows"]


def test_rates_are_plausible(loud: World) -> None:
    totals = loud.truth["totals"]
    assert 0.02 < totals["sdk_retries"] / totals["sends"] < 0.06
    per_conversion = Decimal(loud.truth["bills"]["total_usd"]) / Decimal(totals["converted_runs_usd"])
    assert Decimal("1.3") < per_conversion < Decimal("1.7")

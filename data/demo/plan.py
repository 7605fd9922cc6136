"""The demo product and what goes wrong in it: who calls which model, where, how often, and every planted effect.

Northwind Assist is invented. Model names and prices are real and come from genai-prices; everything else
(services, projects, rates, sizes) is made up here, in one place, so that the truth file can be read beside it.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

END_DAY = dt.date(2026, 11, 22)
"""The demo's last day is fixed: generated files must not depend on a clock."""

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS


class Region(NamedTuple):
    """A cloud region: `share` of the traffic, `utc_offset_h` moves the daily peak."""

    name: str
    share: float
    utc_offset_h: int


REGIONS = (
    Region("us-east-1", 0.40, -5),
    Region("eu-central-1", 0.27, 1),
    Region("eu-west-1", 0.18, 0),
    Region("ap-southeast-1", 0.15, 8),
)


class Model(NamedTuple):
    """A model as requested and as it answers; `request_name` is what the application asks for."""

    provider: str
    request_name: str
    snapshot: str


GPT_4O_MINI = Model("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18")
GPT_5_MINI = Model("openai", "gpt-5-mini", "gpt-5-mini-2025-08-07")
GPT_41 = Model("openai", "gpt-4.1", "gpt-4.1-2025-04-14")
HAIKU = Model("anthropic", "claude-haiku-4-5-20251001", "claude-haiku-4-5-20251001")


class Service(NamedTuple):
    """One service: which instrumentation it runs, what it calls, who bills it.

    share: part of all runs. project: the bill's project or workspace. bill: openai or focus.
    second_call: chance that a run makes a second model call; tool: name of the tool used in between, if any.
    stream: answers are streamed. fallback: model tried when the first one gave up; recovery: chance that the
    application tries again at all. conversion: chance that a run that ended well converts.
    input_tokens, output_tokens: medians of a call. grade: what the ledger can know of its attempts.
    """

    name: str
    dialect: str
    share: float
    model: Model
    project: str
    bill: str
    second_call: float
    tool: str | None
    stream: bool
    fallback: Model | None
    recovery: float
    conversion: float
    input_tokens: int
    output_tokens: int
    grade: str


SERVICES = (
    Service("checkout-agent", "genai_langchain", 0.20, GPT_41, "proj_checkout", "openai", 1.0, "get_order",
            True, GPT_5_MINI, 0.85, 0.82, 1900, 240, "observed"),
    Service("support-triage", "genai_openai", 0.26, GPT_5_MINI, "proj_support", "openai", 0.55, None,
            True, None, 0.65, 0.80, 1500, 420, "declared"),
    Service("doc-extract", "anthropic_native", 0.10, HAIKU, "wrkspc_documents", "focus", 0.35, None,
            False, None, 0.0, 0.88, 4200, 380, "declared"),
    Service("returns-agent", "openllmetry_anthropic", 0.11, HAIKU, "wrkspc_returns", "focus", 0.70,
            "lookup_return", False, None, 0.5, 0.78, 1700, 260, "observed"),
    Service("search-rerank", "openllmetry_openai", 0.13, GPT_4O_MINI, "proj_search", "openai", 0.20, None,
            False, None, 0.0, 0.84, 2600, 60, "unobservable"),
    Service("kb-answer", "openinference", 0.09, GPT_4O_MINI, "proj_gateway", "openai", 0.30, None,
            False, None, 0.0, 0.80, 2300, 320, "observed"),
    Service("web-chat", "vercel_ai", 0.11, GPT_4O_MINI, "proj_web", "openai", 0.30, None,
            False, None, 0.0, 0.76, 1200, 180, "observed"),
)  # fmt: skip

GATEWAY_SERVICE = "kb-answer"
"""Its calls go through a LiteLLM gateway: the provider bills them, and the gateway logs them call by call."""

SPANS_PER_RUN = 5.125
"""Spans one run emits on average with the mix above, measured on 300,000 spans; sizes the number of runs."""

WEEKDAY_LEVEL = (1.08, 1.12, 1.10, 1.09, 1.05, 0.80, 0.76)
"""Traffic of Monday to Sunday against the mean of 1."""


class Plan(NamedTuple):
    """Every planted effect with its time and size; all zero and empty in the quiet world.

    Days are counted from the first day (0). Chances are per event named. Sizes of hidden retries and of the
    untraced caller are shares of the traced requests they follow.
    """

    days: int
    first_failure: float
    """chance that the first send of a call fails in a way its SDK retries"""
    repeat_failure: float
    """chance that a re-send fails, given the send before failed: failures come in bursts"""
    bad_request: float
    """chance of a 400, which no SDK retries"""
    broken_stream: float
    """chance that a stream breaks after its headers: no usage in the trace, the prompt and a part billed"""
    tool_failure: float
    storm_region: str
    storm_days: range
    storm_first_failure: float
    storm_repeat_failure: float
    trough_region: str
    """whose customers were on holiday on trough_days"""
    trough_days: range
    trough_share: float
    """part of the region's runs that stayed away on those days"""
    hidden_project: str
    hidden_from_day: int
    hidden_share: float
    """share of the project's answered calls the provider bills twice from hidden_from_day on"""
    untraced_project: str
    """nightly evaluations without instrumentation, which repeat the calls of untraced_like"""
    untraced_like: str
    untraced_from_day: int
    untraced_share: float
    """their requests, as a share of those they repeat"""
    restated_project: str
    restated_day: int
    restated_missing_share: float
    """share of the day's requests that the first bill leaves out and the later one brings"""
    late_root: float
    """chance that a run's root span arrives a file later"""
    lost_root: float
    """chance that a run's root span never arrives"""
    resent_span: float
    """chance that a run's spans arrive again in the next file"""
    resent_files: int
    """files sent a second time, byte for byte, under another name"""
    damaged_spans: int
    """spans with an id no tracer can have made"""
    damaged_bill_rows: int
    """rows per bill format with an amount or a shape nobody can read"""
    missing_outcome: float
    """chance that nobody recorded whether the run converted: absent, not zero"""


def _quiet(days: int) -> Plan:
    """Nothing planted; some outcomes are unknown all the same, because that is not a failure."""
    return Plan(
        days=days,
        first_failure=0,
        repeat_failure=0,
        bad_request=0,
        broken_stream=0,
        tool_failure=0,
        storm_region="",
        storm_days=range(0),
        storm_first_failure=0,
        storm_repeat_failure=0,
        trough_region="",
        trough_days=range(0),
        trough_share=0,
        hidden_project="",
        hidden_from_day=days,
        hidden_share=0,
        untraced_project="",
        untraced_like="",
        untraced_from_day=days,
        untraced_share=0,
        restated_project="",
        restated_day=-1,
        restated_missing_share=0,
        late_root=0,
        lost_root=0,
        resent_span=0,
        resent_files=0,
        damaged_spans=0,
        damaged_bill_rows=0,
        missing_outcome=0.04,
    )


def plan_for(days: int, quiet: bool) -> Plan:
    """The planted effects for a world of `days` days; times scale with the length so that tests can be small."""
    if quiet:
        return _quiet(days)
    storm = int(days * 0.622)
    return Plan(
        days=days,
        first_failure=0.024,
        repeat_failure=0.22,
        bad_request=0.0015,
        broken_stream=0.015,
        tool_failure=0.07,
        storm_region="ap-southeast-1",
        storm_days=range(storm, min(days, storm + 3)),
        storm_first_failure=0.30,
        storm_repeat_failure=0.52,
        trough_region="eu-central-1",
        trough_days=range(max(0, days - 25), max(0, days - 4)),
        trough_share=0.40,
        hidden_project="proj_checkout",
        hidden_from_day=int(days * 0.55),
        hidden_share=0.10,
        untraced_project="proj_nightly_evals",
        untraced_like="proj_checkout",
        untraced_from_day=int(days * 0.75),
        untraced_share=1.2,
        restated_project="proj_checkout",
        restated_day=int(days * 0.40),
        restated_missing_share=0.12,
        late_root=0.006,
        lost_root=0.0012,
        resent_span=0.004,
        resent_files=2,
        damaged_spans=12,
        damaged_bill_rows=3,
        missing_outcome=0.04,
    )


def region_shares(plan: Plan, number: int) -> tuple[float, ...]:
    """Traffic of each region on day `number`, against a day of 1 without the planted trough."""
    return tuple(
        region.share
        * (1 - plan.trough_share * (region.name == plan.trough_region and number in plan.trough_days))
        for region in REGIONS
    )


def first_day(days: int) -> dt.date:
    """The first of `days` days that end on END_DAY."""
    return END_DAY - dt.timedelta(days=days - 1)


def first_day_number(days: int) -> int:
    """first_day as days since the epoch."""
    return (first_day(days) - dt.date(1970, 1, 1)).days


def day_start_ns(day: dt.date) -> int:
    """Midnight UTC of a day, in nanoseconds since the epoch."""
    return (day - dt.date(1970, 1, 1)).days * DAY_NS

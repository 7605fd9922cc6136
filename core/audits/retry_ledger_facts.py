"""What the retry page says beside its verdict: the three counts, and every other measured number."""

from __future__ import annotations

from collections.abc import Iterator

from core.amounts import MINUS, count, interval, money, number, share
from core.audit import Count, Fact
from core.audits.retry_ledger_counts import Grain
from core.audits.retry_ledger_measure import Retries
from core.stats.proportions import wilson
from core.stats.quantiles import QuantileInterval

MS_PER_HOUR = 3_600_000


def counts(retries: Retries) -> tuple[Count, Count, Count]:
    """One incident, three counts: product's, the on-call engineer's, finance's."""
    runs, attempts, books = retries.product, retries.grains[0], retries.books
    word = "converted" if runs.definition == "outcome" else "completed"
    counted = bool(books.counted_providers)
    calls = "calls billed" if counted else "billable calls traced"
    per = retries.cost_per_conversion
    cost = f", {money(per.value, retries.currency)} a conversion" if per else ""
    return (
        Count("Product counts", count(runs.converted), f"runs {word} of {count(runs.runs)}"),
        Count("SRE counts", share(_rate(attempts)), f"of {count(attempts.n)} attempts failed"),
        Count("Finance counts", count(books.billed_requests if counted else books.sure), calls + cost),
    )


def facts(retries: Retries) -> list[Fact]:
    """Every number of the measure that no figure shows, in reading order."""
    return [
        *_rates(retries),
        *_money(retries),
        *_dependence(retries),
        *_waiting(retries),
        *_coverage(retries),
        *_hidden(retries),
    ]


def _rate(grain: Grain) -> float | None:
    return grain.failed / grain.n if grain.n else None


def _rates(retries: Retries) -> Iterator[Fact]:
    for grain in retries.grains:
        bounds = interval(grain.low, grain.high, "share") if grain.n else ""
        note = "only calls whose attempts are all known" if grain.grain == "attempt, all known" else "Wilson"
        yield Fact("Error rate", f"per {grain.grain}", share(_rate(grain)), bounds, grain.n, note)
    runs = retries.product
    if runs.runs:
        low, high = wilson(runs.converted, runs.runs)
        rate = share(runs.converted / runs.runs)
        told = f"by {runs.definition}; {count(runs.with_outcome)} runs have a recorded outcome"
        yield Fact("Conversion", "runs that converted", rate, interval(low, high, "share"), runs.runs, told)


def _money(retries: Retries) -> Iterator[Fact]:
    spend, per = retries.spend, retries.cost_per_conversion
    if per:
        bounds = interval(per.low, per.high, retries.currency)
        yield Fact(
            "Cost",
            "traced attempts per converted run",
            money(per.value, retries.currency),
            bounds,
            per.n,
            per.method,
        )
    for name, value in (
        ("inference against the converting attempt", retries.inference_multiplier),
        ("inference and tools against the converting attempt", retries.all_in_multiplier),
    ):
        yield Fact(
            "Multiplier", name, number(value, "ratio"), "", spend.attempts_by_bucket.get("converting", 0)
        )
    yield Fact(
        "Cost",
        "failed attempts",
        money(spend.wasted, retries.currency),
        "",
        spend.failed,
        "a sum: it has no interval",
    )
    lines = spend.inference_lines + spend.tool_lines
    yield Fact("Cost", "lines that may be billed and have no price", count(spend.unpriced), "", lines)
    yield Fact("Counts", "model calls sent", count(spend.inference_lines), "", spend.inference_lines)
    retried = f"{count(spend.tool_retries)} of them retries"
    yield Fact("Counts", "tool calls", count(spend.tool_lines), "", spend.tool_lines, retried)


def _dependence(retries: Retries) -> Iterator[Fact]:
    found = retries.dependence
    if not found.first or not found.after_failure:
        return
    base, after = found.failed_first / found.first, found.failed_after_failure / found.after_failure
    yield Fact("Dependence", "first attempts that fail", share(base), "", found.first)
    yield Fact("Dependence", "attempts after a failed one that fail", share(after), "", found.after_failure)
    rise = after - base
    bounds = interval(found.low, found.high, "points")
    told = "Newcombe; independent attempts would give 0"
    text = number(rise, "points") if rise >= 0 else f"{MINUS}{number(-rise, 'points')}"
    yield Fact("Dependence", "the rise after a failure", text, bounds, found.after_failure, told)


def _waiting(retries: Retries) -> Iterator[Fact]:
    waiting = retries.waiting
    hours = f"{waiting.total_ms / MS_PER_HOUR:,.1f} h"
    yield Fact("Added latency", "time outside the last attempt, all calls", hours, "", waiting.calls)
    for name, found in (("median", waiting.p50), ("95th percentile", waiting.p95)):
        if found:
            yield Fact("Added latency", f"{name} of calls that waited", *_quantile(found))


def _quantile(found: QuantileInterval) -> tuple[str, str, int, str]:
    bounds = interval(found.low, found.high, "ms")
    return number(found.value, "ms"), bounds, found.n, "order statistics, to 1 %"


def _coverage(retries: Retries) -> Iterator[Fact]:
    calls = sum(retries.grades.values())
    for grade, n in sorted(retries.grades.items()):
        yield Fact("Calls by grade", grade, share(n / calls if calls else None), "", n)
    for rule, n in sorted(retries.removed.items()):
        told = "counted once" if retries.double_counting == "removed" else "counted twice, as chosen above"
        yield Fact("Told twice", f"by {rule.replace('_', ' ')}", count(n), "", n, told)


def _hidden(retries: Retries) -> Iterator[Fact]:
    books = retries.books
    for joined in books.joined:
        name = f"{joined.source} calls in no trace"
        told = f"{joined.provider}, call by call on the response id"
        yield Fact("Hidden, exact", name, count(joined.in_no_trace), "", joined.calls, told)
    if books.gateway_retries:
        yield Fact("Hidden, exact", "retries a gateway declares", count(books.gateway_retries), "", None)
    drift = books.drift
    if drift is None:
        return
    told = f"e-process; a series with nothing hidden raises it in at most {drift.alpha:.0%} of cases"
    alarm = "no alarm" if drift.alarm is None else f"alarm on {books.days[drift.alarm].day}"
    began = "" if drift.began is None else f"; began about {books.days[drift.began].day}"
    yield Fact("Hidden, by day", "billed minus traced drifts", alarm + began, "", len(books.days), told)

"""Facts of the streaming audit: Little's law, N/W with the user's own numbers, what was left out, what is believed."""

from __future__ import annotations

from core.amounts import count, interval, number, share
from core.audit import Fact
from core.audits.streaming_backend_measure import LITTLE, Judged, Load, Service, Streams
from core.audits.streaming_backend_trust import trusted
from core.stats.proportions import clopper_pearson

HTTP_LAST_S = 10.0
"""Where the buckets end that OpenTelemetry advises for http.server.request.duration."""


def facts(found: Streams) -> list[Fact]:
    """Every number that no figure shows."""
    rows = _believed(found)
    if found.load:
        rows += _identity(found.load) + _check(found.load) + _bootstrap(found.load)
    rows += [fact for one in found.judged[:5] for fact in _told(one, len(found.judged))]
    if found.few:
        names = ", ".join(dict.fromkeys(one.name for one in found.few))[:120]
        rows.append(
            Fact("left out", "histograms with too few observations", count(len(found.few)), "", None, names)
        )
    left = found.left_out
    rows += [
        Fact("left out", "series two processes write under one name", count(left.flapping), "", None,
             "their counts fall and rise: set service.instance.id"),
        Fact("left out", "series whose buckets fall or change bounds", count(left.falling), "", None, ""),
    ]  # fmt: skip
    return rows


def _believed(found: Streams) -> list[Fact]:
    source = "Prometheus documentation, histogram_quantile: of the highest bucket the upper bound of the second highest"
    edge = next((one for one in found.judged if one.p99.high_s is None), None)
    value = "a bucket's edge" if edge is None else f"here it prints {number(edge.p99.printed_s, 's')}"
    rows = [
        Fact("believed", "histogram_quantile prints a p99", value, "", edge.over.n if edge else None, source),
        Fact("believed", "requests/s is what a node holds", "streams are", "", None,
             "requests/s is N/W: it falls by itself when responses get longer (Little 1961, Operations Research 9:383)"),
    ]  # fmt: skip
    return rows


def _identity(load: Load) -> list[Fact]:
    """N/W with the hold times this service has had."""
    held, hold_s = load.capacity, load.service.hold_s
    if not held.streams:
        return []
    days = sorted(load.days, key=lambda one: one.hold_s)
    told = [("at the mean hold time", hold_s), ("were responses three times as long", 3 * hold_s)]
    if len(days) > 1:
        told[1:1] = [
            (f"on {days[0].day}, the shortest day", days[0].hold_s),
            (f"on {days[-1].day}, the longest day", days[-1].hold_s),
        ]
    least = "at least " if held.high is None else ""
    return [
        Fact("N/W", name, f"{least}{number(held.streams / one, '')} requests/s a node", "", load.service.requests,
             f"N = {held.streams:,} streams, W = {number(one, 's')}")
        for name, one in told if one
    ]  # fmt: skip


def _check(load: Load) -> list[Fact]:
    service, held = load.service, load.capacity
    said = "more than 2% apart: spans are missing, or requests are still open" if load.apart > LITTLE else ""
    stated = {
        "stated": f"a limit in your changes: {held.title}", "most held": "at no level are errors too many: a lower bound",
        "seen to fail": "errors by open requests, isotonic regression", "fails at every level": "errors do not come from load",
    }  # fmt: skip
    bounds = f"[{number(held.low, '')}, {'unknown' if held.high is None else count(held.high)}]"
    return [
        Fact("Little's law", "L = arrivals x hold time, a node", number(round(load.little, 2), "streams"), "", service.requests,
             f"{service.requests:,} requests of {number(service.hold_s, 's')}"),
        Fact("Little's law", "L swept over starts and ends, a node", number(round(load.swept, 2), "streams"), "",
             service.requests, said),
        Fact("Little's law", "apart by", share(load.apart), "", service.requests, "limit 2%"),
        Fact("capacity", f"N, {held.how}", number(held.streams, "streams"), bounds, service.requests, stated[held.how]),
        Fact("capacity", "failed by load", share(service.failed / service.requests), "", service.requests,
             "refused, overloaded, timed out, broken; not bad requests"),
        *_edges(service),
        Fact("sample", "requests in scope", count(load.of_requests), "", service.requests,
             f"n: measured, whole days from {load.since}"),
        Fact("sample", "requests whose node is not named", count(service.unnamed), "", service.requests,
             "together they count as one node" if service.unnamed else ""),
    ]  # fmt: skip


def _edges(service: Service) -> list[Fact]:
    """Would the buckets that stop at five and at ten seconds have measured these spans?"""
    rows = []
    for edge, over in ((5.0, service.over_5_s), (HTTP_LAST_S, service.over_10_s)):
        bounds = clopper_pearson(over, service.requests)
        told = ", ".join(f"p{100 * q:g} {trusted(bounds, q)}" for q in (0.95, 0.99))
        ends = " (HTTP's default)" if edge == HTTP_LAST_S else ""
        rows.append(
            Fact("buckets", f"longer than {number(edge, 's')}", share(over / service.requests),
                 interval(bounds.low, bounds.high, "share"), service.requests, f"buckets that end there{ends}: {told}")
        )  # fmt: skip
    return rows


def _bootstrap(load: Load) -> list[Fact]:
    p99, halves = load.p99, load.halves
    bounds = interval(p99.low, p99.high, "count") if load.bounded else ""
    said = (
        "read the verdict with this in mind"
        if halves.fired > 0.05 * max(halves.looked_at, 1) and halves.fired
        else ""
    )
    rows = [
        Fact("p99", "open requests a node, time-weighted", number(p99.value, "streams"), bounds,
             p99.blocks, "blocks of five minutes: a load that moves over hours or days is no chance"),
        Fact("placebo", "even against odd blocks, stretches of four hours", f"{count(halves.fired)} called different", "",
             halves.looked_at, said),
    ]  # fmt: skip
    if load.step > 1:
        rows.append(Fact("p99", "levels told apart in steps of", count(load.step), "", None, ""))
    return rows


def _told(one: Judged, tested: int) -> list[Fact]:
    held, over = one.histogram, one.over
    last = "none" if over.last_bound_s is None else number(over.last_bound_s, "s")
    level = "95%" if tested == 1 else f"95% over {tested} histograms together"
    rows = [
        Fact(f"{held.name}, {held.service}"[:90], f"above the last bound ({last})", share(over.share),
             interval(over.interval.low, over.interval.high, "share"), over.n, f"Clopper-Pearson, {level}")
    ]  # fmt: skip
    if held.restarts:
        rows.append(
            Fact("histograms", "restarts that were bridged", count(held.restarts), "", held.series, held.name)
        )
    return rows

"""The verdict of the streaming audit: the worse of what a node has in use and whether its p99 was measured, in words."""

from __future__ import annotations

from core.amounts import count, number, share
from core.audit import Finding, Status, TooLittle, against_limit
from core.audits import streaming_backend_figures as pictures
from core.audits.streaming_backend_measure import LITTLE, Judged, Load, Streams
from core.audits.streaming_backend_streams import FEWEST_BLOCKS
from core.recipes import STREAMS_TITLE

NAME = "streaming-backend"
RECIPE = f"Trace the gateway and name its process: data page, recipe “{STREAMS_TITLE}”."
METRICS = f"Send its metrics by OTLP, or save its /metrics pages: data page, recipe “{STREAMS_TITLE}”."
RANKS = ("holds", "cannot tell", "watch", "broken")
TRUST: dict[str, Status] = {"measured": "holds", "borderline": "watch", "not measured": "broken"}


def judged(found: Streams | TooLittle) -> Finding:
    """The worse of the two: streams in use at p99, and whether the p99 of the histogram was measured."""
    if isinstance(found, TooLittle):
        return Finding(
            NAME, "cannot tell", "unknown", "unknown", None, None, None, "share", found.n,
            "How many streams a node holds is not known.", f"{found.missing}. {found.how}",
        )  # fmt: skip
    worst = found.judged[0] if found.judged else None
    streams = _streams_status(found)
    metric = streams if worst is None else TRUST[worst.p99.trusted]
    if found.load is not None and worst is not None and metric == "holds":
        metric = streams
    if found.load is None and metric == "holds":
        metric = "cannot tell"
    status = max(streams, metric, key=RANKS.index)
    gap, low, high, n = _gap(found, RANKS.index(metric) > RANKS.index(streams))
    return Finding(
        NAME, status, _reported(found), _supported(found), gap, low, high, "share", n, _sentence(found), _missing(found)
    )  # fmt: skip


def _gap(found: Streams, by_metric: bool) -> tuple[float | None, float | None, float | None, int]:
    """Of what decides: the share of N in use, or the share above the last bound."""
    worst, load = found.judged[0] if found.judged else None, found.load
    usable = load is not None and load.bounded and load.capacity.streams > 0
    if worst is not None and (by_metric or not usable):
        return worst.over.share, *worst.over.interval, worst.over.n
    if load is not None and usable:
        return (*load.used, load.service.requests)
    return None, None, None, load.service.requests if load else 0


def _streams_status(found: Streams) -> Status:
    load = found.load
    if load is None or not load.bounded or not load.capacity.streams or load.apart > LITTLE:
        return "cannot tell"
    _, low, high = load.used
    status = against_limit(low, high, found.limit)
    return status if load.capacity.high is not None or status == "holds" else "cannot tell"


def _reported(found: Streams) -> str:
    printed = f"p99 {number(found.judged[0].p99.printed_s, 's')}" if found.judged else ""
    if found.load is None:
        return printed
    rate = f"{_digits(found.load.per_second)} requests/s"
    return f"{rate}, {printed}" if printed else f"{rate} a node"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _supported(found: Streams) -> str:
    if found.load is None:
        return _p99(found.judged[0])
    held = found.load.capacity
    if not held.streams:
        return f"{count(found.load.p99.value)} streams, capacity unknown"
    least = "≥" if held.high is None else ""
    return f"{count(found.load.p99.value)} of {least}{count(held.streams)} streams"


def _p99(one: Judged) -> str:
    p99 = one.p99
    if p99.high_s is None:
        over = f"p99 > {number(p99.low_s, 's')}, {p99.trusted}"
        return f"{over} ({share(one.over.share)} of observations in the overflow bucket)"
    said = "p99 measured" if p99.trusted == "measured" else f"p99 {p99.trusted}"
    return f"{said}, {pictures.known(p99)}"


def _sentence(found: Streams) -> str:
    parts = []
    if found.load is not None:
        parts.append(_of_load(found.load))
    if found.judged:
        worst = found.judged[0]
        parts.append(f"{_p99(worst)}, of {worst.histogram.name[:60]}")
    told = "; ".join(parts)
    return f"{told[:1].upper()}{told[1:]}." if found.load else f"{told}."


def _of_load(load: Load) -> str:
    p99, held = load.p99, load.capacity
    bounds = f" [{count(p99.low)}, {count(p99.high)}]" if load.bounded else ""
    told = f"A node of {load.service.name[:60]} has {count(p99.value)}{bounds} requests open at p99"
    if not held.streams:
        return f"{told}, and errors are too many at every load"
    if held.high is None:
        return f"{told}; it was never seen to fail and has held {count(held.streams)}"
    if not load.bounded:
        return f"{told} and holds {count(held.streams)} ({held.how})"
    used, low, high = load.used
    left = f"{share(max(1 - used, 0.0))} [{share(max(1 - high, 0.0))}, {share(max(1 - low, 0.0))}]"
    return f"{told} and holds {count(held.streams)} ({held.how}): {left} headroom left"


def _missing(found: Streams) -> str:
    load = found.load
    if load is None:
        return f"{found.short}. {RECIPE}"
    if not load.bounded:
        return (
            f"spans: {load.p99.blocks} blocks of 5 minutes in which a node ran, {FEWEST_BLOCKS} are needed for an interval of "
            "the p99. Widen the range."
        )
    if load.apart > LITTLE:
        return f"spans: arrivals x hold time and the swept average are {share(load.apart)} apart: spans are missing. {RECIPE}"
    if not load.capacity.streams:
        return "change_events: what a node holds. State it: a change of kind limit with a column streams."
    if load.capacity.high is None and _streams_status(found) == "cannot tell":
        return (
            "change_events: how many streams a node holds; errors do not say it. State it after a load test: "
            "a change of kind limit with a column streams."
        )
    if load.service.unnamed:
        named = f"{count(load.service.unnamed)} of {count(load.service.requests)} requests name no node"
        return f"spans.service_instance_id: {named}. Leave service.instance.id on: SDKs set it."
    return "" if found.judged else f"metric_points: no histogram of durations. {METRICS}"

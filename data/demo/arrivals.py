"""When and where runs begin: days of the week, hours of the day, regions and services."""

from __future__ import annotations

import datetime as dt
import math
from bisect import bisect_left
from itertools import accumulate
from random import Random

from data.demo.plan import (
    DAY_NS,
    REGIONS,
    SECOND_NS,
    SERVICES,
    SPANS_PER_RUN,
    WEEKDAY_LEVEL,
    Plan,
    day_start_ns,
    first_day,
    region_shares,
)


def run_counts(spans: int, plan: Plan) -> list[int]:
    """Runs of each day so that all days together emit about `spans` spans: weekdays, and a slow rise of 25 %."""
    days, start = plan.days, first_day(plan.days)
    levels = [
        WEEKDAY_LEVEL[(start + dt.timedelta(days=number)).weekday()]
        * (0.875 + 0.25 * number / days)
        * round(sum(region_shares(plan, number)), 12)
        for number in range(days)
    ]
    scale = spans / SPANS_PER_RUN / sum(levels)
    return [max(1, round(level * scale)) for level in levels]


def _minutes_of_day(utc_offset_h: int) -> list[int]:
    """1,024 minutes of the UTC day, as dense as the traffic: a cosine with its peak at 14:00 local time."""
    level = [1 + 0.72 * math.cos((minute / 60 + utc_offset_h - 14) * math.pi / 12) for minute in range(1440)]
    steps = list(accumulate(level))
    return [bisect_left(steps, (slot + 0.5) / 1024 * steps[-1]) for slot in range(1024)]


_MINUTES = [_minutes_of_day(region.utc_offset_h) for region in REGIONS]
_SERVICE_STEPS = list(accumulate(service.share for service in SERVICES[:-1]))


def arrivals(rng: Random, plan: Plan, number: int, count: int) -> list[tuple[int, int, int]]:
    """(start in ns, region, service) of the runs of day `number`, in order; the last two are positions."""
    midnight = day_start_ns(first_day(plan.days)) + number * DAY_NS
    shares = region_shares(plan, number)
    whole = round(sum(shares), 12)
    steps = list(accumulate(share / whole for share in shares[:-1]))
    # Runs of the last day end with it, so that every billed request lies inside the billed period.
    latest = DAY_NS - (3_000 * SECOND_NS if number == plan.days - 1 else 1)
    out = []
    for _ in range(count):
        region = bisect_left(steps, rng.random())
        minute = _MINUTES[region][rng.randrange(len(_MINUTES[region]))]
        offset = min(minute * 60 * SECOND_NS + rng.randrange(60 * SECOND_NS), latest)
        out.append((midnight + offset, region, bisect_left(_SERVICE_STEPS, rng.random())))
    return sorted(out)

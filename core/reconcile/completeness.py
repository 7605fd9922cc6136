"""Until which day a bill is final: days that may still change are open, never a saving.

How long a source's days go on changing is learned from its own imports: for every day that two or more of them
told of, the time from the end of the day to the last import that changed it. With fewer than FEWEST_DAYS such days
the vendors' documentation stands in.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

FEWEST_DAYS = 5
LONGEST_LAG_DAYS = 40
"""A day restated later than that was corrected, not late."""
VENDOR_LAG_DAYS = {
    "openai": 2, "anthropic": 1, "aws_cur": 2, "azure_costs": 3, "gcp_billing": 3, "openrouter": 1, "litellm": 0,
    "langfuse": 0, "focus": 3, "sql": 3,
}  # fmt: skip
"""Days after which a day is final, by source_format's beginning: AWS one to two days, Azure 8 to 48 hours, Google
hours to days; OpenAI's pages do not say and two days is our inference. docs/formats.md."""


class DayHistory(NamedTuple):
    """How the lines of one UTC day came: how many imports told of it, and the UTC day of the last that changed it."""

    day: dt.date
    imports: int
    changed_on: dt.date


class Completeness(NamedTuple):
    """Until when a source's days are final."""

    source_format: str
    provider: str
    first: dt.date
    last: dt.date
    closed_through: dt.date
    """The last day that is final; days after it, up to `last`, are open."""
    lag_days: int
    basis: str
    """learned from n days, or the vendor's documentation."""


def completeness(
    source_format: str, provider: str, days: Sequence[DayHistory], imported_on: dt.date
) -> Completeness:
    """Until when the days are final; `imported_on` is the UTC day of the source's newest import."""
    lags = [
        (one.changed_on - one.day).days
        for one in days
        if one.imports > 1 and 0 <= (one.changed_on - one.day).days <= LONGEST_LAG_DAYS
    ]
    if len(lags) >= FEWEST_DAYS:
        lag, basis = max(lags), f"learned from {len(lags)} days that were billed again"
    else:
        lag, basis = vendor_lag(source_format), "by the vendor's documentation"
    first, last = min(one.day for one in days), max(one.day for one in days)
    closed = min(last, imported_on - dt.timedelta(days=lag + 1))
    return Completeness(source_format, provider, first, last, closed, lag, basis)


def vendor_lag(source_format: str) -> int:
    """Days by the vendors' documentation; an unknown source waits as long as the slowest of them.

    >>> vendor_lag("openai_costs"), vendor_lag("aws_cur_legacy"), vendor_lag("invoice.csv")
    (2, 2, 3)
    """
    lags = [lag for name, lag in VENDOR_LAG_DAYS.items() if source_format.startswith(name)]
    return lags[0] if lags else max(VENDOR_LAG_DAYS.values())

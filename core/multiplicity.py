"""Many verdicts at once: how often one of them turns broken by chance."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from core.amounts import count, share
from core.audit import Finding

_LEVEL = re.compile(r"(\d+(?:\.\d+)?) ?%")


def false_alarm_share(finding: Finding) -> float:
    """How often the whole interval lies past a limit that is just kept: one tail of it; 0 for a range, which is no sample.

    >>> plain = Finding("a", "broken", "", "", 1.0, 0.5, 2.0, "share", 9, "")
    >>> false_alarm_share(plain), false_alarm_share(plain._replace(bounds="80%"))
    (0.025, 0.1)
    >>> false_alarm_share(plain._replace(bounds="range"))
    0.0
    """
    level = _LEVEL.match(finding.bounds)
    return round((100 - float(level[1])) / 200, 6) if level else 0.0


def chance_text(findings: Sequence[Finding]) -> str:
    """How many of these verdicts turn broken by chance: what a board of many lights must say.

    Within an audit its own tests are paid for (looks, regions, signals); across audits nothing is corrected, and this
    says what that costs.
    """
    told = [finding for finding in findings if finding.status != "cannot tell"]
    if not told:
        return "No audit can tell yet."
    tails = [false_alarm_share(finding) for finding in told]
    at_least_one = 1 - math.prod(1 - tail for tail in tails)
    return (
        f"{count(len(told))} of {count(len(findings))} audits can tell. Each row is judged at the level of its own interval, not "
        f"corrected across rows: were every limit just kept, at least one of {count(len(told))} would still show broken in at "
        f"most {share(at_least_one)} of cases ({sum(tails):.2f} rows on average)."
    )

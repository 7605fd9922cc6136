"""The timeline: when verdicts changed, what happened, and where each point leads."""

from __future__ import annotations

import datetime as dt

from core.audit import Scope
from tests.review_world import DAY

WIDE = Scope(DAY - dt.timedelta(days=90), DAY + dt.timedelta(days=90), as_of=9)
HOSTILE = "<b>deploy</b> [x](javascript:y)"

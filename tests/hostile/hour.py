"""Damaged input for as long as you like: `python -m tests.hostile.hour 60` for an hour on one core.

Every format of files and every kind of OTLP body in turn, with seeds that no test uses. What breaks is printed with its
seed, which makes the same damage again, and the run goes on; the exit status says whether anything did.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial

from core.ingest.formats import FORMATS
from tests.hostile.test_bodies import KINDS, is_taken_whole
from tests.hostile.test_files import run

FIRST_SEED, FILES, BODIES = 1_000_000, 20, 200
"""Seeds begin past every test's; files and bodies of a kind in a round."""


def main(minutes: float) -> int:
    """Rounds until the time is over; 1 when something broke."""
    until, seed = time.monotonic() + 60 * minutes, FIRST_SEED
    fed: Counter[str] = Counter()
    broken = 0
    while time.monotonic() < until:
        for name in (known.name for known in FORMATS):
            broken += _fails(fed, name, FILES, partial(run, name, range(seed, seed + FILES)))
        for kind in KINDS:
            for one in range(seed, seed + BODIES):
                broken += _fails(fed, kind, 1, partial(is_taken_whole, kind, one))
        seed += BODIES
    print(
        f"{sum(fed.values()):,} damaged inputs in {minutes:g} minutes, {broken} broke something; by kind: {dict(fed)}"
    )
    return int(broken > 0)


def _fails(fed: Counter[str], name: str, count: int, feed: Callable[[], object]) -> bool:
    fed[name] += count
    try:
        feed()
    except Exception:
        print(f"{name}:\n{traceback.format_exc()}", flush=True)
        return True
    return False


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))

"""Whether the wall clock can be believed: it is compared with the clock that nobody sets.

Deletion by date is the one act that a wrong clock makes irreversible. A clock that jumped is not believed until it has
kept its new time for a day: a machine that starts with a wrong clock and is then set right goes on by itself.
"""

from __future__ import annotations

import time

JUMP_S = 6 * 3600.0
"""Beyond daylight saving set by hand, and far below a day's retention."""
BELIEVED_AFTER_S = 86_400.0


class WallClock:
    """Remembers by how much the wall clock differs from the steady one."""

    def __init__(self, wall_s: float | None = None, steady_s: float | None = None) -> None:
        self._offset_s = _offset(wall_s, steady_s)
        self._candidate_s = self._offset_s
        self._since_s = 0.0

    def distrust(self, wall_s: float | None = None, steady_s: float | None = None) -> str | None:
        """Why nothing should be deleted by date now; None when the clock runs as it did."""
        steady = _steady() if steady_s is None else steady_s
        offset = _offset(wall_s, steady)
        jump_s = offset - self._offset_s
        if abs(jump_s) <= JUMP_S:
            self._offset_s = self._candidate_s = offset
            return None
        if abs(offset - self._candidate_s) > JUMP_S:
            self._candidate_s, self._since_s = offset, steady
        if steady - self._since_s >= BELIEVED_AFTER_S:
            self._offset_s = offset
            return None
        return (
            f"The machine's clock jumped by {jump_s / 3600:+,.0f} h, so nothing is deleted by date. Set it right; a time "
            "that it keeps for a day is believed, and so is any time at the next start."
        )


def _steady() -> float:
    """Seconds that also pass while the machine sleeps, where the system counts them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _offset(wall_s: float | None, steady_s: float | None) -> float:
    return (time.time() if wall_s is None else wall_s) - (_steady() if steady_s is None else steady_s)

"""How much memory a child process took."""

from __future__ import annotations

from pathlib import Path


def peak_mb() -> int:
    """The most this program has had. `ru_maxrss` would count what the parent had when it forked."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024

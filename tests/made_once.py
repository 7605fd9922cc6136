"""What is expensive to make and only read is made once for all workers of a run, by whoever asks first."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that `make` filled, below the temporary root of the run; to write into it, copy it.

    The others wait. Where making fails, the next one that asks tries again from nothing.
    """
    own = factory.getbasetemp()
    root = own.parent if own.name.startswith("popen-") else own  # a worker of xdist has a folder in the run's
    folder = root / f"once-{name}"
    with (root / f"once-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            part = factory.mktemp(name) / "made"
            part.mkdir()
            make(part)
            part.rename(folder)  # a folder of that name is always whole
    return folder

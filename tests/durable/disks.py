"""Small disks of their own for tests: a file system in memory, which only root may mount."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MIB = 1024 * 1024


@contextmanager
def small_disk(place: Path, mib: int) -> Iterator[Path]:
    """A disk of `mib` MiB at `place`; the test is skipped where none can be mounted."""
    place.mkdir(parents=True)
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(place)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()[:100]}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path, leave_bytes: int = 0) -> Path:
    """Write a file that leaves so much room; deleting it frees the disk."""
    filler = disk / "filler"
    space = os.statvfs(disk)
    with filler.open("wb") as out:
        out.write(bytes(max(0, space.f_bavail * space.f_frsize - leave_bytes)))
    return filler


def remount(disk: Path, option: str) -> None:
    """`ro` or `rw`."""
    subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True)

"""What must be whole before pages are drawn by several threads at once."""

from __future__ import annotations

import subprocess
import sys

HALF_IMPORTED = """
import sys, types
sys.modules["pandas"] = types.ModuleType("pandas")
import plotly.graph_objects as go
go.Figure({"data": [{"type": "scatter", "x": [1, 2], "y": [3, 4]}]})
"""


def run(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)


def test_plotly_trips_over_a_module_that_another_thread_is_importing() -> None:
    """The trap itself: where this stops failing, the app need no longer import pandas first."""
    assert "'pandas' has no attribute" in run(HALF_IMPORTED).stderr


def test_the_app_has_it_whole_before_it_starts_a_thread() -> None:
    told = run(
        "import sys, threading, core.web.server; print(sys.modules['pandas'].Series.__name__, threading.active_count())"
    )
    assert told.stdout.split() == ["Series", "1"], told.stderr

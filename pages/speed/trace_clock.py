"""The clock a trace was stamped by."""

from core import ui
from core.audits import trace_clock

ui.show(trace_clock)

"""Hyrum's law for streamed reasoning."""

from core import ui
from core.audits import hyrum_stream

ui.show(hyrum_stream)

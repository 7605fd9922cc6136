"""The TPS SLO met by chunking smaller."""

from core import ui
from core.audits import tps_chunking

ui.show(tps_chunking)

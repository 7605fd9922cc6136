"""The voice SLO that stops at the first token."""

from core import ui
from core.audits import voice_slo

ui.show(voice_slo)

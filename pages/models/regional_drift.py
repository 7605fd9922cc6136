"""The regional rollout lottery."""

from core import ui
from core.audits import regional_drift

ui.show(regional_drift)

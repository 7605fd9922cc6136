"""Reward that stopped meaning outcome."""

from core import ui
from core.audits import reward_vs_outcome

ui.show(reward_vs_outcome)

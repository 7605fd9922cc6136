"""The retry counted three ways."""

from core import ui
from core.audits import retry_ledger

ui.show(retry_ledger)

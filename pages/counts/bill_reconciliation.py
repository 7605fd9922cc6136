"""The bill against the traces."""

from core import ui
from core.audits import bill_reconciliation

ui.show(bill_reconciliation)

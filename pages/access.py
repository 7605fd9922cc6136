"""Who may what here, which doors are open, and for admins tokens and the audit log."""

from core import ui
from core.ui.access_page import doors, log, roles_held, tokens

ui.header("Access", "Who may look, change and administer, and which programs may send and read.")
roles_held()
doors()
tokens()
log()

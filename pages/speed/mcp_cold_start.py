"""The MCP cold start tax."""

from core import ui
from core.audits import mcp_cold_start

ui.show(mcp_cold_start)

"""What moved together: changes of every audit's status and change events on one time axis."""

from core import ui
from core.ui.timeline import timeline_page

ui.header(
    "Timeline", "Which changes came together: of verdicts, and of what was deployed, priced or limited?"
)
timeline_page()

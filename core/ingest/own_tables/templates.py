"""Small files to start from: the header and some rows of every table that people write themselves."""

from __future__ import annotations

from core.ingest.own_tables import callers, change_events, outcomes_csv, responses_file

TEMPLATES = {
    "outcomes": outcomes_csv.TEMPLATE,
    "features": responses_file.TEMPLATE,
    "changes": change_events.TEMPLATE,
    "callers": callers.TEMPLATE,
}
"""Name, as the command line takes it, and the text of the CSV."""

"""OTLP traces, logs and metrics, over HTTP (requests.py) and in files (files.py).

parse: bytes to JSON or protobuf -> wire: both into WireSpan, grouped by resource and scope -> repair: mend or refuse
-> spans: one pass over a span's attributes -> span_cells: the columns that need several of them (role, error, region)
-> frames. logs and metrics go from wire to frames by themselves.

What an attribute means is data: conventions (which key of which dialect fills which column), fates (that, content and
secrets decided once a key), embedded (facts inside JSON texts), roles (what a span stands for), hosts (provider and region
of a server), scored_spans with answer_text (rewards and features -> `responses`), streams (chunk times -> `streams`).
A new dialect is a line in conventions.TABLE, one in roles.SCOPES, and a test in tests/ingest/test_otlp_dialects.py.
"""

from __future__ import annotations

from core.ingest.otlp.parse import BadRequest
from core.ingest.otlp.requests import decode_logs, decode_metrics, decode_traces

__all__ = ["BadRequest", "decode_logs", "decode_metrics", "decode_traces"]

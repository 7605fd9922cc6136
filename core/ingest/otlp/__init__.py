"""OTLP traces, logs and metrics, over HTTP and in files."""

from __future__ import annotations

from core.ingest.otlp.parse import BadRequest
from core.ingest.otlp.requests import decode_logs, decode_metrics, decode_traces

__all__ = ["BadRequest", "decode_logs", "decode_metrics", "decode_traces"]

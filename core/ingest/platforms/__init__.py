"""Exports of observability platforms: spans, scores and feedback that a team already has.

Langfuse and Phoenix spans are turned back into WireSpans and read by core.ingest.otlp, so that an export and live OTLP of
the same spans agree; their scores become evaluation records, and those outcomes. langfuse.py is the reader, with
langfuse_rows (pages to rows), langfuse_spans (rows to spans and scores) and langfuse_usage (token counts). A Langfuse
model call is also a cost line. LangSmith gives feedback only, which becomes outcomes.
"""

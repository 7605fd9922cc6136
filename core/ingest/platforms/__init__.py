"""Exports of observability platforms: spans, scores and feedback."""

"""Tests of core.ingest."""

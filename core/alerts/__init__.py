"""Telling people when a finding's status changes: what changed, what is said of it, and how it is sent."""

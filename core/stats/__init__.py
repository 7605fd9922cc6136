"""Arithmetic that two or more audits use: pure functions over numbers, no frames, no clock, seeded draws."""

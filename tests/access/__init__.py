"""Tokens, roles, doors, sign-in and headers."""

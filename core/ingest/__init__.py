"""Bytes in a foreign format become Batches for the ledger. One format a module; formats.py lists them."""

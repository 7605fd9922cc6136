"""Trueup's engine: bytes → ingest → ledger → audits; nothing here imports Streamlit except ui."""

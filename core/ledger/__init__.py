"""The ledger: schema, the one connection to DuckDB, and what is derived from spans."""

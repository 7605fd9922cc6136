"""The ledger: schema, the one connection to DuckDB, and what is derived from spans.

schema.sql      every table and column with meaning and unit; migrations.py brings older files to it. Start there.
batch.py        what a reader hands over (Batch) and gets back (Receipt)
store.py        Store: queries on cursors, one writer thread. The only import of duckdb; current.py has the process's own
write.py        a group of batches in one transaction; undo.py, retain.py, empty.py: the three ways rows stop counting or go
derive.py       new spans → runs, calls, attempts, trace by trace:
                trace.py (family and time) → dedup.py (calls told twice) → calls.py (attempts and their grade)
                → operations.py (steps and retries above a call) → cost.py (expected USD) → rows.py (rows of the tables)
change_rows.py, eval_rows.py, outcome_rows.py
                SQL for audits: of rows that come again, the ones that count as of a data version
"""

"""The ledger: schema, the one connection to DuckDB, and what is derived from spans.

schema.sql      every table and column with meaning and unit; migrations.py brings older files to it. Start there.
batch.py        what a reader hands over (Batch) and gets back (Receipt)
store.py        Store: what everybody uses; current.py has the process's own
file.py         the open DuckDB file and what its errors mean. The only import of duckdb
writer.py       the one thread that writes; write.py: a group of batches in one transaction
undo.py, retain.py, empty.py, erase.py
                the ways rows stop counting or go; copy.py: all rows into another file; compact.py: that file in its place
derive.py       new spans → runs, calls, attempts, trace by trace:
                trace.py (family and time) → dedup.py (calls told twice) → calls.py (attempts and their grade)
                → operations.py (steps and retries above a call) → cost.py (expected USD) → rows.py (rows of the tables)
engine.py       who answers a question: the file, or spark.py over the Parquet that lake.py wrote; portable.py: the SQL all read
change_rows.py, eval_rows.py, outcome_rows.py
                SQL for audits: of rows that come again, the ones that count as of a data version
"""

"""Bytes in a foreign format become Batches of rows for the ledger; nothing here reads or writes the ledger.

The way of a file: files.py opens and decompresses it, formats.py tells its format by its first bytes, that format's
`read(stream, source, options)` yields Batches (core.ledger.batch), and the store commits each. Start there, then read
own_tables/callers.py, the smallest reader. Live OTLP requests come in at otlp/requests.py; databases at bills/sql_source.py.

otlp/        spans, log records and metric points of every GenAI dialect
platforms/   exports of Langfuse, Phoenix and LangSmith, most turned back into the OTLP they were; Prometheus text
bills/       invoices, usage reports and spend logs become cost_lines
evals/       results of eval tools become eval_runs, eval_samples and eval_items
voice/       latency metrics of LiveKit and Pipecat become spans of turns
own_tables/  tables of columns of our own, which people write: outcomes, features, changes, callers, probes
Bytes to rows: gunzip, archive, growth (bombs), parquet, row_texts (JSON, JSON lines, CSV).
Values: cells.py reads or refuses (Unreadable: the row goes to quarantine.py), values.py reads or gives None (the
attribute stays as it came). What people wrote is dropped in privacy.py. Rows of tables with several doors: outcomes,
responses (features.py counts their texts), bills/cost_lines; frames.py makes frames of them.

To add a format: a module in the package whose tables it fills, with NAME, `detect(head, name)` (by content; it must
never raise) and `read(...)`, which refuses a bad row alone and raises ValueError for a bad file, saying what to do; a row
in formats.FORMATS, before formats whose signs it may quote; a heading in docs/formats.md; its first bytes in
tests/ingest/test_formats.py; and a test with one golden value per column. test_every_bill.py and test_every_eval.py
then ask of it what all formats promise, once a sample of it is in their lists. The ledger needs nothing new as long
as the tables of core/ledger/schema.sql hold what it says.
"""

"""The process around Streamlit: routes, what guards them, and what runs beside them.

`app.py` makes a `process` (settings, open ledger, what last failed) and hands it to `server`: start there. It lists
every address, and opens and closes everything in its lifespan. A request passes `headers`, `base_path`,
`sign_in_return` and `guard` (bearer tokens, compared with `token_table`), then

- telemetry, files, undo: `ingest`, which reads a `body` with a ceiling and answers OTLP senders by `otlp_answer`; OTLP over
  gRPC comes in by a port of its own, `otlp_grpc`, and both store by `otlp_door`;
- backup, erasure, compaction: `durable`;
- questions: `api`, whose parameters `query` reads; `health`, `metrics`, and `shared` for readers outside.

Beside the requests each of these has a thread: `background` (derive, retain unless the `clock` jumped, the board's
findings), `watch` (a folder), `pulling` (SQL sources), `alerting`, `metrics` (OTLP out) and `lake` (newer Parquet for
Spark). What fails there is a field of `process`, told by `health`.

`running` is the other end: how the command line finds the app that owns a ledger, and asks it.
"""

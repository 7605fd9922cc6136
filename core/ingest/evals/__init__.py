"""Results of eval tools become eval_runs, eval_samples and eval_items, whatever tool wrote them.

A reader fills an EvalRows (rows.py) sample by sample and asks it for the batch; start with deepeval.py. scores.py says
what one score is worth (pass, fail, error, skipped: a missing score is never zero), metadata.py what a sample's and a run's
metadata say by convention, frames.py makes the frames. Inspect's logs need archive.py for their zip and inspect_runs.py
for the run. OpenAI's two, the old log and the API's objects, are two formats of one tool, `openai_evals`.
"""

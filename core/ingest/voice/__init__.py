"""Metrics of voice agents: lines that LiveKit or Pipecat write, gathered into turns, and turns into spans.

turns.py has the shape a voice turn has in the ledger, which docs/formats.md describes for whoever sends spans of their own:
an `invoke_agent` span with a child a stage. livekit.py and pipecat.py read lines (docs/recipes/voice writes them) and place
each measured duration in time. lines.py: what both have in common. Metrics say when and not how much: calls, tokens and
costs come from traces, so that nothing counts twice.
"""

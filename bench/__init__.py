"""Trueup beside tools of its kind, on this machine: `python -m bench.peers`. Our own numbers alone: `make bench`."""

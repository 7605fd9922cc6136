"""Parts of a measure that several scopes share, such as what a region's own rows say: worked out once a process.

A scope without one region asks of the others what the whole scope asked. Arguments are compared by content, order and
all; whoever asks gets a copy of its own. Only for functions of their arguments alone, which take longer than reading
those (some milliseconds a megabyte).
"""

from __future__ import annotations

import functools
import hashlib
import io
import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import polars as pl

Given = ParamSpec("Given")
Found = TypeVar("Found")


MOST_KEPT = 32
"""Answers of each function: four regions of eight scopes. The longest unused leave first."""


def remembered(work: Callable[Given, Found]) -> Callable[Given, Found]:
    """Remember what the work answers. What it raises is not remembered."""
    kept: OrderedDict[bytes, bytes] = OrderedDict()
    lock = threading.Lock()

    @functools.wraps(work)
    def done(*given: Given.args, **named: Given.kwargs) -> Found:
        key = _digest((given, sorted(named.items())))
        with lock:
            known = kept.get(key)
            if known is not None:
                kept.move_to_end(key)
        if known is not None:
            again: Found = pickle.loads(known)
            return again
        found = work(*given, **named)
        with lock:
            kept[key] = pickle.dumps(found, pickle.HIGHEST_PROTOCOL)
            while len(kept) > MOST_KEPT:
                kept.popitem(last=False)
        return found

    return done


class _Writer(pickle.Pickler):
    def reducer_override(self, thing: Any) -> Any:
        """A frame as its rows: what it was filtered out of is no part of it."""
        if not isinstance(thing, pl.DataFrame):
            return NotImplemented
        rows = io.BytesIO()
        thing.rechunk().write_ipc_stream(rows, compat_level=pl.CompatLevel.oldest())
        return bytes, (rows.getvalue(),)


def _digest(things: object) -> bytes:
    text = io.BytesIO()
    writer = _Writer(text, pickle.HIGHEST_PROTOCOL)
    writer.fast = True  # without it the same values twice and one value in two places read differently
    writer.dump(things)
    return hashlib.sha256(text.getbuffer()).digest()

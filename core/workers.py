"""Python processes beside the app's own, for work that needs nothing but what it is given: decoding, deriving.

Python runs one thread of a process at a time. Where a worker is free the work is pickled to it, which costs about
2 us a span both ways; where none is, or it died, the work is done in the thread that asked. See
docs/decisions/034-worker-processes.md.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from typing import Any, ParamSpec, Protocol, TypeVar

_log = logging.getLogger("trueup.workers")
Given = ParamSpec("Given")
Done = TypeVar("Done")


class Do(Protocol):
    """How work is done: here, or by a worker. What the work raises is raised."""

    def __call__(self, work: Callable[Given, Done], *given: Given.args, **named: Given.kwargs) -> Done:
        """work(*given)."""
        ...


def here(work: Callable[Given, Done], *given: Given.args, **named: Given.kwargs) -> Done:
    """Do it in this thread."""
    return work(*given, **named)


class Workers:
    """`count` processes, started with the first work; 0 does everything here. End them with `close`."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._free = threading.Semaphore(count)
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None

    def do(self, work: Callable[Given, Done], *given: Given.args, **named: Given.kwargs) -> Done:
        """Do it in a free worker, else here; `work`, what it is given and what it answers must be picklable."""
        if not self._free.acquire(blocking=False):
            return work(*given, **named)
        try:
            pool = self._started()
            try:
                return pool.submit(work, *given, **named).result()
            except BrokenExecutor as error:
                _log.warning("a worker process ended (%s); its work is done by the app itself", error)
                self._give_up(pool)
        finally:
            self._free.release()
        return work(*given, **named)

    def close(self) -> None:
        """End the processes after what they are doing."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                # Never fork: the app has threads, and their locks would be copied as they stand.
                context = multiprocessing.get_context("spawn")
                self._pool = ProcessPoolExecutor(self._count, context, initializer=_begin)
            return self._pool

    def _give_up(self, pool: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is pool:
                self._pool = None
        pool.shutdown(wait=False, cancel_futures=True)


def _begin() -> None:
    """Ctrl-C is the app's to answer, and an app that was killed must leave no process behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(200_000, 20, 20)  # rows are made by the hundred thousand, and none of them in circles
    threading.Thread(target=_end_with_the_app, name="trueup-parent", daemon=True).start()


def _end_with_the_app() -> None:
    app: Any = multiprocessing.parent_process()
    app.join()
    os._exit(0)

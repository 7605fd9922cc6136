"""Python processes beside the app's own, for work that needs nothing but what it is given: decoding, deriving, measuring.

Python runs one thread of a process at a time. Where a worker is free, the work is pickled to it (2 us a span both ways);
where none is, or it died, the work is done in the thread that asked. See docs/decisions/034-worker-processes.md.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

_log = logging.getLogger("trueup.workers")
Given = ParamSpec("Given")
Done = TypeVar("Done")
ROOT = Path(__file__).resolve().parents[1]
SHORT_PATIENCE_S = 0.1
"""A handful of bodies of 512 spans are decoded in that time: waiting for a worker is quicker than a thread of the app."""
PATIENCE_S = 0.5
"""Some thirty bodies are decoded in that time."""
WORTH_TRIMMING_S = 0.25
"""Work from which a worker gives memory back to the machine: deriving and measuring, not each body that is decoded."""


class Do(Protocol):
    """How work is done: here, or by a worker. What the work raises is raised."""

    def __call__(self, work: Callable[Given, Done], *given: Given.args, **named: Given.kwargs) -> Done:
        """work(*given)."""
        ...


def here(work: Callable[Given, Done], *given: Given.args, **named: Given.kwargs) -> Done:
    """Do it in this thread."""
    return work(*given, **named)


class _Worker(NamedTuple):
    process: subprocess.Popen[bytes]
    road: Connection


class Workers:
    """At most `count` processes, started when work comes; 0 does everything here. End them with `close`.

    Asker and worker talk over a pipe of their own: concurrent.futures hands each task through three threads of the app,
    and each of them waits its turn when the app is busy, which is when workers are for.
    """

    def __init__(self, count: int) -> None:
        self._lock = threading.Condition()
        self._count = count
        self._places = count
        """Of workers that may still be started."""
        self._idle: list[_Worker] = []

    def do(self, work: Callable[Given, Done], *given: Given.args, **named: Given.kwargs) -> Done:
        """Do it in a worker, waiting SHORT_PATIENCE_S for one, else here; all that passes must be picklable."""
        return self._done(self._taken(SHORT_PATIENCE_S), work, *given, **named)

    def do_patiently(self, work: Callable[Given, Done], *given: Given.args, **named: Given.kwargs) -> Done:
        """The same for work of a second or so: it waits PATIENCE_S for a worker that does short work now."""
        return self._done(self._taken(PATIENCE_S), work, *given, **named)

    def _done(
        self, worker: _Worker | None, work: Callable[Given, Done], *given: Given.args, **named: Given.kwargs
    ) -> Done:
        if worker is None:
            return work(*given, **named)
        try:
            worker.road.send_bytes(pickle.dumps((work, given, named), pickle.HIGHEST_PROTOCOL))
            answer = worker.road.recv_bytes()
        except (EOFError, OSError):
            _log.warning("worker process %d ended; its work is done by the app itself", worker.process.pid)
            self._gone(worker)
            return work(*given, **named)
        except BaseException:  # what is given cannot be pickled: the worker has not heard of it
            self._put_back(worker)
            raise
        self._put_back(worker)
        raised, done = pickle.loads(answer)
        if raised is not None:
            raise raised
        found: Done = done
        return found

    def close(self) -> None:
        """End the processes that rest; one at work ends after it."""
        with self._lock:
            self._count = self._places = 0
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.road.close()
            worker.process.wait()

    def _taken(self, patience_s: float) -> _Worker | None:
        with self._lock:
            if self._count and not self._idle and not self._places:
                self._lock.wait_for(lambda: self._idle or self._places, patience_s)
            if self._idle:
                return self._idle.pop()
            if self._places == 0:
                return None
            self._places -= 1
        return _started()

    def _put_back(self, worker: _Worker) -> None:
        with self._lock:
            self._idle.append(worker)
            self._lock.notify()

    def _gone(self, worker: _Worker) -> None:
        worker.road.close()
        worker.process.kill()
        worker.process.wait()
        with self._lock:
            self._places += 1
            self._lock.notify()


def _started() -> _Worker:
    # Not by multiprocessing: it runs the main module again in the child, and Streamlit puts the page's script there.
    ours, theirs = Pipe()
    with theirs:
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        process = subprocess.Popen(
            [sys.executable, "-m", "core.workers", str(theirs.fileno())], env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()],
        )  # fmt: skip
    return _Worker(process, ours)


def _serve(road: Connection) -> None:
    """Do what comes down the road until the app closes it, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the app's to answer
    gc.set_threshold(200_000, 20, 20)  # rows are made by the hundred thousand, and none of them in circles
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    while (took_s := _serve_one(road)) is not None:
        if trim is not None and took_s >= WORTH_TRIMMING_S:
            trim(0)  # rows made into Python objects leave holes that glibc keeps


def _serve_one(road: Connection) -> float | None:
    """Do one piece of work, in so many seconds; None once the app is gone.

    A function of its own lets go of what the work took before the next is awaited.
    """
    try:
        work, given, named = pickle.loads(road.recv_bytes())
    except (EOFError, OSError):
        return None
    began = time.monotonic()
    try:
        answer: tuple[Exception | None, Any] = (None, work(*given, **named))
    except Exception as error:  # raised again where the work was asked for
        answer = (error, None)
    road.send_bytes(pickle.dumps(answer, pickle.HIGHEST_PROTOCOL))
    return time.monotonic() - began


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])))

"""The thread that keeps the doors' tokens up to date; what fails is told by `health`, and the last known stay in force."""

from __future__ import annotations

import logging
import threading
import time

from core.projects import within
from core.state import StateProblem, get_state
from core.web.process import Process
from core.web.token_table import LOOK_S, USED_S

_log = logging.getLogger("trueup.tokens")


def look_once(process: Process) -> None:
    """Before the first request. A database that does not answer leaves doors without a configured token shut."""
    try:
        process.tokens.look(get_state(), process.project)
        process.tokens_error = None
    except StateProblem as problem:
        if process.tokens_error is None:
            _log.warning("tokens cannot be looked up: %s", problem)
        process.tokens_error = str(problem)


def keep_tokens(process: Process, stopping: threading.Event) -> None:
    """Look every LOOK_S until told to stop, and keep the times of use every USED_S and at the end."""
    kept = time.monotonic()
    while not stopping.wait(LOOK_S):
        for own in process.every():
            with within(own.project):
                look_once(own)
        if time.monotonic() - kept >= USED_S:
            kept = time.monotonic()
            _keep_used(process)
    _keep_used(process)


def _keep_used(process: Process) -> None:
    for own in process.every():
        try:
            with within(own.project):
                own.tokens.keep_used(get_state(), own.project)
        except StateProblem as problem:
            own.tokens_error = str(problem)

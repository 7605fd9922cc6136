"""What the two OTLP doors, HTTP and gRPC, do alike: decode a body, hand it to the writer, count what was refused.

Each door says the outcome in its own protocol: core/web/ingest.py over HTTP, core/web/otlp_grpc.py over gRPC.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from core.ingest.options import ReadOptions
from core.ingest.otlp import BadRequest, decode_logs, decode_metrics, decode_traces
from core.ledger.store import Batch, CannotWrite, Receipt
from core.web.body import BadCompression, BodyTooLarge, gunzip
from core.web.process import NotReady, Process
from core.workers import here

RETRY_AFTER_S = 5
"""For a ledger that cannot write: a full disk takes longer than a full queue."""
WORTH_SENDING = 50_000
"""Bytes of a body: fewer are decoded in two milliseconds, and an app that gets no more needs no worker."""
SHOWN_REASONS = 3
"""Distinct quarantine reasons named in a partial success; the rest is in the quarantine table."""

_log = logging.getLogger("trueup.ingest")


class Signal(NamedTuple):
    """One OTLP signal: its name and its decoder of (body, content type, options)."""

    name: str
    decode: Callable[[bytes, str, ReadOptions], Batch]


TRACES = Signal("traces", decode_traces)
LOGS = Signal("logs", decode_logs)
METRICS = Signal("metrics", decode_metrics)


def decode(process: Process, signal: Signal, body: bytes, media_type: str, gzipped: bool = False) -> Batch:
    """The body's rows; raises BadRequest, BadCompression or BodyTooLarge. Takes milliseconds: call it in a thread."""
    options = ReadOptions(capture_content=process.settings.capture_content)
    try:
        plain = gunzip(body, process.settings.body_limit) if gzipped else body
        do = process.workers.do if len(plain) >= WORTH_SENDING else here
        return do(signal.decode, plain, media_type, options)
    except (BadCompression, BadRequest, BodyTooLarge):
        raise
    except Exception as error:  # a fault of ours, but met only by this body: sending it again cannot help
        _log.exception("a %s body of %d bytes could not be decoded", signal.name, len(body))
        raise BadRequest(f"The body could not be read: {type(error).__name__}.") from error


def not_written(process: Process, signal: Signal, batch: Batch, error: Exception) -> BadRequest | NotReady:
    """What to answer when the writer failed: come again when disk or memory was short, else it is the body's own fault."""
    _log.error("the ledger could not write %d %s rows", batch.rows_read, signal.name, exc_info=error)
    if isinstance(error, CannotWrite):
        return NotReady(str(error))
    return BadRequest(f"The body could not be stored: {type(error).__name__}.")


def rejected(batch: Batch, receipt: Receipt) -> int:
    """Rows refused. The same body sent again gets the same answer, though nothing is stored twice."""
    return len(batch.quarantined) if receipt.already_known else receipt.rows_quarantined


def reasons(batch: Batch) -> str:
    """Why, for a partial success: the first distinct reasons, and how many more there are."""
    distinct = list(dict.fromkeys(row.reason for row in batch.quarantined))
    more = len(distinct) - SHOWN_REASONS
    return " ".join(distinct[:SHOWN_REASONS]) + (f" And {more} more reasons." if more > 0 else "")

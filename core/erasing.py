"""Whom to erase, as people name them, and what they are told afterwards."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.backups import kept_beside
from core.ingest.values import hash16
from core.ledger.store import Compacted, Erased, Subject
from core.settings import Settings

_HASH = re.compile(r"[0-9a-f]{16}")
_TRACE = re.compile(r"[0-9a-f]{32}")
MOST_NAMED = 1000


class BadSubject(ValueError):
    """Nobody is named, or not in a way that can be looked for."""


def subject_of(
    subject: Sequence[str] = (), conversation: Sequence[str] = (), trace: Sequence[str] = ()
) -> Subject:
    """Persons by user id or by the 16 hex of its hash, conversations and traces by id; raises BadSubject.

    >>> subject_of(["ann@example.org"])
    Subject(hashes=('438c4c7afe600cdf',), texts=('ann@example.org',), conversations=(), traces=())
    >>> subject_of(["438c4c7afe600cdf"]).texts
    ()
    """
    named = [*subject, *conversation, *trace]
    if not named or len(named) > MOST_NAMED or not all(isinstance(one, str) and one.strip() for one in named):
        raise BadSubject(f"Name 1 to {MOST_NAMED} ids: --subject, --conversation or --trace.")
    for one in trace:
        if not _TRACE.fullmatch(one):
            raise BadSubject("A trace is named by its 32 lower-case hexadecimal digits.")
    known = [one for one in subject if _HASH.fullmatch(one)]
    ids = [one for one in subject if not _HASH.fullmatch(one)]
    hashes = (*known, *(str(hash16(one)) for one in ids))
    return Subject(hashes, (*ids, *conversation, *trace), tuple(conversation), tuple(trace))


def erased_text(erased: Erased, compacted: Compacted, settings: Settings) -> str:
    """What was done and what is left to do, without naming anybody."""
    deleted, redacted = (
        ", ".join(f"{table} {count:,}" for table, count in counts.items()) or "none"
        for counts in (erased.deleted, erased.redacted)
    )
    beside = kept_beside(settings)
    return "\n".join(
        (
            f"Erased at data version {erased.import_id}: {erased.trace_count:,} traces. Rows deleted: {deleted}. "
            f"Rows that stay and lost the name: {redacted}.",
            f"The file had {compacted.bytes_before:,} bytes and has {compacted.bytes_after:,}.",
            f"Backups hold them still, {', '.join(beside) if beside else 'wherever you keep them'}: delete those or "
            "erase again after a restore. Notes, reviews and shared pages that people wrote are not searched.",
        )
    )

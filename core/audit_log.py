"""Who did what, when: one row an act, only ever added. It lies in the database of what people make, for admins to read.

Nothing in Trueup changes or deletes a row, and this module has no way to. Whoever owns the database can: send the log
elsewhere (`python -m core audit-log --format json`) where that matters.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Integer, Text, event, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.state import Base, State, StateProblem, moment, now_ns

NOBODY = "not signed in"
LONGEST = 400
"""Characters of what was done: names of files and views come from outside."""
COLUMNS = ("entry", "at", "who", "act", "what")

_log = logging.getLogger("trueup.audit_log")


class AuditRow(Base):
    """One act."""

    __tablename__ = "audit_log"

    entry_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    at_ns: Mapped[int] = mapped_column(BigInteger)
    who: Mapped[str] = mapped_column(Text)
    act: Mapped[str] = mapped_column(Text)
    what: Mapped[str] = mapped_column(Text)


@event.listens_for(AuditRow, "before_update")
@event.listens_for(AuditRow, "before_delete")
def _refuse(_mapper: object, _connection: object, row: AuditRow) -> None:
    raise StateProblem(f"Entry {row.entry_id} of the audit log cannot be changed.")


class Entry(NamedTuple):
    """An act to write down."""

    who: str
    act: str
    """In the past tense: "token made"."""
    what: str


class Logged(NamedTuple):
    """An act as it was written down."""

    entry_id: int
    at: dt.datetime
    who: str
    act: str
    what: str


def add_entry(session: Session, entry: Entry) -> None:
    """Write an act down in the transaction that does it."""
    session.add(
        AuditRow(at_ns=now_ns(), who=_line(entry.who) or NOBODY, act=entry.act, what=_line(entry.what))
    )


def record(state: State, entry: Entry) -> None:
    """Write down an act that is done. Where that fails the process's own log has it: an act is never undone for it."""
    try:
        with state.session() as session:
            add_entry(session, entry)
    except StateProblem as problem:
        _log.error("audit log not written (%s): %r", problem, tuple(entry))


def entries(state: State, most: int | None = None) -> list[Logged]:
    """The acts, newest first; raises StateProblem."""
    question: Any = select(AuditRow).order_by(AuditRow.entry_id.desc()).limit(most)
    return [
        Logged(row.entry_id, moment(row.at_ns), row.who, row.act, row.what)
        for row in state.rows(AuditRow, question)
    ]


def _line(text: str) -> str:
    """One line without control characters."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())[:LONGEST]

"""What changed, and what has been told: kept with what people make, so that a restart repeats and forgets nothing.

A change is a finding for the board's own scope whose status is another than the one last noticed. The first finding
of an audit is no change: there is nothing it differs from. Statuses that came and went between two looks are none.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import BigInteger, Integer, Text, UniqueConstraint, select, update
from sqlalchemy.orm import Mapped, mapped_column

from core.answers import chosen_audits
from core.findings import Standing, link_to
from core.state import Base, State

MOST_AT_ONCE = 20
"""Changes in one message."""
GIVEN_UP_AFTER = dt.timedelta(days=2)
"""News of a finding that is older than this is on the board anyway."""


class AlertMark(Base):
    """The status of an audit's finding that was last noticed on a board."""

    __tablename__ = "alert_marks"

    board: Mapped[str] = mapped_column(Text, primary_key=True)
    """public_url: apps may share a database, each with a ledger of its own."""
    audit: Mapped[str] = mapped_column(Text, primary_key=True)
    status: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(BigInteger)


class AlertDelivery(Base):
    """One change on its way over one channel."""

    __tablename__ = "alert_deliveries"
    __table_args__ = (UniqueConstraint("board", "channel", "change_id"),)

    delivery_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    board: Mapped[str] = mapped_column(Text)
    channel: Mapped[str] = mapped_column(Text)
    change_id: Mapped[str] = mapped_column(Text)
    change: Mapped[str] = mapped_column(Text)
    """The Change as JSON."""
    noticed_at_ns: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(Text)
    """waiting, sent or given up."""


class Change(NamedTuple):
    """A finding's status that is another than before. Texts may hold telemetry and so are hostile."""

    id: str
    """The same for the same change: a receiver that gets it twice can tell."""
    audit: str
    title: str
    before: str
    status: str
    reported: str
    supported: str
    gap: float | None
    low: float | None
    high: float | None
    unit: str
    bounds: str
    n: int
    sentence: str
    missing: str
    as_of: int
    found_at: str
    """UTC, ISO 8601."""
    newest_day: str | None
    link: str


class Noticed(NamedTuple):
    """What one look found."""

    changes: tuple[Change, ...]
    first: tuple[str, ...]
    """Audits that had no finding before: noted, not told."""


def notice(
    state: State,
    board: str,
    found: Mapping[str, Standing],
    channels: Sequence[str],
    now: dt.datetime,
) -> Noticed:
    """Compare with what was noticed before, and queue what changed for every channel, in one transaction.

    Raises StateProblem. A finding of an older version than the one noticed is of another ledger: noted anew.
    """
    changes: list[Change] = []
    first: list[str] = []
    with state.session() as session:
        marks = {
            mark.audit: mark for mark in session.scalars(select(AlertMark).where(AlertMark.board == board))
        }
        for audit, one in found.items():
            status, version, mark = one.kept.finding.status, one.kept.version, marks.get(audit)
            if mark is None:
                session.add(AlertMark(board=board, audit=audit, status=status, version=version))
                first.append(audit)
                continue
            if version < mark.version:
                first.append(audit)
            elif status != mark.status:
                changes.append(_change(board, one, mark.status))
            mark.status, mark.version = status, version
        for change in changes:
            text = orjson.dumps(change._asdict()).decode()
            session.add_all(
                AlertDelivery(
                    board=board, channel=channel, change_id=change.id, change=text, state="waiting",
                    noticed_at_ns=int(now.timestamp() * 1e9),
                )
                for channel in channels
            )  # fmt: skip
    return Noticed(tuple(changes), tuple(first))


def _change(board: str, one: Standing, before: str) -> Change:
    finding, kept = one.kept.finding, one.kept
    (audit,) = chosen_audits(finding.audit)
    told = f"{board} {finding.audit} {kept.version} {kept.at.isoformat()} {before} {finding.status}"
    return Change(
        id=hashlib.sha256(told.encode()).hexdigest()[:32],
        audit=finding.audit.replace("_", "-"),
        title=audit.TITLE,
        before=before,
        as_of=kept.version,
        found_at=kept.at.isoformat(timespec="seconds"),
        newest_day=kept.newest_day.isoformat() if kept.newest_day else None,
        link=link_to(board, audit, one.scope),
        **{name: getattr(finding, name) for name in _SAME},
    )


_SAME = (
    "status",
    "reported",
    "supported",
    "gap",
    "low",
    "high",
    "unit",
    "bounds",
    "n",
    "sentence",
    "missing",
)


def waiting(state: State, board: str, channel: str, now: dt.datetime) -> list[tuple[int, Change]]:
    """What is still to be sent, oldest first, at most MOST_AT_ONCE; what is too old is given up."""
    oldest_ns = int((now - GIVEN_UP_AFTER).timestamp() * 1e9)
    mine = (
        AlertDelivery.board == board, AlertDelivery.channel == channel, AlertDelivery.state == "waiting"
    )  # fmt: skip
    with state.session() as session:
        session.execute(
            update(AlertDelivery)
            .where(*mine, AlertDelivery.noticed_at_ns < oldest_ns)
            .values(state="given up")
        )
        rows = session.scalars(
            select(AlertDelivery).where(*mine).order_by(AlertDelivery.delivery_id).limit(MOST_AT_ONCE)
        ).all()
        return [(row.delivery_id, _read(row.change)) for row in rows]


def _read(text: str) -> Change:
    told: dict[str, Any] = orjson.loads(text)
    return Change(**told)


def sent(state: State, delivery_ids: Sequence[int]) -> None:
    """Note that deliveries arrived."""
    with state.session() as session:
        session.execute(
            update(AlertDelivery).where(AlertDelivery.delivery_id.in_(delivery_ids)).values(state="sent")
        )

"""What is said of changes: Slack's payload, our own JSON, and a plain-text mail.

Sentences may quote telemetry, so every text is hostile: & < > are escaped where Slack reads markup, what chat systems
take for a link or a mention is broken up, and nothing can begin a new line or a new header.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import orjson

from core.alerts.changes import Change
from core.amounts import count, interval, number
from core.check_result import one_line
from core.projects import DEFAULT

LONGEST = 1500
"""Characters of a sentence; Slack takes 3,000 in a block."""
_APART = "\u200b"
"""Zero width: text reads the same, and is no link and no mention any more."""


def subject(changes: Sequence[Change], project: str = DEFAULT) -> str:
    """The news in one line, out of our own words only; another project than the default one is named.

    A title and a status are ours; what is reported is not, and stays out of subjects and notifications.
    """
    who = "Trueup" if project == DEFAULT else f"Trueup, {project}"
    if len(changes) == 1:
        (one,) = changes
        return f"{who}: {one.status} (was {one.before}): {one.title}"
    worst = [one for one in changes if one.status == "broken"]
    told = f", {len(worst)} now broken" if worst else ""
    return f"{who}: {len(changes)} findings changed{told}"


def harmless(text: object) -> str:
    """One line of text that no chat or mail program makes a link or a mention of.

    >>> harmless("see https://x.example [a](b) @all\\n<!channel>").replace("\\u200b", "·")
    'see https:·//x.example [a]·(b) @·all <!channel>'
    """
    shown = one_line(text)
    if len(shown) > LONGEST:
        shown = f"{shown[:LONGEST]}…"
    for found, apart in (("://", f":{_APART}//"), ("](", f"]{_APART}("), ("@", f"@{_APART}")):
        shown = shown.replace(found, apart)
    return shown


def slack_escaped(text: object) -> str:
    """Harmless text with the three characters Slack's markup begins with as entities.

    >>> slack_escaped("a <!channel> & b")
    'a &lt;!channel&gt; &amp; b'
    """
    return harmless(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def lines_of(change: Change) -> list[str]:
    """A change in lines of harmless text."""
    gap = number(change.gap, change.unit) if change.gap is not None else "unknown"
    if change.low is not None and change.high is not None:
        gap += f" ({change.bounds} {interval(change.low, change.high, change.unit)})"
    missing = [f"Missing: {change.missing}"] if change.missing else []
    lines = [
        f"Reported: {change.reported}",
        f"Supported: {change.supported}",
        f"Gap: {gap}, n {count(change.n)}",
        change.sentence,
        *missing,
        f"As of import {change.as_of}, found {change.found_at}",
    ]
    return [harmless(line) for line in lines]


def slack_body(changes: Sequence[Change], project: str = DEFAULT) -> bytes:
    """A message for Slack's incoming webhooks. Text is plain, but for the link, which is ours."""
    blocks: list[dict[str, Any]] = []
    for one in changes:
        said = slack_escaped(f"{one.status} (was {one.before}): {one.title}")
        inside = "\n".join([said, *(slack_escaped(line) for line in lines_of(one))])
        plain = {"type": "plain_text", "text": inside[:3000], "emoji": False}
        blocks.append({"type": "section", "text": plain})
        link = f"<{one.link.replace('&', '&amp;')}|Open with these numbers>"
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": link, "verbatim": True}]})
    text = slack_escaped(subject(changes, project))
    return orjson.dumps({"text": text, "mrkdwn": False, "unfurl_links": False, "blocks": blocks})


def json_body(changes: Sequence[Change], board: str, project: str = DEFAULT) -> bytes:
    """Our own message: texts as they are, because JSON keeps them apart from everything else."""
    told: dict[str, Any] = {"event": "findings.changed", "board": board, "project": project}
    told |= {"changes": [one._asdict() for one in changes]}
    return orjson.dumps(told)


def mail(
    changes: Sequence[Change],
    sender: str,
    recipients: Sequence[str],
    now: dt.datetime,
    project: str = DEFAULT,
) -> EmailMessage:
    """A plain-text mail; the same changes have the same Message-ID."""
    message = EmailMessage(policy=policy.SMTP)
    message["Subject"] = one_line(subject(changes, project))
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{changes[0].id}.{len(changes)}@{sender.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    parts = [
        "\n".join([harmless(f"{one.status} (was {one.before}): {one.title}"), *lines_of(one), one.link])
        for one in changes
    ]
    message.set_content("\n\n".join(parts) + "\n", charset="utf-8")
    return message

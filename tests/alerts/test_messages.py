"""What is said: complete, and with nothing in it that a chat, a mail program or a header would obey."""

from __future__ import annotations

import datetime as dt
import email
import json
from email import policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.alerts.changes import Change
from core.alerts.messages import harmless, json_body, mail, slack_body, slack_escaped, subject

LINK = "https://trueup.example.org/retry_ledger?from=2026-10-26&to=2026-11-22&as_of=3"
CHANGE = Change(
    id="c" * 32, audit="retry-ledger", title="The retry ledger", before="holds", status="broken",
    reported="1,000 calls", supported="1,250 attempts", gap=0.25, low=0.2, high=0.3, unit="share", bounds="95%",
    n=1000, sentence="Attempts are 25% more than calls.", missing="", as_of=3, found_at="2026-11-25T12:00:00+00:00",
    newest_day="2026-11-22", link=LINK,
)  # fmt: skip
NOW = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
HOSTILE = (
    "<!channel> <https://evil.example|Click> & *bold* [x](https://evil.example) @everyone\r\n"
    "Bcc: all@example.org\r\n\r\n<b>\x1b[31m\u202e"
)


def parsed(message: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(message, policy=policy.default)  # type: ignore[return-value]


def test_slack_gets_text_and_blocks() -> None:
    body = json.loads(slack_body([CHANGE]))
    assert body["text"] == "Trueup: broken (was holds): The retry ledger"
    section, context = body["blocks"]
    assert section["text"]["type"] == "plain_text"
    for part in (
        "1,000 calls",
        "1,250 attempts",
        "Gap: 25.0% (95% [20.0%, 30.0%]), n 1,000",
        CHANGE.sentence,
    ):
        assert part in section["text"]["text"]
    assert context["elements"][0]["text"] == f"<{LINK.replace('&', '&amp;')}|Open with these numbers>"


def test_hostile_text_is_only_text_in_slack() -> None:
    body = json.loads(slack_body([CHANGE._replace(sentence=HOSTILE, reported=HOSTILE, missing=HOSTILE)]))
    assert "evil" not in body["text"]
    said = body["blocks"][0]["text"]["text"]
    for markup in ("<", ">", "://", "](", "@everyone", "@channel", "\r", "\x1b", "\u202e"):
        assert markup not in said, markup
    assert said.count("\n") == 6  # one a line of ours
    assert "&lt;!channel&gt;" in said
    (context,) = body["blocks"][1]["elements"]
    assert context["text"].count("<") == context["text"].count(">") == 1


@given(st.text(max_size=300))
def test_no_text_can_open_markup(text: str) -> None:
    shown = slack_escaped(text)
    assert not set(shown) & {"<", ">", "\n", "\r", "\x00"}
    assert "://" not in harmless(text)
    assert "](" not in harmless(text)


def test_our_own_json_has_the_texts_as_they_are() -> None:
    body = json.loads(json_body([CHANGE._replace(sentence=HOSTILE)], "https://trueup.example.org"))
    assert (body["event"], body["board"]) == ("findings.changed", "https://trueup.example.org")
    assert body["changes"] == [CHANGE._replace(sentence=HOSTILE)._asdict()]


def test_a_mail_is_plain_text_with_the_link() -> None:
    message = parsed(mail([CHANGE], "trueup@example.org", ["a@example.org", "b@example.org"], NOW).as_bytes())
    assert message["Subject"] == "Trueup: broken (was holds): The retry ledger"
    assert message["To"] == "a@example.org, b@example.org"
    assert message["Message-ID"] == f"<{'c' * 32}.1@example.org>"
    assert message.get_content_type() == "text/plain"
    assert LINK in message.get_content()
    assert "Reported: 1,000 calls" in message.get_content()


def test_no_header_and_no_line_comes_from_telemetry() -> None:
    hostile = CHANGE._replace(sentence=HOSTILE, title=f"T\r\nBcc: x@example.org{HOSTILE}", reported=HOSTILE)
    message = parsed(mail([hostile], "trueup@example.org", ["a@example.org"], NOW).as_bytes())
    assert set(message.keys()) == {
        "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding",
        "MIME-Version",
    }  # fmt: skip
    assert "\n" not in message["Subject"]
    assert not [line for line in message.get_content().splitlines() if line.startswith("Bcc")]
    assert message.get_content_type() == "text/plain"


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["broken", "watch"], "Trueup: 2 findings changed, 1 now broken"),
        (["holds", "holds", "cannot tell"], "Trueup: 3 findings changed"),
    ],
)
def test_several_changes_are_one_message(statuses: list[str], expected: str) -> None:
    changes = [CHANGE._replace(status=status) for status in statuses]
    assert subject(changes) == expected
    assert len(json.loads(slack_body(changes))["blocks"]) == 2 * len(changes)

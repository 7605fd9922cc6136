"""How changes leave the process: an HTTP webhook and SMTP. Each try is one message; who calls decides when to try again."""

from __future__ import annotations

import datetime as dt
import os
import smtplib
import ssl
from collections.abc import Callable, Sequence
from functools import partial

from core.alerts.changes import Change
from core.alerts.messages import json_body, mail, slack_body
from core.post import TIMEOUT_S, NotSent, post
from core.settings import Settings

Send = Callable[[Sequence[Change], str], None]
"""send(changes, board): raises NotSent."""


def channels(settings: Settings) -> dict[str, Send]:
    """Every configured channel by name."""
    found: dict[str, Send] = {}
    if settings.alert_webhook_url:
        found["webhook"] = partial(send_webhook, settings)
    if settings.alert_email_to:
        found["email"] = partial(send_mail, settings)
    return found


def send_webhook(settings: Settings, changes: Sequence[Change], board: str) -> None:
    """Post one message; raises NotSent."""
    is_slack = settings.alert_webhook_format == "slack"
    body = slack_body(changes, settings.project) if is_slack else json_body(changes, board, settings.project)
    headers = {"content-type": "application/json", "user-agent": "trueup", "idempotency-key": changes[0].id}
    post(settings.alert_webhook_url, body, headers)


def send_mail(settings: Settings, changes: Sequence[Change], board: str) -> None:
    """Send one mail; raises NotSent."""
    if not settings.smtp_host:
        raise NotSent("alert_email_to is set and smtp_host is not; name the server that takes the mails")
    sender = settings.alert_email_from or settings.alert_email_to[0]
    message = mail(changes, sender, settings.alert_email_to, dt.datetime.now(dt.UTC), settings.project)
    try:
        with _connected(settings) as server:
            _sign_in(server, settings)
            refused = server.send_message(message, sender, settings.alert_email_to)
    except (OSError, smtplib.SMTPException, UnicodeError) as error:
        raise NotSent(f"the mail server: {_told(error)}") from None
    if refused:  # those who were accepted have it: sending again would tell them twice
        raise Refused(f"the mail server refused {len(refused)} of {len(settings.alert_email_to)} recipients")


class Refused(NotSent):
    """It arrived, though not at all of its recipients: told, and not sent again."""


def _connected(settings: Settings) -> smtplib.SMTP:
    at = (settings.smtp_host, settings.smtp_port)
    if settings.smtp_tls == "tls":
        return smtplib.SMTP_SSL(*at, timeout=TIMEOUT_S, context=ssl.create_default_context())
    server = smtplib.SMTP(*at, timeout=TIMEOUT_S)
    if settings.smtp_tls == "starttls":
        try:
            server.starttls(context=ssl.create_default_context())
        except BaseException:
            server.close()
            raise
    return server


def _sign_in(server: smtplib.SMTP, settings: Settings) -> None:
    if not settings.smtp_user:
        return
    if settings.smtp_tls == "none":
        raise NotSent("smtp_user is set and smtp_tls is none: the password would cross in the open")
    password = os.environ.get(settings.smtp_password_env) if settings.smtp_password_env else None
    if password is None:
        raise NotSent(
            "smtp_user is set, and the environment variable that smtp_password_env names holds no password"
        )
    server.login(settings.smtp_user, password)


def _told(error: Exception) -> str:
    """The kind of error and its code: a server's own words may quote what was sent."""
    code = getattr(error, "smtp_code", None)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "it refused every recipient"
    if isinstance(code, int):
        return f"it answered {code} ({type(error).__name__})"
    return error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__

"""Readers of settings that say where something is sent and with what: addresses, hosts, headers.

They are strict: what is sent out must go where it was meant to go. The other settings' readers are core.setting_values.

Nothing here may carry a line end into a header, or another protocol than HTTP into a request.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_MAILBOX = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)*"
)
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")
_PATH = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def web_address(value: object) -> str:
    """An http or https address without a fragment, or nothing.

    >>> web_address("https://hooks.example.org/services/T0/B0"), web_address("")
    ('https://hooks.example.org/services/T0/B0', '')
    """
    text = _one_line(value)
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "#" in text or " " in text or not text.isascii():
        raise ValueError("write an address that begins with https:// or http://")
    return text


def spark_address(value: object) -> str:
    """sc://host:port of a Spark Connect server without anything behind it, or nothing; the port is 15002 unless given.

    >>> spark_address("sc://spark.example.org"), spark_address("sc://127.0.0.1:15002/")
    ('sc://spark.example.org:15002', 'sc://127.0.0.1:15002')
    """
    text = _one_line(value)
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        port, host = parts.port or 15_002, parts.hostname or ""
    except ValueError:
        raise ValueError("write sc://host:15002") from None
    if parts.scheme != "sc" or not _HOST.fullmatch(host) or "@" in text or parts.path not in ("", "/"):
        raise ValueError(
            "write sc://host:15002 and nothing behind it; the token has a setting of its own, engine_token"
        )
    return f"sc://[{host}]:{port}" if ":" in host else f"sc://{host}:{port}"


def base_address(value: object) -> str:
    """The address people open the app at, without the slash at its end.

    >>> base_address("https://trueup.example.org/team/")
    'https://trueup.example.org/team'
    """
    text = web_address(value)
    if "?" in text:
        raise ValueError("write the app's address without a query")
    return text.rstrip("/")


def path(value: object) -> str:
    """A path such as /trueup, or nothing; `team/trueup/` is /team/trueup.

    >>> path("team/trueup/"), path("/")
    ('/team/trueup', '')
    """
    text = _one_line(value).strip("/")
    if text and not _PATH.fullmatch(text):
        raise ValueError("write a path such as /trueup: letters, digits, '-', '_' and '/' between them")
    return f"/{text}" if text else ""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine as only it can reach it.

    >>> [is_loopback(host) for host in ("localhost", "127.0.0.2", "::1", "0.0.0.0", "evil.example")]
    [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def mailboxes(value: object) -> tuple[str, ...]:
    """Bare e-mail addresses; in the environment separated by commas.

    >>> mailboxes("oncall@example.org, eval@example.org")
    ('oncall@example.org', 'eval@example.org')
    """
    if value is None:
        return ()
    texts = value.split(",") if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("write a list of e-mail addresses (in the environment: separated by commas)")
    found = tuple(text.strip() for text in texts if text.strip())
    wrong = [text for text in found if not _MAILBOX.fullmatch(text)]
    if wrong:
        raise ValueError(f"{wrong[0][:80]!r} is not a bare e-mail address such as oncall@example.org")
    return found


def mailbox(value: object) -> str:
    """One bare e-mail address, or nothing."""
    found = mailboxes(value)
    if len(found) > 1:
        raise ValueError("write one e-mail address")
    return found[0] if found else ""


def host(value: object) -> str:
    """A host name or IP address, or nothing."""
    text = _one_line(value)
    if text and not _HOST.fullmatch(text):
        raise ValueError("write a host name such as smtp.example.org")
    return text


def variable(value: object) -> str:
    """The name of an environment variable, or nothing."""
    text = _one_line(value)
    if text and not _VARIABLE.fullmatch(text):
        raise ValueError("write the name of an environment variable such as SMTP_PASSWORD, not the password")
    return text


def headers(value: object) -> str:
    """Headers as OpenTelemetry writes them: `name=value`, separated by commas; or nothing."""
    text = _one_line(value)
    header_pairs(text)
    return text


def header_pairs(text: str) -> dict[str, str]:
    """The headers in such a text; raises ValueError.

    >>> header_pairs("authorization=Bearer abc,x-team=ml")
    {'authorization': 'Bearer abc', 'x-team': 'ml'}
    """
    pairs = [one.partition("=") for one in text.split(",") if one.strip()]
    for name, equals, content in pairs:
        if not equals or not _HEADER.fullmatch(name.strip()) or not content.isascii():
            raise ValueError("write name=value, several separated by commas")
    return {name.strip(): content.strip() for name, _, content in pairs}


def _one_line(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError("write a text")
    text = value.strip()
    if not text.isprintable():
        raise ValueError("write one line without control characters")
    return text

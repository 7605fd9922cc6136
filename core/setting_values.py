"""How each setting's text is read: every reader answers the value, or a ValueError that says what to write instead.

core.addresses has the readers of settings that say where something is sent.
"""

from __future__ import annotations

import hashlib
import ipaddress
import zoneinfo
from collections.abc import Callable
from pathlib import Path

SHORTEST_TOKEN = 16
"""Characters: with fewer a token can be tried out over the network."""


def folder(value: object) -> Path:
    """A folder, which need not exist; ~ is the user's own."""
    return Path(text_of(value)).expanduser()


def existing_file(value: object) -> Path | None:
    """A file that exists, or none."""
    if value is None or value == "":
        return None
    path = Path(text_of(value)).expanduser()
    if not path.is_file():
        raise ValueError(f"{path} is not a file; give the path of an existing one or leave the setting out")
    return path


def text_of(value: object) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("write a text that is not empty")
    return value.strip()


def ip_address(value: object) -> str:
    """An IP address; localhost is 127.0.0.1."""
    text = text_of(value)
    if text == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("write an IP address such as 127.0.0.1 or 0.0.0.0") from None


def whole(low: int, high: int) -> Callable[[object], int]:
    """A reader of whole numbers from `low` to `high`."""

    def read(value: object) -> int:
        try:
            number = int(value) if isinstance(value, int | str) and not isinstance(value, bool) else None
        except ValueError:
            number = None
        if number is None or not low <= number <= high:
            raise ValueError(f"write a whole number from {low} to {high}")
        return number

    return read


def days_or_none(value: object) -> int | None:
    """Days, or none."""
    return None if value is None or value == "" else whole(1, 36_500)(value)


def seconds(value: object) -> float:
    """Seconds from 0.1 to 3600."""
    try:
        number = float(value) if isinstance(value, int | float | str) else 0.0
    except ValueError:
        number = 0.0
    if not 0.1 <= number <= 3600:
        raise ValueError("write seconds from 0.1 to 3600")
    return number


def switch(value: object) -> bool:
    """Yes or no."""
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    answer = words.get(str(value).strip().lower())
    if answer is None:
        raise ValueError("write true or false")
    return answer


def currency(value: object) -> str:
    """An ISO 4217 code."""
    text = text_of(value)
    if len(text) != 3 or not text.isascii() or not text.isalpha() or text != text.upper():
        raise ValueError("write three capital letters (ISO 4217), such as USD")
    return text


def time_zone(value: object) -> str:
    """An IANA name."""
    text = text_of(value)
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("write an IANA name such as UTC or Europe/Berlin") from None
    return text


def one_of(*words: str) -> Callable[[object], str]:
    """A reader of one of several words."""

    def read(value: object) -> str:
        text = str(value).strip().lower()
        if text not in words:
            raise ValueError(f"write {', '.join(words[:-1])} or {words[-1]}")
        return text

    return read


def optional_text(value: object) -> str:
    """A text, or nothing."""
    return "" if value is None or value == "" else text_of(value)


def names(value: object) -> tuple[str, ...]:
    """A list of texts; in the environment separated by commas."""
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise ValueError("write a list of texts (in the environment: separated by commas)")
    return tuple(one.strip() for one in listed if one.strip())


def token_hashes(value: object) -> tuple[str, ...]:
    """SHA-256 of each token: the token itself is never kept. `sha256:<64 hex>` passes a hash instead."""
    tokens = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise ValueError("write a list of texts (in the environment: separated by commas)")
    return tuple(_token_hash(token) for token in tokens)


def _token_hash(token: str) -> str:
    if token.startswith("sha256:"):
        digits = token.removeprefix("sha256:").lower()
        if len(digits) != 64 or any(digit not in "0123456789abcdef" for digit in digits):
            raise ValueError("after sha256: write the 64 hexadecimal digits of the token's SHA-256")
        return digits
    if len(token) < SHORTEST_TOKEN:
        raise ValueError(f"a token has {len(token)} characters; use at least {SHORTEST_TOKEN}")
    return hashlib.sha256(token.encode()).hexdigest()


class Secret(str):
    """A text that may hold a password: printing settings must not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'(hidden)'" if self else "''"


def database(value: object) -> Secret:
    """A SQLAlchemy URL of PostgreSQL or SQLite, or nothing."""
    text = "" if value is None or value == "" else text_of(value)
    if text and not text.startswith(("postgresql+psycopg://", "sqlite:///")):
        raise ValueError("write postgresql+psycopg://user:password@host/database or sqlite:///file")
    return Secret(text)


def secret(read: Callable[[object], str]) -> Callable[[object], Secret]:
    """A reader whose text is hidden when settings are printed."""
    return lambda value: Secret(read(value))

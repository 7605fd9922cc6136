"""What an operator decides, read once: environment over trueup.toml over defaults.

Each setting is one field of `Settings`; its default, how its text is read and its line in docs/settings.md come
from there. An unknown key or a bad value stops the start, because a misspelt token list would otherwise leave
the door open.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import ipaddress
import os
import tomllib
import zoneinfo
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PREFIX = "TRUEUP_"
CONFIG_VARIABLE = "TRUEUP_CONFIG"
CONFIG_NAME = "trueup.toml"
STORE_NAME = "trueup.duckdb"
SHORTEST_TOKEN = 16
"""Characters: with fewer a token can be tried out over the network."""


class BadSetting(ValueError):
    """A setting that cannot be used; the message names it, where it came from and what to write instead."""


def _folder(value: object) -> Path:
    return Path(_text(value)).expanduser()


def _file(value: object) -> Path | None:
    if value is None or value == "":
        return None
    path = Path(_text(value)).expanduser()
    if not path.is_file():
        raise ValueError(f"{path} is not a file; give the path of an existing one or leave the setting out")
    return path


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("write a text that is not empty")
    return value.strip()


def _address(value: object) -> str:
    text = _text(value)
    if text == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("write an IP address such as 127.0.0.1 or 0.0.0.0") from None


def _whole(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        try:
            number = int(value) if isinstance(value, int | str) and not isinstance(value, bool) else None
        except ValueError:
            number = None
        if number is None or not low <= number <= high:
            raise ValueError(f"write a whole number from {low} to {high}")
        return number

    return read


def _days_or_none(value: object) -> int | None:
    return None if value is None or value == "" else _whole(1, 36_500)(value)


def _seconds(value: object) -> float:
    try:
        number = float(value) if isinstance(value, int | float | str) else 0.0
    except ValueError:
        number = 0.0
    if not 0.1 <= number <= 3600:
        raise ValueError("write seconds from 0.1 to 3600")
    return number


def _switch(value: object) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    switch = words.get(str(value).strip().lower())
    if switch is None:
        raise ValueError("write true or false")
    return switch


def _currency(value: object) -> str:
    text = _text(value)
    if len(text) != 3 or not text.isascii() or not text.isalpha() or text != text.upper():
        raise ValueError("write three capital letters (ISO 4217), such as USD")
    return text


def _time_zone(value: object) -> str:
    text = _text(value)
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("write an IANA name such as UTC or Europe/Berlin") from None
    return text


def _token(value: object) -> str:
    return "" if value is None or value == "" else _text(value)


def _token_hashes(value: object) -> tuple[str, ...]:
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


def _database(value: object) -> Secret:
    text = "" if value is None or value == "" else _text(value)
    if text and not text.startswith(("postgresql+psycopg://", "sqlite:///")):
        raise ValueError("write postgresql+psycopg://user:password@host/database or sqlite:///file")
    return Secret(text)


def _setting(default: Any, read: Callable[[object], object], doc: str) -> Any:
    return dataclasses.field(default=default, metadata={"read": read, "doc": doc})


@dataclasses.dataclass(frozen=True)
class Settings:
    """Every setting with its default. Tokens are SHA-256 hashes, so printing settings reveals none."""

    data_dir: Path = _setting(Path("data"), _folder, "Folder of the ledger file.")
    bind_address: str = _setting("127.0.0.1", _address, "Address the app listens on.")
    port: int = _setting(8501, _whole(1, 65_535), "Port the app listens on.")
    ingest_tokens: tuple[str, ...] = _setting(
        (), _token_hashes, "Bearer tokens that may send data; none = open."
    )
    read_tokens: tuple[str, ...] = _setting(
        (), _token_hashes, "Bearer tokens that may read /api/; none = open."
    )
    client_token: str = _setting("", _token, "Bearer token the command line sends to a running app.")
    retention_days: int | None = _setting(None, _days_or_none, "Days of telemetry to keep; none = for ever.")
    body_limit_mib: int = _setting(64, _whole(1, 1024), "Largest OTLP body after decompression, MiB.")
    file_limit_mib: int = _setting(4096, _whole(1, 1_048_576), "Largest file sent to /api/ingest, MiB.")
    queue_limit: int = _setting(
        256, _whole(1, 100_000), "Batches that may wait for the writer before senders get 429."
    )
    derive_seconds: float = _setting(
        1.0, _seconds, "Seconds between looks for new imports to derive calls from."
    )
    sql_sources: Path | None = _setting(
        None, _file, "TOML file of databases whose bills are read; none = the feature is off."
    )
    state_url: str = _setting(
        Secret(""),
        _database,
        "SQLAlchemy URL of the database of what people make; none = SQLite in data_dir.",
    )
    watch_folder: Path | None = _setting(None, _folder, "Folder whose files are read in as they appear.")
    watch_seconds: float = _setting(10.0, _seconds, "Seconds between looks at the watched folder.")
    capture_content: bool = _setting(False, _switch, "Keep prompts, completions and tool arguments.")
    price_overrides: Path | None = _setting(
        None, _file, "TOML file with dated prices that win over the catalogue."
    )
    currency: str = _setting(
        "USD",
        _currency,
        "Currency of the bills to compare, never converted; catalogue prices are used for USD only.",
    )
    time_zone: str = _setting("UTC", _time_zone, "Time zone pages show instants in; days stay UTC.")

    @property
    def store_path(self) -> Path:
        """The ledger file."""
        return self.data_dir / STORE_NAME

    @property
    def body_limit(self) -> int:
        """Bytes of one OTLP body."""
        return self.body_limit_mib * 1024 * 1024

    @property
    def file_limit(self) -> int:
        """Bytes of one file."""
        return self.file_limit_mib * 1024 * 1024


FIELDS = {field.name: field for field in dataclasses.fields(Settings)}


def read_settings(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """The settings in force; raises BadSetting. `folder` is where trueup.toml is looked for (default: here)."""
    variables = os.environ if environment is None else environment
    values = _from_file(variables, folder or Path.cwd())
    values.update(_from_environment(variables))
    return Settings(**values)


def _from_file(variables: Mapping[str, str], folder: Path) -> dict[str, Any]:
    named = variables.get(CONFIG_VARIABLE)
    path = Path(named) if named else folder / CONFIG_NAME
    if not path.is_file():
        if named:
            raise BadSetting(f"{CONFIG_VARIABLE} names {path}, which is not a file. Correct or unset it.")
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSetting(f"{path} is not valid TOML: {error}. Correct that line.") from error
    return {key: _read(key, value, f"{path}: {key}") for key, value in table.items()}


def _from_environment(variables: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, text in variables.items():
        if variable.startswith(PREFIX) and variable != CONFIG_VARIABLE:
            key = variable.removeprefix(PREFIX).lower()
            values[key] = _read(key, text, f"environment variable {variable}")
    return values


def _read(key: str, value: object, where: str) -> object:
    field = FIELDS.get(key)
    if field is None:
        raise BadSetting(f"{where}: there is no such setting. Known settings: {', '.join(FIELDS)}.")
    try:
        return field.metadata["read"](value)
    except ValueError as error:
        shown = "(hidden)" if "token" in key or "url" in key else repr(value)
        raise BadSetting(f"{where} is {shown}: {error}.") from error


def token_matches(presented: str, hashes: tuple[str, ...]) -> bool:
    """Whether the token is one of the hashed ones, in a time that does not depend on which or how much of it."""
    digest = hashlib.sha256(presented.encode("utf-8", "surrogateescape")).hexdigest()
    matches = [hmac.compare_digest(digest, known) for known in hashes]
    return any(matches)

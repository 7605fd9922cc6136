"""What an operator decides, read once: environment over trueup.toml over defaults.

Each setting is one field of `Settings`; its default, how its text is read and its line in docs/settings.md come
from there. An unknown key or a bad value stops the start, because a misspelt token list would otherwise leave
the door open.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from core import addresses
from core import setting_values as values
from core.projects import DEFAULT, PerProject
from core.setting_values import Secret

PREFIX = "TRUEUP_"
CONFIG_VARIABLE = "TRUEUP_CONFIG"
CONFIG_NAME = "trueup.toml"
STORE_NAME = "trueup.duckdb"
_HIDDEN = ("token", "url", "headers", "password", "engine")
"""Parts of names of settings whose values an error must not show."""


class BadSetting(ValueError):
    """A setting that cannot be used; the message names it, where it came from and what to write instead."""


def _setting(default: Any, read: Callable[[object], object], doc: str) -> Any:
    return dataclasses.field(default=default, metadata={"read": read, "doc": doc})


@dataclasses.dataclass(frozen=True)
class Settings:
    """Every setting with its default. Tokens are SHA-256 hashes, so printing settings reveals none."""

    data_dir: Path = _setting(Path("data"), values.folder, "Folder of the ledger file.")
    backup_dir: Path | None = _setting(
        None, values.folder, "Folder the app writes backups to; none = backups in data_dir."
    )
    bind_address: str = _setting("127.0.0.1", values.ip_address, "Address the app listens on.")
    port: int = _setting(8501, values.whole(1, 65_535), "Port the app listens on.")
    grpc_port: int = _setting(4317, values.whole(0, 65_535), "Port of OTLP/gRPC; 0 = not served.")
    ingest_tokens: tuple[str, ...] = _setting(
        (), values.token_hashes, "Bearer tokens that may send data; none = open."
    )
    read_tokens: tuple[str, ...] = _setting(
        (), values.token_hashes, "Bearer tokens that may read /api/; none = open."
    )
    role_claim: str = _setting("roles", values.text_of, "Claim of a sign-in that holds a person's roles.")
    viewers: tuple[str, ...] = _setting((), values.names, "Claim values or e-mail addresses that may look.")
    editors: tuple[str, ...] = _setting((), values.names, "Those that may change what is kept too.")
    admins: tuple[str, ...] = _setting((), values.names, "Those that may make tokens and read the log too.")
    session_hours: int = _setting(12, values.whole(1, 720), "Hours a sign-in lasts.")
    base_path: str = _setting("", addresses.path, "Path under which a proxy serves the app.")
    client_token: str = _setting(
        "", values.optional_text, "Bearer token the command line sends to a running app."
    )
    retention_days: int | None = _setting(
        None, values.days_or_none, "Days of telemetry to keep; none = for ever."
    )
    body_limit_mib: int = _setting(64, values.whole(1, 1024), "Largest OTLP body after decompression, MiB.")
    file_limit_mib: int = _setting(4096, values.whole(1, 1_048_576), "Largest file sent to /api/ingest, MiB.")
    queue_limit: int = _setting(
        256, values.whole(1, 100_000), "Batches that may wait for the writer before senders get 429."
    )
    ingest_memory_mib: int = _setting(
        128, values.whole(1, 65_536), "MiB of OTLP bodies held at once before senders get 429."
    )
    derive_seconds: float = _setting(
        1.0, values.seconds, "Seconds between looks for new imports to derive calls from."
    )
    worker_processes: int = _setting(
        1, values.whole(0, 64), "Python processes beside the app that decode, derive and measure; 0 = none."
    )
    sql_sources: Path | None = _setting(
        None, values.existing_file, "TOML file of databases whose bills are read; none = the feature is off."
    )
    state_url: str = _setting(
        Secret(""),
        values.database,
        "SQLAlchemy URL of the database of what people make; none = SQLite in data_dir.",
    )
    watch_folder: Path | None = _setting(
        None, values.folder, "Folder whose files are read in as they appear."
    )
    watch_seconds: float = _setting(10.0, values.seconds, "Seconds between looks at the watched folder.")
    capture_content: bool = _setting(False, values.switch, "Keep prompts, completions and tool arguments.")
    price_overrides: Path | None = _setting(
        None, values.existing_file, "TOML file with dated prices that win over the catalogue."
    )
    currency: str = _setting(
        "USD",
        values.currency,
        "Currency of the bills to compare, never converted; catalogue prices are used for USD only.",
    )
    time_zone: str = _setting("UTC", values.time_zone, "Time zone pages show instants in; days stay UTC.")
    public_url: str = _setting(
        "", addresses.base_address, "Address people open the app at; none = where it listens."
    )
    alert_webhook_url: str = _setting(
        Secret(""), values.secret(addresses.web_address), "Where changes of status are posted."
    )
    alert_webhook_format: str = _setting("slack", values.one_of("slack", "json"), "What is posted there.")
    alert_email_to: tuple[str, ...] = _setting((), addresses.mailboxes, "Who is told of changes of status.")
    alert_email_from: str = _setting(
        "", addresses.mailbox, "Sender of those mails; none = their first recipient."
    )
    smtp_host: str = _setting("", addresses.host, "Server that takes the mails.")
    smtp_port: int = _setting(587, values.whole(1, 65_535), "Its port.")
    smtp_tls: str = _setting(
        "starttls", values.one_of("starttls", "tls", "none"), "How its connection is kept private."
    )
    smtp_user: str = _setting("", values.optional_text, "User at that server; none = no sign-in.")
    smtp_password_env: str = _setting(
        "", addresses.variable, "Environment variable that holds the user's password."
    )
    otlp_metrics_endpoint: str = _setting(
        "", addresses.web_address, "Where findings are sent as OTLP metrics."
    )
    otlp_metrics_headers: str = _setting(
        Secret(""), values.secret(addresses.headers), "Headers of what is sent there."
    )
    engine: str = _setting(
        "", addresses.spark_address, "Spark Connect server that answers instead of this process."
    )
    engine_token: str = _setting(Secret(""), values.secret(values.optional_text), "The token it wants.")
    lake: str = _setting(
        "",
        values.optional_text,
        "Folder of the exported ledger, as export-lake writes and Spark's workers read it.",
    )

    project: str = DEFAULT
    """Whose settings these are; no setting itself: core.project_folders makes those of the others."""

    @property
    def store_path(self) -> Path:
        """The ledger file."""
        return self.data_dir / STORE_NAME

    @property
    def backups_path(self) -> Path:
        """Where the app writes backups."""
        return self.backup_dir or self.data_dir / "backups"

    @property
    def body_limit(self) -> int:
        """Bytes of one OTLP body."""
        return self.body_limit_mib * 1024 * 1024

    @property
    def file_limit(self) -> int:
        """Bytes of one file."""
        return self.file_limit_mib * 1024 * 1024


FIELDS = {field.name: field for field in dataclasses.fields(Settings) if "read" in field.metadata}


def read_settings(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """The settings in force; raises BadSetting. `folder` is where trueup.toml is looked for (default: here)."""
    variables = os.environ if environment is None else environment
    values = read_file(*_config_file(variables, folder or Path.cwd()))
    values.update(_from_environment(variables))
    return Settings(**values)


def _config_file(variables: Mapping[str, str], folder: Path) -> tuple[Path, bool]:
    """The file of settings, and whether it has to be there."""
    named = variables.get(CONFIG_VARIABLE)
    return (Path(named), True) if named else (folder / CONFIG_NAME, False)


def read_file(path: Path, named: bool = False) -> dict[str, Any]:
    """The settings of a file; raises BadSetting, also for a missing one that was named."""
    if not path.is_file():
        if named:
            raise BadSetting(f"{CONFIG_VARIABLE} names {path}, which is not a file. Correct or unset it.")
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
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
        shown = "(hidden)" if any(part in key for part in _HIDDEN) else repr(value)
        raise BadSetting(f"{where} is {shown}: {error}.") from error


_published = PerProject[Settings]()


def set_settings(settings: Settings | None) -> None:
    """Publish the settings of the project whose turn it is, or withdraw them with None."""
    _published.put(settings)


def project_settings() -> Settings | None:
    """The settings of the project whose turn it is; None outside the app."""
    return _published.get()


@functools.cache
def base_path() -> str:
    """The setting of that name, read once: links on every page need it."""
    return read_settings().base_path

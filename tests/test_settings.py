"""Settings: where values come from, what is refused and how it is said."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from core.settings import FIELDS, BadSetting, Settings, read_settings
from core.web.token_table import TokenTable

TOKEN = "a-token-of-some-length"


def test_defaults_need_no_file_and_no_variables(tmp_path: Path) -> None:
    assert read_settings({}, tmp_path) == Settings()
    assert Settings().bind_address == "127.0.0.1"
    assert Settings().body_limit == 64 * 1024 * 1024
    assert not Settings().capture_content


def test_environment_wins_over_file_and_file_over_default(tmp_path: Path) -> None:
    (tmp_path / "trueup.toml").write_text('port = 9000\ncurrency = "EUR"\n')
    settings = read_settings({"TRUEUP_PORT": "9001", "HOME": "/x"}, tmp_path)
    assert (settings.port, settings.currency, settings.time_zone) == (9001, "EUR", "UTC")


def test_config_variable_names_another_file(tmp_path: Path) -> None:
    elsewhere = tmp_path / "other.toml"
    elsewhere.write_text("retention_days = 90\n")
    assert read_settings({"TRUEUP_CONFIG": str(elsewhere)}, tmp_path).retention_days == 90
    with pytest.raises(BadSetting, match=r"TRUEUP_CONFIG names .*missing\.toml, which is not a file"):
        read_settings({"TRUEUP_CONFIG": str(tmp_path / "missing.toml")}, tmp_path)


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("TRUEUP_PROT", "1", "environment variable TRUEUP_PROT: there is no such setting"),
        ("TRUEUP_PORT", "http", "TRUEUP_PORT is 'http': write a whole number from 1 to 65535"),
        ("TRUEUP_PORT", "70000", "write a whole number from 1 to 65535"),
        ("TRUEUP_PORT", "0", "write a whole number"),
        ("TRUEUP_BIND_ADDRESS", "everywhere", "write an IP address"),
        ("TRUEUP_CAPTURE_CONTENT", "maybe", "write true or false"),
        ("TRUEUP_CURRENCY", "usd", "three capital letters"),
        ("TRUEUP_TIME_ZONE", "Mars/Olympus", "write an IANA name"),
        ("TRUEUP_TIME_ZONE", "../../etc/passwd", "write an IANA name"),
        ("TRUEUP_RETENTION_DAYS", "0", "whole number from 1"),
        ("TRUEUP_DERIVE_SECONDS", "0", "write seconds from 0.1"),
        ("TRUEUP_PRICE_OVERRIDES", "/nowhere/prices.toml", "is not a file"),
        ("TRUEUP_DATA_DIR", " ", "write a text that is not empty"),
        ("TRUEUP_INGEST_TOKENS", "short", "at least 16"),
        ("TRUEUP_READ_TOKENS", "sha256:zz", "64 hexadecimal digits"),
        ("TRUEUP_BASE_PATH", "/a b", "write a path such as /trueup"),
        ("TRUEUP_BASE_PATH", "/../x", "write a path such as /trueup"),
        ("TRUEUP_SESSION_HOURS", "0", "write a whole number from 1 to 720"),
    ],
)
def test_bad_value_names_the_variable_and_the_remedy(
    variable: str, text: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(BadSetting, match=variable) as refusal:
        read_settings({variable: text}, tmp_path)
    assert words in str(refusal.value)


def test_bad_line_in_the_file_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "trueup.toml").write_text("colour = 3\n")
    with pytest.raises(BadSetting, match=r"trueup\.toml: colour: there is no such setting"):
        read_settings({}, tmp_path)
    (tmp_path / "trueup.toml").write_text("port = \n")
    with pytest.raises(BadSetting, match=r"trueup\.toml is not valid TOML"):
        read_settings({}, tmp_path)


def test_tokens_are_kept_as_hashes_only(tmp_path: Path) -> None:
    hashed = "sha256:" + hashlib.sha256(b"another-long-token").hexdigest()
    settings = read_settings({"TRUEUP_INGEST_TOKENS": f"{TOKEN}, {hashed}"}, tmp_path)
    assert TOKEN not in repr(settings)
    assert settings.ingest_tokens[1] == hashed.removeprefix("sha256:")
    doors = TokenTable(settings)
    given = [TOKEN, "another-long-token", TOKEN + "x", ""]
    assert [doors.check("ingest", f"Bearer {one}").allowed for one in given] == [True, True, False, False]


def test_a_bad_token_is_not_repeated_in_the_message(tmp_path: Path) -> None:
    with pytest.raises(BadSetting) as refusal:
        read_settings({"TRUEUP_INGEST_TOKENS": "hunter2"}, tmp_path)
    assert "hunter2" not in str(refusal.value)


def test_tokens_in_toml_are_a_list(tmp_path: Path) -> None:
    (tmp_path / "trueup.toml").write_text(f'ingest_tokens = ["{TOKEN}"]\n')
    assert TokenTable(read_settings({}, tmp_path)).check("ingest", f"bearer {TOKEN}").allowed


def test_every_default_can_be_written_down() -> None:
    for name, field in FIELDS.items():
        assert field.metadata["doc"], name


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("ALERT_WEBHOOK_URL", "ftp://hooks.example.org/secret", "(hidden): write an address that begins with https://"),
        ("ALERT_WEBHOOK_URL", "https://h.example.org/a\r\nX: y", "(hidden): write one line"),
        ("PUBLIC_URL", "https://t.example.org/?a=1", "without a query"),
        ("ALERT_EMAIL_TO", "a@example.org\nBcc: b@example.org", "is not a bare e-mail address"),
        ("ALERT_EMAIL_TO", "Team <a@example.org>", "is not a bare e-mail address"),
        ("ALERT_EMAIL_FROM", "a@example.org,b@example.org", "write one e-mail address"),
        ("ALERT_WEBHOOK_FORMAT", "teams", "write slack or json"),
        ("SMTP_TLS", "ssl", "write starttls, tls or none"),
        ("SMTP_HOST", "smtp.example.org/x", "write a host name"),
        ("SMTP_PASSWORD_ENV", "hunter2!", "(hidden): write the name of an environment variable"),
        ("OTLP_METRICS_HEADERS", "secret", "(hidden): write name=value"),
    ],
)  # fmt: skip
def test_where_things_are_sent_is_read_strictly(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(BadSetting) as refused:
        read_settings({f"TRUEUP_{name}": text}, tmp_path)
    assert words in str(refused.value)


def test_settings_print_no_secret_address() -> None:
    settings = read_settings(
        {
            "TRUEUP_ALERT_WEBHOOK_URL": "https://h.example.org/s3cret",
            "TRUEUP_OTLP_METRICS_HEADERS": "k=s3cret",
        }
    )
    assert "s3cret" not in repr(settings)
    assert settings.alert_webhook_url == "https://h.example.org/s3cret"

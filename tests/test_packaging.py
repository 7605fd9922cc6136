"""What an installation gets: pins, hashes, licences, and the files that run Trueup as a service."""

from __future__ import annotations

import configparser
import re
import tomllib

from tests.licences import LIST, PIN, ROOT, pins, table

STREAMLIT_ARGUMENTS = re.compile(r'"-m", "core", "serve"')


def test_every_pin_has_hashes_and_nothing_is_without_a_pin() -> None:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text[text.index("\naltair") + 1 :])
    assert len(blocks) == len(pins()) > 50
    for block in blocks:
        assert PIN.match(block), block[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block[:80]


def test_what_is_imported_is_what_is_pinned() -> None:
    """A pin changed in one file only would be found by nobody."""
    chosen = (ROOT / "requirements.in").read_text(encoding="utf-8")
    named = dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", chosen, re.MULTILINE))
    pinned = {name: version for name, (version, _) in pins().items()}
    assert len(named) > 20
    assert {name.lower(): version for name, version in named.items()}.items() <= pinned.items()


def test_development_pins_do_not_contradict_the_app_s() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["dev"]
    pinned = {name: version for name, (version, _) in pins().items()}
    for tool in tools:
        name, _, version = tool.partition("==")
        assert version, f"{tool} is not pinned"
        assert pinned.get(name, version) == version


def test_the_licence_list_is_what_the_packages_declare() -> None:
    assert LIST.read_text(encoding="utf-8") == table(), "run: .venv/bin/python -m tests.licences"
    assert "| None |" not in table()
    assert "UNKNOWN" not in table()


def test_the_image_runs_the_documented_command_as_a_user_without_rights() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1].partition(":")[0] not in ("root", "0")
    assert [line for line in lines if line.startswith("VOLUME ")] == ['VOLUME ["/data"]']
    assert STREAMLIT_ARGUMENTS.search(lines[-1])
    assert any("--require-hashes" in line for line in lines)


def test_the_image_holds_the_app_and_nothing_of_a_developer_s_folder() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert ignored[0] == "*"
    assert {line.removeprefix("!") for line in ignored[1:] if line.startswith("!")} == {
        "app.py", "core", "data/__init__.py", "data/demo", "data/reference", "pages", ".streamlit",
        "requirements.txt", "docs/openapi.json", "docs/recipes", "LICENSE",
    }  # fmt: skip


def test_the_service_unit_runs_the_documented_command_with_what_it_may_write() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string((ROOT / "docs/recipes/systemd/trueup.service").read_text(encoding="utf-8"))
    service = unit["Service"]
    assert service["ExecStart"].endswith("-m core serve")
    assert service["ProtectSystem"] == "strict"
    assert service["StateDirectory"] == "trueup"
    assert "TRUEUP_DATA_DIR=/var/lib/trueup" in service["Environment"]

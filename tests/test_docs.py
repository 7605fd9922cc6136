"""The documents say what the program does, in both directions."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from core.audits import every_audit
from core.cli import _parser
from core.ingest.formats import FORMATS
from core.settings import FIELDS, Settings
from core.web.guard import INGEST_PREFIXES
from core.web.process import Process
from core.web.server import routes

ROOT = Path(__file__).resolve().parents[1]
FORMAT_PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
README = ROOT / "README.md"
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
AUDITS_BEGIN, AUDITS_END = "<!-- audits:begin -->", "<!-- audits:end -->"


def documented_settings() -> dict[str, tuple[str, str]]:
    """name -> (default, meaning) of the table in docs/settings.md."""
    table = SETTINGS.split("## Addresses")[0]
    rows = re.findall(r"^\| `([a-z_]+)` \| (.+?) \| (.+) \|$", table, flags=re.MULTILINE)
    return {name: (default, meaning) for name, default, meaning in rows}


def shown_default(value: object) -> str:
    if value in (None, (), ""):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def test_every_setting_is_documented_and_nothing_else_is() -> None:
    assert list(documented_settings()) == list(FIELDS)


def test_documented_defaults_are_the_defaults() -> None:
    for name, (default, meaning) in documented_settings().items():
        assert default == shown_default(getattr(Settings(), name)), name
        assert len(meaning) > 20, name


def test_every_address_is_documented() -> None:
    process = Process(Settings(), "127.0.0.1", 8501)
    for route in routes(process):
        if "{" not in route.path:
            assert f"{route.path}`" in SETTINGS or f"{route.path}?" in SETTINGS, route.path
    writing = ("ingest", "undo", "empty-demo", "backup", "erase", "compact", "export-lake")
    assert ("/v1/", *(f"/api/{name}" for name in writing)) == INGEST_PREFIXES


def test_every_format_is_documented() -> None:
    """A heading of docs/formats.md names it: add a section with how to export it and what to know about it."""
    headings = [line for line in FORMAT_PAGE.splitlines() if line.startswith("## ")]
    for known in FORMATS:
        assert any(f"`{known.name}`" in heading for heading in headings), known.name


def readme() -> str:
    if not README.is_file():
        pytest.fail("README.md is missing")
    return README.read_text(encoding="utf-8")


def test_every_audit_is_in_the_readme_table_and_nothing_else_is() -> None:
    text = readme()
    assert AUDITS_BEGIN in text, f"README.md lacks {AUDITS_BEGIN}"
    table = text.split(AUDITS_BEGIN)[1].split(AUDITS_END)[0]
    for audit in every_audit():
        question = (audit.__doc__ or "").strip().splitlines()[0]
        assert question in table, f"README.md: add a row for {audit.__name__} between the markers: {question}"
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert len(rows) - 2 == len(every_audit())  # a header and a rule


def commands() -> list[str]:
    """Every line of a code block, and every inline piece, of README and docs/ that begins with make or python -m core."""
    texts = [readme(), *(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))]
    found: list[str] = []
    for text in texts:
        for block in re.findall(r"^```[a-z]*\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
            found += block.splitlines()
        found += re.findall(r"`([^`\n]+)`", text)
    lines = [line.strip().removeprefix("$ ") for line in found]
    return [
        line for line in lines if re.match(r"make( |$)|python -m core ", line) and not line.endswith(" ...")
    ]


def test_make_targets_in_the_documents_exist() -> None:
    targets = set(
        re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    )
    for line in commands():
        words = shlex.split(line, comments=True)
        if words[:1] == ["make"]:
            assert {word for word in words[1:] if "=" not in word} <= targets, line


def test_command_lines_in_the_documents_are_understood() -> None:
    for line in commands():
        words = shlex.split(line, comments=True)
        if words[1:3] == ["-m", "core"]:
            _parser().parse_args(words[3:])


def test_requirements_are_pinned_exactly() -> None:
    for name in ("requirements.in", "pyproject.toml"):
        text = (ROOT / name).read_text(encoding="utf-8")
        lines = text.splitlines() if name.endswith(".in") else tomllib.loads(text)["dependency-groups"]["dev"]
        for line in lines:
            wanted = line.partition("#")[0].strip()
            if wanted:
                assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", wanted), f"{name}: {line}"

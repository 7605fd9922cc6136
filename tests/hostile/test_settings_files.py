"""Files that an operator or a colleague gives, read by other readers than FORMATS: each is refused by name or used."""

from __future__ import annotations

import contextlib
import io
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import breaks
from core.export.template import BadTemplate, open_template
from core.ingest.bills import sql_config
from core.pricing import overrides
from core.settings import BadSetting, read_settings
from tests.export.test_template import corporate
from tests.hostile.mutate import byte_damage
from tests.hostile.shapes import values

PRICES = b"""
[[model]]
provider = "openai"
model = "gpt-4o-mini*"
valid_from = 2026-10-01
valid_to = 2027-10-01
input = 0.12
output = 0.48
service_tier = "default"
batch = false

[[tool]]
name = "web_search*"
per_call_usd = 0.01
"""
SOURCES = b"""
[[source]]
name = "warehouse"
url = "sqlite:///x.db"
query = "select 1"
key = ["a"]
[source.columns]
charge_period_start = "a"
billed_cost = "b"
billing_currency = "=USD"
"""
SETTINGS = b"""
port = 8501
currency = "EUR"
retention_days = 30
alert_email_to = ["a@example.org"]
"""
CALENDAR = b"2026-03-01..2026-03-02\tevery region\teffect=-0.4\tknown=2026-03-03\tOutage\n"


def _settings(path: Path) -> object:
    return read_settings({"TRUEUP_CONFIG": str(path)}, path.parent)


def _calendar(path: Path) -> object:
    return breaks.canonical(breaks.parse(path.read_bytes().decode("utf-8", "replace")))


READERS: dict[str, tuple[bytes, Callable[[Path], object], tuple[type[Exception], ...]]] = {
    "price overrides": (PRICES, overrides.load, (overrides.BadOverrides,)),
    "SQL sources": (SOURCES, sql_config.load, (sql_config.BadSource,)),
    "settings": (SETTINGS, _settings, (BadSetting,)),
    "break calendar": (CALENDAR, _calendar, (breaks.BadBreak,)),
}
"""A sound file, its reader, and the errors it documents."""


def _toml(value: Any) -> str:
    """A value as TOML may have it; what TOML does not know as a text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{len(key)}" = {_toml(inner)}' for key, inner in value.items()) + "}"
    text = str(value)[:2_000].replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(one for one in text if one.isprintable()) + '"'


@st.composite
def odd_file(draw: st.DrawFn, sound: bytes) -> bytes:
    """A line's value exchanged, a line dropped or doubled, or bytes damaged."""
    if draw(st.integers(0, 3)) == 0:
        return byte_damage(sound, Random(draw(st.integers(0, 2**32))), sound[::-1])
    lines = sound.decode().splitlines()
    at = draw(st.integers(0, len(lines) - 1))
    way = draw(st.sampled_from(("value", "value", "value", "drop", "double", "table", "deep")))
    if way == "drop":
        del lines[at]
    elif way == "double":
        lines.insert(at, lines[at])
    elif way == "table":
        lines[at] = lines[at].replace("[[", "[").replace("]]", "]")
    elif way == "deep":
        lines[at] = f"{lines[at].partition('=')[0]}= {'[' * 2_000}{']' * 2_000}"
    else:
        parts = lines[at].split("=")
        lines[at] = f"{parts[0]}= {_toml(draw(values))}"
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def fuzz(name: str, count: int, path: Path) -> None:
    sound, read, documented = READERS[name]
    path.write_bytes(sound)
    assert read(path) is not None

    @settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(odd_file(sound))
    def run(content: bytes) -> None:
        path.write_bytes(content)
        with contextlib.suppress(*documented):
            read(path)

    run()


@pytest.mark.parametrize("name", READERS)
def test_some_odd_files_of_every_other_reader(name: str, tmp_path: Path) -> None:
    fuzz(name, 60, tmp_path / "given.toml")


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_many_odd_files_of_every_other_reader(name: str, tmp_path: Path) -> None:
    fuzz(name, 5_000, tmp_path / "given.toml")


def damaged_template(sound: bytes, random: Random) -> bytes:
    """The archive whole, one of its parts damaged or gone: damage outside ends at its checksums."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(sound)) as parts,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as written,
    ):
        names = [name for name in parts.namelist() if name.endswith((".xml", ".rels"))]
        hit = random.choice(names)
        for name in parts.namelist():
            content = parts.read(name)
            if name == hit and random.random() < 0.2:
                continue
            written.writestr(name, _torn(content, random) if name == hit else content)
    return out.getvalue()


def _torn(content: bytes, random: Random) -> bytes:
    """A tag, an attribute or a number of the XML replaced; or any damage."""
    words = (
        b"sldLayout",
        b"type=",
        b"idx=",
        b"rId1",
        b"<a:off",
        b"<p:ph",
        b"cx=",
        b"Target=",
        b"ContentType=",
    )
    change = (b"x", b"", b"9" * 30, b"-1", b'"', b"&#0;", b"&a;", b'<p:ph type="title"/>')
    if random.random() < 0.7:
        return content.replace(random.choice(words), random.choice(change), random.randint(1, 3))
    return byte_damage(content, random)


def fuzz_templates(seeds: range) -> None:
    sound = corporate()
    for seed in seeds:
        content = damaged_template(sound, Random(seed))
        with contextlib.suppress(BadTemplate):
            open_template(content)


def test_some_damaged_templates() -> None:
    fuzz_templates(range(40))


@pytest.mark.slow
def test_many_damaged_templates() -> None:
    fuzz_templates(range(1_000, 3_000))


def test_the_sound_files_are_toml() -> None:
    for name in ("price overrides", "SQL sources", "settings"):
        assert tomllib.loads(READERS[name][0].decode())

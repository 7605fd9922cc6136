"""Seeded damage: the same seed damages the same way, so that a failure can be repeated from its number alone."""

from __future__ import annotations

import copy
import gzip
import json
import math
from collections.abc import Callable
from random import Random
from typing import Any

YEAR_1_NS, YEAR_9999_NS = -62_135_596_800 * 10**9, 253_402_300_799 * 10**9
TEXTS = (
    "", " ", "\x00", "\ud800", "é" * 300, "x" * 100_000, "=cmd|' /C calc'!A0", "<script>alert(1)</script>",
    "[a](javascript:alert(1)) **b**", "'; drop table spans; --", "\u202eabc\u2066", "NaN", "Infinity", "-Infinity",
    "1e400", "0x10", "١٢٣", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "10000-01-01", "null", "{}", "[]",
    "$1,204.50", "1.204,50", "true", "%s%n", "{{7*7}}", "../../etc/passwd", "\r\nX-Injected: 1",
)  # fmt: skip
NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**30, 0.1, -0.0, 1e308, math.inf, -math.inf,
    math.nan, YEAR_1_NS, YEAR_9999_NS,
)  # fmt: skip
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], {"": None}, {"a": {"b": []}})


def hostile_value(random: Random) -> Any:
    """Something a field was not meant to hold; now and then nested a hundred levels deep."""
    kind = random.randrange(12)
    if kind == 0:
        value: Any = copy.deepcopy(random.choice(OTHERS))
        for _ in range(random.choice((3, 100))):
            value = [value] if random.random() < 0.5 else {"arrayValue": {"values": [value]}}
        return value
    return copy.deepcopy(random.choice((TEXTS, NUMBERS, OTHERS)[kind % 3]))


def json_damage(document: Any, random: Random) -> Any:
    """The document with one to four places replaced, removed, doubled or renamed."""
    for _ in range(random.randint(1, 4)):
        places = list(_places(document))
        if not places:
            return hostile_value(random)
        holder, key = random.choice(places)
        change = random.randrange(5)
        if change == 0 and isinstance(holder, dict):
            del holder[key]
        elif change == 1 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        elif change == 2 and isinstance(holder, dict):
            holder[str(random.choice(TEXTS))[:50]] = holder.pop(key)
        else:
            holder[key] = hostile_value(random)
    return document


def _places(document: Any, depth: int = 0) -> Any:
    if depth > 30:
        return
    keys = (
        list(document)
        if isinstance(document, dict)
        else range(len(document))
        if isinstance(document, list)
        else ()
    )
    for key in keys:
        yield document, key
        yield from _places(document[key], depth + 1)


def json_bytes(document: Any) -> bytes:
    """As a careless writer has it: NaN and Infinity bare, lone surrogates as bytes that are no UTF-8."""
    return json.dumps(document, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass")


def byte_damage(content: bytes, random: Random, other: bytes = b"") -> bytes:
    """Flipped bits, cuts, splices with another file, doubled parts, other encodings, broken compression."""
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: content[: random.randrange(len(content) + 1)],
        lambda: content[random.randrange(len(content) + 1) :],
        lambda: _flipped(content, random),
        lambda: content[: random.randrange(len(content) + 1)] + other[random.randrange(len(other) + 1) :],
        lambda: content + content,
        lambda: content + random.randbytes(random.randrange(64)),
        lambda: random.randbytes(random.randrange(200)),
        lambda: b"\xef\xbb\xbf" + content,
        lambda: content.decode("utf-8", "replace").encode("utf-16"),
        lambda: content.replace(b"\n", b"\r\n"),
        lambda: content.replace(b",", b";").replace(b'"', b"'"),
        lambda: content[:20] + b"\x00" * random.randrange(1, 50) + content[20:],
        lambda: gzip.compress(content, 1, mtime=0),
        lambda: gzip.compress(content, 1, mtime=0)[: random.randrange(1, 40)],
        lambda: gzip.compress(content, 1, mtime=0) + b"trailing",
        lambda: gzip.compress(gzip.compress(content, 1, mtime=0), 1, mtime=0),
    )
    return random.choice(ways)()


def _flipped(content: bytes, random: Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(random.randint(1, 8)):
        if damaged:
            damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def csv_damage(content: bytes, random: Random) -> bytes:
    """Cells replaced, rows made ragged, quotes opened, columns renamed or dropped."""
    rows = [line.split(",") for line in content.decode("utf-8", "replace").splitlines()]
    for _ in range(random.randint(1, 4)):
        row = random.choice(rows) if rows else []
        if not row:
            continue
        at = random.randrange(len(row))
        change = random.randrange(5)
        if change == 0:
            del row[at]
        elif change == 1:
            row.insert(at, "extra")
        elif change == 2:
            row[at] = '"' + row[at]
        else:
            row[at] = str(hostile_value(random))[:2_000]
    return "\n".join(",".join(row) for row in rows).encode("utf-8", "surrogatepass")

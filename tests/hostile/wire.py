"""Damage that keeps protobuf's form: one field, at any depth, doubled, dropped, retyped, refilled or joined by strangers."""

from __future__ import annotations

from random import Random

Field = tuple[int, bytes]
"""A field's tag and its value: for a length-delimited one the bytes inside."""
FILLINGS = (
    b"",
    b"\x00" * 16,
    b"\xff\xfe",
    b"\xed\xa0\xbd",
    b"x" * 100_000,
    b"<script>alert(1)</script>",
    b"\x0a\x00" * 50,
)
STRANGERS: tuple[Field, ...] = (
    (127 << 3 | 2, b"new"),
    (126 << 3, b"\x01"),
    (1 << 3 | 5, b"abcd"),
    (2 << 3, b"\xff" * 9 + b"\x01"),
)


def wire_damage(message: bytes, random: Random, depth: int = 0) -> bytes:
    """The message with one change, mostly deep inside; still the wire format, seldom what the schema says."""
    fields = split(message)
    if not fields:
        return message + joined([random.choice(STRANGERS)])
    at = random.randrange(len(fields))
    tag, value = fields[at]
    if tag & 7 == 2 and depth < 9 and len(value) > 1 and random.random() < 0.75:
        try:
            fields[at] = (tag, wire_damage(value, random, depth + 1))
            return joined(fields)
        except (IndexError, ValueError):
            pass  # a text, not a message
    change = random.randrange(6)
    if change == 0:
        del fields[at]
    elif change == 1:
        fields.insert(at, fields[at])
    elif change == 2:
        fields[at] = (tag & ~7 | 2, random.choice(FILLINGS))
    elif change == 3:
        fields[at] = (tag & ~7, varint(random.choice((0, 1, 2**31, 2**63, 2**64 - 1))))
    elif change == 4:
        fields.insert(at, random.choice(STRANGERS))
    else:
        fields[at] = (tag & ~7 | 1, random.randbytes(8))
    return joined(fields)


def split(message: bytes) -> list[Field]:
    """Fields of a message; raises IndexError or ValueError when it is none."""
    fields: list[Field] = []
    at = 0
    while at < len(message):
        tag, at = number_at(message, at)
        if tag & 7 == 0:
            end = number_at(message, at)[1]
        elif tag & 7 == 2:
            size, at = number_at(message, at)
            end = at + size
        elif tag & 7 in (1, 5):
            end = at + (8 if tag & 7 == 1 else 4)
        else:
            raise ValueError("a group")
        if end > len(message) or tag >> 3 == 0:
            raise ValueError("cut short")
        fields.append((tag, message[at:end]))
        at = end
    return fields


def joined(fields: list[Field]) -> bytes:
    """Fields as a message again."""
    return b"".join(
        varint(tag) + (varint(len(value)) + value if tag & 7 == 2 else value) for tag, value in fields
    )


def varint(number: int) -> bytes:
    """A number in protobuf's form."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*written, number))


def number_at(message: bytes, at: int) -> tuple[int, int]:
    """A number in protobuf's form and where it ends; raises IndexError at the end of the bytes."""
    number = 0
    for place in range(10):
        number |= (message[at + place] & 0x7F) << 7 * place
        if message[at + place] < 0x80:
            return number, at + place + 1
    raise ValueError("a number of more than ten bytes")

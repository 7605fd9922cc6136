"""The little Markdown that notes may use: bold, italics, code, lists, and http(s) links shown with their target.

Everything else is text. There are no tags, no images and nothing that loads: the parser knows only what this file names,
and every text is escaped when it is written. Characters that reorder text are taken out, because they could hide where
a link goes; a link's target is plain ASCII for the same reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import Literal, NamedTuple

Style = Literal["text", "bold", "italic", "code", "link"]
Kind = Literal["paragraph", "bullets", "numbers", "code"]

_TARGET = r"https?://[!#$%&*+,\-./0-9:;=?@A-Z_a-z~]{1,2000}"
# Lengths are bounded, so that no text takes more than a moment: an unclosed mark is looked for in 500 characters only.
_INLINE = re.compile(
    r"`(?P<code>[^`\n]{1,500})`"
    r"|\*\*(?P<bold>[^*\n]{1,500})\*\*"
    r"|\*(?P<italic>[^*\s][^*\n]{0,500})\*"
    rf"|(?<!!)\[(?P<label>[^\[\]\n]{{1,300}})\]\((?P<target>{_TARGET})\)"
    rf"|(?P<bare>{_TARGET})"
)
_REORDERING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BULLET, _NUMBER, _FENCE = re.compile(r"\s{0,3}[-*]\s+"), re.compile(r"\s{0,3}\d{1,3}[.)]\s+"), "```"


_SIGNS = re.compile(r"[\\`*_\[\]<>!~|$]")
_NAMES_A_PLACE = re.compile(r"(?<=:)(?=[A-Za-z/])|(?<=www)(?=\.)|(?<=[\w.+-]@)", re.IGNORECASE)


def literal(text: str) -> str:
    """Text for a Streamlit label, number or bar, which all read Markdown with links and pictures: shown letter by letter.

    Signs are escaped. Bare addresses, which are linked after that, get an invisible joiner where they begin.

    >>> literal("**a** ![b](x)")
    '\\\\*\\\\*a\\\\*\\\\* \\\\!\\\\[b\\\\](x)'
    """
    return _NAMES_A_PLACE.sub("\u2060", _SIGNS.sub(lambda sign: f"\\{sign.group()}", text))


class Span(NamedTuple):
    """A piece of a line; `target` is set on links only."""

    style: Style
    text: str
    target: str = ""


Line = tuple[Span, ...]


class Block(NamedTuple):
    """A paragraph's lines, a list's items, or lines of code."""

    kind: Kind
    lines: tuple[Line, ...]


def blocks(text: str) -> list[Block]:
    """A note's blocks, in order."""
    clean = _CONTROL.sub("", _REORDERING.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    found: list[Block] = []
    kind: Kind | None = None
    gathered: list[Line] = []
    for next_kind, line in [*_marked(clean), (None, "")]:
        if next_kind != kind or next_kind is None:
            if kind and gathered:
                found.append(Block(kind, tuple(gathered)))
            kind, gathered = next_kind, []
        if next_kind is not None:
            gathered.append((Span("code", line),) if next_kind == "code" else spans(line))
    return found


def _marked(text: str) -> Iterator[tuple[Kind | None, str]]:
    """Every line with the kind of its block; None ends one."""
    fenced = False
    for line in text.split("\n"):
        if line.strip().startswith(_FENCE):
            fenced = not fenced
            yield None, ""
        elif fenced:
            yield "code", line
        elif match := _BULLET.match(line):
            yield "bullets", line[match.end() :]
        elif match := _NUMBER.match(line):
            yield "numbers", line[match.end() :]
        else:
            yield ("paragraph" if line.strip() else None), line.strip()


def spans(line: str) -> Line:
    """A line's pieces.

    >>> [one.style for one in spans("a **b** [c](https://d.example) ![e](https://f.example/g.png)")]
    ['text', 'bold', 'text', 'link', 'text', 'link', 'text']
    >>> spans("[x](javascript:alert(1))")
    (Span(style='text', text='[x](javascript:alert(1))', target=''),)
    """
    found: list[Span] = []
    at = 0
    for match in _INLINE.finditer(line):
        if match.start() > at:
            found.append(Span("text", line[at : match.start()]))
        found.append(_span(match))
        at = match.end()
    if at < len(line) or not found:
        found.append(Span("text", line[at:]))
    return tuple(found)


def _span(match: re.Match[str]) -> Span:
    if match["target"]:
        return Span("link", match["label"], match["target"])
    if match["bare"]:
        return Span("link", match["bare"], match["bare"])
    style: Style = "code" if match["code"] else "bold" if match["bold"] else "italic"
    return Span(style, match[style])


_TAGS = {"bold": "strong", "italic": "em", "code": "code"}


def html(text: str) -> str:
    """A note as HTML of p, br, ul, ol, li, pre, strong, em, code and a; nothing of the note is ever markup."""
    return "".join(_block_html(block) for block in blocks(text))


def _block_html(block: Block) -> str:
    if block.kind == "code":
        return f"<pre>{escape(chr(10).join(line[0].text for line in block.lines))}</pre>"
    lines = ["".join(_span_html(one) for one in line) for line in block.lines]
    if block.kind == "paragraph":
        return f"<p>{'<br>'.join(lines)}</p>"
    tag = "ul" if block.kind == "bullets" else "ol"
    return f"<{tag}>{''.join(f'<li>{line}</li>' for line in lines)}</{tag}>"


def _span_html(span: Span) -> str:
    if span.style == "link":
        target = escape(span.target)
        link = (
            f'<a href="{target}" rel="noopener noreferrer nofollow" target="_blank">{escape(span.text)}</a>'
        )
        return link if span.text == span.target else f"{link} ({target})"
    tag = _TAGS.get(span.style)
    return f"<{tag}>{escape(span.text)}</{tag}>" if tag else escape(span.text)

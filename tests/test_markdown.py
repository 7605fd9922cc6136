"""Notes: what may be written, and that nothing else is ever markup."""

from __future__ import annotations

import doctest
import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core import markdown

ALLOWED = {"p", "br", "ul", "ol", "li", "pre", "strong", "em", "code", "a"}
HOSTILE = [
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "![pixel](https://evil.example/p.png)",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](//evil.example)",
    "[x](https://a.example/\"onmouseover='alert(1)')",
    "[<img src=x>](https://a.example/<script>)",
    '<a href="https://evil.example">bank</a>',
    "<https://evil.example>",
    "[x]: https://evil.example\n\n[x]",
    "`</code><script>alert(1)</script>`",
    "```\n</pre><script>alert(1)</script>\n```",
    "```html\n<b>unclosed fence",
    "**<b onclick=alert(1)>x**",
    "- <li><svg/onload=alert(1)>",
    ":red[x] $\\unsafe$ :material/delete: :smile:",
    "&lt;script&gt; &#60;b&#62;",
    "\x00\x1b[31m\u202ehttps://moc.live\u202c",
    "<!-- --><style>@import 'https://evil.example'</style>",
    "*" * 5000,
    "[" * 5000 + "](https://a.example)",
    "`" * 4999,
]


class Seen(HTMLParser):
    """Tags, attributes and text of a piece of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def seen(text: str) -> Seen:
    parser = Seen()
    parser.feed(markdown.html(text))
    parser.close()
    return parser


def check(text: str) -> None:
    for tag, attributes in seen(text).tags:
        assert tag in ALLOWED, tag
        if tag == "a":
            assert set(attributes) == {"href", "rel", "target"}
            assert re.fullmatch(r"https?://[!-~]+", attributes["href"] or "")
            assert attributes["rel"] == "noopener noreferrer nofollow"
        else:
            assert not attributes


def test_examples_in_docstrings() -> None:
    assert doctest.testmod(markdown).failed == 0


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text(text: str) -> None:
    check(text)


@given(some.text(alphabet=some.sampled_from("a<>&\"'`*[]()!-1.\n \u202ehttps:/javascript"), max_size=200))
def test_no_text_makes_a_tag_that_is_not_allowed(text: str) -> None:
    check(text)


def test_what_may_be_written() -> None:
    text = "A **bold** and *slanted* `x < y`.\nSecond line.\n\n- one\n- two\n\n1. first\n2. next\n\n```\nif a < b:\n```"
    assert markdown.html(text) == (
        "<p>A <strong>bold</strong> and <em>slanted</em> <code>x &lt; y</code>.<br>Second line.</p>"
        "<ul><li>one</li><li>two</li></ul><ol><li>first</li><li>next</li></ol><pre>if a &lt; b:</pre>"
    )


def test_a_link_shows_where_it_goes() -> None:
    shown = seen("See [the bank](https://evil.example/a?b=1&c=2) and https://ok.example/x")
    assert "the bank (https://evil.example/a?b=1&c=2) and https://ok.example/x" in shown.text
    assert [attributes["href"] for tag, attributes in shown.tags if tag == "a"] == [
        "https://evil.example/a?b=1&c=2",
        "https://ok.example/x",
    ]


def test_text_that_would_be_reordered_is_shown_in_its_order() -> None:
    assert "\u202e" not in markdown.html("[safe\u202e](https://evil.example)")


def test_only_ascii_targets_are_links() -> None:
    """A Cyrillic a in bаnk.example looks like a Latin one."""
    assert seen("[bank](https://b\u0430nk.example)").tags == [("p", {}), *seen("https://b").tags[1:]]


def test_the_longest_note_is_read_in_a_moment() -> None:
    began = time.process_time()
    for one in ("`a", "**a", "*a", "[a", "https://a", "![a](https://"):
        markdown.html((one * 20_000)[:20_000])
    assert time.process_time() - began < 20  # 0.3 s on two slow cores; a quadratic reader takes minutes

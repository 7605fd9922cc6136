"""What a deck is made of, ready to be written as slides or as sheets."""

from __future__ import annotations

from typing import NamedTuple

import plotly.graph_objects as go

from core.audit import Finding
from core.export import Source


class Shown(NamedTuple):
    """One slide: a figure asked anew at the slide's own scope and data version."""

    source: Source
    """`title` is the slide's title, `figure` what it shows."""
    audit: str
    figure: go.Figure | None
    notes: str
    missing: str = ""
    """Why there is no figure."""


class BoardRow(NamedTuple):
    """One audit on the summary; finding None: not asked yet at this scope."""

    title: str
    finding: Finding | None
    note: str = ""


class Board(NamedTuple):
    """The summary of a scope."""

    source: Source
    rows: tuple[BoardRow, ...]


class Method(NamedTuple):
    """The appendix of an audit: how its numbers were made."""

    source: Source
    text: str


class Content(NamedTuple):
    """A whole deck."""

    name: str
    boards: tuple[Board, ...]
    shown: tuple[Shown, ...]
    methods: tuple[Method, ...]
    demo: bool

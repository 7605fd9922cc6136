"""What the person running an import decides about it; every reader takes the same options."""

from __future__ import annotations

from typing import NamedTuple


class ReadOptions(NamedTuple):
    """Choices of one import.

    capture_content: keep prompts, completions, tool arguments and error texts. Off by default, because they
    carry personal data; counts and hashes are kept either way.
    demo: the rows were made by data/demo and every page says so.
    """

    capture_content: bool = False
    demo: bool = False

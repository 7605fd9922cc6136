"""The numbers of verdict cards as Streamlit's test runner sees them: in the HTML that core.verdict_html writes."""

from __future__ import annotations

import re
from html import unescape

from streamlit.testing.v1 import AppTest

_CELL = re.compile(r"<dt>(.*?)</dt><dd>(.*?)</dd>")


def numbers(app: AppTest) -> dict[str, str]:
    """Label -> number of every cell on the page; of cells of one name the last."""
    found = [_CELL.findall(element.proto.body) for element in app.get("html")]
    return {unescape(label): unescape(value) for cells in found for label, value in cells}


def small_print(app: AppTest) -> list[str]:
    """What stands below the numbers."""
    found = (
        re.findall(r'<dd class="verdict-more">(.*?)</dd>', element.proto.body) for element in app.get("html")
    )
    return [unescape(text) for texts in found for text in texts]

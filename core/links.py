"""What a page's address holds, read and written: scope, pinned data version, page settings, open run.

A link is absolute and complete: resolved dates, every filter that is set, the data version. A value that
cannot be used is answered with a sentence for the reader, never swallowed.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from urllib.parse import urlencode

from core.audit import Choice, Scope

FROM, TO, REGION, SERVICE, MODEL, AS_OF, TRACE = "from", "to", "region", "service", "model", "as_of", "trace"
FIRST_DAY, LAST_DAY = dt.date(1970, 1, 1), dt.date(2200, 1, 1)
DEFAULT_DAYS = 28
_TRACE_ID = re.compile(r"[0-9a-f]{32}")


def default_period(newest: dt.date) -> tuple[dt.date, dt.date]:
    """The last 28 days that have data: whole weeks, so that weekdays weigh the same."""
    return newest - dt.timedelta(days=DEFAULT_DAYS - 1), newest


def share_link(address: str, scope: Scope, audit: str = "", trace: str | None = None) -> str:
    """The absolute link that opens this view again with the same numbers.

    >>> share_link("http://host/x?old=1", Scope(dt.date(2026, 1, 1), dt.date(2026, 1, 28), ("eu",), as_of=7))
    'http://host/x?from=2026-01-01&to=2026-01-28&region=eu&as_of=7'
    """
    pairs = [(FROM, scope.start.isoformat()), (TO, scope.end.isoformat())]
    for key, names in ((REGION, scope.regions), (SERVICE, scope.services), (MODEL, scope.models)):
        pairs += [(key, name) for name in names]
    pairs += [(f"{audit}_{name}", value) for name, value in scope.choices]
    pairs += [(AS_OF, str(scope.as_of))] if scope.as_of else []
    pairs += [(TRACE, trace)] if trace else []
    return f"{address.partition('?')[0]}?{urlencode(pairs)}"


def read_as_of(text: str | None, newest: int) -> tuple[int | None, str]:
    """The pinned data version, or None for the newest, with a complaint when the text cannot be used.

    >>> read_as_of("3", 5), read_as_of(None, 5)
    ((3, ''), (None, ''))
    >>> read_as_of("9", 5)[1]
    'The link asks for data version 9; the newest here is 5. Showing the newest.'
    """
    if text is None:
        return None, ""
    if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) < 1:
        return (
            None,
            f"The link's data version {_shown(text)} is not a whole number from 1. Showing the newest.",
        )
    if int(text) > newest:
        return (
            None,
            f"The link asks for data version {int(text)}; the newest here is {newest}. Showing the newest.",
        )
    return int(text), ""


def read_trace(text: str | None) -> tuple[str | None, str]:
    """The run a link opens, or None, with a complaint when it is no trace id."""
    if text is None:
        return None, ""
    if _TRACE_ID.fullmatch(text):
        return text, ""
    return None, f"The link's run {_shown(text)} is not a trace id of 32 hexadecimal digits. No run is open."


def check_names(label: str, given: Sequence[str], known: Sequence[str]) -> str:
    """A complaint about names the ledger does not have, or nothing.

    >>> check_names("region", ["eu", "moon"], ["eu"])
    'The link names the region "moon", which is not in the ledger. It is left out of the filter.'
    """
    unknown = [name for name in given if name not in known]
    if not unknown:
        return ""
    shown = ", ".join(_shown(name) for name in unknown[:5])
    return f"The link names the {label} {shown}, which is not in the ledger. It is left out of the filter."


def check_day(key: str, given: str | None) -> str:
    """A complaint about a text that is no day, or nothing.

    Two parameters, not one range: Streamlit drops the second of two equal values, and with it a single day.
    """
    try:
        if given is None or FIRST_DAY <= dt.date.fromisoformat(given) <= LAST_DAY:
            return ""
    except ValueError:
        return f"The link's {key} {_shown(given or '')} is not a day (YYYY-MM-DD). Showing the default one."
    return f"The link's {key} {_shown(given)} is not between {FIRST_DAY} and {LAST_DAY}. Showing the default one."


def check_order(start: dt.date | None, end: dt.date | None) -> str:
    """A complaint about a period that ends before it begins, or nothing."""
    if start is None or end is None or start <= end:
        return ""
    return f"The period {start} to {end} ends before it begins. Showing the default period."


def check_choice(choice: Choice, given: Sequence[str]) -> str:
    """A complaint about a setting's value that is no option, or nothing."""
    wrong = [text for text in given if text not in choice.options]
    if not wrong:
        return ""
    options = ", ".join(choice.options)
    return f"{choice.label}: {_shown(wrong[0])} is not one of {options}. Using {choice.default}."


def _shown(text: str) -> str:
    """A value from an address as a sentence may print it."""
    printable = "".join(character for character in text if character.isprintable())
    return f'"{printable[:40]}"'


def scope_text(scope: Scope) -> str:
    """The scope in words, for export feet: dates, then every filter that is set."""
    parts = [f"{scope.start.isoformat()} to {scope.end.isoformat()} (UTC days)"]
    for label, names in (("regions", scope.regions), ("services", scope.services), ("models", scope.models)):
        if names:
            parts.append(f"{label}: {', '.join(names)}")
    return ", ".join(parts)

"""Cells of bills and tables, read exactly or refused (Unreadable) with the value and the way to mend it.

Amounts are decimals from the printed digits, never through a float, kept to 12 places (half to even) as the
ledger stores them. Bills write numbers and dates by hand: "$10,000.00 ", "(12.50)", 4/2/25. What could mean
two things, such as 1.204,50 or 13/4/25, is refused rather than guessed. Telemetry is read by values.py instead,
where what cannot be read is kept as it came.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_NS = 86_400_000_000_000
HOUR_NS = 3_600_000_000_000
BILLED_NS = range(0, 100_000 * DAY_NS)
"""Times that a line of a bill may have, 1970 to 2243: what is outside was never billed, and far outside fits no column."""
BILLED_YEARS = "write a time after 1970 and before 2243."

AMOUNT_LIMIT = Decimal(10**12)
QUANTITY_LIMIT = Decimal(10**26)
_PLACES = Decimal("1e-12")
_WIDE = Context(prec=60)

NO_VALUE = frozenset({"", "null", "none", "nan", "\\n", "n/a"})
"""What exports write for an empty cell, in lower case; the first FOCUS sample has NULL and empty side by side."""

_LONGEST_NO_VALUE = max(map(len, NO_VALUE))

_NUMBER = re.compile(
    r"(?P<bracket>\()?\s*(?P<sign>[-+]?)\s*[$€£¥]?\s*(?P<inner>-?)"
    r"(?P<digits>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+)(?P<power>[eE][-+]?\d{1,3})?\s*(?P<close>\))?"
)
_US_DATE = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\s*([AaPp])[Mm])?)?"
)


class Unreadable(ValueError):
    """A field that cannot be read; `reason` names the field, its value and what to write instead."""

    def __init__(self, field: str, value: object, fix: str) -> None:
        shown = str(value)
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        self.field = field
        self.reason = f"{field} is {shown!r}; {fix}"
        super().__init__(self.reason)


def present(value: object) -> str | None:
    """The text of a cell without surrounding spaces; None for what stands for an empty cell."""
    if value is None:
        return None
    text = value.strip() if type(value) is str else str(value).strip()
    return text if len(text) > _LONGEST_NO_VALUE or text.lower() not in NO_VALUE else None


def amount(value: object, field: str) -> Decimal | None:
    """Money in the row's currency, 12 places; None for an empty cell. Raises Unreadable."""
    return _decimal(value, field, AMOUNT_LIMIT)


def quantity(value: object, field: str) -> Decimal | None:
    """A quantity, 12 places; None for an empty cell. Raises Unreadable."""
    return _decimal(value, field, QUANTITY_LIMIT)


def _decimal(value: object, field: str, limit: Decimal) -> Decimal | None:
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        number = Decimal(value)
    else:
        text = present(value)
        if text is None:
            return None
        number = _printed(text, field)
    if not number.is_finite() or abs(number) >= limit:
        raise Unreadable(field, value, f"write a number below {limit:.0e}.")
    return number.quantize(_PLACES, context=_WIDE)


def _printed(text: str, field: str) -> Decimal:
    found = _NUMBER.fullmatch(text.replace("\N{MINUS SIGN}", "-"))
    if found is None or (found["bracket"] is None) != (found["close"] is None):
        raise Unreadable(field, text, "write a number with a point for decimals, like 1204.5.")
    number = Decimal(found["digits"].replace(",", "") + (found["power"] or ""))
    minuses = (found["sign"] + found["inner"]).count("-") + (found["bracket"] is not None)
    if minuses > 1:
        raise Unreadable(field, text, "write one sign.")
    return -number if minuses else number


def whole(value: object, field: str) -> int | None:
    """A count of zero or more; None for an empty cell. Raises Unreadable for anything with a fraction."""
    number = quantity(value, field)
    if number is None:
        return None
    if number < 0 or number != number.to_integral_value() or number >= 2**63:
        raise Unreadable(field, value, "write a whole number of zero or more.")
    return int(number)


def tokens(counted: Decimal | None, per_unit: int, field: str) -> int | None:
    """Tokens of a quantity counted in units of so many; None for none. Raises Unreadable past what can be stored."""
    if counted is None:
        return None
    number = round(counted * per_unit)
    if not -(2**63) < number < 2**63:
        raise Unreadable(field, counted, "write a number of tokens below 9.2e18.")
    return number


def instant_ns(value: object, field: str) -> int | None:
    """A time as UTC ns since the epoch; None for an empty cell. Without a zone it is UTC. Raises Unreadable."""
    text = present(value)
    return None if text is None else _instant_ns(text, field)


@lru_cache(maxsize=65_536)
def _instant_ns(text: str, field: str) -> int:
    at = _us_date(text, field) if "/" in text else _iso(text, field)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    at_ns = (at - EPOCH) // timedelta(microseconds=1) * 1000
    if not -(2**63) <= at_ns < 2**63:
        raise Unreadable(field, text, "write a time between the years 1678 and 2261.")
    return at_ns


def _iso(text: str, field: str) -> datetime:
    plain = text.removesuffix(" UTC")
    if len(plain) >= 8 and plain[:4].isdigit() and "W" not in plain:
        try:
            return datetime.fromisoformat(plain)
        except ValueError:
            pass  # refused below, with the value
    raise Unreadable(field, text, "write a time like 2025-04-02T00:00:00Z.")


def _us_date(text: str, field: str) -> datetime:
    """Month first, as spreadsheets in the United States and the FOCUS examples write it."""
    found = _US_DATE.fullmatch(text)
    fix = "dates with slashes are read month first; write 2025-04-02 to be sure."
    if found is None:
        raise Unreadable(field, text, fix)
    month, day, year, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    if found[7]:
        hour = hour % 12 + (12 if found[7] in "Pp" else 0)
    try:
        return datetime(year + 2000 if year < 100 else year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise Unreadable(field, text, fix) from None


def unix_ns(value: object, field: str) -> int:
    """Seconds since the epoch, whole or with a fraction, as UTC ns. Raises Unreadable, also for an empty value."""
    if not isinstance(value, int | Decimal) or isinstance(value, bool) or not 0 <= value < 2**33:
        raise Unreadable(field, value, "write seconds since 1970 in UTC, like 1795132800.")
    return int(value * 1_000_000_000)

"""Numbers as every page, chart and export prints them.

The units usd, count, share (0 to 1), points (of a share), ratio, ms and s have a form of their own; any other
word is printed after the number. Money keeps its decimals
while it is small, because the sums of an incident are cents.
"""

from __future__ import annotations

import math
from decimal import Decimal

Number = int | float | Decimal
NOT_KNOWN = "unknown"
MINUS = "\N{MINUS SIGN}"


def _signed(x: Number, text: str) -> str:
    shows_a_digit = any(character in "123456789" for character in text)
    return f"{MINUS}{text}" if x < 0 and shows_a_digit else text


def _missing(x: Number | None) -> bool:
    return x is None or not math.isfinite(x)


def usd(x: Number | None) -> str:
    """Dollars, shortened from 10,000 up; below one dollar with as many places as its digits need.

    >>> usd(1_234_567), usd(42_180), usd(1234.5), usd(0.046), usd(-0.5), usd(0)
    ('$1.23M', '$42.2k', '$1,234.50', '$0.046', '−$0.50', '$0.00')
    """
    if x is None or _missing(x):
        return NOT_KNOWN
    size = abs(float(x))
    if size >= 999_950:
        return _signed(x, f"${size / 1e6:,.2f}M")
    if size >= 10_000:
        return _signed(x, f"${size / 1e3:,.1f}k")
    if size >= 1 or size == 0:
        return _signed(x, f"${size:,.2f}")
    places = min(12, 3 - math.floor(math.log10(size) + 1)) if size < 0.1 else 3
    digits = f"{size:.{places}f}".rstrip("0")
    whole, _, decimals = digits.partition(".")
    return _signed(x, f"${whole}.{decimals:0<2}")


def exact_usd(x: Number | None) -> str:
    """Dollars and cents in full, for totals that must be compared.

    >>> exact_usd(Decimal("42180.556"))
    '$42,180.56'
    """
    if x is None or _missing(x):
        return NOT_KNOWN
    cents = round(Decimal(str(x)), 2)
    return _signed(x, f"${cents.copy_abs():,.2f}")


def count(x: Number | None) -> str:
    """A count in full below a million; a fractional count (an estimate) keeps one place.

    >>> count(999_999), count(12_345_678), count(-3), count(2.5), count(None)
    ('999,999', '12.35M', '−3', '2.5', 'unknown')
    """
    if x is None or _missing(x):
        return NOT_KNOWN
    size = abs(float(x))
    if size >= 1e6:
        return _signed(x, f"{size / 1e6:,.2f}M")
    return _signed(x, f"{size:,.0f}" if size == int(size) else f"{size:,.1f}")


def share(x: Number | None) -> str:
    """A share between 0 and 1 as a percentage; never rounded to 0 % or 100 % when it is not.

    >>> share(0.75), share(0.0004), share(0.00001), share(0.9999), share(1), share(0)
    ('75.0%', '0.04%', '<0.01%', '99.99%', '100%', '0%')
    """
    if x is None or _missing(x):
        return NOT_KNOWN
    percent = float(x) * 100
    size = abs(percent)
    if size in (0.0, 100.0):
        return _signed(x, f"{size:.0f}%")
    if size < 0.01:
        return _signed(x, "<0.01%")
    if 99.99 < size < 100:
        return _signed(x, ">99.99%")
    return _signed(x, f"{size:.2f}%" if size < 1 or 99 < size < 100 else f"{size:,.1f}%")


def number(x: Number | None, unit: str) -> str:
    """A number in its unit.

    >>> number(0.25, "points"), number(3.8333, "ratio"), number(1500, "ms"), number(3, "runs")
    ('25.0 points', '3.83×', '1,500 ms', '3 runs')
    """
    if x is None or _missing(x):
        return NOT_KNOWN
    if unit == "usd":
        return usd(x)
    if unit == "share":
        return share(x)
    if unit == "points":
        return _signed(x, f"{abs(float(x)) * 100:,.1f} points")
    if unit == "ratio":
        return _signed(x, f"{abs(float(x)):,.2f}×")
    if unit in ("ms", "s"):
        return _signed(x, f"{abs(float(x)):,.{0 if unit == 'ms' and abs(float(x)) >= 10 else 2}f} {unit}")
    return count(x) if unit in ("count", "") else f"{count(x)} {unit}"


def interval(low: Number | None, high: Number | None, unit: str) -> str:
    """An interval, low first.

    >>> interval(0.7, 0.8, "share"), interval(None, 3, "count")
    ('[70.0%, 80.0%]', '[unknown, 3]')
    """
    return f"[{number(low, unit)}, {number(high, unit)}]"

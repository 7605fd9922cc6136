"""Numbers as every page, chart and export prints them.

The units count, share (0 to 1), points (of a share), score, ratio, ms, s and any currency code have a form of their own;
any other word is printed after the number. Money keeps its decimals while it is small, because the sums of an
incident are cents.
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


def money(x: Number | None, currency: str = "USD") -> str:
    """An amount, shortened from 10,000 up; below one with as many places as its digits need. Only dollars have a sign.

    Below a ten-millionth with a power of ten: of twelve zeros and a digit a narrow place cuts the digit.

    >>> money(0.00000015), money(-0.00000000485)
    ('$0.00000015', '−$4.85e-9')
    >>> money(1_234_567), money(42_180), money(1234.5), money(0.046), money(-0.5), money(0), money(2, "EUR")
    ('$1.23M', '$42.2k', '$1,234.50', '$0.046', '−$0.50', '$0.00', 'EUR 2.00')
    """
    if x is None or _missing(x):
        return NOT_KNOWN
    sign, size = money_sign(currency), abs(float(x))
    if size >= 999_950:
        return _signed(x, f"{sign}{size / 1e6:,.2f}M")
    if size >= 10_000:
        return _signed(x, f"{sign}{size / 1e3:,.1f}k")
    if size >= 1 or size == 0:
        return _signed(x, f"{sign}{size:,.2f}")
    if size < 1e-7:
        digits, _, power = f"{size:.2e}".partition("e")
        return _signed(x, f"{sign}{float(digits):g}e{int(power)}")
    places = 3 - math.floor(math.log10(size) + 1) if size < 0.1 else 3
    digits = f"{size:.{places}f}".rstrip("0")
    whole, _, decimals = digits.partition(".")
    return _signed(x, f"{sign}{whole}.{decimals:0<2}")


def money_sign(currency: str) -> str:
    """What stands before an amount: the dollar sign, or the currency's code and a space."""
    return "$" if currency == "USD" else f"{currency} "


def is_currency(unit: str) -> bool:
    """Whether a unit is an ISO 4217 code: three capital letters."""
    return len(unit) == 3 and unit.isascii() and unit.isalpha() and unit.isupper()


def count(x: Number | None) -> str:
    """A count in full below a million; a fractional count (an estimate) keeps one place. B is a thousand millions.

    >>> count(999_999), count(12_345_678), count(-3), count(2.5), count(None), count(278_117_600_000)
    ('999,999', '12.35M', '−3', '2.5', 'unknown', '278.12B')
    """
    if x is None or _missing(x):
        return NOT_KNOWN
    size = abs(float(x))
    if size >= 999_995_000:
        return _signed(x, f"{size / 1e9:,.2f}B")
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

    >>> number(0.25, "points"), number(3.8333, "ratio"), number(1500, "ms"), number(3, "runs"), number(-0.123456, "score")
    ('25.0 points', '3.83×', '1,500 ms', '3 runs', '−0.123')
    """
    if x is None or _missing(x):
        return NOT_KNOWN
    if is_currency(unit):
        return money(x, unit)
    if unit == "share":
        return share(x)
    if unit == "points":
        return _signed(x, f"{abs(float(x)) * 100:,.1f} points")
    if unit == "score":
        return _signed(x, _score(abs(float(x))))
    if unit == "ratio":
        return _signed(x, f"{abs(float(x)):,.2f}×")
    if unit in ("ms", "s"):
        return _signed(x, f"{abs(float(x)):,.{0 if unit == 'ms' and abs(float(x)) >= 10 else 2}f} {unit}")
    return count(x) if unit in ("count", "") else f"{count(x)} {unit}"


def _score(size: float) -> str:
    """Three digits that count, never as a power of ten.

    >>> _score(0.0000394), _score(0.5624), _score(1234.5), _score(0.0)
    ('0.0000394', '0.562', '1,234', '0')
    """
    if size >= 1000:
        return f"{size:,.0f}"
    short = f"{size:.3g}"
    if "e" not in short:
        return short
    places = min(12, 2 - math.floor(math.log10(size)))
    return f"{size:.{places}f}".rstrip("0").rstrip(".")


def interval(low: Number | None, high: Number | None, unit: str) -> str:
    """An interval, low first.

    >>> interval(0.7, 0.8, "share"), interval(None, 3, "count")
    ('[70.0%, 80.0%]', '[unknown, 3]')
    >>> interval(-0.061, -0.008, "points")
    '[−6.1, −0.8] points'
    """
    if unit == "points" and low is not None and high is not None:
        return (
            f"[{number(low, unit).removesuffix(' points')}, {number(high, unit)}".removesuffix(" points")
            + "] points"
        )
    return f"[{number(low, unit)}, {number(high, unit)}]"


def head_and_tail(text: str) -> tuple[str, str | None]:
    """A long amount cut where its unit begins, so that the number is never the part that is cut off.

    >>> head_and_tail("$0.0153 per conversion"), head_and_tail("12.5%")
    (('$0.0153', 'per conversion'), ('12.5%', None))
    """
    head, _, tail = text.partition(" ")
    return (head, tail) if len(text) > 12 and tail else (text, None)

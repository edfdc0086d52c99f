"""Exact decimals: reading them, writing them, rounding them.

Nothing here ever passes through a float. Rounding to an instrument's steps belongs to
`Instrument`; these are the shared primitives.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache

ZERO = Decimal(0)
ONE = Decimal(1)
HUNDRED = Decimal(100)
BASIS_POINT = Decimal("0.0001")
MOST = Decimal(10) ** 15
"""No amount of money or coins comes to as much: of no coin are there so many."""
PLACES = 12
"""No amount has more decimals; the venue's have ten at most. With `MOST`, sums stay exact."""

_MOST_SHOWN = 40


def decimal_of(text: str) -> Decimal:
    """The exact finite decimal that `text` writes.

    Raises:
        ValueError: the text is no number, or is NaN or infinite.
    """
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not a number") from error
    if not value.is_finite():
        raise ValueError(f"{text!r} is not a finite number")
    return value


def amount_of(text: str) -> Decimal:
    """The amount that `text` writes, if it is one that the books can hold and add up exactly.

    Raises:
        ValueError: it is no number, or `bookable` refuses it.
    """
    value = decimal_of(text)
    if len(text) <= PLACES + 1 and "e" not in text and "E" not in text:
        return value  # written out and short: a million rows need not be looked at twice
    return bookable(value)


def bookable(value: Decimal) -> Decimal:
    """The value, if it is an amount that the books can hold and add up exactly.

    Raises:
        ValueError: it is no finite number, too large, or too fine.
    """
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or not -MOST < value < MOST or exponent < -PLACES:
        shown = str(value)
        shown = shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}..."
        raise ValueError(
            f"{shown} is no amount: it must be below {MOST:,} and have {PLACES} decimals at most"
        )
    return value


def plain(value: Decimal) -> str:
    """Plain notation, every digit kept: `Decimal("1E-8")` becomes `0.00000001`.

    `str()` would print an exponent, which breaks checksums and other people's parsers.
    """
    return format(value, "f")


def short(value: Decimal) -> str:
    """Plain notation without trailing zeros, for eyes and canonical reports."""
    text = plain(value)
    if "." not in text:
        return text
    text = text.rstrip("0").rstrip(".")
    return "0" if text in {"", "-0"} else text


@lru_cache(maxsize=64)
def quantum(decimals: int) -> Decimal:
    """The smallest unit with so many decimals: `quantum(2)` is `0.01`."""
    return ONE.scaleb(-decimals)


def round_half_up(value: Decimal, decimals: int) -> Decimal:
    """Kraken's rounding of costs and fees (kraken-spot section 12)."""
    return value.quantize(quantum(decimals), rounding=ROUND_HALF_UP)


def floor_to_step(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `value`."""
    return (value / step).to_integral_value(rounding=ROUND_FLOOR) * step


def round_to_step(value: Decimal, step: Decimal) -> Decimal:
    """The multiple of `step` nearest to `value`, halves away from zero."""
    return (value / step).to_integral_value(rounding=ROUND_HALF_UP) * step


def ceil_to_step(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` that is not below `value`."""
    return -floor_to_step(-value, step)

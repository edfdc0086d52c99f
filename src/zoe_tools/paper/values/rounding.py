"""The exchange's own rounding and number texts: half-up, never a float.

Shared with nobody, so that a client that rounds differently is found out.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_HALF_UP, Decimal

_UNITS = tuple(Decimal(1).scaleb(-places) for places in range(20))


def half_up(value: Decimal, decimals: int) -> Decimal:
    """Rounded to so many decimals, ties away from zero."""
    return value.quantize(_UNITS[decimals], ROUND_HALF_UP)


def ceiling(value: Decimal, decimals: int) -> Decimal:
    """Rounded up: what must be put aside is never too little."""
    return value.quantize(_UNITS[decimals], ROUND_CEILING)


def down(value: Decimal, decimals: int) -> Decimal:
    """Cut off."""
    return value.quantize(_UNITS[decimals], ROUND_DOWN)


def fits(value: Decimal, decimals: int) -> bool:
    """Whether the value has no more decimals than that."""
    return value == value.quantize(_UNITS[decimals], ROUND_DOWN)


def plain(value: Decimal) -> str:
    """The number as it stands, never with an exponent."""
    return format(value, "f")


def fixed(value: Decimal, decimals: int) -> str:
    """The number with exactly so many decimals."""
    rounded = value.quantize(_UNITS[decimals], ROUND_HALF_UP)
    text = str(rounded)  # half the time of a format, where it has no exponent
    return f"{rounded:f}" if "E" in text else text

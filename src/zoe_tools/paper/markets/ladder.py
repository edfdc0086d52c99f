"""A displayed book made up around one trade, for recordings that hold trades and no book.

All quantities together are no more than what was traded at that moment, so that whoever takes
from the book cannot get more than the market moved. Prices in ticks and quantities in lot units
are integers in here. No randomness.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from zoe_tools.paper.values.market import BookSnapshot, Levels, PairSpec, TakerSide

_UNITS = tuple(Decimal(1).scaleb(-decimals) for decimals in range(20))
_LEVELS = 5
_SPREAD_PER = 5_000
"""The spread, and the distance between levels, is one five-thousandth (2 bp) of the price."""


def decimal_of_units(units: int, decimals: int) -> Decimal:
    """So many units of the last decimal: `decimal_of_units(131120, 2)` is `1311.20`."""
    return units * _UNITS[decimals]


def units_of_decimal(value: Decimal, decimals: int) -> int:
    """The nearest number of units of that decimal, halves away from zero."""
    return int(value.scaleb(decimals).to_integral_value(rounding=ROUND_HALF_UP))


def ladder(
    spec: PairSpec, *, at: int, side: TakerSide, price_units: int, quantity_units: int
) -> BookSnapshot:
    """The book that a trade of that side, price and quantity leaves credible.

    A buy trades at the best ask, a sell at the best bid; the other side is one spread away. Each
    side shows at most half of the quantity, but never less than one unit.
    """
    step = max(1, price_units // _SPREAD_PER)
    best_ask = price_units if side == "buy" else price_units + step
    best_bid = price_units - step if side == "buy" else price_units
    shares = split(max(1, quantity_units // 2), _LEVELS)
    return BookSnapshot(
        at=at,
        symbol=spec.symbol,
        bids=_levels(spec, best_bid, -step, shares),
        asks=_levels(spec, best_ask, step, shares),
    )


def split(units: int, parts: int) -> tuple[int, ...]:
    """So many units in up to so many positive parts, as even as can be, the larger ones first."""
    parts = min(parts, units)
    each, left = divmod(units, parts)
    return tuple(each + (1 if index < left else 0) for index in range(parts))


def _levels(spec: PairSpec, best: int, step: int, shares: tuple[int, ...]) -> Levels:
    return tuple(
        (
            decimal_of_units(best + index * step, spec.pair_decimals),
            decimal_of_units(share, spec.lot_decimals),
        )
        for index, share in enumerate(shares)
        if best + index * step > 0
    )

"""What a fill is worth in dollars, by last prices: toward the fee tier, and as its fee is told."""

from __future__ import annotations

from decimal import Decimal

from zoe_tools.paper.engine.floor import Floor
from zoe_tools.paper.engine.valuation import rate
from zoe_tools.paper.values.currencies import DOLLAR_STABLE, FIAT, STABLE
from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.order import ZERO
from zoe_tools.paper.values.rounding import half_up

_DOLLAR = "USD"
_DECIMALS = 4


def volume_in_dollars(floor: Floor, spec: PairSpec, cost: Decimal) -> Decimal:
    """What a fill counts (section 12); stablecoins and currencies as base do not count.

    A quote other than the dollar is worth what its own pair with the dollar last traded at, else
    what the pair's base last traded at in both, else what any other asset did. Without any of
    these a stablecoin of the dollar counts one to one and everything else nothing: a fee may then
    be too high, and never too low.
    """
    if spec.base in STABLE or spec.base in FIAT:
        return ZERO
    if spec.quote == _DOLLAR:
        return cost
    return half_up(cost * dollar_rate(floor, spec), _DECIMALS)


def dollar_rate(floor: Floor, spec: PairSpec) -> Decimal:
    """What one unit of the pair's quote is worth in dollars, told as above."""
    if spec.quote == _DOLLAR:
        return Decimal(1)
    worth = _worth(floor, spec)
    if worth is None:
        worth = Decimal(1) if spec.quote in DOLLAR_STABLE else ZERO
    return worth


def _worth(floor: Floor, spec: PairSpec) -> Decimal | None:
    direct = rate(floor, spec.quote, _DOLLAR)
    if direct is not None:
        return direct
    for shared in (spec.base, *floor.assets):
        if shared in (spec.quote, _DOLLAR):
            continue
        first = rate(floor, spec.quote, shared)
        second = rate(floor, shared, _DOLLAR)
        if first is not None and second is not None:
            return first * second
    return None

"""What a fill costs: cost and fee by Kraken's half-up rule, the rate by 30-day volume."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.rounding import half_up
from zoe_tools.paper.values.times import NS

_HOUR_NS = 3_600 * NS
_WINDOW_NS = 30 * 24 * _HOUR_NS
VOLUME_NS = _WINDOW_NS + _HOUR_NS
"""What is older does not count any more."""
_PERCENT = Decimal(100)


def tier(rows: tuple[tuple[Decimal, Decimal], ...], volume: Decimal) -> int:
    """The index of the schedule's row that this volume has reached; rows rise."""
    reached = 0
    for index in range(1, len(rows)):
        if volume < rows[index][0]:
            break
        reached = index
    return reached


def percent(spec: PairSpec, volume: Decimal, *, is_maker: bool) -> Decimal:
    """The fee in percent at this 30-day volume; a pair without maker rows charges one rate."""
    rows = (spec.fees_maker or spec.fees) if is_maker else spec.fees
    return rows[tier(rows, volume)][1] if rows else Decimal(0)


def cost_of(spec: PairSpec, price: Decimal, quantity: Decimal) -> Decimal:
    """Price times quantity at the pair's cost decimals, half-up (section 12)."""
    return half_up(price * quantity, spec.cost_decimals)


def fee_of(spec: PairSpec, cost: Decimal, rate: Decimal) -> Decimal:
    """The rate (percent) of the rounded cost, half-up at cost decimals (section 12)."""
    return half_up(cost * rate / _PERCENT, spec.cost_decimals)


def base_fee_of(spec: PairSpec, quantity: Decimal, rate: Decimal) -> Decimal:
    """The rate (percent) of the quantity, half-up at the base asset's decimals (`fcib`)."""
    return half_up(quantity * rate / _PERCENT, spec.base_decimals)


class VolumeWindow:
    """An account's traded dollars over the last thirty days, by the hour.

    New volume counts at once; an hour leaves as a whole, when its end is thirty days old.
    """

    def __init__(self) -> None:
        self._hours: deque[tuple[int, Decimal]] = deque()
        self._total = Decimal(0)

    def add(self, at: int, dollars: Decimal) -> None:
        """Count a fill."""
        hour = at - at % _HOUR_NS
        known = Decimal(0)
        if self._hours and self._hours[-1][0] == hour:
            _, known = self._hours.pop()
        self._hours.append((hour, known + dollars))
        self._total += dollars

    def total(self, now: int) -> Decimal:
        """The volume that decides the tier now."""
        while self._hours and self._hours[0][0] <= now - VOLUME_NS:
            self._total -= self._hours.popleft()[1]
        return self._total

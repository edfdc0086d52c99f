"""Relative prices made absolute, and the stop of a trailing order (sections 8.1 and 13.3).

Pure arithmetic; every result lies on the pair's tick.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from zoe_tools.paper.values.market import PairSpec
from zoe_tools.paper.values.order import (
    STOPS,
    TRIGGERED_TYPES,
    OrderType,
    OrderView,
    Price,
    RelativePrice,
    Side,
)
from zoe_tools.paper.values.refusal import Refusal
from zoe_tools.paper.values.rounding import half_up

_HUNDRED = Decimal(100)


def on_tick(price: Decimal, spec: PairSpec, rounding: str = ROUND_HALF_UP) -> Decimal:
    """The price on the pair's tick, in the pair's digits."""
    ticks = (price / spec.tick_size).to_integral_value(rounding)
    return half_up(ticks * spec.tick_size, spec.pair_decimals)


def distance(offset: RelativePrice, reference: Decimal) -> Decimal:
    """How far from the reference, with the sign of the offset's value."""
    return reference * offset.value / _HUNDRED if offset.is_percent else offset.value


def entry_price(
    price: Price | None,
    reference: Decimal | None,
    spec: PairSpec,
    *,
    side: Side,
    order_type: OrderType,
) -> Decimal | None:
    """An order's limit or trigger price as a number.

    `#x` of a triggered type goes to the side where the trigger lies, else to where the order rests.

    Raises:
        Refusal: a relative price without a last price, or one that leads to nothing or below.
    """
    if not isinstance(price, RelativePrice):
        return price
    if reference is None:
        raise Refusal("EGeneral:Invalid arguments:price")
    away = distance(price, reference)
    if price.is_unsigned and not _is_above(side, order_type):
        away = -away
    found = on_tick(reference + away, spec)
    if found <= 0:
        raise Refusal("EOrder:Invalid price")
    return found


def _is_above(side: Side, order_type: OrderType) -> bool:
    if order_type in TRIGGERED_TYPES:
        return (side == "buy") == (order_type in STOPS)
    return side == "sell"


def stop_behind(peak: Decimal, offset: RelativePrice, side: Side, spec: PairSpec) -> Decimal:
    """Where a trailing stop stands behind its peak (a buy's trough), rounded toward the peak."""
    away = distance(offset, peak)
    if side == "sell":
        return on_tick(peak - away, spec, ROUND_CEILING)
    return on_tick(peak + away, spec, ROUND_FLOOR)


def limit_beside(
    trigger: Decimal, offset: RelativePrice | None, side: Side, spec: PairSpec
) -> Decimal | None:
    """A trailing stop's limit; an unsigned offset goes to where it fills more surely."""
    if offset is None:
        return None
    away = distance(offset, trigger)
    if offset.is_unsigned and side == "sell":
        away = -away
    return on_tick(trigger + away, spec)


def is_hit(order: OrderView, last: Decimal) -> bool:
    """Whether the last price has reached the trigger (section 13.3)."""
    trigger = order.trigger_price
    if trigger is None or order.order_type not in TRIGGERED_TYPES:
        return False
    return last >= trigger if fires_on_rise(order) else last <= trigger


def fires_on_rise(order: OrderView) -> bool:
    """Whether it is a rising price that reaches the trigger (section 13.3)."""
    return (order.side == "buy") == (order.order_type in STOPS)

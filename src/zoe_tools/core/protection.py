"""Which stop a position needs, and the steps that bring it there: the loop's protection.

Every protectable quantity that is held has a stop, or a target of its own. A stop changes by
amending, which leaves no gap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from zoe_tools.core.position_orders import can_be_canceled, cancelled, left_in, place_stop
from zoe_tools.domain.instrument import Instrument
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.money import HUNDRED, ZERO
from zoe_tools.domain.order import OrderAmendment
from zoe_tools.domain.plan import AmendOrder, Step
from zoe_tools.domain.policy import Policy
from zoe_tools.domain.position import Position


def stop_price_for(position: Position, instrument: Instrument, policy: Policy) -> Decimal:
    """Where the protective stop of a long position belongs, on tick."""
    if position.stop_price is not None:
        return position.stop_price
    distance = position.average_cost * policy.stop_loss_pct / HUNDRED
    return instrument.floor_price(position.average_cost - distance)


def protect(
    position: Position,
    instrument: Instrument,
    policy: Policy,
    working: Sequence[OrderRecord],
) -> Iterator[Step]:
    """The steps after which stops cover what no target holds; `working`: orders of it at work."""
    price = stop_price_for(position, instrument, policy)
    stops = [order for order in working if order.purpose == "stop"]
    targets = [order for order in working if order.purpose == "take_profit"]
    quantity = instrument.floor_quantity(position.quantity) - left_in(targets)
    if not instrument.is_tradable_quantity(quantity, price=price):
        return
    if not stops:
        yield place_stop(
            position,
            quantity=quantity,
            price=price,
            notional=price * quantity,
            reason="the position has no stop",
        )
        return
    yield from _fit_stops(position, stops, quantity)


def _fit_stops(position: Position, stops: list[OrderRecord], quantity: Decimal) -> Iterator[Step]:
    """The largest grows to what is missing; of what is too much the smallest goes first.

    Stops beyond the position would sell coins that are nobody's here. The one that is linked stays.
    """
    if len(stops) > 1 and not all(can_be_canceled(each) for each in stops):
        return
    linked = position.stop_venue_order_id
    stops = sorted(stops, key=lambda each: (each.remaining_quantity, each.venue_order_id == linked))
    missing = quantity - left_in(stops)
    for stop in stops[::-1] if missing > ZERO else stops:
        if missing == ZERO:
            return
        rest = stop.remaining_quantity + missing
        if rest > ZERO:
            why = f"the stop covers {stop.remaining_quantity:f} of {rest:f}"
            yield from resized(position, stop, rest, why)
            return
        missing = rest
        yield from cancelled(stop, "other stops cover all of the position")


def resized(
    position: Position, stop: OrderRecord, quantity: Decimal, reason: str
) -> Iterator[Step]:
    """The stop covers `quantity` from now on, in base; nothing where it has no name yet."""
    if stop.venue_order_id is not None:
        yield AmendOrder(
            amendment=OrderAmendment(
                venue_order_id=stop.venue_order_id,
                symbol=position.symbol,
                quantity=stop.filled_quantity + quantity,
            ),
            reason=reason,
            position_id=position.position_id,
        )

"""The orders a position asks for: the stop that protects it, targets, and the sale that ends it.

Those placed act only while the position is what it was when they were planned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from zoe_tools.domain.intent_group import Ticket
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderPurpose, OrderRequest, OrderStatus, OrderType
from zoe_tools.domain.plan import CancelOrder, PlaceOrder, PositionStill
from zoe_tools.domain.position import Position


def place_stop(
    position: Position, *, quantity: Decimal, price: Decimal, notional: Decimal, reason: str
) -> PlaceOrder:
    """A stop-loss at market; `price` triggers it, `notional` is what it may sell for, in quote."""
    request = OrderRequest(
        symbol=position.symbol,
        side=position.side.opposite,
        order_type=OrderType.STOP_LOSS,
        quantity=quantity,
        trigger_price=price,
        purpose="stop",
    )
    return _for_position(position, request, notional, reason)


def place_target(
    position: Position, *, quantity: Decimal, price: Decimal, notional: Decimal, reason: str
) -> PlaceOrder:
    """A limit order that rests where profit is taken; `notional` is what it sells for, in quote."""
    request = OrderRequest(
        symbol=position.symbol,
        side=position.side.opposite,
        order_type=OrderType.LIMIT,
        quantity=quantity,
        limit_price=price,
        purpose="take_profit",
    )
    return _for_position(position, request, notional, reason)


def leaves(order: OrderRecord) -> bool:
    """Whether an order takes its position to the market; a target that rests does not."""
    is_sale = order.order_type is OrderType.MARKET or order.group_id is not None
    is_target = order.purpose == "take_profit" and is_sale
    return is_target or order.purpose in ("exit", "flatten")


def place_exit(
    position: Position,
    *,
    quantity: Decimal,
    notional: Decimal,
    purpose: OrderPurpose,
    reason: str,
    limit: Decimal | None = None,
    ticket: Ticket | None = None,
) -> PlaceOrder:
    """An order that leaves the position, without a `limit` at the market.

    `notional` is what it may sell for, in quote; `ticket` what the order desk wants with it.
    """
    request = OrderRequest(
        symbol=position.symbol,
        side=position.side.opposite,
        order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        quantity=quantity,
        limit_price=limit,
        purpose=purpose,
    )
    return replace(_for_position(position, request, notional, reason), ticket=ticket)


def left_in(orders: Sequence[OrderRecord]) -> Decimal:
    """What may still fill of these orders together, in base."""
    return sum((order.remaining_quantity for order in orders), ZERO)


def can_be_canceled(order: OrderRecord) -> bool:
    """Whether a cancel makes sense: alive at the venue, and none is on its way already."""
    return order.venue_order_id is not None and order.status in (
        OrderStatus.OPEN,
        OrderStatus.PARTIALLY_FILLED,
    )


def cancelled(order: OrderRecord, reason: str) -> Iterator[CancelOrder]:
    """The cancel of an order of ours; nothing where the venue has given it no name yet."""
    if order.venue_order_id is not None:
        yield CancelOrder(
            venue_order_id=order.venue_order_id,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            purpose=order.purpose,
            position_id=order.position_id,
            reason=reason,
        )


def _for_position(
    position: Position, request: OrderRequest, notional: Decimal, reason: str
) -> PlaceOrder:
    return PlaceOrder(
        request=request,
        reason=reason,
        position_id=position.position_id,
        preconditions=(
            PositionStill(position_id=position.position_id, quantity=position.quantity),
        ),
        notional=notional,
    )

"""The orders a position asks for: the stop that protects it, targets, and the sale that ends it.

All act only while the position is what it was when they were planned.
"""

from __future__ import annotations

from decimal import Decimal

from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.order import OrderPurpose, OrderRequest, OrderType
from zoe_tools.domain.plan import PlaceOrder, PositionStill
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
    is_target = order.purpose == "take_profit" and order.order_type is OrderType.MARKET
    return is_target or order.purpose in ("exit", "flatten")


def place_exit(
    position: Position,
    *,
    quantity: Decimal,
    notional: Decimal,
    purpose: OrderPurpose,
    reason: str,
) -> PlaceOrder:
    """A market order that leaves the position; `notional` is what it may sell for, in quote."""
    request = OrderRequest(
        symbol=position.symbol,
        side=position.side.opposite,
        order_type=OrderType.MARKET,
        quantity=quantity,
        purpose=purpose,
    )
    return _for_position(position, request, notional, reason)


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

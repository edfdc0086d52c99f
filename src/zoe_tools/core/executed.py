"""What the venue says was executed, where the books lack the trades: it is held all the same.

Orders are told before their trades: by a list of the stream, by QueryOrders. Until the trades are
shown, a position is protected for what was executed; sold is only what is booked. Whether a
position is over is asked here alone, and never said by books that may be short.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from zoe_tools.core.accounting import book, entry_position_id
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import FillId, PositionId, VenueOrderId
from zoe_tools.domain.journal import OrderEvent, OrderRecord
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import Side
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import Snapshot


def booked_of(fills: Iterable[Fill]) -> dict[VenueOrderId, Decimal]:
    """How much of each order the books have trades of."""
    booked: dict[VenueOrderId, Decimal] = {}
    for fill in fills:
        booked[fill.venue_order_id] = booked.get(fill.venue_order_id, ZERO) + fill.quantity
    return booked


def unbooked(order: OrderRecord, booked: Mapping[VenueOrderId, Decimal]) -> Decimal:
    """How much the order has executed, and no trade tells."""
    if order.venue_order_id is None:
        return ZERO
    return max(order.filled_quantity - booked.get(order.venue_order_id, ZERO), ZERO)


def no_more_than_told(order: OrderRecord, events: Iterable[OrderEvent]) -> OrderRecord:
    """The order with no more executed than its own events tell: a row can be changed by hand."""
    told = max((each.filled_quantity or ZERO for each in events), default=ZERO)
    return replace(order, filled_quantity=min(order.filled_quantity, told))


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """Positions that are not over, as what was executed makes them; `unbooked` is in them."""

    positions: tuple[Position, ...]
    unbooked: tuple[tuple[PositionId, Decimal], ...] = ()


def as_executed(
    active: Sequence[Position], orders: Iterable[OrderRecord], fills: Iterable[Fill]
) -> Executed:
    """What entries have bought counts before its trades are booked; what was sold does not.

    A purchase of which nobody knows the price counts once it is booked: no stop would fit it.
    """
    booked = booked_of(fills)
    found = {each.client_order_id: each for each in orders}
    short = [each for each in found.values() if each.side is Side.BUY and unbooked(each, booked)]
    if not short:
        return Executed(positions=tuple(active))
    positions = {each.position_id: each for each in active}
    coming: dict[PositionId, Decimal] = {}
    for order in short:
        fill = _to_come(order, unbooked(order, booked))
        if fill is None:
            continue
        before = {name: each.quantity for name, each in positions.items()}
        book(positions, order, fill)
        for name, each in positions.items():
            more = each.quantity - before.get(name, ZERO)
            if more:
                coming[name] = coming.get(name, ZERO) + more
    return Executed(positions=tuple(positions.values()), unbooked=tuple(coming.items()))


def not_sold(
    positions: Sequence[Position], orders: Iterable[OrderRecord], fills: Iterable[Fill]
) -> tuple[Position, ...]:
    """Positions less what was sold and no trade tells of yet; who is sold whole is not among them.

    What stands bare is judged by these: what nobody holds any more needs no stop. Planned and sold
    is what is booked.
    """
    booked = booked_of(fills)
    gone: dict[PositionId, Decimal] = {}
    for order in {each.client_order_id: each for each in orders}.values():
        if order.side is Side.SELL and order.position_id is not None:
            gone[order.position_id] = gone.get(order.position_id, ZERO) + unbooked(order, booked)
    left = ((each, each.quantity - gone.get(each.position_id, ZERO)) for each in positions)
    return tuple(replace(each, quantity=much) for each, much in left if much > ZERO)


def _to_come(order: OrderRecord, quantity: Decimal) -> Fill | None:
    """The trade that is not shown yet, at the worst price that it can have."""
    price = order.limit_price or order.average_price
    if not price or order.venue_order_id is None:
        return None
    return Fill(
        fill_id=FillId(""),
        venue_order_id=order.venue_order_id,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=quantity,
        price=price,
        cost=price * quantity,
        fee=ZERO,
        fee_asset="",
        filled_at=order.updated_at,
    )


def as_booked(position: Position, snapshot: Snapshot) -> Position:
    """The position with what is booked of it alone: that much may be sold."""
    coming = dict(snapshot.unbooked).get(position.position_id, ZERO)
    return replace(position, quantity=position.quantity - coming) if coming else position


def is_over(position_id: PositionId, snapshot: Snapshot) -> bool:
    """Whether nothing is held by a position, nor can turn out to be.

    Never while the venue may have executed what nobody has told, or an order works that buys for
    it.
    """
    if snapshot.may_lack or any(each.position_id == position_id for each in snapshot.positions):
        return False
    return not any(
        each.side is Side.BUY
        and not each.status.is_terminal
        and entry_position_id(each) == position_id
        for each in snapshot.orders
    )

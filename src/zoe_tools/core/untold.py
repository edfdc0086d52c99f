"""Where nothing of ours can have moved, whatever the venue did that nobody has told yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from zoe_tools.core.position_orders import leaves
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import Symbol, VenueOrderId
from zoe_tools.domain.journal import Intent, OrderRecord
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderStatus
from zoe_tools.domain.position import Position


def known_whole(
    positions: Iterable[Position],
    orders: Sequence[OrderRecord],
    unresolved: Iterable[Intent],
    fills: Iterable[Fill],
) -> frozenset[Symbol]:
    """The instruments with a position of which the books cannot lack anything.

    None of their `orders`, working and recent ones, is open at the venue, all executions that these
    show are among the `fills`, and of no intent the outcome is unknown: then no order of ours is
    there that could have executed while nobody listened. A sale of which nobody knows whether it
    arrived does not count: the venue says so of the stop that is tried beside it.
    """
    doubtful = {
        each.client_order_id
        for each in orders
        if each.status is OrderStatus.UNKNOWN and leaves(each) and each.filled_quantity == ZERO
    }
    booked: dict[VenueOrderId, Decimal] = {}
    for fill in fills:
        booked[fill.venue_order_id] = booked.get(fill.venue_order_id, ZERO) + fill.quantity
    open_ones = {
        each.symbol
        for each in orders
        if not (each.status.is_terminal or each.client_order_id in doubtful)
        or (
            each.venue_order_id is not None
            and each.filled_quantity > booked.get(each.venue_order_id, ZERO)
        )
    }
    unknown = {each.symbol for each in unresolved if each.client_order_id not in doubtful}
    return frozenset({each.symbol for each in positions} - open_ones - unknown)

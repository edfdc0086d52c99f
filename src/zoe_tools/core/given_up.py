"""Stops and targets that still rest for positions that were given up: they sell coins all the same.

A row in error, or a merged one, manages nothing any more. What was placed for it goes to the
position that its coins are adopted into; beside a position of the same instrument it is too much.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from zoe_tools.domain.identifiers import Symbol
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import VenueOrder
from zoe_tools.domain.plan import CancelOrder, still_open, values_of
from zoe_tools.domain.position import Position
from zoe_tools.domain.snapshot import Snapshot

Leftover = tuple[OrderRecord, VenueOrder]
"""Our own record of an order, and the order as it rests at the venue."""


def resting_of_given_up(
    snapshot: Snapshot, symbol: Symbol, open_orders: Sequence[VenueOrder]
) -> tuple[Leftover, ...]:
    """Own stops and targets of this instrument whose position was given up; the largest first."""
    ours = {
        each.client_order_id: each
        for each in snapshot.orders
        if each.purpose in ("stop", "take_profit") and each.position_id in snapshot.given_up
    }
    found = [
        (ours[order.client_order_id], order)
        for order in open_orders
        if order.symbol == symbol and order.client_order_id in ours
    ]
    return tuple(sorted(found, key=lambda each: each[1].remaining_quantity, reverse=True))


def too_much_beside(
    snapshot: Snapshot, position: Position, open_orders: Sequence[VenueOrder]
) -> tuple[Leftover, ...]:
    """Those that would sell beside an active position; not the one that is linked to it."""
    return tuple(
        each
        for each in resting_of_given_up(snapshot, position.symbol, open_orders)
        if each[1].venue_order_id != position.stop_venue_order_id
    )


def taken_back(leftover: Leftover, reason: str) -> CancelOrder:
    """The step that ends such an order."""
    record, order = leftover
    return CancelOrder(
        venue_order_id=order.venue_order_id,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        purpose=record.purpose,
        position_id=record.position_id,
        before=values_of(order),
        preconditions=(still_open(order),),
        reason=reason,
    )


def total_of(leftovers: Sequence[Leftover]) -> Decimal:
    """What they would sell, in base."""
    return sum((order.remaining_quantity for _, order in leftovers), ZERO)


def told_of(leftovers: Sequence[Leftover]) -> str:
    """Each in words: its id, its quantity, and whose it was."""
    return ", ".join(
        f"{order.venue_order_id} ({short(order.remaining_quantity)}) of {record.position_id},"
        " which was given up"
        for record, order in leftovers
    )

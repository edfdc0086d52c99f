"""The rows of orders against their own append-only events: what a person changed is noticed.

A row is a projection. Where it says what no event ever said, the events are believed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from zoe_tools.core.order_records import folded
from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import ClientOrderId, VenueOrderId
from zoe_tools.domain.journal import OrderEvent, OrderRecord
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderStatus


def changed_by_hand(
    orders: Sequence[OrderRecord],
    log: Mapping[ClientOrderId, Sequence[OrderEvent]],
    fills: Sequence[Fill],
) -> tuple[tuple[OrderRecord, OrderRecord], ...]:
    """Each row that its events contradict, and what they make of it.

    `log` has the events of each order in the order of writing. Which of its living states an order
    is in may be older in the log than in the row: the same word is not written twice.
    """
    booked: dict[VenueOrderId, Decimal] = {}
    for fill in fills:
        booked[fill.venue_order_id] = booked.get(fill.venue_order_id, ZERO) + fill.quantity
    found = []
    for row in orders:
        filled = booked.get(row.venue_order_id, ZERO) if row.venue_order_id else ZERO
        filled = min(filled, row.quantity)  # more than was ordered is a fill too many
        told = _projected(row, log.get(row.client_order_id, ()), filled)
        if told is not None and not _is_same(row, told):
            found.append((row, told))
    return tuple(found)


def as_told(row: OrderRecord, events: Sequence[OrderEvent], fills: Sequence[Fill]) -> OrderRecord:
    """The order as its own events and fills make it; the row where they cannot say."""
    name = row.client_order_id
    found = changed_by_hand((row,), {name: events}, fills)
    return found[0][1] if found else row


def _projected(
    row: OrderRecord, events: Sequence[OrderEvent], booked: Decimal
) -> OrderRecord | None:
    """The order as its events make it; None where its own quantity cannot be right."""
    if _is_told(row, events, booked):
        return row
    return folded(row, events, booked)


def _is_told(row: OrderRecord, events: Sequence[OrderEvent], booked: Decimal) -> bool:
    """The usual case, without folding: the last event says what the row says."""
    if not events:
        return row.status is OrderStatus.PENDING_NEW and row.filled_quantity == booked
    last = events[-1]
    most = max((each.filled_quantity or ZERO for each in events), default=ZERO)
    return last.status is row.status and row.filled_quantity == max(most, booked)


def _is_same(row: OrderRecord, told: OrderRecord) -> bool:
    if row.filled_quantity != told.filled_quantity:
        return False
    return row.status is told.status or not (row.status.is_terminal or told.status.is_terminal)

"""What orders there are: own books and the venue's list side by side, each order once.

Where both know an order, the venue says how much of it is left, and the books say what it is for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from zoe_tools.domain.identifiers import ClientOrderId, Symbol, VenueOrderId
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.order import OrderStatus, OrderType, Side, VenueOrder
from zoe_tools.domain.snapshot import Missing, Snapshot

FOREIGN = "foreign"
"""The purpose of an order that is not zoe's: nobody here knows what it is for."""


class Seen(StrEnum):
    """Where an order was found."""

    BOTH = "both"
    BOOKS = "books"
    VENUE = "venue"
    UNASKED = "unasked"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One order. `seen` is `books` where the venue was asked and does not show it as open."""

    venue_order_id: VenueOrderId | None
    client_order_id: ClientOrderId | None
    symbol: Symbol
    side: Side
    order_type: OrderType
    purpose: str
    status: OrderStatus
    quantity: Decimal
    filled_quantity: Decimal
    limit_price: Decimal | None
    trigger_price: Decimal | None
    created_at: datetime
    seen: Seen

    @property
    def is_disputed(self) -> bool:
        """Our books hold it to be working, and the venue does not show it."""
        return self.seen is Seen.BOOKS and not self.status.is_terminal


def list_orders(
    snapshot: Snapshot,
    *,
    since: datetime | None = None,
    symbol: Symbol | None = None,
    with_finished: bool = False,
) -> tuple[OrderLine, ...]:
    """Working orders, newest first; `with_finished` also those of our books that are over."""
    found = [
        each
        for each in _lines(snapshot)
        if (with_finished or not each.status.is_terminal)
        and (since is None or each.created_at >= since)
        and symbol in (None, each.symbol)
    ]
    return tuple(sorted(found, key=lambda each: each.created_at, reverse=True))


def _lines(snapshot: Snapshot) -> Iterator[OrderLine]:
    shown: dict[str, VenueOrder] = {}
    is_asked = not isinstance(snapshot.open_orders, Missing)
    if not isinstance(snapshot.open_orders, Missing):
        shown = {each.venue_order_id: each for each in snapshot.open_orders.value}
    for record in snapshot.orders:
        at_venue = shown.pop(record.venue_order_id, None) if record.venue_order_id else None
        yield _own(record, at_venue, is_asked=is_asked)
    for order in shown.values():
        yield _foreign(order)


def _own(record: OrderRecord, at_venue: VenueOrder | None, *, is_asked: bool) -> OrderLine:
    seen = Seen.BOTH if at_venue else Seen.BOOKS if is_asked else Seen.UNASKED
    return OrderLine(
        venue_order_id=record.venue_order_id,
        client_order_id=record.client_order_id,
        symbol=record.symbol,
        side=record.side,
        order_type=record.order_type,
        purpose=record.purpose,
        status=at_venue.status if at_venue else record.status,
        quantity=at_venue.quantity if at_venue else record.quantity,
        filled_quantity=at_venue.filled_quantity if at_venue else record.filled_quantity,
        limit_price=record.limit_price,
        trigger_price=record.trigger_price,
        created_at=record.created_at,
        seen=seen,
    )


def _foreign(order: VenueOrder) -> OrderLine:
    return OrderLine(
        venue_order_id=order.venue_order_id,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        order_type=order.order_type,
        purpose=FOREIGN,
        status=order.status,
        quantity=order.quantity,
        filled_quantity=order.filled_quantity,
        limit_price=order.limit_price,
        trigger_price=order.trigger_price,
        created_at=order.opened_at,
        seen=Seen.VENUE,
    )

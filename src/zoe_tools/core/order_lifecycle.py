"""The life of an order as one table: which report may follow which state, and what it makes of it.

Late and repeated reports are normal and change nothing; a report that contradicts what is proved
raises and changes nothing. Nothing here knows where a report came from.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from zoe_tools.domain.identifiers import ClientOrderId
from zoe_tools.domain.journal import OrderEvent, OrderRecord
from zoe_tools.domain.money import ZERO, short
from zoe_tools.domain.order import OrderStatus
from zoe_tools.errors import VenueMisbehaved

_S = OrderStatus

_ALIVE = (_S.PENDING_NEW, _S.OPEN, _S.PARTIALLY_FILLED, _S.CANCEL_PENDING)
_LATE = (*_ALIVE, _S.UNKNOWN)
"""Words that say nothing new once an order is over: an older report that was overtaken."""


def _stay(state: OrderStatus, *reports: OrderStatus) -> dict[OrderStatus, OrderStatus]:
    return dict.fromkeys(reports, state)


def _become(*reports: OrderStatus) -> dict[OrderStatus, OrderStatus]:
    return {report: report for report in reports}


TRANSITIONS: dict[OrderStatus, dict[OrderStatus, OrderStatus]] = {
    _S.PENDING_NEW: _become(*_S),
    _S.UNKNOWN: _become(*_S),
    _S.OPEN: {
        **_stay(_S.OPEN, _S.PENDING_NEW),
        **_become(_S.OPEN, _S.PARTIALLY_FILLED, _S.FILLED, _S.CANCEL_PENDING),
        **_become(_S.CANCELED, _S.EXPIRED, _S.UNKNOWN),
    },
    _S.PARTIALLY_FILLED: {
        **_stay(_S.PARTIALLY_FILLED, _S.PENDING_NEW, _S.OPEN),
        **_become(_S.PARTIALLY_FILLED, _S.FILLED, _S.CANCEL_PENDING),
        **_become(_S.CANCELED, _S.EXPIRED, _S.UNKNOWN),
    },
    _S.CANCEL_PENDING: {
        **_stay(_S.CANCEL_PENDING, _S.PENDING_NEW, _S.CANCEL_PENDING),
        # Still open or filling on: the cancel was refused or is on its way; the venue is right.
        **_become(_S.OPEN, _S.PARTIALLY_FILLED, _S.FILLED),
        **_become(_S.CANCELED, _S.EXPIRED, _S.UNKNOWN),
    },
    # Cancel and fill may both happen, in either order of arrival.
    _S.FILLED: _stay(_S.FILLED, *_LATE, _S.FILLED, _S.CANCELED, _S.EXPIRED),
    _S.CANCELED: {**_stay(_S.CANCELED, *_LATE, _S.CANCELED), **_become(_S.FILLED)},
    _S.EXPIRED: {**_stay(_S.EXPIRED, *_LATE, _S.EXPIRED), **_become(_S.FILLED)},
    _S.REJECTED: _stay(_S.REJECTED, _S.REJECTED),
}
"""state -> report -> state after it; a pair that is absent is undefined."""


class UndefinedTransition(VenueMisbehaved):
    """A report about an order that contradicts what was already proved."""

    default_hint = "Run `zoe reconcile` and compare the order with the venue's own page."


def advance(record: OrderRecord, event: OrderEvent) -> OrderRecord:
    """The order after the event; the cumulative quantity never falls.

    Raises:
        UndefinedTransition: the table has no such transition, or more filled than was ordered.
    """
    after = TRANSITIONS[record.status].get(event.status)
    if after is None:
        raise UndefinedTransition(
            f"Order {record.client_order_id} is {record.status.value};"
            f" {event.source} reports {event.status.value}."
        )
    filled = max(record.filled_quantity, event.filled_quantity or ZERO)
    if filled > record.quantity:
        raise UndefinedTransition(
            f"Order {record.client_order_id} is for {short(record.quantity)};"
            f" {event.source} reports {short(filled)} filled."
        )
    return replace(
        record,
        status=_with_quantity(after, filled=filled, quantity=record.quantity),
        filled_quantity=filled,
        updated_at=max(record.updated_at, event.occurred_at),
        reason=event.reason or record.reason,
    )


def _with_quantity(status: OrderStatus, *, filled: Decimal, quantity: Decimal) -> OrderStatus:
    """The words follow the quantities: all filled is filled, something filled is partial."""
    if filled == quantity:
        return OrderStatus.FILLED
    if filled > ZERO and status in (OrderStatus.PENDING_NEW, OrderStatus.OPEN):
        return OrderStatus.PARTIALLY_FILLED
    return status


def event_of(
    client_order_id: ClientOrderId,
    status: OrderStatus,
    *,
    occurred_at: datetime,
    source: str,
    filled_quantity: Decimal | None = None,
    reason: str = "",
) -> OrderEvent:
    """An event whose key is the fact itself, so that two sources telling it tell it once."""
    filled = "-" if filled_quantity is None else short(filled_quantity)
    return OrderEvent(
        event_key=f"{client_order_id}|{status.value}|{filled}",
        client_order_id=client_order_id,
        status=status,
        occurred_at=occurred_at,
        source=source,
        filled_quantity=filled_quantity,
        reason=reason,
    )

"""Reads an order whose row was changed by hand to a word that there is not: it stops nobody.

What such a word hides is told by what nobody can change, or taken for the worse: the status by the
order's own events, and without any it is unknown; the side by its purpose, as an account that only
buys and sells enters by buying; the type by its prices. Amounts and times have nothing to stand in
for them, and are refused as ever.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from enum import Enum
from typing import Any, TypeVar

from zoe_tools.domain.identifiers import ClientOrderId
from zoe_tools.domain.journal import OrderEvent, OrderRecord
from zoe_tools.domain.order import OrderStatus, OrderType, Side
from zoe_tools.errors import StoreError
from zoe_tools.store.types import word

_LOG = logging.getLogger(__name__)

E = TypeVar("E", bound=Enum)

Events = Callable[[ClientOrderId], Sequence[OrderEvent]]

_TOLD: set[tuple[str, str, str]] = set()
_STATUS_UNREAD: set[ClientOrderId] = set()


def side_of(row: Any) -> Side:
    """Which way the order goes."""
    stands_in = Side.BUY if row.purpose == "entry" else Side.SELL
    return _read(row, "side", Side, stands_in)


def type_of(row: Any) -> OrderType:
    """What kind of order it is."""
    plain = OrderType.MARKET if row.limit_price is None else OrderType.LIMIT
    stop = OrderType.STOP_LOSS if row.limit_price is None else OrderType.STOP_LOSS_LIMIT
    return _read(row, "order_type", OrderType, plain if row.trigger_price is None else stop)


def status_of(row: Any) -> OrderStatus:
    """What the row says; unknown until `by_events` where that is no word."""
    found = _read(row, "status", OrderStatus, OrderStatus.UNKNOWN)
    if found.value == row.status:
        _STATUS_UNREAD.discard(row.client_order_id)
    else:
        _STATUS_UNREAD.add(row.client_order_id)
    return found


def by_events(orders: Iterable[OrderRecord], events: Events) -> tuple[OrderRecord, ...]:
    """The same, those whose status could not be read as their own events tell it."""
    return tuple(
        _by_events(each, events) if each.client_order_id in _STATUS_UNREAD else each
        for each in orders
    )


def unread() -> frozenset[ClientOrderId]:
    """The orders whose status could not be read when it was read last."""
    return frozenset(_STATUS_UNREAD)


def _by_events(order: OrderRecord, events: Events) -> OrderRecord:
    if order.status is not OrderStatus.UNKNOWN:
        return order
    known = [each.status for each in events(order.client_order_id)]
    over = [each for each in known if each.is_terminal]
    return replace(order, status=[OrderStatus.UNKNOWN, *known, *over][-1])


def _read(row: Any, column: str, kind: type[E], stands_in: E) -> E:
    value = getattr(row, column)
    try:
        return word(kind, value)
    except StoreError as error:
        name = (row.client_order_id, column, str(value))
        if name not in _TOLD:
            _TOLD.add(name)
            _LOG.error(
                "ROW_UNREADABLE order %s, %s: %s It counts as %s until its row is put right.",
                row.client_order_id,
                column,
                error.message,
                "its events tell" if column == "status" else stands_in.value,
            )
        return stands_in

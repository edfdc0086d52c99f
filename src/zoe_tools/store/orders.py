"""Orders as projections, and the append-only log they are projected from."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, or_, select

from zoe_tools.domain.identifiers import (
    AccountId,
    ClientOrderId,
    GroupId,
    PositionId,
    VenueOrderId,
)
from zoe_tools.domain.journal import OrderEvent, OrderRecord
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import OrderStatus
from zoe_tools.store import unread_orders
from zoe_tools.store.reads import Query, Reader
from zoe_tools.store.recent import Recent
from zoe_tools.store.rows import insert_new, parts_of, upsert
from zoe_tools.store.tables import CRYPTO_ORDERS, ORDER_EVENTS
from zoe_tools.store.types import word

_OPEN = tuple(status.value for status in OrderStatus if not status.is_terminal)
_IS_OPEN = or_(*(CRYPTO_ORDERS.c.status == each for each in _OPEN))
_OF_ACCOUNT = select(CRYPTO_ORDERS).where(CRYPTO_ORDERS.c.account_id == bindparam("owner"))
"""In no order: asked for the oldest first, SQLite reads all there ever were, along their times."""
_WORDS = frozenset(status.value for status in OrderStatus)
_STATUS_OF = (
    select(CRYPTO_ORDERS.c.status)
    .where(CRYPTO_ORDERS.c.account_id == bindparam("owner"))
    .where(CRYPTO_ORDERS.c.client_order_id == bindparam("name"))
)
_BY_AGE = _OF_ACCOUNT.order_by(CRYPTO_ORDERS.c.created_at, CRYPTO_ORDERS.c.client_order_id)
_IS_SINCE = CRYPTO_ORDERS.c.created_at >= bindparam("since")
_ALL, _SINCE = Query(_BY_AGE), Query(_BY_AGE.where(_IS_SINCE))
_WORKING = Query(_OF_ACCOUNT.where(_IS_OPEN))
_NEWEST = select(func.max(CRYPTO_ORDERS.c.created_at)).where(
    CRYPTO_ORDERS.c.account_id == bindparam("owner")
)
_BY_NAME = Query(_OF_ACCOUNT.where(CRYPTO_ORDERS.c.client_order_id == bindparam("name")))
_BY_VENUE_NAME = Query(_OF_ACCOUNT.where(CRYPTO_ORDERS.c.venue_order_id == bindparam("name")))
_OF_POSITION = Query(_OF_ACCOUNT.where(CRYPTO_ORDERS.c.position_id == bindparam("position")))
_OF_GROUP = Query(_OF_ACCOUNT.where(CRYPTO_ORDERS.c.intent_group_id == bindparam("group")))
_EVENTS = (
    select(ORDER_EVENTS)
    .where(ORDER_EVENTS.c.account_id == bindparam("owner"))
    .order_by(ORDER_EVENTS.c.row_id)
)
_EVENTS_OF_ONE = Query(_EVENTS.where(ORDER_EVENTS.c.client_order_id == bindparam("name")))
_ENDED_EARLY = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED})


def record_order(connection: Connection, account_id: AccountId, order: OrderRecord) -> None:
    """Insert the order, or bring its row to this projection."""
    values = {
        "account_id": account_id,
        "client_order_id": order.client_order_id,
        "venue_order_id": order.venue_order_id,
        "intent_id": order.intent_id,
        "symbol": order.symbol,
        "side": order.side.value,
        "order_type": order.order_type.value,
        "purpose": order.purpose,
        "status": order.status.value,
        "quantity": order.quantity,
        "limit_price": order.limit_price,
        "trigger_price": order.trigger_price,
        "filled_quantity": order.filled_quantity,
        "average_price": order.average_price,
        "fees": order.fees,
        "notional": order.notional,
        "position_id": order.position_id,
        "reason": order.reason,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
        "intent_group_id": order.group_id,
        "replace_count": order.replace_count,
        "ttl_seconds": order.ttl_s,
        "next_action_at": order.next_action_at,
    }
    upsert(connection, CRYPTO_ORDERS, values, keep=("created_at",))
    _RECENT.wrote(connection, account_id, order.client_order_id)


def append_event(connection: Connection, account_id: AccountId, event: OrderEvent) -> bool:
    """Append to the log; False if the event is known."""
    values = {
        "account_id": account_id,
        "event_key": event.event_key,
        "client_order_id": event.client_order_id,
        "status": event.status.value,
        "occurred_at": event.occurred_at,
        "source": event.source,
        "filled_quantity": event.filled_quantity,
        "reason": event.reason,
    }
    return insert_new(connection, ORDER_EVENTS, values)


def events(
    connection: Connection, account_id: AccountId, client_order_id: ClientOrderId
) -> tuple[OrderEvent, ...]:
    """One order's log, in the order of writing."""
    return _EVENT_READER.all(connection, _EVENTS_OF_ONE, owner=account_id, name=client_order_id)


def log(
    connection: Connection,
    account_id: AccountId,
    client_order_ids: Collection[ClientOrderId] | None,
) -> dict[ClientOrderId, list[OrderEvent]]:
    """The logs of these orders, or of all; each in the order of writing."""
    table = ORDER_EVENTS
    statements = [_EVENTS]
    if client_order_ids is not None:
        parts = parts_of(client_order_ids)
        statements = [_EVENTS.where(table.c.client_order_id.in_(some)) for some in parts]
    found: dict[ClientOrderId, list[OrderEvent]] = {}
    for statement in statements:
        for row in connection.execute(statement, {"owner": account_id}):
            found.setdefault(row.client_order_id, []).append(_event_of(row))
    return found


def _event_of(row: Row[Any]) -> OrderEvent:
    return OrderEvent(
        event_key=row.event_key,
        client_order_id=row.client_order_id,
        status=word(OrderStatus, row.status),
        occurred_at=row.occurred_at,
        source=row.source,
        filled_quantity=row.filled_quantity,
        reason=row.reason,
    )


def orders(
    connection: Connection,
    account_id: AccountId,
    *,
    open_only: bool,
    since: datetime | None = None,
) -> tuple[OrderRecord, ...]:
    """Orders, oldest first."""
    if open_only:
        found = (
            *_READER.all(connection, _WORKING, owner=account_id),
            *_working_unread(connection, account_id),
        )
        return tuple(sorted((each for each in found if _is_since(each, since)), key=_age))
    if since is None:
        return _told(connection, account_id, _READER.all(connection, _ALL, owner=account_id))
    return _told(connection, account_id, _RECENT.since(connection, account_id, since))


def _told(
    connection: Connection, account_id: AccountId, found: tuple[OrderRecord, ...]
) -> tuple[OrderRecord, ...]:
    """The same; what cannot be read of a status is told by the order's events."""
    if not unread_orders.unread():
        return found
    return unread_orders.by_events(found, lambda name: events(connection, account_id, name))


def _working_unread(connection: Connection, account_id: AccountId) -> Iterator[OrderRecord]:
    """Orders at work that no question for statuses finds: somebody met their rows before."""
    for name in sorted(unread_orders.unread()):
        row = connection.execute(_STATUS_OF, {"owner": account_id, "name": name}).first()
        if row is not None and row.status not in _WORDS:
            found = order(connection, account_id, name)
            if found is not None and not found.status.is_terminal:
                yield found


def newest_orders(
    connection: Connection, account_id: AccountId, within: timedelta
) -> tuple[OrderRecord, ...]:
    """Orders that were made within so long of the last one, oldest first."""
    last = connection.execute(_NEWEST, {"owner": account_id}).scalar()
    if last is None:
        return ()
    return _told(connection, account_id, _RECENT.since(connection, account_id, last - within))


def orders_of_position(
    connection: Connection, account_id: AccountId, position_id: PositionId
) -> tuple[OrderRecord, ...]:
    """One position's orders, oldest first."""
    found = _READER.all(connection, _OF_POSITION, owner=account_id, position=position_id)
    return tuple(sorted(_told(connection, account_id, found), key=_age))


def orders_of_groups(
    connection: Connection, account_id: AccountId, group_ids: Collection[GroupId]
) -> tuple[OrderRecord, ...]:
    """All orders of these intent groups, oldest first."""
    found = tuple(
        order
        for group_id in group_ids
        for order in _READER.all(connection, _OF_GROUP, owner=account_id, group=group_id)
    )
    return tuple(sorted(_told(connection, account_id, found), key=_age))


def order(
    connection: Connection, account_id: AccountId, client_order_id: ClientOrderId
) -> OrderRecord | None:
    """The order with our id."""
    found = _READER.all(connection, _BY_NAME, owner=account_id, name=client_order_id)
    return next(iter(_told(connection, account_id, found)), None)


def order_by_venue_id(
    connection: Connection, account_id: AccountId, venue_order_id: VenueOrderId
) -> OrderRecord | None:
    """The order with the venue's id."""
    found = _READER.all(connection, _BY_VENUE_NAME, owner=account_id, name=venue_order_id)
    return min(_told(connection, account_id, found), key=_age, default=None)


def orders_shown(
    connection: Connection,
    account_id: AccountId,
    client_order_ids: Collection[ClientOrderId],
    venue_order_ids: Collection[VenueOrderId],
) -> tuple[OrderRecord, ...]:
    """Ours among the orders with these ids, by our id or by the venue's; each once."""
    table = CRYPTO_ORDERS
    wanted = (
        (table.c.client_order_id, client_order_ids),
        (table.c.venue_order_id, venue_order_ids),
    )
    found = {
        order.client_order_id: order
        for column, names in wanted
        for some in parts_of(names)
        for order in _select(connection, account_id, column.in_(some))
    }
    return tuple(found.values())


def daily_notional(connection: Connection, account_id: AccountId, day: date) -> Decimal:
    """Money that the entry orders created on a UTC day put at stake, in quote.

    A rejected order counts nothing, one that was cancelled or expired counts what filled, every
    other one counts whole: an unknown outcome may still turn out to be a fill.
    """
    return _RECENT.sum_of(connection, account_id, day)


def _at_stake(order: OrderRecord) -> Decimal:
    if order.purpose != "entry":
        return ZERO
    if order.status is OrderStatus.REJECTED:
        return ZERO
    filled = order.filled_quantity * order.average_price
    if order.status in _ENDED_EARLY:
        return filled
    planned = order.notional or order.quantity * (order.limit_price or ZERO)
    return max(planned, filled)


def _select(
    connection: Connection, account_id: AccountId, *conditions: ColumnElement[bool]
) -> tuple[OrderRecord, ...]:
    rows = connection.execute(_OF_ACCOUNT.where(*conditions), {"owner": account_id})
    found = tuple(_order_of(row) for row in rows)
    return tuple(sorted(_told(connection, account_id, found), key=_age))


def _age(order: OrderRecord) -> tuple[datetime, ClientOrderId]:
    """What orders are sorted by, oldest first."""
    return order.created_at, order.client_order_id


def _is_since(order: OrderRecord, since: datetime | None) -> bool:
    return since is None or order.created_at >= since


def _order_of(row: Row[Any]) -> OrderRecord:
    return OrderRecord(
        client_order_id=row.client_order_id,
        venue_order_id=row.venue_order_id,
        intent_id=row.intent_id,
        symbol=row.symbol,
        side=unread_orders.side_of(row),
        order_type=unread_orders.type_of(row),
        purpose=row.purpose,
        status=unread_orders.status_of(row),
        quantity=row.quantity,
        created_at=row.created_at,
        updated_at=row.updated_at,
        limit_price=row.limit_price,
        trigger_price=row.trigger_price,
        filled_quantity=row.filled_quantity,
        average_price=row.average_price,
        fees=row.fees,
        position_id=row.position_id,
        reason=row.reason,
        notional=row.notional,
        group_id=row.intent_group_id,
        replace_count=row.replace_count,
        ttl_s=row.ttl_seconds,
        next_action_at=row.next_action_at,
    )


_READER = Reader(CRYPTO_ORDERS, _order_of)
_RECENT = Recent(
    _READER,
    _SINCE,
    _BY_NAME,
    _age,
    kept=timedelta(hours=26),
    weigh=_at_stake,
)
_EVENT_READER = Reader(ORDER_EVENTS, _event_of)

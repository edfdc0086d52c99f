"""Fills and the venue's ledger rows: append-only, booked once however often they are reported."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, select

from zoe_tools.domain.fill import Fill
from zoe_tools.domain.identifiers import AccountId, ClientOrderId, FillId, PositionId, VenueOrderId
from zoe_tools.domain.ledger import LedgerEntry
from zoe_tools.domain.order import OrderPurpose, Side
from zoe_tools.store.ledger import entry_of
from zoe_tools.store.reads import Query, Reader
from zoe_tools.store.recent import Recent
from zoe_tools.store.record_tables import LEDGER_ENTRIES
from zoe_tools.store.rows import insert_new, parts_of
from zoe_tools.store.tables import CRYPTO_FILLS, CRYPTO_ORDERS
from zoe_tools.store.types import word


def record_fill(
    connection: Connection,
    account_id: AccountId,
    fill: Fill,
    *,
    client_order_id: ClientOrderId | None,
    position_id: PositionId | None,
    purpose: OrderPurpose | None,
) -> bool:
    """Book a fill; False if its id is booked already."""
    values = {
        "account_id": account_id,
        "fill_id": fill.fill_id,
        "venue_order_id": fill.venue_order_id,
        "client_order_id": client_order_id or fill.client_order_id,
        "position_id": position_id,
        "purpose": purpose,
        "symbol": fill.symbol,
        "side": fill.side.value,
        "quantity": fill.quantity,
        "price": fill.price,
        "cost": fill.cost,
        "fee": fill.fee,
        "fee_asset": fill.fee_asset,
        "liquidity": fill.liquidity,
        "filled_at": fill.filled_at,
    }
    is_new = insert_new(connection, CRYPTO_FILLS, values)
    if is_new:
        _RECENT.wrote(connection, account_id, fill.fill_id)
    return is_new


def fills(
    connection: Connection,
    account_id: AccountId,
    *,
    since: datetime | None,
    venue_order_id: VenueOrderId | None,
) -> tuple[Fill, ...]:
    """Fills, oldest first."""
    if venue_order_id is not None:
        found = _READER.all(connection, _OF_ORDER, owner=account_id, venue_order=venue_order_id)
        return _oldest_first(each for each in found if since is None or each.filled_at >= since)
    if since is None:
        return _READER.all(connection, _ALL, owner=account_id)
    return _RECENT.since(connection, account_id, since)


def fills_of_position(
    connection: Connection, account_id: AccountId, position_id: PositionId
) -> tuple[Fill, ...]:
    """Fills booked for a position by name, or whose order belongs to it; oldest first.

    An order may learn its position only with its first fill, when the fill's row is written.
    """
    return _oldest_first(
        fill
        for query in (_OF_POSITION, _OF_ITS_ORDERS)
        for fill in _READER.all(connection, query, owner=account_id, position=position_id)
    )


def fills_of_orders(
    connection: Connection, account_id: AccountId, venue_order_ids: Collection[VenueOrderId]
) -> tuple[Fill, ...]:
    """Fills of these orders of the venue's."""
    column = CRYPTO_FILLS.c.venue_order_id
    return tuple(
        fill
        for some in parts_of(venue_order_ids)
        for fill in _select(connection, account_id, column.in_(some))
    )


def ledger(
    connection: Connection, account_id: AccountId, since: datetime | None
) -> tuple[LedgerEntry, ...]:
    """Ledger rows, oldest first; rows of one moment stand as they were booked."""
    table = LEDGER_ENTRIES
    statement = (
        select(table)
        .where(table.c.account_id == account_id)
        .order_by(table.c.booked_at, table.c.row_id)
    )
    if since is not None:
        statement = statement.where(table.c.booked_at >= since)
    return tuple(entry_of(row) for row in connection.execute(statement))


def _select(
    connection: Connection, account_id: AccountId, *conditions: ColumnElement[bool]
) -> tuple[Fill, ...]:
    table = CRYPTO_FILLS
    statement = select(table).where(table.c.account_id == account_id, *conditions)
    return _oldest_first(_fill_of(row) for row in connection.execute(statement))


def _oldest_first(found: Iterable[Fill]) -> tuple[Fill, ...]:
    """Each once, in order."""
    return tuple(sorted({each.fill_id: each for each in found}.values(), key=_age))


def _age(fill: Fill) -> tuple[datetime, FillId]:
    return fill.filled_at, fill.fill_id


def _fill_of(row: Row[Any]) -> Fill:
    return Fill(
        fill_id=row.fill_id,
        venue_order_id=row.venue_order_id,
        symbol=row.symbol,
        side=word(Side, row.side),
        quantity=row.quantity,
        price=row.price,
        cost=row.cost,
        fee=row.fee,
        fee_asset=row.fee_asset,
        filled_at=row.filled_at,
        client_order_id=row.client_order_id,
        liquidity=row.liquidity,
    )


_OF_ACCOUNT = select(CRYPTO_FILLS).where(CRYPTO_FILLS.c.account_id == bindparam("owner"))
"""In no order: asked for the oldest first, SQLite reads all there ever were, along their times."""
_BY_AGE = _OF_ACCOUNT.order_by(CRYPTO_FILLS.c.filled_at, CRYPTO_FILLS.c.fill_id)
_ORDERS_OF_POSITION = select(CRYPTO_ORDERS.c.client_order_id).where(
    CRYPTO_ORDERS.c.account_id == bindparam("owner"),
    CRYPTO_ORDERS.c.position_id == bindparam("position"),
)
# Two questions: for one with an "or" in it SQLite reads all fills, too.
_OF_POSITION = Query(_OF_ACCOUNT.where(CRYPTO_FILLS.c.position_id == bindparam("position")))
_OF_ITS_ORDERS = Query(_OF_ACCOUNT.where(CRYPTO_FILLS.c.client_order_id.in_(_ORDERS_OF_POSITION)))
_ALL = Query(_BY_AGE)
_OF_ORDER = Query(_OF_ACCOUNT.where(CRYPTO_FILLS.c.venue_order_id == bindparam("venue_order")))
_READER = Reader(CRYPTO_FILLS, _fill_of)
_RECENT = Recent(
    _READER,
    Query(_BY_AGE.where(CRYPTO_FILLS.c.filled_at >= bindparam("since"))),
    Query(_OF_ACCOUNT.where(CRYPTO_FILLS.c.fill_id == bindparam("name"))),
    _age,
    kept=timedelta(hours=2),
)

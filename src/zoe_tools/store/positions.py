"""The registry of managed positions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from zoe_tools.domain.identifiers import AccountId, PositionId
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import Side
from zoe_tools.domain.position import Position, PositionKind, PositionStatus
from zoe_tools.store.rows import upsert
from zoe_tools.store.tables import CRYPTO_POSITIONS


def record_position(connection: Connection, account_id: AccountId, position: Position) -> None:
    """Insert the position, or bring its row to these values."""
    values = {
        "account_id": account_id,
        "position_id": position.position_id,
        "symbol": position.symbol,
        "side": position.side.value,
        "status": position.status.value,
        "quantity": position.quantity,
        "average_cost": position.average_cost,
        "opened_at": position.opened_at,
        "closed_at": position.closed_at,
        "realised_pnl": position.realised_pnl,
        "fees": position.fees,
        "stop_price": position.stop_price,
        "stop_client_order_id": position.stop_client_order_id,
        "stop_venue_order_id": position.stop_venue_order_id,
        "take_profit_price": position.take_profit_price,
        "origin": position.origin,
        "kind": position.position_kind.value,
        "entry_quantity": position.entry_quantity,
        "exit_quantity": position.exit_quantity,
        "initial_quantity": position.initial_quantity,
        "initial_price": position.initial_price,
        "initial_stop_price": position.initial_stop_price,
        "initial_take_profit_price": position.initial_take_profit_price,
        "exit_reason": position.exit_reason,
        "updated_at": position.updated_at,
    }
    upsert(connection, CRYPTO_POSITIONS, values)


def positions(
    connection: Connection,
    account_id: AccountId,
    *,
    among: frozenset[PositionStatus] | None,
) -> tuple[Position, ...]:
    """Positions, oldest first; `among` bounds their status."""
    table = CRYPTO_POSITIONS
    statement = (
        select(table)
        .where(table.c.account_id == account_id)
        .order_by(table.c.opened_at, table.c.position_id)
    )
    if among is not None:
        statement = statement.where(table.c.status.in_(sorted(each.value for each in among)))
    return tuple(_position_of(row) for row in connection.execute(statement))


def position(
    connection: Connection, account_id: AccountId, position_id: PositionId
) -> Position | None:
    """One position."""
    table = CRYPTO_POSITIONS
    row = connection.execute(
        select(table).where(table.c.account_id == account_id, table.c.position_id == position_id)
    ).first()
    return None if row is None else _position_of(row)


def _position_of(row: Row[Any]) -> Position:
    return Position(
        position_id=row.position_id,
        symbol=row.symbol,
        side=Side(row.side),
        status=PositionStatus(row.status),
        quantity=row.quantity,
        average_cost=row.average_cost,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        realised_pnl=row.realised_pnl,
        fees=row.fees,
        stop_price=row.stop_price,
        stop_client_order_id=row.stop_client_order_id,
        stop_venue_order_id=row.stop_venue_order_id,
        take_profit_price=row.take_profit_price,
        origin=row.origin,
        position_kind=PositionKind(row.kind),
        # Rows from before these columns know only what they hold.
        entry_quantity=row.quantity if row.entry_quantity is None else row.entry_quantity,
        exit_quantity=ZERO if row.exit_quantity is None else row.exit_quantity,
        initial_quantity=row.initial_quantity,
        initial_price=row.initial_price,
        initial_stop_price=row.initial_stop_price,
        initial_take_profit_price=row.initial_take_profit_price,
        exit_reason=row.exit_reason,
        updated_at=row.updated_at,
    )

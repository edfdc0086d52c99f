"""The registry of managed positions."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Text,
    bindparam,
    false,
    or_,
    select,
    type_coerce,
    update,
)

from zoe_tools.domain.identifiers import AccountId, PositionId
from zoe_tools.domain.money import ZERO
from zoe_tools.domain.order import Side
from zoe_tools.domain.position import Position, PositionKind, PositionStatus, RawPosition
from zoe_tools.store.reads import Query, Reader
from zoe_tools.store.rows import upsert
from zoe_tools.store.tables import CRYPTO_POSITIONS
from zoe_tools.store.types import word

_ENDS = sorted(each.value for each in PositionStatus if each.is_terminal)


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
    return _READER.all(connection, _among(among), owner=account_id)


@cache
def _among(statuses: frozenset[PositionStatus] | None) -> Query:
    table = CRYPTO_POSITIONS
    statement = (
        select(table)
        .where(table.c.account_id == bindparam("owner"))
        .order_by(table.c.opened_at, table.c.position_id)
    )
    if statuses is not None:
        wanted = (table.c.status == each for each in sorted(each.value for each in statuses))
        statement = statement.where(or_(false(), *wanted))
    return Query(statement)


def closed(connection: Connection, account_id: AccountId, most: int) -> tuple[Position, ...]:
    """The `most` positions that closed last, oldest first."""
    table = CRYPTO_POSITIONS
    statement = (
        select(table)
        .where(table.c.account_id == account_id, table.c.status == PositionStatus.CLOSED.value)
        .order_by(table.c.closed_at.desc(), table.c.position_id.desc())
        .limit(most)
    )
    found = [_position_of(row) for row in connection.execute(statement)]
    return tuple(reversed(found))


def position(
    connection: Connection, account_id: AccountId, position_id: PositionId
) -> Position | None:
    """One position."""
    return _READER.first(connection, _ONE, owner=account_id, name=position_id)


def raw_positions(
    connection: Connection,
    account_id: AccountId,
    *,
    is_over: bool | None = None,
    after: str | None = None,
    limit: int | None = None,
) -> tuple[RawPosition, ...]:
    """Rows of the account as they are stored, whatever they hold; oldest first.

    `is_over`: only those whose status is an end, or none of them. With `after`, a page by name:
    those after this one, so many at the most.
    """
    table = CRYPTO_POSITIONS
    names = ("quantity", "entry_quantity", "exit_quantity", "closed_at", "updated_at")
    texts = [type_coerce(table.c[name], Text).label(name) for name in names]
    statement = select(table.c.position_id, table.c.symbol, table.c.status, *texts).where(
        table.c.account_id == account_id
    )
    if is_over is not None:
        ended = table.c.status.in_(_ENDS)
        statement = statement.where(ended if is_over else ~ended)
    if after is None:
        statement = statement.order_by(table.c.opened_at, table.c.position_id)
    else:
        statement = statement.where(table.c.position_id > after).order_by(table.c.position_id)
    return tuple(
        RawPosition(
            position_id=row.position_id,
            symbol=row.symbol,
            status=row.status,
            quantity=_text(row.quantity),
            entry_quantity=_text(row.entry_quantity),
            exit_quantity=_text(row.exit_quantity),
            is_closed=row.closed_at is not None,
            updated_at=_text(row.updated_at) or "",
        )
        for row in connection.execute(statement.limit(limit))
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def end(
    connection: Connection,
    account_id: AccountId,
    position_id: PositionId,
    *,
    status: PositionStatus,
    reason: str,
    at: datetime,
) -> None:
    """End a row that no rule can be held against any more; in error it holds nothing."""
    values: dict[str, object] = {
        "status": status.value,
        "exit_reason": reason,
        "closed_at": at,
        "updated_at": at,
    }
    if status is PositionStatus.ERROR:
        values |= dict.fromkeys(("quantity", "entry_quantity", "exit_quantity"), ZERO)
    _change(connection, account_id, position_id, values)


def rebuild(
    connection: Connection,
    account_id: AccountId,
    position_id: PositionId,
    right: Position,
    *,
    at: datetime,
) -> None:
    """What executions make of a row: quantities, cost, result, and with them its status."""
    values: dict[str, object] = {
        "status": right.status.value,
        "quantity": right.quantity,
        "entry_quantity": right.entry_quantity,
        "exit_quantity": right.exit_quantity,
        "average_cost": right.average_cost,
        "realised_pnl": right.realised_pnl,
        "fees": right.fees,
        "closed_at": right.closed_at,
        "updated_at": at,
    }
    _change(connection, account_id, position_id, values)


def unclose(
    connection: Connection, account_id: AccountId, position_id: PositionId, *, at: datetime
) -> None:
    """Take back the time of closing of a row that is not over."""
    _change(connection, account_id, position_id, {"closed_at": None, "updated_at": at})


def _change(
    connection: Connection,
    account_id: AccountId,
    position_id: PositionId,
    values: dict[str, object],
) -> None:
    table = CRYPTO_POSITIONS
    connection.execute(
        update(table)
        .where(table.c.account_id == account_id, table.c.position_id == position_id)
        .values(values)
    )


def _status_of(text: str) -> PositionStatus:
    """A word that is none of ours, set by hand, is an error: nothing is managed by such a row."""
    try:
        return PositionStatus(text)
    except ValueError:
        return PositionStatus.ERROR


def _position_of(row: Row[Any]) -> Position:
    return Position(
        position_id=row.position_id,
        symbol=row.symbol,
        side=word(Side, row.side),
        status=_status_of(row.status),
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
        position_kind=word(PositionKind, row.kind),
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


_READER = Reader(CRYPTO_POSITIONS, _position_of)
_ONE = Query(
    select(CRYPTO_POSITIONS).where(
        CRYPTO_POSITIONS.c.account_id == bindparam("owner"),
        CRYPTO_POSITIONS.c.position_id == bindparam("name"),
    )
)

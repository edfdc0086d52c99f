"""At which levels each position takes its profit, as they were set last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from zoe_tools.domain.identifiers import AccountId, PositionId
from zoe_tools.domain.position import ACTIVE
from zoe_tools.domain.take_profit import LevelStatus, TakeProfitLevel, TargetMode
from zoe_tools.store.record_tables import TAKE_PROFIT_LEVELS
from zoe_tools.store.rows import upsert
from zoe_tools.store.tables import CRYPTO_POSITIONS


def set_levels(
    connection: Connection,
    account_id: AccountId,
    position_id: PositionId,
    levels: Sequence[TakeProfitLevel],
) -> None:
    """Bring the position's rows to these levels; others of it go."""
    table = TAKE_PROFIT_LEVELS
    kept = [each.level for each in levels]
    connection.execute(
        delete(table).where(
            table.c.account_id == account_id,
            table.c.position_id == position_id,
            table.c.level.not_in(kept),
        )
    )
    rows = [
        {
            "account_id": account_id,
            "position_id": position_id,
            "level": each.level,
            "price": each.price,
            "quantity": each.quantity,
            "status": each.status.value,
            "mode": each.mode.value,
            "client_order_id": each.client_order_id,
            "updated_at": each.updated_at,
        }
        for each in levels
    ]
    upsert(connection, table, rows)


def levels(
    connection: Connection, account_id: AccountId, position_id: PositionId | None
) -> tuple[TakeProfitLevel, ...]:
    """The levels of a position, or of every one that is not over; in order."""
    table, held = TAKE_PROFIT_LEVELS, CRYPTO_POSITIONS
    statement = (
        select(table)
        .where(table.c.account_id == account_id)
        .order_by(table.c.position_id, table.c.level)
    )
    if position_id is not None:
        statement = statement.where(table.c.position_id == position_id)
    else:
        active = select(held.c.position_id).where(
            held.c.account_id == account_id,
            held.c.status.in_(sorted(each.value for each in ACTIVE)),
        )
        statement = statement.where(table.c.position_id.in_(active))
    return tuple(_level_of(row) for row in connection.execute(statement))


def levels_by_position(
    connection: Connection, account_id: AccountId
) -> dict[str, list[TakeProfitLevel]]:
    """Of every position, those that are over too."""
    table = TAKE_PROFIT_LEVELS
    found: dict[str, list[TakeProfitLevel]] = {}
    for row in connection.execute(select(table).where(table.c.account_id == account_id)):
        found.setdefault(row.position_id, []).append(_level_of(row))
    return found


def _level_of(row: Row[Any]) -> TakeProfitLevel:
    return TakeProfitLevel(
        position_id=row.position_id,
        level=row.level,
        price=row.price,
        quantity=row.quantity,
        status=LevelStatus(row.status),
        mode=TargetMode(row.mode),
        updated_at=row.updated_at,
        client_order_id=row.client_order_id,
    )

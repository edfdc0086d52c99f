"""At which levels each position takes its profit, as they were set last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, or_, select

from zoe_tools.domain.identifiers import AccountId, PositionId
from zoe_tools.domain.position import ACTIVE
from zoe_tools.domain.take_profit import LevelStatus, TakeProfitLevel, TargetMode
from zoe_tools.store.reads import Query, Reader
from zoe_tools.store.record_tables import TAKE_PROFIT_LEVELS
from zoe_tools.store.rows import upsert
from zoe_tools.store.tables import CRYPTO_POSITIONS
from zoe_tools.store.types import word

_LEVELS = (
    select(TAKE_PROFIT_LEVELS)
    .where(TAKE_PROFIT_LEVELS.c.account_id == bindparam("owner"))
    .order_by(TAKE_PROFIT_LEVELS.c.position_id, TAKE_PROFIT_LEVELS.c.level)
)
_OF_ONE = Query(_LEVELS.where(TAKE_PROFIT_LEVELS.c.position_id == bindparam("position")))
_OF_ACTIVE = Query(
    _LEVELS.where(
        TAKE_PROFIT_LEVELS.c.position_id.in_(
            select(CRYPTO_POSITIONS.c.position_id).where(
                CRYPTO_POSITIONS.c.account_id == bindparam("owner"),
                or_(*(CRYPTO_POSITIONS.c.status == each.value for each in sorted(ACTIVE))),
            )
        )
    )
)


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
    if position_id is None:
        return _READER.all(connection, _OF_ACTIVE, owner=account_id)
    return _READER.all(connection, _OF_ONE, owner=account_id, position=position_id)


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
        status=word(LevelStatus, row.status),
        mode=word(TargetMode, row.mode),
        updated_at=row.updated_at,
        client_order_id=row.client_order_id,
    )


_READER = Reader(TAKE_PROFIT_LEVELS, _level_of)

"""The append-only story of each position."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from zoe_tools.domain.identifiers import AccountId, PositionId
from zoe_tools.domain.position import PositionStatus
from zoe_tools.domain.position_event import PositionEvent
from zoe_tools.store.record_tables import POSITION_EVENTS
from zoe_tools.store.rows import insert_new


def append(connection: Connection, account_id: AccountId, event: PositionEvent) -> bool:
    """Append; False if an event with this key is there already."""
    values = {
        "account_id": account_id,
        "event_key": event.event_key,
        "position_id": event.position_id,
        "kind": event.what,
        "occurred_at": event.occurred_at,
        "from_status": "" if event.from_status is None else event.from_status.value,
        "to_status": event.to_status.value,
        "details": event.details,
    }
    return insert_new(connection, POSITION_EVENTS, values)


def events(
    connection: Connection, account_id: AccountId, position_id: PositionId | None
) -> tuple[PositionEvent, ...]:
    """In the order they were written."""
    table = POSITION_EVENTS
    statement = select(table).where(table.c.account_id == account_id).order_by(table.c.row_id)
    if position_id is not None:
        statement = statement.where(table.c.position_id == position_id)
    return tuple(_event_of(row) for row in connection.execute(statement))


def _event_of(row: Row[Any]) -> PositionEvent:
    return PositionEvent(
        event_key=row.event_key,
        position_id=row.position_id,
        what=row.kind,
        occurred_at=row.occurred_at,
        from_status=PositionStatus(row.from_status) if row.from_status else None,
        to_status=PositionStatus(row.to_status),
        details=row.details,
    )

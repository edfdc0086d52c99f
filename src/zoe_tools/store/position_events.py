"""The append-only story of each position."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, bindparam, false, or_, select

from zoe_tools.domain.identifiers import AccountId, PositionId
from zoe_tools.domain.position import PositionStatus
from zoe_tools.domain.position_event import PositionEvent
from zoe_tools.store.reads import Query, Reader
from zoe_tools.store.record_tables import POSITION_EVENTS
from zoe_tools.store.rows import insert_new
from zoe_tools.store.tables import CRYPTO_POSITIONS
from zoe_tools.store.types import word

_ACTIVE = sorted(each.value for each in PositionStatus if not each.is_terminal)


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
    if position_id is not None:
        return _READER.all(connection, _OF_ONE, owner=account_id, name=position_id)
    return tuple(_event_of(row) for row in connection.execute(_ALL, {"owner": account_id}))


def of_active(
    connection: Connection, account_id: AccountId, kinds: Iterable[str]
) -> tuple[PositionEvent, ...]:
    """Those of these kinds about positions that are not over, in the order they were written."""
    return _READER.all(connection, _of_active(frozenset(kinds)), owner=account_id)


@cache
def _of_active(kinds: frozenset[str]) -> Query:
    table, rows = POSITION_EVENTS, CRYPTO_POSITIONS
    # By what they are and not by what they are not: else every position there was is looked at.
    active = select(rows.c.position_id).where(
        rows.c.account_id == bindparam("owner"),
        or_(false(), *(rows.c.status == each for each in _ACTIVE)),
    )
    return Query(
        select(table)
        .where(table.c.account_id == bindparam("owner"), table.c.position_id.in_(active))
        .where(or_(false(), *(table.c.kind == each for each in sorted(kinds))))
        .order_by(table.c.row_id)
    )


def of_none(connection: Connection, account_id: AccountId) -> tuple[PositionEvent, ...]:
    """The stories of positions that have no row any more, in the order they were written."""
    table, rows = POSITION_EVENTS, CRYPTO_POSITIONS
    known = select(rows.c.position_id).where(rows.c.account_id == account_id)
    statement = (
        select(table)
        .where(table.c.account_id == account_id, table.c.position_id.not_in(known))
        .order_by(table.c.row_id)
    )
    return tuple(_event_of(row) for row in connection.execute(statement))


def _event_of(row: Row[Any]) -> PositionEvent:
    return PositionEvent(
        event_key=row.event_key,
        position_id=row.position_id,
        what=row.kind,
        occurred_at=row.occurred_at,
        from_status=word(PositionStatus, row.from_status) if row.from_status else None,
        to_status=word(PositionStatus, row.to_status),
        details=row.details,
    )


_READER = Reader(POSITION_EVENTS, _event_of)
_ALL = (
    select(POSITION_EVENTS)
    .where(POSITION_EVENTS.c.account_id == bindparam("owner"))
    .order_by(POSITION_EVENTS.c.row_id)
)
_OF_ONE = Query(_ALL.where(POSITION_EVENTS.c.position_id == bindparam("name")))

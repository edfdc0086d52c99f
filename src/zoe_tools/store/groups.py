"""Intent groups, as the order desk keeps them; their orders are in `orders.py`."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from zoe_tools.domain.identifiers import AccountId, GroupId
from zoe_tools.domain.intent_group import GroupEnd, IntentGroup, Style
from zoe_tools.domain.journal import OrderRecord
from zoe_tools.domain.order import Side
from zoe_tools.store import orders
from zoe_tools.store.reads import Query, Reader
from zoe_tools.store.rows import upsert
from zoe_tools.store.tables import INTENT_GROUPS


class GroupBook:
    """One account's groups, within one transaction."""

    def __init__(self, connection: Connection, account_id: AccountId) -> None:
        self._connection = connection
        self._account_id = account_id

    def record(self, group: IntentGroup) -> None:
        """Insert the group, or bring its row to these values (`created_at` stays)."""
        values = {
            "account_id": self._account_id,
            "group_id": group.group_id,
            "symbol": group.symbol,
            "side": group.side.value,
            "purpose": group.purpose,
            "style": group.style.value,
            "target_quantity": group.target_quantity,
            "ttl_seconds": group.ttl_s,
            "arrival_bid": group.arrival_bid,
            "arrival_ask": group.arrival_ask,
            "worst_price": group.worst_price,
            "position_id": group.position_id,
            "reason": group.reason,
            "created_at": group.created_at,
            "renews": group.renews,
            "ending": None if group.ending is None else group.ending.value,
            "ended_at": group.ended_at,
        }
        upsert(self._connection, INTENT_GROUPS, values, keep=("created_at",))

    def of(self, group_id: GroupId) -> IntentGroup | None:
        """One group."""
        return _READER.first(self._connection, _ONE, owner=self._account_id, name=group_id)

    def active(self) -> tuple[IntentGroup, ...]:
        """Those that are not over, oldest first."""
        found = _READER.all(self._connection, _ACTIVE, owner=self._account_id)
        return tuple(sorted(found, key=lambda each: (each.created_at, each.group_id)))

    def since(self, since: datetime | None) -> tuple[IntentGroup, ...]:
        """Those begun at `since` or later, oldest first."""
        if since is None:
            return _READER.all(self._connection, _ALL, owner=self._account_id)
        return _READER.all(self._connection, _SINCE, owner=self._account_id, since=since)

    def orders_of(self, group_ids: Collection[GroupId]) -> tuple[OrderRecord, ...]:
        """All orders of these groups, oldest first."""
        return orders.orders_of_groups(self._connection, self._account_id, group_ids)


def _group_of(row: Row[Any]) -> IntentGroup:
    return IntentGroup(
        group_id=row.group_id,
        symbol=row.symbol,
        side=Side(row.side),
        purpose=row.purpose,
        style=Style(row.style),
        target_quantity=row.target_quantity,
        created_at=row.created_at,
        ttl_s=row.ttl_seconds,
        arrival_bid=row.arrival_bid,
        arrival_ask=row.arrival_ask,
        worst_price=row.worst_price,
        position_id=row.position_id,
        reason=row.reason,
        renews=row.renews,
        ending=None if row.ending is None else GroupEnd(row.ending),
        ended_at=row.ended_at,
    )


# In no order: asked for the oldest first, SQLite reads all there ever were, along their times.
_ACTIVE = Query(
    select(INTENT_GROUPS).where(
        INTENT_GROUPS.c.account_id == bindparam("owner"), INTENT_GROUPS.c.ended_at.is_(None)
    )
)
_BY_AGE = (
    select(INTENT_GROUPS)
    .where(INTENT_GROUPS.c.account_id == bindparam("owner"))
    .order_by(INTENT_GROUPS.c.created_at, INTENT_GROUPS.c.group_id)
)
_ALL = Query(_BY_AGE)
_SINCE = Query(_BY_AGE.where(INTENT_GROUPS.c.created_at >= bindparam("since")))
_READER = Reader(INTENT_GROUPS, _group_of)
_ONE = Query(
    select(INTENT_GROUPS).where(
        INTENT_GROUPS.c.account_id == bindparam("owner"),
        INTENT_GROUPS.c.group_id == bindparam("name"),
    )
)

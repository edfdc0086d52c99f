"""Old prices, thinned out: what is left values everything that was booked as it did before.

The last price of each UTC day stays, and each that is near something booked, or the newest before
it: a ledger row or an execution is worth what it was, and no result is restated.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from sqlalchemy import Connection, delete, func, select

from zoe_tools.domain.identifiers import AccountId
from zoe_tools.store.marks import pairs
from zoe_tools.store.record_tables import ASSET_MARKS, LEDGER_ENTRIES
from zoe_tools.store.tables import CRYPTO_FILLS

NEAR = timedelta(minutes=15)
"""As long as a price says for sure what something was worth (`core.marks.STALE_AFTER`)."""

_DAY = timedelta(days=1)


def first_day(connection: Connection, account_id: AccountId) -> date | None:
    """The day of the oldest price; None without any."""
    table = ASSET_MARKS
    oldest: datetime | None = connection.execute(
        select(func.min(table.c.marked_at)).where(table.c.account_id == account_id)
    ).scalar()
    return None if oldest is None else oldest.astimezone(UTC).date()


def thin_day(
    connection: Connection, account_id: AccountId, day: date, before: datetime, *, is_done: bool
) -> int:
    """How many prices of this day, older than `before`, may go; they go if `is_done`."""
    table = ASSET_MARKS
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    end = min(start + _DAY, before)
    booked: list[datetime] | None = None
    gone = 0
    for asset, currency in pairs(connection, account_id):
        mine = (
            table.c.account_id == account_id,
            table.c.asset == asset,
            table.c.currency == currency,
        )
        times = connection.execute(
            select(table.c.marked_at)
            .where(*mine, table.c.marked_at >= start, table.c.marked_at < end)
            .order_by(table.c.marked_at)
        ).scalars()
        found = list(times)
        if len(found) <= 1:
            continue
        if booked is None:
            booked = _booked(connection, account_id, start - NEAR, end + NEAR)
        idle = [at for at, later in pairwise(found) if not _is_used(booked, at, later)]
        gone += len(idle)
        if is_done and idle:
            connection.execute(delete(table).where(*mine, table.c.marked_at.in_(idle)))
    return gone


def _booked(
    connection: Connection, account_id: AccountId, first: datetime, last: datetime
) -> list[datetime]:
    """When anything was booked in this time."""
    times: list[datetime] = []
    for table, name in ((LEDGER_ENTRIES, "booked_at"), (CRYPTO_FILLS, "filled_at")):
        at = table.c[name]
        times += connection.execute(
            select(at).where(table.c.account_id == account_id, at >= first, at <= last)
        ).scalars()
    return sorted(times)


def _is_used(booked: Sequence[datetime], at: datetime, later: datetime) -> bool:
    """Whether the worth of something booked may rest on this price: near it, or until the next."""
    place = bisect_left(booked, at - NEAR)
    return place < len(booked) and booked[place] <= max(later, at + NEAR)

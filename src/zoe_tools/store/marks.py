"""Marks and points of the equity curve. Observations: a dry run may write both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, tuple_

from zoe_tools.domain.equity import EquityPoint, Mark
from zoe_tools.domain.identifiers import AccountId
from zoe_tools.store.reads import Query, Reader
from zoe_tools.store.record_tables import ASSET_MARKS, EQUITY_POINTS
from zoe_tools.store.rows import insert_new, upsert

APART = timedelta(seconds=290)
"""Two marks of an asset are so far apart; a little less than the five minutes between two looks."""


def record_marks(
    connection: Connection, account_id: AccountId, seen: Iterable[Mark], *, always: bool = False
) -> int:
    """Keep prices; of each asset one in five minutes, or `always`. Returns how many were kept."""
    kept = 0
    for each in sorted(seen, key=lambda mark: mark.marked_at):
        last = _newest(connection, account_id, each.asset, each.currency)
        is_soon = last is not None and abs(each.marked_at - last.marked_at) < APART
        if is_soon and not always:
            continue
        kept += insert_new(
            connection,
            ASSET_MARKS,
            {
                "account_id": account_id,
                "asset": each.asset,
                "currency": each.currency,
                "marked_at": each.marked_at,
                "price": each.price,
                "source": each.source,
            },
        )
    return kept


def _newest(
    connection: Connection, account_id: AccountId, asset: str, currency: str
) -> Mark | None:
    table = ASSET_MARKS
    row = connection.execute(
        select(table)
        .where(
            table.c.account_id == account_id,
            table.c.asset == asset,
            table.c.currency == currency,
        )
        .order_by(table.c.marked_at.desc())
        .limit(1)
    ).first()
    return None if row is None else _mark(row)


def pairs(connection: Connection, account_id: AccountId) -> Iterator[tuple[str, str]]:
    """Every asset and currency there is a mark of, from one to the next along the key.

    To group the whole table would read all of it, at every look.
    """
    table = ASSET_MARKS
    pair = ("", "")
    while True:
        row = connection.execute(
            select(table.c.asset, table.c.currency)
            .where(
                table.c.account_id == account_id,
                tuple_(table.c.asset, table.c.currency) > tuple_(*pair),
            )
            .order_by(table.c.asset, table.c.currency)
            .limit(1)
        ).first()
        if row is None:
            return
        pair = (row.asset, row.currency)
        yield pair


def marks(
    connection: Connection, account_id: AccountId, since: datetime | None = None
) -> tuple[Mark, ...]:
    """Marks at `since` or later, oldest first."""
    table = ASSET_MARKS
    statement = select(table).where(table.c.account_id == account_id)
    if since is not None:
        statement = statement.where(table.c.marked_at >= since)
    rows = connection.execute(statement.order_by(table.c.marked_at, table.c.asset))
    return tuple(_mark(row) for row in rows)


def latest_marks(connection: Connection, account_id: AccountId) -> tuple[Mark, ...]:
    """The newest mark of each asset and currency."""
    found = [_newest(connection, account_id, *pair) for pair in pairs(connection, account_id)]
    return tuple(each for each in found if each is not None)


def record_equity(connection: Connection, account_id: AccountId, point: EquityPoint) -> None:
    """Keep a point; a second one of the same moment takes its place."""
    upsert(
        connection,
        EQUITY_POINTS,
        {
            "account_id": account_id,
            "taken_at": point.taken_at,
            "currency": point.currency,
            "gross": point.gross,
            "net": point.net,
            "cash": point.cash,
            "holdings": point.holdings,
            "flow": point.flow,
            "return_index": point.return_index,
            "peak_index": point.peak_index,
            "is_estimated": point.is_estimated,
            "details": {
                "lacks": " ".join(point.lacks),
                "flows": " ".join(point.flow_ids),
                "is_blind": point.is_blind,
            },
        },
    )


def equity_points(
    connection: Connection, account_id: AccountId, since: datetime | None = None
) -> tuple[EquityPoint, ...]:
    """Points at `since` or later, oldest first."""
    table = EQUITY_POINTS
    statement = select(table).where(table.c.account_id == account_id)
    if since is not None:
        statement = statement.where(table.c.taken_at >= since)
    return tuple(_point(row) for row in connection.execute(statement.order_by(table.c.taken_at)))


def latest_equity(connection: Connection, account_id: AccountId) -> EquityPoint | None:
    """The newest point; None if there is none."""
    return _POINTS.first(connection, _NEWEST_POINT, owner=account_id)


def _mark(row: Row[Any]) -> Mark:
    return Mark(
        asset=row.asset,
        currency=row.currency,
        price=row.price,
        marked_at=row.marked_at,
        source=row.source,
    )


def _point(row: Row[Any]) -> EquityPoint:
    return EquityPoint(
        taken_at=row.taken_at,
        currency=row.currency,
        gross=row.gross,
        net=row.net,
        cash=row.cash,
        holdings=row.holdings,
        flow=row.flow,
        return_index=row.return_index,
        peak_index=row.peak_index,
        is_estimated=row.is_estimated,
        lacks=tuple(str(row.details.get("lacks", "")).split()),
        flow_ids=tuple(str(row.details.get("flows", "")).split()),
        is_blind=bool(row.details.get("is_blind", False)),
    )


_NEWEST_POINT = Query(
    select(EQUITY_POINTS)
    .where(EQUITY_POINTS.c.account_id == bindparam("owner"))
    .order_by(EQUITY_POINTS.c.taken_at.desc())
    .limit(1)
)
_POINTS = Reader(EQUITY_POINTS, _point)

"""Marks and points of the equity curve. Observations: a dry run may write both."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select

from zoe_tools.domain.equity import EquityPoint, Mark
from zoe_tools.domain.identifiers import AccountId
from zoe_tools.store.record_tables import ASSET_MARKS, EQUITY_POINTS
from zoe_tools.store.rows import insert_new, upsert

APART = timedelta(seconds=59)
"""Two marks of an asset are so far apart; a little less than the minute in which each is told."""

_NEWEST = 1_000
"""So far back a point is looked for that lacked nothing."""


def record_marks(connection: Connection, account_id: AccountId, seen: Iterable[Mark]) -> int:
    """Keep prices; of each asset at most one a minute. Returns how many were kept."""
    kept = 0
    newest = _newest_times(connection, account_id)
    for each in sorted(seen, key=lambda mark: mark.marked_at):
        pair = (each.asset, each.currency)
        last = newest.get(pair)
        if last is not None and abs(each.marked_at - last) < APART:
            continue
        newest[pair] = each.marked_at
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


def _newest_times(connection: Connection, account_id: AccountId) -> dict[tuple[str, str], datetime]:
    table = ASSET_MARKS
    rows = connection.execute(
        select(table.c.asset, table.c.currency, func.max(table.c.marked_at).label("newest"))
        .where(table.c.account_id == account_id)
        .group_by(table.c.asset, table.c.currency)
    )
    return {(row.asset, row.currency): row.newest for row in rows}


def marks(
    connection: Connection, account_id: AccountId, since: datetime | None = None
) -> tuple[Mark, ...]:
    """Marks at `since` or later, oldest first."""
    table = ASSET_MARKS
    statement = select(table).where(table.c.account_id == account_id)
    if since is not None:
        statement = statement.where(table.c.marked_at >= since)
    rows = connection.execute(statement.order_by(table.c.marked_at, table.c.asset))
    return tuple(
        Mark(
            asset=row.asset,
            currency=row.currency,
            price=row.price,
            marked_at=row.marked_at,
            source=row.source,
        )
        for row in rows
    )


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
            "details": {"lacks": " ".join(point.lacks)},
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
    """The newest point that lacked no price; None if there is none."""
    table = EQUITY_POINTS
    rows = connection.execute(
        select(table)
        .where(table.c.account_id == account_id)
        .order_by(table.c.taken_at.desc())
        .limit(_NEWEST)
    )
    return next((point for row in rows if not (point := _point(row)).lacks), None)


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
    )

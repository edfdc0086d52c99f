"""Snapshots of what the venue holds: cash in one table, everything else in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from zoe_tools.domain.identifiers import AccountId
from zoe_tools.domain.ledger import Balance
from zoe_tools.domain.observation import BalanceSnapshot
from zoe_tools.store.tables import CRYPTO_CASH_SNAPSHOTS, CRYPTO_HOLDINGS_SNAPSHOTS


def record_balances(
    connection: Connection,
    account_id: AccountId,
    held: Sequence[Balance],
    *,
    at: datetime,
    source: str,
    quote: str,
    marks: Mapping[str, Decimal],
) -> None:
    """A cash row for `quote`, a holdings row for each other asset; an unlisted asset has none."""
    common = {"account_id": account_id, "taken_at": at, "source": source, "currency": quote}
    for each in held:
        if each.asset == quote:
            row: dict[str, Any] = {
                "cash_total": each.total,
                "cash_available": each.available,
                "cash_hold": each.hold,
            }
            connection.execute(CRYPTO_CASH_SNAPSHOTS.insert(), {**common, **row})
            continue
        mark = marks.get(each.asset)
        row = {
            "asset": each.asset,
            "quantity": each.total,
            "hold": each.hold,
            "mark": mark,
            "market_value": None if mark is None else each.total * mark,
        }
        connection.execute(CRYPTO_HOLDINGS_SNAPSHOTS.insert(), {**common, **row})


def latest_balances(connection: Connection, account_id: AccountId) -> BalanceSnapshot | None:
    """Both tables' rows of the newest moment that either has."""
    newest = [
        row
        for table in (CRYPTO_CASH_SNAPSHOTS, CRYPTO_HOLDINGS_SNAPSHOTS)
        if (row := _newest(connection, table, account_id)) is not None
    ]
    if not newest:
        return None
    latest = max(newest, key=lambda row: row.taken_at)
    cash = _rows(connection, CRYPTO_CASH_SNAPSHOTS, account_id, latest)
    holdings = _rows(connection, CRYPTO_HOLDINGS_SNAPSHOTS, account_id, latest)
    return BalanceSnapshot(
        taken_at=latest.taken_at,
        source=latest.source,
        quote=latest.currency,
        balances=tuple(
            [Balance(asset=row.currency, total=row.cash_total, hold=row.cash_hold) for row in cash]
            + [Balance(asset=row.asset, total=row.quantity, hold=row.hold) for row in holdings]
        ),
        marks={row.asset: row.mark for row in holdings if row.mark is not None},
    )


def _newest(connection: Connection, table: Table, account_id: AccountId) -> Row[Any] | None:
    return connection.execute(
        select(table)
        .where(table.c.account_id == account_id)
        .order_by(table.c.taken_at.desc(), table.c.row_id.desc())
        .limit(1)
    ).first()


def _rows(
    connection: Connection, table: Table, account_id: AccountId, latest: Row[Any]
) -> Sequence[Row[Any]]:
    return connection.execute(
        select(table)
        .where(
            table.c.account_id == account_id,
            table.c.taken_at == latest.taken_at,
            table.c.source == latest.source,
        )
        .order_by(table.c.row_id)
    ).all()

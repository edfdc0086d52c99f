"""Results by day, and what operators declared that deposits had cost. Business rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, select

from zoe_tools.domain.equity import PnlDay
from zoe_tools.domain.identifiers import AccountId
from zoe_tools.domain.lot import CostBasis
from zoe_tools.store.record_tables import COST_BASIS, PNL_DAILY
from zoe_tools.store.rows import upsert

_SAME = (
    "currency",
    "opening_equity",
    "gross_equity",
    "net_equity",
    "net_deposits",
    "daily_pnl",
    "realised_pnl",
    "unrealised_pnl",
    "fees_paid",
    "return_pct",
    "drawdown_pct",
    "trades",
    "wins",
    "losses",
    "expectancy",
    "is_estimated",
    "is_final",
    "restated_at",
    "updated_at",
)
"""Columns that are called as the value's fields."""


def record_days(connection: Connection, account_id: AccountId, days: Iterable[PnlDay]) -> None:
    """Insert the days, or bring their rows to these values."""
    rows = [
        {
            "account_id": account_id,
            "date": each.date.isoformat(),
            **{name: getattr(each, name) for name in _SAME},
        }
        for each in days
    ]
    upsert(connection, PNL_DAILY, rows)


def days(connection: Connection, account_id: AccountId) -> tuple[PnlDay, ...]:
    """All rows, oldest first."""
    table = PNL_DAILY
    rows = connection.execute(
        select(table).where(table.c.account_id == account_id).order_by(table.c.date)
    )
    return tuple(_day(row) for row in rows)


def _day(row: Row[Any]) -> PnlDay:
    return PnlDay(date=date.fromisoformat(row.date), **{name: getattr(row, name) for name in _SAME})


def declare_cost(connection: Connection, account_id: AccountId, basis: CostBasis) -> None:
    """Add a declaration; an earlier one of the same deposit stays, and counts no more."""
    connection.execute(
        COST_BASIS.insert(),
        {
            "account_id": account_id,
            "ledger_id": basis.ledger_id,
            "asset": basis.asset,
            "quantity": basis.quantity,
            "unit_cost": basis.unit_cost,
            "currency": basis.currency,
            "declared_at": basis.declared_at,
            "declared_by": basis.declared_by,
            "reason": basis.reason,
        },
    )


def declared_costs(connection: Connection, account_id: AccountId) -> tuple[CostBasis, ...]:
    """All declarations, in the order they were made; of one deposit the last one counts."""
    table = COST_BASIS
    rows = connection.execute(
        select(table).where(table.c.account_id == account_id).order_by(table.c.row_id)
    )
    return tuple(
        CostBasis(
            ledger_id=row.ledger_id,
            asset=row.asset,
            quantity=row.quantity,
            unit_cost=row.unit_cost,
            currency=row.currency,
            declared_at=row.declared_at,
            declared_by=row.declared_by,
            reason=row.reason,
        )
        for row in rows
    )

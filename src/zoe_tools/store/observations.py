"""Heartbeats, decisions, boots: what was seen, beside the books."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, select

from zoe_tools.domain.identifiers import AccountId
from zoe_tools.domain.observation import Boot, Decision, Details, Heartbeat
from zoe_tools.store.rows import upsert
from zoe_tools.store.tables import (
    BOOT_AUDIT,
    CANDIDATE_SCANS,
    HEALTH_HEARTBEAT,
)

HOLD = "hold"
"""The kind of a decision to do nothing."""

ENTER = "enter"
"""The kind of a wish for more."""


def beat(
    connection: Connection,
    account_id: AccountId,
    component: str,
    status: str,
    at: datetime,
    details: Details,
) -> None:
    """Note a component's sign of work; only the last one is kept."""
    values = {
        "account_id": account_id,
        "component": component,
        "status": status,
        "last_heartbeat": at,
        "details": details,
    }
    upsert(connection, HEALTH_HEARTBEAT, values)


def heartbeats(connection: Connection, account_id: AccountId) -> tuple[Heartbeat, ...]:
    """The last heartbeat of each component."""
    table = HEALTH_HEARTBEAT
    rows = connection.execute(
        select(table).where(table.c.account_id == account_id).order_by(table.c.component)
    )
    return tuple(
        Heartbeat(
            component=row.component,
            status=row.status,
            beat_at=row.last_heartbeat,
            details=row.details,
        )
        for row in rows
    )


def record_decision(connection: Connection, account_id: AccountId, decision: Decision) -> None:
    """Note a decision."""
    connection.execute(
        CANDIDATE_SCANS.insert(),
        {
            "account_id": account_id,
            "decided_at": decision.decided_at,
            "symbol": decision.symbol,
            "kind": decision.kind,
            "details": decision.details,
        },
    )


def forget_holds(connection: Connection, account_id: AccountId, before: datetime, most: int) -> int:
    """Delete up to `most` of the oldest holds decided before then; returns how many."""
    table = CANDIDATE_SCANS
    old = (
        select(table.c.row_id)
        .where(table.c.account_id == account_id, table.c.decided_at < before, table.c.kind == HOLD)
        .order_by(table.c.row_id)
        .limit(most)
    )
    return int(connection.execute(delete(table).where(table.c.row_id.in_(old))).rowcount)


def decisions(
    connection: Connection, account_id: AccountId, since: datetime | None
) -> tuple[Decision, ...]:
    """Decisions, oldest first."""
    table = CANDIDATE_SCANS
    statement = (
        select(table)
        .where(table.c.account_id == account_id)
        .order_by(table.c.decided_at, table.c.row_id)
    )
    if since is not None:
        statement = statement.where(table.c.decided_at >= since)
    return tuple(
        Decision(decided_at=row.decided_at, symbol=row.symbol, kind=row.kind, details=row.details)
        for row in connection.execute(statement)
    )


def record_boot(connection: Connection, account_id: AccountId, boot: Boot) -> None:
    """Note a start of the loop, or bring it to its end."""
    values = {
        "account_id": account_id,
        "run_id": boot.run_id,
        "started_at": boot.started_at,
        "finished_at": boot.finished_at,
        "status": boot.status,
        "details": boot.details,
    }
    upsert(connection, BOOT_AUDIT, values, keep=("started_at",))


def boots(connection: Connection, account_id: AccountId) -> tuple[Boot, ...]:
    """Every start, oldest first."""
    table = BOOT_AUDIT
    rows = connection.execute(
        select(table)
        .where(table.c.account_id == account_id)
        .order_by(table.c.started_at, table.c.run_id)
    )
    return tuple(
        Boot(
            run_id=row.run_id,
            started_at=row.started_at,
            finished_at=row.finished_at,
            status=row.status,
            details=row.details,
        )
        for row in rows
    )

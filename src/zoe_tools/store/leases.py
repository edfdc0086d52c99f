"""One trading loop an account: a lease with a token that grows, taken in a single statement."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, or_, select, update

from zoe_tools.domain.identifiers import AccountId
from zoe_tools.domain.observation import Lease
from zoe_tools.store.rows import insert_new
from zoe_tools.store.tables import ENGINE_LEASES

NOBODY = ""


def acquire(
    connection: Connection,
    account_id: AccountId,
    holder: str,
    host: str,
    pid: int,
    now: datetime,
    ttl_s: float,
) -> Lease:
    """Take the lease if it is free, expired or ours; returns it as it then stands."""
    values: dict[str, Any] = {
        "holder": holder,
        "host": host,
        "pid": pid,
        "acquired_at": now,
        "renewed_at": now,
        "expires_at": now + timedelta(seconds=ttl_s),
    }
    if not insert_new(connection, ENGINE_LEASES, {"account_id": account_id, "token": 1, **values}):
        table = ENGINE_LEASES
        connection.execute(
            update(table)
            .where(
                table.c.account_id == account_id,
                or_(
                    table.c.holder.in_((NOBODY, holder)),
                    table.c.expires_at <= now,
                ),
            )
            .values(token=table.c.token + 1, **values)
        )
    found = lease(connection, account_id)
    if found is None:
        raise RuntimeError("the lease vanished in the transaction that took it")
    return found


def renew(
    connection: Connection, account_id: AccountId, holder: str, now: datetime, ttl_s: float
) -> bool:
    """Prolong the lease, if it is still this holder's. Expired but untaken counts as held."""
    table = ENGINE_LEASES
    changed = connection.execute(
        update(table).where(table.c.account_id == account_id, table.c.holder == holder),
        {"renewed_at": now, "expires_at": now + timedelta(seconds=ttl_s)},
    )
    return changed.rowcount == 1


def release(connection: Connection, account_id: AccountId, holder: str) -> bool:
    """Give the lease back; the row stays, so that the token goes on growing."""
    table = ENGINE_LEASES
    changed = connection.execute(
        update(table).where(table.c.account_id == account_id, table.c.holder == holder),
        {"holder": NOBODY},
    )
    return changed.rowcount == 1


def lease(connection: Connection, account_id: AccountId) -> Lease | None:
    """The lease as it stands; None if nobody has it."""
    table = ENGINE_LEASES
    row = connection.execute(select(table).where(table.c.account_id == account_id)).first()
    if row is None or row.holder == NOBODY:
        return None
    return Lease(
        holder=row.holder,
        host=row.host,
        pid=row.pid,
        token=row.token,
        acquired_at=row.acquired_at,
        renewed_at=row.renewed_at,
        expires_at=row.expires_at,
    )

"""The global switches an operator may flip with SQL, and each account's trading state."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from zoe_tools.domain.identifiers import AccountId
from zoe_tools.domain.trading_state import ARMED, KillLevel, TradingState
from zoe_tools.store.rows import upsert
from zoe_tools.store.tables import CONFIG, TRADING_STATES

KILL_SWITCH = "kill_switch"
NOT_KILLED = "false"


def config_value(connection: Connection, key: str) -> str | None:
    """One global value."""
    return connection.execute(select(CONFIG.c.value).where(CONFIG.c.key == key)).scalar()


def limit_key(account_id: AccountId, name: str) -> str:
    """Under which key a tightened limit of one account stands."""
    return f"{name}@{account_id}"


def limits(connection: Connection, account_id: AccountId) -> dict[str, str]:
    """The account's tightened limits, setting -> text."""
    suffix = limit_key(account_id, "")
    table = CONFIG
    rows = connection.execute(
        select(table.c.key, table.c.value).where(table.c.key.endswith(suffix, autoescape=True))
    )
    return {row.key.removesuffix(suffix): row.value for row in rows}


def set_config(connection: Connection, key: str, value: str, at: datetime) -> None:
    """Write one global value."""
    upsert(connection, CONFIG, {"key": key, "value": value, "updated_at": at})


def kill_switch(connection: Connection) -> bool:
    """Anything but exactly `false` stops new risk: a typing error, or a row that went missing."""
    return config_value(connection, KILL_SWITCH) != NOT_KILLED


def trading_state(connection: Connection, account_id: AccountId) -> TradingState:
    """The account's latched state.

    A level that is none of ours counts as the hardest that sends nothing by itself: reduce-only.
    """
    table = TRADING_STATES
    row = connection.execute(select(table).where(table.c.account_id == account_id)).first()
    if row is None:
        return ARMED
    try:
        level = KillLevel.parse(row.level)
    except ValueError:
        level = KillLevel.REDUCE_ONLY
    return TradingState(
        level=level, reason=row.reason, changed_at=row.changed_at, changed_by=row.changed_by
    )


def set_trading_state(connection: Connection, account_id: AccountId, state: TradingState) -> None:
    """Latch the account's state."""
    values = {
        "account_id": account_id,
        "level": state.level.label,
        "reason": state.reason,
        "changed_at": state.changed_at,
        "changed_by": state.changed_by,
    }
    upsert(connection, TRADING_STATES, values)

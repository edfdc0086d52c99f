"""The global switches an operator may flip with SQL, and each account's trading state."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from zoe_tools.domain.identifiers import AccountId, Symbol
from zoe_tools.domain.trading_state import ARMED, KillLevel, TradingState
from zoe_tools.store.rows import upsert
from zoe_tools.store.tables import CONFIG, INSTRUMENT_STATES, TRADING_STATES

KILL_SWITCH = "kill_switch"
NOT_KILLED = "false"

# Asked for twice a second by every loop: spelled out once.
_VALUE = select(CONFIG.c.value).where(CONFIG.c.key == bindparam("name"))
_VALUES = select(CONFIG.c.key, CONFIG.c.value)
_STATE = select(TRADING_STATES).where(TRADING_STATES.c.account_id == bindparam("owner"))
_STOPPED = (
    select(INSTRUMENT_STATES)
    .where(INSTRUMENT_STATES.c.account_id == bindparam("owner"))
    .where(INSTRUMENT_STATES.c.level != KillLevel.NONE.label)
    .order_by(INSTRUMENT_STATES.c.symbol)
)


def config_value(connection: Connection, key: str) -> str | None:
    """One global value."""
    return connection.execute(_VALUE, {"name": key}).scalar()


def limit_key(account_id: AccountId, name: str) -> str:
    """Under which key a tightened limit of one account stands."""
    return f"{name}@{account_id}"


def limits(connection: Connection, account_id: AccountId) -> dict[str, str]:
    """The account's tightened limits, setting -> text."""
    suffix = limit_key(account_id, "")
    rows = connection.execute(_VALUES)
    return {key.removesuffix(suffix): value for key, value in rows if key.endswith(suffix)}


def set_config(connection: Connection, key: str, value: str, at: datetime) -> None:
    """Write one global value."""
    upsert(connection, CONFIG, {"key": key, "value": value, "updated_at": at})


def kill_switch(connection: Connection) -> bool:
    """Anything but exactly `false` stops new risk: a typing error, or a row that went missing."""
    return config_value(connection, KILL_SWITCH) != NOT_KILLED


def trading_state(connection: Connection, account_id: AccountId) -> TradingState:
    """The account's latched state, and that of each of its instruments that is stopped.

    A level that is none of ours counts as the hardest that sends nothing by itself: reduce-only.
    """
    owner = {"owner": account_id}
    row = connection.execute(_STATE, owner).first()
    own = ARMED if row is None else _state_in(row)
    rows = connection.execute(_STOPPED, owner).all()
    return replace(own, stopped=tuple((Symbol(each.symbol), _state_in(each)) for each in rows))


def _state_in(row: Row[Any]) -> TradingState:
    try:
        level = KillLevel.parse(row.level)
    except ValueError:
        level = KillLevel.REDUCE_ONLY
    return TradingState(
        level=level, reason=row.reason, changed_at=row.changed_at, changed_by=row.changed_by
    )


def set_trading_state(
    connection: Connection, account_id: AccountId, state: TradingState, symbol: Symbol | None
) -> None:
    """Latch the account's state, or that of one of its instruments."""
    values = {
        "account_id": account_id,
        "level": state.level.label,
        "reason": state.reason,
        "changed_at": state.changed_at,
        "changed_by": state.changed_by,
    }
    if symbol is None:
        upsert(connection, TRADING_STATES, values)
    else:
        upsert(connection, INSTRUMENT_STATES, values | {"symbol": symbol})

"""The global switches an operator may flip with SQL, and each account's trading state."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from zoe_tools.domain.identifiers import AccountId, Symbol
from zoe_tools.domain.trading_state import ARMED, KillLevel, TradingState
from zoe_tools.store.reads import Query, Reader
from zoe_tools.store.rows import upsert
from zoe_tools.store.tables import CONFIG, INSTRUMENT_STATES, TRADING_STATES

KILL_SWITCH = "kill_switch"
NOT_KILLED = "false"

# Asked for twice a second by every loop: spelled out once.
_VALUE = Query(select(CONFIG).where(CONFIG.c.key == bindparam("name")))
_VALUES = Query(select(CONFIG))
_STATE = Query(select(TRADING_STATES).where(TRADING_STATES.c.account_id == bindparam("owner")))
_STOPPED = Query(
    select(INSTRUMENT_STATES)
    .where(INSTRUMENT_STATES.c.account_id == bindparam("owner"))
    .where(INSTRUMENT_STATES.c.level != KillLevel.NONE.label)
    .order_by(INSTRUMENT_STATES.c.symbol)
)


def config_value(connection: Connection, key: str) -> str | None:
    """One global value."""
    found = _CONFIG.first(connection, _VALUE, name=key)
    return None if found is None else found[1]


def limit_key(account_id: AccountId, name: str) -> str:
    """Under which key a tightened limit of one account stands."""
    return f"{name}@{account_id}"


def limits(connection: Connection, account_id: AccountId) -> dict[str, str]:
    """The account's tightened limits, setting -> text."""
    suffix = limit_key(account_id, "")
    rows = _CONFIG.all(connection, _VALUES)
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
    own = _ACCOUNTS.first(connection, _STATE, owner=account_id) or ARMED
    return replace(own, stopped=_INSTRUMENTS.all(connection, _STOPPED, owner=account_id))


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


_CONFIG = Reader(CONFIG, lambda row: (str(row.key), str(row.value)))
_ACCOUNTS = Reader(TRADING_STATES, _state_in)
_INSTRUMENTS = Reader(INSTRUMENT_STATES, lambda row: (Symbol(row.symbol), _state_in(row)))

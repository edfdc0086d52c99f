"""A store without a file: empty, for one process, gone with it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from zoe_tools.domain.account import Account
from zoe_tools.store import accounts, audit, settings
from zoe_tools.store.store import Store
from zoe_tools.store.tables import METADATA


def store_in_memory(account: Account, now: datetime) -> Store:
    """An empty store for this account, its tables made, its switch as a fresh one's."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as connection:
        METADATA.create_all(connection)
        accounts.register(connection, account, now, None)
        audit.begin(connection, account.account_id, now)
        settings.set_config(connection, settings.KILL_SWITCH, settings.NOT_KILLED, now)
    return Store(engine, account)

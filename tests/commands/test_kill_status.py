"""`zoe kill status`: armed, latched, and switched by an operator's own SQL."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from builders import NOON
from command_line import LIVE_KEYS, migrated, zoe
from zoe_tools.config import load_settings
from zoe_tools.domain.trading_state import KillLevel, TradingState
from zoe_tools.store.store import Store


def store_of(home: Path) -> Store:
    """The store of that home's live account."""
    settings = load_settings(LIVE_KEYS, home=home)
    assert settings.live_account is not None
    return Store.open(
        settings.database_url, settings.live_account, clock_now=datetime(2026, 1, 5, tzinfo=UTC)
    )


def test_a_fresh_account_is_armed(tmp_path: Path) -> None:
    """Exit 0, and it says so."""
    home = migrated(tmp_path)
    shown = zoe("kill status", LIVE_KEYS, home=home)

    assert shown.code == 0
    assert "allowed" in shown.out


def test_a_latched_level_is_shown_with_its_reason(tmp_path: Path) -> None:
    """Which level, why, since when."""
    home = migrated(tmp_path)
    store = store_of(home)
    state = TradingState(level=KillLevel.CANCEL_OPEN, reason="fat finger", changed_at=NOON)
    with store.transaction() as transaction:
        transaction.set_trading_state(state)
    store.close()
    shown = zoe("kill status", LIVE_KEYS, home=home)

    assert "cancel-open" in shown.out
    assert "fat finger" in shown.out


def test_the_runbooks_switch_reads_as_reduce_only(tmp_path: Path) -> None:
    """UPDATE config SET value='true' WHERE key='kill_switch'."""
    home = migrated(tmp_path)
    with sqlite3.connect(home / "zoe.db") as database:
        database.execute("UPDATE config SET value='true' WHERE key='kill_switch'")
    database.close()
    shown = zoe("kill status", LIVE_KEYS, home=home)

    assert "reduce-only" in shown.out

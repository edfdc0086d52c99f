"""`zoe kill status`: armed, latched, and switched by an operator's own SQL."""

from __future__ import annotations

import fcntl
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from builders import BTC, NOON, PAPER
from command_line import LIVE_KEYS, migrated, write, zoe
from zoe_tools.config import load_settings
from zoe_tools.domain.trading_state import KillLevel, TradingState
from zoe_tools.gate.emergency_journal import EmergencyJournal
from zoe_tools.store import emergency_file
from zoe_tools.store.emergency_file import EmergencyFile
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
        transaction.latch(state)
    store.close()
    shown = zoe("kill status", LIVE_KEYS, home=home)

    assert "cancel-open" in shown.out
    assert "fat finger" in shown.out
    assert "stopped; `zoe resume` is the way back" in shown.out


def test_a_reason_in_another_encoding_keeps_nothing_from_being_stopped(tmp_path: Path) -> None:
    """What was typed on a terminal of Latin-1 arrives as bytes that are no text."""
    home = migrated(tmp_path)
    ran = zoe("kill --level pause-entries --reason f\udcfcr\x1b[2J --execute", LIVE_KEYS, home=home)
    shown = zoe("kill status", LIVE_KEYS, home=home)

    assert ran.code == 0
    assert "pause-entries" in shown.out
    assert "f\ufffdr [2J" in shown.out


def test_an_instrument_that_is_stopped_for_itself_is_shown_beside_the_account(
    tmp_path: Path,
) -> None:
    """By status, health and pre-flight, too; the account may enter all the others."""
    home = migrated(tmp_path)
    state = TradingState(level=KillLevel.FLATTEN, reason="odd prints", changed_at=NOON)
    write(home, lambda books: books.latch(state, BTC))
    shown = zoe("kill status", LIVE_KEYS, home=home)
    told = zoe("kill status --json", LIVE_KEYS, home=home).envelope["result"]

    assert "allowed" in shown.out
    assert "BTC/USD" in shown.out
    assert "odd prints" in shown.out
    assert told["may_enter"]
    assert [(each["symbol"], each["level"]) for each in told["instruments"]] == [
        ("BTC/USD", "flatten")
    ]
    way_back = "`zoe resume --instrument BTC/USD` is the way back"
    assert way_back in shown.out
    on_screen = " ".join(zoe("status", LIVE_KEYS, home=home).out.split())
    assert "HALTED at flatten: odd prints" in on_screen
    assert way_back in on_screen
    screen = zoe("status --json", LIVE_KEYS, home=home).envelope["result"]
    assert screen["stopped_instruments"][0]["symbol"] == "BTC/USD"
    assert "BTC/USD halted at flatten: odd prints" in zoe("health", LIVE_KEYS, home=home).out


def test_the_runbooks_switch_reads_as_reduce_only(tmp_path: Path) -> None:
    """UPDATE config SET value='true' WHERE key='kill_switch'."""
    home = migrated(tmp_path)
    with sqlite3.connect(home / "zoe.db") as database:
        database.execute("UPDATE config SET value='true' WHERE key='kill_switch'")
    database.close()
    shown = zoe("kill status", LIVE_KEYS, home=home)

    assert "reduce-only" in shown.out
    assert "global" in shown.out


def test_a_level_that_waits_for_the_store_is_no_allowance(tmp_path: Path) -> None:
    """It is ordered, and latched by whoever comes next; one of an instrument stops only that."""
    home = migrated(tmp_path)
    account = load_settings(LIVE_KEYS, home=home).live_account
    assert account is not None
    journal = EmergencyJournal(EmergencyFile(home), account)
    journal.prepare()
    journal.latch(KillLevel.FLATTEN, "odd prints", by="kill", at=NOON, symbol=BTC)
    of_one = zoe("kill status --json", LIVE_KEYS, home=home).envelope["result"]
    journal.latch(KillLevel.CANCEL_OPEN, "store was away", by="kill", at=NOON)
    told = zoe("kill status --json", LIVE_KEYS, home=home).envelope["result"]
    shown = zoe("kill status", LIVE_KEYS, home=home)

    assert (of_one["level"], of_one["may_enter"]) == ("none", True)
    assert (told["level"], told["may_enter"]) == ("none", False)
    assert [(each["symbol"], each["level"]) for each in told["waiting"]] == [
        ("BTC/USD", "flatten"),
        (None, "cancel-open"),
    ]
    assert "allowed" not in shown.out
    assert "to be stopped" in shown.out
    assert "store was away" in shown.out


def test_a_journal_that_cannot_be_read_is_told_beside_the_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the store has is shown all the same, and nothing is called allowed."""
    home = migrated(tmp_path)
    journal = EmergencyJournal(EmergencyFile(home), PAPER)
    journal.prepare()
    journal.latch(KillLevel.CANCEL_OPEN, "another account's", by="kill", at=NOON)
    monkeypatch.setattr(emergency_file, "_TURN_S", 0.0)
    before = zoe("kill status", LIVE_KEYS, home=home)
    with (home / emergency_file.NAME).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        shown = zoe("kill status", LIVE_KEYS, home=home)

    assert "allowed" in before.out
    assert (shown.code, "What waits in emergency.jnl is not known" in shown.err) == (0, True)
    assert "allowed" not in shown.out

"""`zoe health`: one line and an exit code, from the store alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from builders import NOON
from command_line import LIVE_KEYS, migrated, write, zoe
from zoe_tools.runtime.clocks import SystemClock
from zoe_tools.store.store import Transaction


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A migrated home."""
    return migrated(tmp_path / "home")


def run_a_loop(home: Path, *, beat_at: datetime) -> None:
    """As a loop that runs leaves it: a lease and a heartbeat."""

    def work(transaction: Transaction) -> None:
        now = SystemClock().now()
        transaction.acquire_lease("a", "mill", 42, now, 600.0)
        details = {"phase": "READY", "state": "NORMAL", "turn_at": beat_at.isoformat()}
        transaction.beat("loop", "ok", beat_at, details)

    write(home, work)


def test_a_loop_that_works_exits_0_in_one_line_and_asks_no_venue(home: Path) -> None:
    """The key's addresses lead nowhere, and nobody minds; a broken setting only warns."""
    run_a_loop(home, beat_at=SystemClock().now())
    nowhere = {"KRAKEN_BASE_URL": "http://127.0.0.1:9", "ORDER_TTL_SECONDS_EXIT": "soon"}
    ran = zoe("health", LIVE_KEYS | nowhere, home=home)

    assert ran.code == 0
    (line,) = ran.out.splitlines()
    assert line.startswith("LIVE kraken ")
    assert ": healthy, READY NORMAL, turn " in line
    assert "ORDER_TTL_SECONDS_EXIT" in ran.err


def test_a_stale_heartbeat_exits_3(home: Path) -> None:
    """The lease is there, and nobody works."""
    run_a_loop(home, beat_at=SystemClock().now() - timedelta(seconds=60))
    ran = zoe("health --json", LIVE_KEYS, home=home)

    assert ran.code == 3
    (found,) = ran.envelope["result"]["findings"]
    assert found.startswith("stale heartbeat: 6")


def test_a_halted_account_exits_3(home: Path) -> None:
    """Also by the runbooks' switch, with a loop that has not noticed it yet."""
    run_a_loop(home, beat_at=SystemClock().now())
    write(home, lambda t: t.set_config("kill_switch", "true", NOON))
    ran = zoe("health", LIVE_KEYS, home=home)

    assert ran.code == 3
    assert "FINDINGS, READY KILL_SWITCH" in ran.out
    assert "halted at reduce-only: kill_switch" in ran.out


def test_a_broken_settings_file_is_no_reason_to_say_nothing(home: Path) -> None:
    """Unreadable as TOML: the environment names the account, and the answer comes."""
    run_a_loop(home, beat_at=SystemClock().now())
    (home / "zoe.toml").write_text("[[[ not a table")

    assert zoe("health", LIVE_KEYS, home=home).code == 0


def test_no_store_exits_7(tmp_path: Path) -> None:
    """And makes none."""
    ran = zoe("health", LIVE_KEYS, home=tmp_path)

    assert (ran.code, list(tmp_path.iterdir())) == (7, [])

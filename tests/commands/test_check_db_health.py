"""`zoe check-db-health`: the whole database on one page, and an exit code for cron."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from builders import NOON, make_intent
from command_line import LIVE_KEYS, migrated, zoe
from postgres_server import PostgresServer
from zoe_tools.config import load_settings
from zoe_tools.domain.journal import IntentState
from zoe_tools.runtime import db_health
from zoe_tools.runtime.context import account_of
from zoe_tools.store.store import Store

WIDTHS = (80, 120)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A live account with books, a signed log and a fresh copy."""
    home = migrated(tmp_path / "home")
    zoe("audit init", LIVE_KEYS, home=home)
    zoe("config set MAX_OPEN_POSITIONS 2 --execute", LIVE_KEYS, home=home)
    assert zoe(f"db backup {tmp_path / 'copy.db'}", LIVE_KEYS, home=home).code == 0
    return home


def test_a_sound_database_exits_0(home: Path) -> None:
    """It names the account, the copy, and the sum."""
    ran = zoe("check-db-health", LIVE_KEYS, home=home)
    told = zoe("check-db-health --json", LIVE_KEYS, home=home).envelope

    assert ran.code == 0, ran.out
    assert ran.out.startswith("LIVE kraken ")
    assert str(home.parent / "copy.db") in ran.out
    assert " 0 fail" in ran.out.splitlines()[-1]
    assert told["exit_code"] == 0
    assert told["result"]["facts"]["backup"]["path"] == str(home.parent / "copy.db")


def test_a_finding_exits_3_with_the_next_step(home: Path) -> None:
    """On the page and in JSON."""
    with closing(sqlite3.connect(home / "zoe.db")) as database:
        database.execute("DROP TRIGGER crypto_fills_no_delete")
    ran = zoe("check-db-health", LIVE_KEYS, home=home)
    told = zoe("check-db-health --json", LIVE_KEYS, home=home).envelope

    assert (ran.code, told["exit_code"], told["result"]["verdict"]) == (3, 3, "fail")
    assert "fail  triggers" in ran.out
    assert "gone: crypto_fills_no_delete" in ran.out
    assert "next: Whoever did it" in ran.out


def test_defect_20_the_command_changes_no_byte_of_the_database(home: Path) -> None:
    """No account is registered, no look is noted, and the file is not even touched."""
    path = home / "zoe.db"
    before = path.read_bytes(), path.stat().st_mtime_ns
    for line in ("check-db-health", "check-db-health --json"):
        assert zoe(line, LIVE_KEYS, home=home).code == 0
    assert zoe("check-db-health", {**LIVE_KEYS, "KRAKEN_API_KEY": "another"}, home=home).code == 0

    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_a_paper_account_s_ages_are_told_by_its_exchange(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose time may be far from the world's: an intent of a second ago is none of years."""
    home = migrated(tmp_path / "home")
    assert zoe("kill status", home=home).code == 0
    settings = load_settings({}, home=home)
    store = Store.open(settings.database_url, account_of(settings), clock_now=NOON)
    with closing(store), store.transaction() as books:
        intent = make_intent(account_id=books.account_id, state=IntentState.JOURNALED)
        books.record_intent(intent)

    def verdict() -> str:
        told = zoe("check-db-health --json", home=home).envelope["result"]["checks"]
        return next(str(each["verdict"]) for each in told if each["name"] == "intents")

    years_later = verdict()
    clock = SimpleNamespace(now=lambda: NOON + timedelta(seconds=6))
    monkeypatch.setattr(db_health, "clock_of_paper", lambda _: clock)
    assert (years_later, verdict()) == ("fail", "pass")


def test_a_copy_that_is_too_old_or_not_there_is_told(home: Path) -> None:
    """BACKUP_MAX_AGE_HOURS says what is too old; 0: nobody asks."""
    (home.parent / "copy.db").unlink()
    gone = zoe("check-db-health", LIVE_KEYS, home=home)
    off = zoe("check-db-health", {**LIVE_KEYS, "BACKUP_MAX_AGE_HOURS": "0"}, home=home)

    assert (gone.code, off.code) == (0, 0)
    assert "which is not there" in " ".join(gone.out.split())
    assert "BACKUP_MAX_AGE_HOURS is 0" in off.out


def test_a_store_that_is_not_there_or_not_ours_exits_7(tmp_path: Path) -> None:
    """And nothing is made."""
    missing = zoe("check-db-health", LIVE_KEYS, home=tmp_path)
    assert (missing.code, "zoe init" in missing.err) == (7, True)
    assert not (tmp_path / "zoe.db").exists()

    (tmp_path / "letter.db").write_text("dear grandmother" * 400)
    environ = {**LIVE_KEYS, "DATABASE_URL": f"sqlite:///{tmp_path / 'letter.db'}"}
    assert zoe("check-db-health", environ, home=tmp_path).code == 7
    nowhere = {**LIVE_KEYS, "DATABASE_URL": "postgresql://zoe:secret@127.0.0.1:1/books"}
    ran = zoe("check-db-health", nowhere, home=tmp_path)
    assert (ran.code, "secret" in ran.out + ran.err) == (7, False)


def test_a_server_is_looked_over_too(tmp_path: Path, postgres_server: PostgresServer) -> None:
    """Its own checksums, its strangers; its disk and its copies are its own business."""
    url = postgres_server.url(postgres_server.create_database())
    environ = {**LIVE_KEYS, "DATABASE_URL": url}
    assert zoe("init", environ, home=tmp_path).code == 0
    assert zoe("config set MAX_OPEN_POSITIONS 2 --execute", environ, home=tmp_path).code == 0
    told = zoe("check-db-health --json", environ, home=tmp_path).envelope
    checks = {each["name"]: each["verdict"] for each in told["result"]["checks"]}

    assert told["exit_code"] == 0
    assert (checks["strangers"], checks["age"], checks["triggers"]) == ("pass",) * 3
    assert "disk" not in checks


@pytest.mark.parametrize("columns", WIDTHS)
def test_the_page_keeps_to_the_width(home: Path, columns: int) -> None:
    """But for a path, which stays whole to be copied."""
    environ = {**LIVE_KEYS, "COLUMNS": str(columns)}
    lines = zoe("check-db-health", environ, home=home).out.splitlines()

    assert [each for each in lines if len(each) > columns and "copy.db" not in each] == []

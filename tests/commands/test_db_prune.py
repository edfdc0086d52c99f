"""`zoe db prune`: shown first, provable afterwards, refused where it would bury something."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from audit_rig import write_days
from builders import NOON, d
from command_line import LIVE_KEYS, migrated, zoe
from zoe_tools.config import load_settings
from zoe_tools.domain.equity import Mark
from zoe_tools.store.store import Store


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A live account whose three days of trading are long ago."""
    home = migrated(tmp_path)
    settings = load_settings(LIVE_KEYS, home=home)
    assert settings.live_account is not None
    write_days(settings.database_url, None, 3, settings.live_account)
    return home


def test_without_execute_it_only_says_what_would_go(home: Path) -> None:
    """Exit 3, and the line that does it."""
    shown = zoe("db prune --older-than 30d", LIVE_KEYS, home=home)
    again = zoe("db prune --older-than 30d --json", LIVE_KEYS, home=home)

    assert (shown.code, again.code) == (3, 3)
    assert "DRY RUN: nothing was removed." in shown.out
    assert "zoe db prune --older-than 30d --execute" in shown.out
    assert again.envelope["result"]["found"]["log_rows"] == 18


def test_old_prices_are_thinned_out(home: Path) -> None:
    """Told, and gone; the last one of the day stays."""
    zoe("audit init", LIVE_KEYS, home=home)
    settings = load_settings(LIVE_KEYS, home=home)
    assert settings.live_account is not None
    old = NOON - timedelta(days=400)
    opened = Store.open(settings.database_url, settings.live_account, clock_now=NOON)
    with closing(opened) as store, store.transaction() as books:
        books.record_marks(
            Mark(
                asset="BTC",
                currency="USD",
                price=d("1"),
                marked_at=old + timedelta(hours=hours),
                source="test",
            )
            for hours in range(3)
        )
    shown = zoe("db prune --older-than 300d --json", LIVE_KEYS, home=home)
    zoe("db prune --older-than 300d --execute", LIVE_KEYS, home=home)
    again = zoe("db prune --older-than 300d --json", LIVE_KEYS, home=home)

    assert (shown.code, shown.envelope["result"]["found"]["marks"]) == (3, 2)
    assert (again.code, again.envelope["result"]["found"]["marks"]) == (0, 0)


def test_what_is_left_verifies(home: Path) -> None:
    """Exit 0; the second time there is nothing to do."""
    zoe("audit init", LIVE_KEYS, home=home)
    done = zoe("db prune --older-than 30d --execute", LIVE_KEYS, home=home)
    checked = zoe("audit verify", LIVE_KEYS, home=home)
    again = zoe("db prune --older-than 30d", LIVE_KEYS, home=home)

    assert (done.code, checked.code, again.code) == (0, 0, 0)
    assert "were pruned" in checked.out
    assert "Nothing to do." in again.out


def test_without_a_key_nothing_goes(home: Path) -> None:
    """Exit 4: nothing could vouch for it."""
    shown = zoe("db prune --older-than 30d --execute", LIVE_KEYS, home=home)

    assert shown.code == 4
    assert "zoe audit init" in shown.err
    assert (
        zoe("audit verify --json", LIVE_KEYS, home=home).envelope["result"]["accounts"][0][
            "pruned_rows"
        ]
        == 0
    )


def test_a_log_that_is_not_whole_is_not_pruned(home: Path) -> None:
    """Exit 4: a prune would bury the evidence."""
    zoe("audit init", LIVE_KEYS, home=home)
    with closing(sqlite3.connect(home / "zoe.db")) as database:
        database.execute("DROP TRIGGER audit_log_no_update")
        database.execute("UPDATE audit_log SET payload = '{}' WHERE seq = 3")
        database.commit()
    shown = zoe("db prune --older-than 30d --execute", LIVE_KEYS, home=home)

    assert shown.code == 4
    assert "row 3" in shown.err


@pytest.mark.parametrize("age", ["30", "6d", "1h", "-9d", "0d"])
def test_an_age_that_is_none_or_too_low_is_refused(home: Path, age: str) -> None:
    """Exit 2: the last week always stays."""
    assert zoe(f"db prune --older-than={age}", LIVE_KEYS, home=home).code == 2

"""`zoe db status`: where the schema stands, and what to run."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from command_line import LIVE_KEYS, migrated, zoe


def test_a_current_schema_exits_0(tmp_path: Path) -> None:
    """With the same number twice."""
    ran = zoe("db status --json", LIVE_KEYS, home=migrated(tmp_path / "home"))

    assert ran.code == 0
    assert ran.envelope["result"]["state"] == "current"
    assert ran.envelope["result"]["migration"] == ran.envelope["result"]["newest"]


def test_no_database_yet_exits_7_and_makes_none(tmp_path: Path) -> None:
    """The next step is named."""
    ran = zoe("db status", LIVE_KEYS, home=tmp_path)

    assert ran.code == 7
    assert "Next: zoe init" in ran.out
    assert list(tmp_path.iterdir()) == []


def test_foreign_and_newer_databases_are_told_apart(tmp_path: Path) -> None:
    """Neither is touched."""
    home = migrated(tmp_path / "home")
    connection = sqlite3.connect(home / "zoe.db")
    connection.execute("UPDATE zoe_alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    newer = zoe("db status --json", LIVE_KEYS, home=home)
    connection = sqlite3.connect(tmp_path / "theirs.db")
    connection.execute("CREATE TABLE invoices (id INTEGER)")
    connection.commit()
    connection.close()
    url = f"sqlite:///{tmp_path}/theirs.db"
    foreign = zoe("db status --json", LIVE_KEYS | {"DATABASE_URL": url}, home=home)

    assert (newer.code, foreign.code) == (7, 7)
    assert newer.envelope["result"]["state"] == "made by a newer zoe"
    assert foreign.envelope["result"]["state"] == "holds tables that zoe did not make"


@pytest.mark.parametrize("line", ["db status", "db upgrade", "db backup copy.db"])
@pytest.mark.parametrize("name", ["DATABASE_URL", "SUPABASE_DB_URL"])
def test_an_address_that_is_none_is_not_replaced_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, name: str
) -> None:
    """Exit 2: to look at, or copy, the default database instead would be the wrong one."""
    monkeypatch.chdir(tmp_path)
    home = migrated(tmp_path / "home")
    ran = zoe(line, LIVE_KEYS | {name: "mysql://me:secret@db/zoe"}, home=home)

    assert (ran.code, ran.out, (tmp_path / "copy.db").exists()) == (2, "", False)
    assert name in ran.err
    assert "secret" not in ran.err

"""`zoe init`: private, idempotent, overwrites nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from command_line import LIVE_KEYS, zoe
from zoe_tools.config import env_template
from zoe_tools.store.tables import HEAD_REVISION


def test_it_makes_folder_template_and_database(tmp_path: Path) -> None:
    """0700, 0600, migrated; and every setting is still the default."""
    home = tmp_path / "home"
    ran = zoe("init", home=home)

    assert ran.code == 0
    assert ran.out.startswith("PAPER kraken ")
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / ".env").stat().st_mode & 0o777 == 0o600
    assert (home / ".env").read_text() == env_template()
    assert zoe("db status", home=home).code == 0


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    """What the operator wrote stays, and the account too."""
    home = tmp_path / "home"
    first = zoe("init", home=home)
    (home / ".env").write_text("MAX_OPEN_POSITIONS=1\n")
    second = zoe("init --json", home=home)

    assert second.code == 0
    assert (home / ".env").read_text() == "MAX_OPEN_POSITIONS=1\n"
    assert second.envelope["account"].removeprefix("kraken-paper-") in first.out
    assert second.envelope["result"] == {
        "home": str(home),
        "home_created": False,
        "settings_created": False,
        "migration_before": HEAD_REVISION,
        "migration": HEAD_REVISION,
    }


def test_a_live_mode_without_keys_does_not_stop_it(tmp_path: Path) -> None:
    """The template is where the keys go; the account line says what is missing."""
    ran = zoe("init", {"EDGE_FACTORY_MODE": "live"}, home=tmp_path)

    assert ran.code == 0
    assert ran.out.startswith("LIVE (no API key)\n")
    assert "KRAKEN_API_KEY" in ran.err


def test_an_open_home_is_warned_about(tmp_path: Path) -> None:
    """It is the operator's folder: said, not changed."""
    tmp_path.chmod(0o755)
    ran = zoe("init", LIVE_KEYS, home=tmp_path)

    assert f"chmod 700 {tmp_path}" in ran.err
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_home_that_cannot_be_made_is_a_clear_sentence(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "file").write_text("")
    ran = zoe("init", home=tmp_path / "file" / "home")

    assert ran.code == 2
    assert str(tmp_path / "file") in ran.err


def test_somebody_else_s_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Exit 7."""
    path = tmp_path / "theirs.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE invoices (id INTEGER)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    ran = zoe("init", {"DATABASE_URL": f"sqlite:///{path}"}, home=tmp_path / "home")

    assert ran.code == 7
    assert path.read_bytes() == before

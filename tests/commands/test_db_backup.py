"""`zoe db backup`: one file, said where it is and what is not in it."""

from __future__ import annotations

from pathlib import Path

from command_line import LIVE_KEYS, migrated, zoe


def test_a_copy_is_made_and_can_be_used(tmp_path: Path) -> None:
    """`zoe db status` on the copy is current."""
    home = migrated(tmp_path / "home")
    copy = tmp_path / "copy.db"
    shown = zoe(f"db backup {copy}", LIVE_KEYS, home=home)
    status = zoe("db status", {**LIVE_KEYS, "DATABASE_URL": f"sqlite:///{copy}"}, home=home)

    assert (shown.code, status.code) == (0, 0)
    assert "Not in it" in shown.out


def test_what_exists_is_not_replaced(tmp_path: Path) -> None:
    """Exit 2."""
    home = migrated(tmp_path)
    shown = zoe(f"db backup {home / '.env'}", LIVE_KEYS, home=home)

    assert shown.code == 2
    assert "exists" in shown.err


def test_a_postgresql_gets_its_line(tmp_path: Path) -> None:
    """Exit 2, and what to run instead."""
    environ = {**LIVE_KEYS, "DATABASE_URL": "postgresql://me:secret@db.example/zoe"}
    shown = zoe(f"db backup {tmp_path / 'x.dump'}", environ, home=tmp_path)

    assert shown.code == 2
    assert "pg_dump --format=custom" in shown.err
    assert "secret" not in shown.out + shown.err

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


def test_a_store_put_back_says_so_in_its_log(tmp_path: Path) -> None:
    """What was signed since the backup is missing, and the log that goes on from it says why."""
    home = migrated(tmp_path / "home")
    zoe("audit init", LIVE_KEYS, home=home)
    zoe("kill --level pause-entries --execute", LIVE_KEYS, home=home)
    zoe(f"db backup {tmp_path / 'copy.db'}", LIVE_KEYS, home=home)
    for positions in (2, 1):
        zoe(f"config set MAX_OPEN_POSITIONS {positions} --execute", LIVE_KEYS, home=home)
    for name in ("zoe.db-wal", "zoe.db-shm"):
        (home / name).unlink(missing_ok=True)
    (tmp_path / "copy.db").replace(home / "zoe.db")
    before = zoe("audit verify", LIVE_KEYS, home=home)
    status = zoe("kill status", LIVE_KEYS, home=home)
    after = zoe("audit verify", LIVE_KEYS, home=home)

    assert (before.code, status.code, after.code) == (3, 0, 0)
    assert "TRUNCATED" in before.out
    assert "a backup was restored at row" in " ".join(after.out.split())

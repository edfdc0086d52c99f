"""A backup is whole, of one moment, and never in anybody's way."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from audit_rig import opened, report_on, trade, write_days
from builders import NOON, PAPER
from zoe_tools.errors import ConfigError, SchemaOutdated
from zoe_tools.runtime.audit_home import AuditHome
from zoe_tools.store.backup import backup
from zoe_tools.store.store import Store


def test_a_copy_is_a_store_with_the_same_books(sqlite_url: str, tmp_path: Path) -> None:
    """It opens, it verifies, and only its owner may read it."""
    write_days(sqlite_url, None, 2)
    target = tmp_path / "copy.db"
    copied = backup(sqlite_url, target)

    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert copied.size == target.stat().st_size
    assert [each.name for each in tmp_path.glob("*copy*")] == ["copy.db"]
    report = report_on(f"sqlite:///{target}", AuditHome(tmp_path))
    assert (report.findings, report.rows) == ((), 13)


def test_what_a_killed_backup_left_behind_is_in_nobodys_way(
    sqlite_url: str, tmp_path: Path
) -> None:
    """Neither an other process's part nor one by this very number."""
    write_days(sqlite_url, None, 1)
    target = tmp_path / "copy.db"
    for left in (".copy.db.part", f".copy.db.{os.getpid()}.part"):
        (tmp_path / left).write_text("half of it")
    backup(sqlite_url, target)

    assert report_on(f"sqlite:///{target}", AuditHome(tmp_path)).findings == ()
    with pytest.raises(ConfigError, match="exists"):
        backup(sqlite_url, target)


def test_a_copy_made_while_others_write_is_of_one_moment(sqlite_url: str, tmp_path: Path) -> None:
    """Business and log in it belong together."""
    opened(sqlite_url, None).close()
    stop = threading.Event()

    def write() -> None:
        with closing(opened(sqlite_url, None)) as store:
            number = 0
            while not stop.is_set():
                number += 1
                with store.transaction() as books:
                    trade(books, number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            target = tmp_path / f"copy{number}.db"
            backup(sqlite_url, target)
            url = f"sqlite:///{target}"
            report = report_on(url, AuditHome(tmp_path))
            copy = Store.open(url, PAPER, clock_now=NOON, read_only=True)
            with closing(copy), copy.transaction() as books:
                intents = len(books.intents())
            assert (report.findings, report.rows) == ((), 1 + 3 * intents)
    finally:
        stop.set()
        writer.join()


def test_nothing_is_overwritten(sqlite_url: str, tmp_path: Path) -> None:
    """Yesterday's backup may be the only good one."""
    target = tmp_path / "copy.db"
    target.write_text("yesterday")
    with pytest.raises(ConfigError, match="exists"):
        backup(sqlite_url, target)

    assert target.read_text() == "yesterday"


def test_a_store_that_is_none_is_not_copied(tmp_path: Path) -> None:
    """And leaves no file behind."""
    with closing(sqlite3.connect(tmp_path / "zoe.db")) as database:
        database.execute("PRAGMA user_version = 1")
    with pytest.raises(SchemaOutdated):
        backup(f"sqlite:///{tmp_path / 'zoe.db'}", tmp_path / "copy.db")

    assert not (tmp_path / "copy.db").exists()


def test_a_postgresql_is_left_to_its_own_tools(tmp_path: Path) -> None:
    """The line to run is said, without the password."""
    with pytest.raises(ConfigError) as caught:
        backup("postgresql://me:secret@db.example/zoe", tmp_path / "zoe.dump")

    assert caught.value.hint == (
        f"pg_dump --format=custom --file={tmp_path / 'zoe.dump'} 'postgresql://me@db.example/zoe'"
    )

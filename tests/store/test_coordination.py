"""Notes that processes share: in a file, in PostgreSQL; one who is first, all who are told."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from postgres_server import PostgresServer
from zoe_tools.errors import SchemaOutdated, StoreError, StoreUnavailable
from zoe_tools.ports import SharedNotes
from zoe_tools.store.coordination import DatabaseNotes, FileNotes

Make = Callable[[], SharedNotes]


@pytest.fixture(params=["sqlite", "postgresql"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Another process that uses the same notes."""
    if request.param == "sqlite":
        yield lambda: FileNotes(tmp_path / "coord-key.db")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database(request.getfixturevalue("migrated_database")) as url:
        yield lambda: DatabaseNotes(url, "key")


def test_a_note_is_swapped_only_by_who_read_it_last(make: Make) -> None:
    """Whoever comes second is told, and nothing is overwritten."""
    one, other = make(), make()

    for text in (b"first", b"second"):
        seen_by_one, seen_by_other = one.read("slot"), other.read("slot")
        assert one.swap("slot", seen_by_one, text)
        assert not other.swap("slot", seen_by_other, b"late")
        assert other.read("slot").text == text

    assert one.read("budget").text == b""
    one.close()
    other.close()


def test_all_go_by_one_clock_that_goes_on(make: Make) -> None:
    """Also before there is a note."""
    one, other = make(), make()

    times = [one.read("slot").at, other.read("slot").at]
    one.swap("slot", one.read("slot"), b"x")
    times += [one.read("slot").at, other.read("slot").at]

    assert times == sorted(times)
    assert times[-1] - times[0] < 30
    one.close()
    other.close()


def test_no_step_is_lost_where_many_swap_at_once(make: Make) -> None:
    """Four processes add up to a hundred."""

    def add_up() -> None:
        notes, done = make(), 0
        while done < 25:
            before = notes.read("sum")
            done += notes.swap("sum", before, str(int(before.text or b"0") + 1).encode())
        notes.close()

    threads = [threading.Thread(target=add_up) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(timeout=60)

    notes = make()
    assert notes.read("sum").text == b"100"
    notes.close()


def test_two_keys_in_one_database_have_notes_of_their_own(url: str) -> None:
    """A fingerprint names whose they are."""
    if not url.startswith("postgresql"):
        pytest.skip("in a file there is one key")
    one, other = DatabaseNotes(url, "one"), DatabaseNotes(url, "other")

    assert one.swap("slot", one.read("slot"), b"x")

    assert other.read("slot").text == b""
    one.close()
    other.close()


def test_a_database_without_the_migration_says_what_to_do(postgres_url: str) -> None:
    """It is as if nobody could be reached, and the hint is to the point."""
    notes = DatabaseNotes(postgres_url, "key")
    with pytest.raises(SchemaOutdated) as raised:
        notes.read("slot")
    assert "zoe db upgrade" in raised.value.hint
    notes.close()


def test_an_sqlite_store_is_no_place_for_notes() -> None:
    """A bulk import into it would hold up every order."""
    with pytest.raises(ValueError, match="beside an SQLite store"):
        DatabaseNotes("sqlite:////tmp/zoe.db", "key")


@pytest.mark.parametrize("torn", [b"not a database at all" * 100, b"SQLite format 3\x00" * 300])
def test_a_file_that_a_power_cut_has_torn_is_made_anew(tmp_path: Path, torn: bytes) -> None:
    """It held nothing that the clock does not know."""
    path = tmp_path / "coord-key.db"
    path.write_bytes(torn)
    notes = FileNotes(path)

    assert notes.swap("slot", notes.read("slot"), b"x")

    assert notes.read("slot").text == b"x"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    notes.close()


def test_a_process_that_is_stopped_over_the_file_is_told_of(tmp_path: Path) -> None:
    """Nobody waits for it for long; what to do then is the asker's."""
    path = tmp_path / "coord-key.db"
    notes = FileNotes(path)
    before = notes.read("slot")
    with sqlite3.connect(path, isolation_level=None) as stopped:
        stopped.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            notes.swap("slot", before, b"x")
        assert notes.read("slot").text == b""
    stopped.close()
    notes.close()


def test_a_folder_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    """The hint says which."""
    notes = FileNotes(tmp_path / "none" / "coord-key.db")
    with pytest.raises(StoreUnavailable, match="No such file") as raised:
        notes.read("slot")
    assert "ZOE_HOME" in raised.value.hint


_ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from zoe_tools.errors import StoreError
from zoe_tools.store.coordination import FileNotes

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
notes = FileNotes(Path(sys.argv[1]))
notes.swap("slot", notes.read("slot"), b"before")
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    notes.swap("slot", notes.read("slot"), b"after")
except StoreError as error:
    print(error.message, notes.read("slot").text)
"""


def test_a_full_disk_is_told_of_and_leaves_the_note_as_it_was(tmp_path: Path) -> None:
    """A child process that may not write another byte."""
    told = subprocess.run(
        [sys.executable, "-c", _ON_A_FULL_DISK, tmp_path / "coord-key.db"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip

    assert "cannot be used" in told.stdout
    assert "b'before'" in told.stdout


def test_a_server_that_comes_back_is_used_again(url: str) -> None:
    """A connection that was cut is made anew with the next look."""
    if not url.startswith("postgresql"):
        pytest.skip("a file is always there")
    notes = DatabaseNotes(url, "key")
    notes.swap("slot", notes.read("slot"), b"x")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    with pytest.raises(StoreError):
        notes.read("slot")
    assert notes.read("slot").text == b"x"
    notes.close()
